//! Adaptive integration over an interval or a rectangle, with an estimate of its error.
//!
//! Cells are divided where two rules of different degree disagree, so they become small along kinks and stay large where
//! the integrand is smooth.

/// An integral.
pub struct Integral<const N: usize> {
    pub value: f64,
    /// The sum over all cells of how far the two rules are apart: what the rule of the higher degree is off by is less.
    pub error: f64,
    cells: Vec<Cell<N>>,
}

impl<const N: usize> Integral<N> {
    /// Whether a point where the integrand has this value is one of a ridge that fell between all points of the rules: a cell
    /// as high as that would hold far more than was found in the point's own, and enough to matter.
    pub fn misses(&self, point: [f64; N], value: f64, goal: f64) -> bool {
        let inside = |cell: &&Cell<N>| (0..N).all(|k| cell.sides[k].0 <= point[k] && point[k] <= cell.sides[k].1);
        self.cells.iter().find(inside).is_none_or(|cell| {
            let volume: f64 = cell.sides.iter().map(|(low, high)| high - low).product();
            value * volume > goal && value * volume > 100.0 * (cell.value.abs() + cell.error)
        })
    }
}

/// A box, and what the rules find in it.
struct Cell<const N: usize> {
    sides: [(f64, f64); N],
    value: f64,
    error: f64,
    /// The side along which the integrand is farthest from a parabola.
    roughest: usize,
}

/// The rules of Gauss and Kronrod with 7 and 15 points on −1 .. 1, up to the middle: nodes, weights of the 15, and of the 7.
const KRONROD: [(f64, f64, f64); 8] = [
    (0.991_455_371_120_812_6, 0.022_935_322_010_529_224, 0.0),
    (0.949_107_912_342_758_5, 0.063_092_092_629_978_55, 0.129_484_966_168_869_7),
    (0.864_864_423_359_769_1, 0.104_790_010_322_250_18, 0.0),
    (0.741_531_185_599_394_4, 0.140_653_259_715_525_92, 0.279_705_391_489_276_7),
    (0.586_087_235_467_691_1, 0.169_004_726_639_267_9, 0.0),
    (0.405_845_151_377_397_2, 0.190_350_578_064_785_4, 0.381_830_050_505_118_9),
    (0.207_784_955_007_898_47, 0.204_432_940_075_298_9, 0.0),
    (0.0, 0.209_482_141_084_727_83, 0.417_959_183_673_469_4),
];

/// Weights of a rule of degree 7 and of one of degree 5 on the square (A. C. Genz, A. A. Malik, "An adaptive algorithm for
/// numerical integration over an N-dimensional rectangular region", 1980, for N = 2), each for the mean over it: of the
/// middle, of two distances along the axes, and of two along the diagonals.
const GENZ_MALIK: [(f64, f64); 5] = [
    (-3816.0 / 19683.0, -971.0 / 729.0),
    (980.0 / 6561.0, 245.0 / 486.0),
    (1020.0 / 19683.0, 65.0 / 1458.0),
    (200.0 / 19683.0, 25.0 / 729.0),
    (6859.0 / 78732.0, 0.0),
];

/// The points of the rule on −1 .. 1 in each dimension, with its two weights.
fn rule<const N: usize>() -> Vec<([f64; N], f64, f64)> {
    let at = |x: f64, y: f64| std::array::from_fn(|k| if k == 0 { x } else { y });
    if N == 1 {
        let both = |&(x, fine, coarse): &(f64, f64, f64)| {
            let ends = if x > 0.0 { vec![-x, x] } else { vec![x] };
            ends.into_iter().map(move |x| (at(x, 0.0), fine / 2.0, coarse / 2.0))
        };
        return KRONROD.iter().flat_map(both).collect();
    }
    assert_eq!(N, 2, "one dimension or two");
    let (near, far, corner) = ((9.0_f64 / 70.0).sqrt(), (9.0_f64 / 10.0).sqrt(), (9.0_f64 / 19.0).sqrt());
    let axes = |d: f64| [(-d, 0.0), (d, 0.0), (0.0, -d), (0.0, d)];
    let diagonals = |d: f64| [(-d, -d), (-d, d), (d, -d), (d, d)];
    let orbits =
        [vec![(0.0, 0.0)], axes(near).into(), axes(far).into(), diagonals(far).into(), diagonals(corner).into()];
    let weighted = orbits.into_iter().zip(GENZ_MALIK);
    weighted.flat_map(|(orbit, (seven, five))| orbit.into_iter().map(move |(x, y)| (at(x, y), seven, five))).collect()
}

