//! How much a map amplifies rounding errors, measured.

use super::derivative::jacobians;
use super::tensors::{numbers, size};
use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element};
use crate::{Bijector, Image};

/// An estimate of the relative error of a result that comes from `numbers` others: `8 · ε · √numbers`.
///
/// A heuristic, not a bound: independent roundings add up like a random walk (the worst case grows with `numbers` itself),
/// and 8 is for the roundings on the way of each number: through a layer, its network, and back.
pub fn rounding<E: Element>(numbers: usize) -> f64 {
    8.0 * E::epsilon().as_f64() * (numbers as f64).sqrt()
}

/// Up to here an error counts as small.
const LARGEST_ERROR: f64 = 0.1;

/// The condition of a bijector near some images: the extreme singular values of its Jacobians, and the sizes of input
/// and output (their largest number, at least 1).
#[derive(Clone, Copy, Debug)]
pub struct Condition {
    /// The largest singular value of any image's Jacobian.
    pub largest: f64,
    /// The smallest.
    pub smallest: f64,
    /// `max(1, ‖x‖∞)`
    pub input: f64,
    /// `max(1, ‖y‖∞)`
    pub output: f64,
    /// Numbers that a result can come from: the batch and the trained parameters.
    pub numbers: usize,
}

impl Condition {
    /// Measures it with numerical Jacobians.
    ///
    /// # Errors
    /// [`Violation::Shape`] if an output has not as many numbers as its input, [`Violation::Failed`] if the bijector
    /// fails, and [`Violation::Broken`] if its Jacobian is singular or not finite.
    pub fn of<D: Device<f64>>(bijector: &dyn Bijector<f64, D>, x: &Image<f64, D>) -> Result<Self, Violation> {
        let judge = Judge::new(Law::Evaluates, bijector.kind());
        let y = judge.ask(bijector.forward(x))?;
        judge.same("the dimensions of the output", y.shape().dims(), x.shape().dims())?;
        let (mut largest, mut smallest) = (0.0_f64, f64::INFINITY);
        for jacobian in judge.ask(jacobians(x, |x| bijector.forward(x)))? {
            let values = jacobian.singular_values();
            largest = values.first().copied().unwrap_or(f64::NAN).max(largest);
            smallest = values.last().copied().unwrap_or(0.0).min(smallest);
        }
        let inverse = 1.0 / smallest;
        judge.near("1/σ of the Jacobian", &[inverse], &[0.0], 1.0 / f64::EPSILON)?;
        let (input, output) = (size(&judge.ask(numbers(x))?), size(&judge.ask(numbers(&y))?));
        Ok(Self { largest, smallest, input, output, numbers: x.batch() * x.shape().dims() + bijector.trained_count() })
    }

    /// The condition number κ.
    pub fn number(&self) -> f64 {
        self.largest / self.smallest
    }

    /// The relative error of results near these images, to first order: that of their roundings, κ times.
    ///
    /// # Errors
    /// [`Violation::Undecided`] where it is no longer small, and no bound to first order means anything.
    pub(super) fn relative_error<E: Element>(&self, judge: &Judge) -> Result<f64, Violation> {
        let error = rounding::<E>(self.numbers) * self.number();
        if error > LARGEST_ERROR {
            return Err(judge.undecided(format!(
                "a condition number of {:.1e} leaves no digit of {}",
                self.number(),
                E::NAME
            )));
        }
        Ok(error)
    }

    /// How far `f⁻¹(f(x))` can be from x: the error of y amplified by the inverse, and κ times that of x.
    pub fn input_error<E: Element>(&self) -> f64 {
        rounding::<E>(self.numbers) * (self.number() * self.input + self.output / self.smallest)
    }

    /// How far `f(f⁻¹(y))` can be from y: likewise, the other way.
    pub fn output_error<E: Element>(&self) -> f64 {
        rounding::<E>(self.numbers) * (self.number() * self.output + self.input * self.largest)
    }
}
