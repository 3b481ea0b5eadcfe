//! Densities in the plane that flows are tried on: drawn by the program, the same each time.
//!
//! | name | what |
//! |---|---|
//! | `moons` | two half circles of radius 1 that reach into each other, each point moved by N(0, 0.1²) in both directions |
//! | `rings` | circles of radius 1, 2 and 3, a third of the points each, likewise moved by N(0, 0.08²) |
//! | `checkerboard` | uniform on the dark squares of a board of 4×4 squares with sides of 1, its middle at 0 |
//! | `spirals` | two arms `r = 3·√u` with the angle `3π·√u`, u uniform on [0, 1), moved by N(0, 0.1²) |
//!
//! 10,000 points are to train on and 5,000 to test on.

use std::f64::consts::{PI, TAU};

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{DataSet, Images};
use crate::error::{Error, Result};
use crate::noise::{NoiseKey, Purpose};

/// What can be drawn.
pub(super) const NAMES: [&str; 4] = ["moons", "rings", "checkerboard", "spirals"];

/// Points to train on, and to test on.
const COUNTS: [u64; 2] = [10_000, 5_000];

/// Draws the points of this name.
///
/// # Errors
/// [`Error::Usage`] for a name that is not known.
pub fn load(name: &str) -> Result<DataSet> {
    let Some(place) = NAMES.iter().position(|known| *known == name) else {
        return Err(Error::Usage(format!("data 'toy:{name}': known are {}", NAMES.join(", "))));
    };
    let draw = |split: u64| -> Result<Images> {
        let key = NoiseKey::new(place as u64, Purpose::Toy).at(split);
        let points: Vec<f64> = (0..COUNTS[split as usize]).flat_map(|i| point(name, &mut key.rng(i))).collect();
        Images::reals(&points, 2, None)
    };
    Ok(DataSet {
        name: format!("toy-{name}"),
        train: draw(0)?,
        test: draw(1)?,
        bins: 0,
        classes: Vec::new(),
        features: vec!["x".into(), "y".into()],
        remarks: Vec::new(),
    })
}

/// One point.
fn point(name: &str, rng: &mut impl Rng) -> [f64; 2] {
    let u: f64 = rng.r#gen();
    let half = if rng.r#gen::<bool>() { 1.0 } else { -1.0 };
    let ([x, y], noise) = match name {
        "moons" => {
            let angle = PI * u;
            let (cos, sin) = (angle.cos(), angle.sin());
            (if half > 0.0 { [cos - 0.5, sin - 0.25] } else { [0.5 - cos, 0.25 - sin] }, 0.1)
        }
        "rings" => {
            let radius = f64::from(rng.gen_range(1..=3_u8));
            ([radius * (TAU * u).cos(), radius * (TAU * u).sin()], 0.08)
        }
        "checkerboard" => {
            let (row, pair) = (rng.gen_range(0..4_u8), rng.gen_range(0..2_u8));
            let column = 2 * pair + row % 2;
            ([f64::from(column) + u - 2.0, f64::from(row) + rng.r#gen::<f64>() - 2.0], 0.0)
        }
        _ => {
            let (radius, angle) = (3.0 * u.sqrt(), 3.0 * PI * u.sqrt());
            ([half * radius * angle.cos(), half * radius * angle.sin()], 0.1)
        }
    };
    let mut moved = |at: f64| -> f64 {
        let z: f64 = StandardNormal.sample(rng);
        at + noise * z
    };
    [moved(x), moved(y)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Samples;

    fn points(name: &str) -> Vec<[f64; 2]> {
        let set = load(name).unwrap();
        let Samples::Reals(values) = set.test.samples(&(0..set.test.len()).collect::<Vec<_>>()).unwrap() else {
            panic!("{name} has no reals")
        };
        values.chunks_exact(2).map(|p| [p[0], p[1]]).collect()
    }

    #[test]
    fn points_lie_where_they_are_said_to() {
        let share = |name: &str, holds: fn(f64, f64) -> bool| {
            let all = points(name);
            all.iter().filter(|[x, y]| holds(*x, *y)).count() as f64 / all.len() as f64
        };
        assert_eq!(share("checkerboard", |x, y| (x.floor() + y.floor()).rem_euclid(2.0) == 0.0 && x.abs() <= 2.0), 1.0);
        // Four deviations hold all but 6 of 100,000.
        assert!(share("rings", |x, y| (x.hypot(y) - x.hypot(y).round().clamp(1.0, 3.0)).abs() < 0.34) > 0.999);
        assert!((share("rings", |x, y| x.hypot(y) < 1.5) - 1.0 / 3.0).abs() < 0.03);
        assert!((share("moons", |x, y| (x + 0.5).hypot(y + 0.25) < 1.4 && y > -0.7) - 0.5).abs() < 0.3);
        assert!(share("spirals", |x, y| x.hypot(y) < 3.5) > 0.999);
        assert!((share("spirals", |x, _| x > 0.0) - 0.5).abs() < 0.05);
    }

    #[test]
    fn points_are_the_same_each_time_and_of_each_split_their_own() {
        let (one, two) = (load("moons").unwrap(), load("moons").unwrap());
        assert_eq!(one, two);
        assert_eq!((one.train.len(), one.test.len()), (10_000, 5_000));
        assert_ne!(one.train.samples(&[0]).unwrap(), one.test.samples(&[0]).unwrap());
        assert!(load("mons").unwrap_err().to_string().contains("known are moons, rings"));
    }
}
