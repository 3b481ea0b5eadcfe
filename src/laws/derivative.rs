//! Numerical derivatives that know their own error.
//!
//! Central differences at steps h, h/4, h/16, … are combined two by two, which cancels the h² of their error; the
//! distances between three in a row estimate what is left, as in C. Ridders, "Accurate computation of F′(x) and
//! F′(x) F″(x)", Advances in Engineering Software 4 (1982). Near the kink of a ReLU they disagree until the
//! step no longer reaches it (two may agree by chance, three cannot); on the kink they never settle, and the error
//! says so.

use super::condition::rounding;
use super::tensors::{numbers, size, with_numbers};
use crate::backend::{Device, linear_algebra};
use crate::{Image, Result};

/// The widest step, and how many times it is divided by 4.
const WIDEST: f64 = 1.0 / 64.0;
const DIVISIONS: usize = 8;
/// An error small enough to stop at, and one too large to tell anything.
const SETTLED: f64 = 1e-8;
const USELESS: f64 = 1e-4;

/// A derivative and how far it may be from the truth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slope {
    pub value: f64,
    pub error: f64,
}

impl Slope {
    fn error_below(&self, bound: f64) -> bool {
        self.error <= bound * self.value.abs().max(1.0)
    }

    /// Whether it is a derivative at all, rather than two at a kink.
    pub fn is_useful(&self) -> bool {
        self.error_below(USELESS)
    }
}

/// The derivatives at 0 of every number that `f` gives, each computed with a relative error of `noise`.
pub(super) fn slopes(noise: f64, mut f: impl FnMut(f64) -> Result<Vec<f64>>) -> Result<Vec<Slope>> {
    let mut difference = |h: f64| -> Result<(Vec<f64>, f64)> {
        let (up, down) = (f(h)?, f(-h)?);
        let noise = noise * size(&up).max(size(&down)) / h;
        Ok((up.iter().zip(&down).map(|(up, down)| (up - down) / (2.0 * h)).collect(), noise))
    };
    let mut h = WIDEST;
    let (mut coarse, _) = difference(h)?;
    let unknown = |&value: &f64| Slope { value, error: f64::INFINITY };
    let mut best: Vec<Slope> = coarse.iter().map(unknown).collect();
    let mut last: Option<Vec<Slope>> = None;
    for _ in 0..DIVISIONS {
        h /= 4.0;
        let (fine, noise) = difference(h)?;
        let combined = fine.iter().zip(&coarse).map(|(fine, coarse)| fine + (fine - coarse) / 15.0);
        let mut combined: Vec<Slope> = combined.map(|value| unknown(&value)).collect();
        for ((best, slope), last) in best.iter_mut().zip(&mut combined).zip(last.iter().flatten()) {
            slope.error = (slope.value - last.value).abs();
            let error = 2.0 * slope.error.max(last.error) + noise;
            if error < best.error {
                *best = Slope { value: slope.value, error };
            }
        }
        if best.iter().all(|slope| slope.error_below(SETTLED)) {
            break;
        }
        (coarse, last) = (fine, Some(combined));
    }
    Ok(best)
}

/// One image's Jacobian, `[output][input]`, row-major.
pub(super) struct Jacobian {
    n: usize,
    values: Vec<f64>,
    errors: Vec<f64>,
}

impl Jacobian {
    pub fn singular_values(&self) -> Vec<f64> {
        linear_algebra::singular_values(&self.values, self.n)
    }

    /// `ln |det J|`. With E the errors, it is off by `|tr J⁻¹E| ≤ Σ |J⁻¹ᵀ| · |E|`.
    pub fn log_abs_det(&self) -> Slope {
        let (n, inverse) = (self.n, linear_algebra::inverse(&self.values, self.n));
        let transposed = |i: usize| inverse[(i % n) * n + i / n].abs();
        let error = self.errors.iter().enumerate().map(|(i, error)| transposed(i) * error).sum::<f64>();
        Slope { value: linear_algebra::log_abs_det(&self.values, n), error }
    }
}

/// Every image's Jacobian of `f` at `x`, `f` computed with [`rounding`]'s relative error.
///
/// Images do not move each other, so one step moves a number of each.
pub(super) fn jacobians<D: Device<f64>>(
    x: &Image<f64, D>,
    f: impl Fn(&Image<f64, D>) -> Result<Image<f64, D>>,
) -> Result<Vec<Jacobian>> {
    let (n, at) = (x.shape().dims(), numbers(x)?);
    let blank = || Jacobian { n, values: vec![0.0; n * n], errors: vec![0.0; n * n] };
    let mut jacobians: Vec<Jacobian> = (0..x.batch()).map(|_| blank()).collect();
    for input in 0..n {
        let column = slopes(rounding::<f64>(n), |t| {
            let mut moved = at.clone();
            moved.iter_mut().skip(input).step_by(n).for_each(|x| *x += t);
            numbers(&f(&with_numbers(x, &moved)?)?)
        })?;
        for (jacobian, column) in jacobians.iter_mut().zip(column.chunks_exact(n)) {
            for (output, slope) in column.iter().enumerate() {
                jacobian.values[output * n + input] = slope.value;
                jacobian.errors[output * n + input] = slope.error;
            }
        }
    }
    Ok(jacobians)
}
