//! Straight lines between pictures, in all standardised latents together (Glow, section 5).

use super::classes::shared;
use super::code::{decode, encode};
use super::pictures::Pictures;
use super::points::{Points, mixture};
use crate::backend::{Device, Element};
use crate::flow::Flow;
use crate::plot::{Captioned, Row, Sheet};
use crate::{Error, Result};

/// Real pictures, and what lies between them.
#[derive(Debug)]
pub struct Interpolation<'a, E: Element, D: Device<E>> {
    flow: &'a Flow<E, D>,
    device: &'a D,
    captions: Vec<String>,
    stations: Points<E>,
    shape: [usize; 3],
}

impl<'a, E: Element, D: Device<E>> Interpolation<'a, E, D> {
    /// Between these pictures.
    ///
    /// # Errors
    /// [`Error::Usage`] where they are not the flow's.
    pub fn new(flow: &'a Flow<E, D>, device: &'a D, pictures: &Pictures) -> Result<Self> {
        let stations = encode(flow, device, &pictures.images, shared(flow, pictures.len()).as_deref())?;
        Ok(Self { flow, device, captions: pictures.captions.clone(), stations, shape: pictures.images.shape() })
    }

    /// A strip between two pictures, or a grid between four, with `steps` pictures along each line.
    ///
    /// # Errors
    /// [`Error::Usage`] for another number of pictures, and for fewer than two steps.
    pub fn sheet(&self, steps: usize) -> Result<Captioned> {
        let at = |i: usize| format!("{:.2}", i as f64 / (steps.max(2) - 1) as f64);
        let (points, title, headings) = match &self.captions[..] {
            [from, to] => (line(&self.stations, steps)?, format!("from {from} to {to}"), (0..steps).map(at).collect()),
            [a, b, c, d] => {
                let title = format!("between {a} and {b} (above), {c} and {d} (below)");
                (grid(&self.stations, steps)?, title, Vec::new())
            }
            _ => {
                let n = self.captions.len();
                return Err(Error::Usage(format!("{n} pictures to interpolate between: expected two or four")));
            }
        };
        let rows = vec![self.row(&points)?];
        let sheet = Sheet { rows, shape: self.shape, bins: self.flow.bins(), columns: steps };
        Ok(Captioned { title, headings, sheet })
    }

    /// The frames of a closed way through all pictures; see [`frames`].
    ///
    /// # Errors
    /// As [`frames`].
    pub fn frames(&self, steps: usize) -> Result<Row> {
        self.row(&frames(&self.stations, steps)?)
    }

    fn row(&self, points: &Points<E>) -> Result<Row> {
        Ok(decode(self.flow, self.device, points, shared(self.flow, points.len()).as_deref())?.into_row(""))
    }
}

/// `steps` points on the line between two, both ends included.
///
/// # Errors
/// [`Error::Usage`] unless there are two points and at least two steps.
pub fn line<E: Element>(ends: &Points<E>, steps: usize) -> Result<Points<E>> {
    let [a, b] = ends.rows() else {
        return Err(Error::Usage(format!("a line is between two pictures, and there are {}", ends.len())));
    };
    expect_steps(steps)?;
    let at = |i: usize| i as f64 / (steps - 1) as f64;
    let mut points = Points::new(ends.latents().to_vec());
    (0..steps).try_for_each(|i| points.push(mixture(&[(1.0 - at(i), a.as_slice()), (at(i), b)])))?;
    Ok(points)
}

/// `steps × steps` points, row by row, between four: upper left, upper right, lower left, lower right. Bilinear: every
/// row and every column is a line.
///
/// # Errors
/// [`Error::Usage`] unless there are four points and at least two steps.
pub fn grid<E: Element>(corners: &Points<E>, steps: usize) -> Result<Points<E>> {
    let [a, b, c, d] = corners.rows() else {
        return Err(Error::Usage(format!("a grid is between four pictures, and there are {}", corners.len())));
    };
    expect_steps(steps)?;
    let at = |i: usize| i as f64 / (steps - 1) as f64;
    let mut points = Points::new(corners.latents().to_vec());
    for (down, right) in (0..steps).flat_map(|row| (0..steps).map(move |column| (at(row), at(column)))) {
        points.push(mixture(&[
            ((1.0 - down) * (1.0 - right), a.as_slice()),
            ((1.0 - down) * right, b),
            (down * (1.0 - right), c),
            (down * right, d),
        ]))?;
    }
    Ok(points)
}

/// A closed way through all points, for an animation: `steps` points from each on to the next, and from the last to the
/// first.
///
/// # Errors
/// [`Error::Usage`] unless there are two points and a step.
pub fn frames<E: Element>(stations: &Points<E>, steps: usize) -> Result<Points<E>> {
    if stations.len() < 2 || steps == 0 {
        let n = stations.len();
        return Err(Error::Usage(format!("{n} pictures and {steps} steps: a way needs two pictures and a step")));
    }
    let rows = stations.rows();
    let mut points = Points::new(stations.latents().to_vec());
    for (a, b) in rows.iter().zip(rows.iter().cycle().skip(1)) {
        for at in (0..steps).map(|i| i as f64 / steps as f64) {
            points.push(mixture(&[(1.0 - at, a.as_slice()), (at, b)]))?;
        }
    }
    Ok(points)
}

fn expect_steps(steps: usize) -> Result<()> {
    match steps {
        0 | 1 => Err(Error::Usage(format!("{steps} steps: a line has at least its two ends"))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ImageShape;

    fn points(rows: &[[f64; 2]]) -> Points<f64> {
        let mut points = Points::new(vec![("top".into(), ImageShape::new(1, 1, 2))]);
        rows.iter().for_each(|row| points.push(row.to_vec()).unwrap());
        points
    }

    #[test]
    fn a_line_has_its_ends_and_even_steps() {
        let line = line(&points(&[[0.25, 4.0], [1.25, 0.0]]), 3).unwrap();
        assert_eq!(line.rows(), [[0.25, 4.0], [0.75, 2.0], [1.25, 0.0]]);
    }

    #[test]
    fn a_grid_has_its_corners_and_lines_for_borders() {
        let corners = points(&[[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]]);
        let grid = grid(&corners, 3).unwrap();
        let at = |row: usize, column: usize| grid.rows()[3 * row + column].clone();
        assert_eq!([at(0, 0), at(0, 2), at(2, 0), at(2, 2)].concat(), corners.rows().concat());
        assert_eq!((at(1, 1), at(0, 1), at(1, 2)), (vec![1.0, 2.0], vec![1.0, 0.0], vec![2.0, 2.0]));
    }

    #[test]
    fn an_animation_ends_where_it_began() {
        let way = frames(&points(&[[0.0, 0.0], [2.0, 4.0]]), 2).unwrap();
        assert_eq!(way.rows(), [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [1.0, 2.0]]);
    }

    #[test]
    fn the_wrong_number_of_pictures_or_steps_is_refused() {
        let three = points(&[[0.0; 2]; 3]);
        assert!(line(&three, 3).is_err() && grid(&three, 3).is_err() && frames(&points(&[[0.0; 2]]), 3).is_err());
        assert!(line(&points(&[[0.0; 2]; 2]), 1).is_err());
    }
}
