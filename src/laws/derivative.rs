//! Numerical derivatives that know their own error.
//!
//! Central differences at steps h, h/4, h/16, … are combined two by two, which cancels the h² of their error; the
//! distances between three in a row estimate what is left, as in C. Ridders, "Accurate computation of F′(x) and
//! F′(x) F″(x)", Advances in Engineering Software 4 (1982). Near the kink of a ReLU they disagree until the
//! step no longer reaches it. From much farther away they agree on the mean of both sides' derivatives; so the distance of
//! the derivatives from the left and from the right, freed of its part that grows with h, is error too. On the kink
//! they never settle, and the error says so.

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
    let center = f(0.0)?;
    // Central differences, how much the right one is above the left one, and how much of that is noise.
    let mut difference = |h: f64| -> Result<(Vec<f64>, Vec<f64>, f64)> {
        let (up, down) = (f(h)?, f(-h)?);
        let noise = noise * size(&up).max(size(&down)) / h;
        let bend = up.iter().zip(&down).zip(&center).map(|((up, down), center)| (up - center - (center - down)) / h);
        let bend = bend.collect();
        Ok((up.iter().zip(&down).map(|(up, down)| (up - down) / (2.0 * h)).collect(), bend, noise))
    };
    let mut h = WIDEST;
    let (mut coarse, mut coarse_bend, _) = difference(h)?;
    let unknown = |&value: &f64| Slope { value, error: f64::INFINITY };
    let mut best: Vec<Slope> = coarse.iter().map(unknown).collect();
    let mut last: Option<Vec<Slope>> = None;
    for _ in 0..DIVISIONS {
        h /= 4.0;
        let (fine, bend, noise) = difference(h)?;
        let combined = fine.iter().zip(&coarse).map(|(fine, coarse)| fine + (fine - coarse) / 15.0);
        let mut combined: Vec<Slope> = combined.map(|value| unknown(&value)).collect();
        let kinks = bend.iter().zip(&coarse_bend).map(|(fine, coarse)| (fine + (fine - coarse) / 3.0).abs());
        let slopes = best.iter_mut().zip(&mut combined).zip(kinks);
        for (((best, slope), kink), last) in slopes.zip(last.iter().flatten()) {
            slope.error = (slope.value - last.value).abs();
            let error = 2.0 * slope.error.max(last.error) + kink + noise;
            if error < best.error {
                *best = Slope { value: slope.value, error };
            }
        }
        if best.iter().all(|slope| slope.error_below(SETTLED)) {
            break;
        }
        (coarse, coarse_bend, last) = (fine, bend, Some(combined));
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
    /// The derivative of one output with respect to one input.
    pub fn entry(&self, output: usize, input: usize) -> Slope {
        let at = output * self.n + input;
        Slope { value: self.values[at], error: self.errors[at] }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(f: impl Fn(f64) -> f64) -> Slope {
        slopes(f64::EPSILON, |t| Ok(vec![f(t)])).unwrap()[0]
    }

    #[test]
    fn a_smooth_functions_derivative_is_found_to_many_digits() {
        for frequency in [0.1, 1.0, 30.0] {
            let slope = slope(|t| (0.3 + frequency * t).sin());
            let exact = frequency * 0.3_f64.cos();
            assert!((slope.value - exact).abs() <= slope.error && slope.error_below(1e-7), "{slope:?}, not {exact}");
        }
    }

    /// However near the kink is and however small, the derivative on this side of it is within the error.
    #[test]
    fn a_kink_nearby_is_not_mistaken_for_a_derivative() {
        for distance in [1e-3, 1e-4, 1e-5, 3e-6, 1e-6, 1e-8, 0.0] {
            for jump in [1.0, 1e-2, 1e-4, 1e-6] {
                let slope = slope(|t| 0.7 * t + jump * (t - distance).max(0.0) + (1.0 + t).ln());
                assert!((slope.value - 1.7).abs() <= slope.error, "{distance}, {jump}: {slope:?}");
            }
        }
    }
}