/// Applies the rules to all these boxes at once.
fn cells<const N: usize>(f: &dyn Fn(&[f64]) -> Vec<f64>, boxes: Vec<[(f64, f64); N]>) -> Vec<Cell<N>> {
    let rule = rule::<N>();
    let scaled = |(low, high): (f64, f64), t: f64| f64::midpoint(low, high) + t * (high - low) / 2.0;
    let points: Vec<f64> =
        boxes.iter().flat_map(|sides| rule.iter().flat_map(|(t, ..)| (0..N).map(|k| scaled(sides[k], t[k])))).collect();
    let values: Vec<f64> = points.chunks(N << 15).flat_map(f).collect();
    let cell = |(sides, f): (&[(f64, f64); N], &[f64])| {
        let volume: f64 = sides.iter().map(|(low, high)| high - low).product();
        let mean = |weight: fn(&([f64; N], f64, f64)) -> f64| {
            volume * rule.iter().zip(f).map(|(point, f)| weight(point) * f).sum::<f64>()
        };
        let (value, other) = (mean(|point| point.1), mean(|point| point.2));
        // The fourth difference, in which parabolas vanish, from the middle and the two distances along an axis.
        let fourth = |k: usize| {
            (f[1 + 2 * k] + f[2 + 2 * k] - 2.0 * f[0] - (f[5 + 2 * k] + f[6 + 2 * k] - 2.0 * f[0]) / 7.0).abs()
        };
        let roughest = usize::from(N == 2 && fourth(1) > fourth(0));
        Cell { sides: *sides, value, error: (value - other).abs(), roughest }
    };
    boxes.iter().zip(values.chunks(rule.len())).map(cell).collect()
}

/// The integral of `f`, which takes points `[n, N]`, over boxes, to within `goal` if `budget` points are enough for that.
pub fn integrate<const N: usize>(
    f: &dyn Fn(&[f64]) -> Vec<f64>,
    boxes: Vec<[(f64, f64); N]>,
    goal: f64,
    budget: usize,
) -> Integral<N> {
    let per_cell = rule::<N>().len();
    let (mut points, mut all) = (boxes.len() * per_cell, cells(f, boxes));
    loop {
        let sum = |of: fn(&Cell<N>) -> f64| all.iter().map(of).sum::<f64>();
        let (value, error) = (sum(|cell| cell.value), sum(|cell| cell.error));
        if error <= goal || points >= budget || error.is_nan() {
            return Integral { value, error, cells: all };
        }
        // Those that are good enough stay: together they are off by half of the goal at most.
        all.sort_by(|a, b| a.error.total_cmp(&b.error));
        let mut off = 0.0;
        let is_good = |cell: &&Cell<N>| {
            off += cell.error;
            off <= goal / 2.0
        };
        let good = all.iter().take_while(is_good).count();
        let halves: Vec<[(f64, f64); N]> = all
            .drain(good..)
            .flat_map(|Cell { sides, roughest, .. }| {
                let (low, high) = sides[roughest];
                let middle = f64::midpoint(low, high);
                [(low, middle), (middle, high)].map(|half| {
                    let mut sides = sides;
                    sides[roughest] = half;
                    sides
                })
            })
            .collect();
        points += halves.len() * per_cell;
        all.extend(cells(f, halves));
    }
}

#[test]
fn polynomials_are_integrated_exactly() {
    // Degree 7 in all, and 22: ∫ over 0 .. 1 of xᵃ is 1/(a + 1).
    let plane = |points: &[f64]| points.chunks(2).map(|p| p[0].powi(4) * p[1].powi(3)).collect();
    let found = integrate(&plane, vec![[(0.0, 1.0), (0.0, 1.0)]], f64::INFINITY, 0);
    assert!((found.value - 1.0 / 20.0).abs() < 1e-15, "{}", found.value);
    let line = |points: &[f64]| points.iter().map(|x| x.powi(22)).collect();
    let found = integrate(&line, vec![[(0.0, 1.0)]], f64::INFINITY, 0);
    assert!((found.value - 1.0 / 23.0).abs() < 1e-15, "{}", found.value);
}

#[test]
fn an_integral_with_a_kink_is_within_its_error() {
    // |x − a|: a²/2 + (1 − a)²/2.
    let a = 0.3_f64.sqrt();
    let line = |points: &[f64]| points.iter().map(|x| (x - a).abs()).collect();
    let found = integrate(&line, vec![[(0.0, 1.0)]], 1e-9, 100_000);
    let exact = (a * a + (1.0 - a) * (1.0 - a)) / 2.0;
    assert!(
        found.error <= 1e-9 && (found.value - exact).abs() <= found.error,
        "{} ± {}, {exact}",
        found.value,
        found.error
    );
    let plane = |points: &[f64]| points.chunks(2).map(|p| (p[0] + p[1] / 3.0 - 0.5).max(0.0)).collect();
    let found = integrate(&plane, vec![[(0.0, 1.0), (0.0, 1.0)]], 1e-7, 1_000_000);
    // Over x, since the kink is within 0 .. 1 for every y, (1/2 + y/3)²/2; of that over y, with u = 1/2 + y/3, ∫ 3u²/2 du.
    let exact = ((5.0_f64 / 6.0).powi(3) - 0.5_f64.powi(3)) / 2.0;
    assert!(
        found.error <= 1e-7 && (found.value - exact).abs() <= found.error,
        "{} ± {}, {exact}",
        found.value,
        found.error
    );
}
