//! One step of an optimizer on a flow's parameters.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// Adam (Kingma & Ba 2015, algorithm 1): `w −= step_size · m / (√(v · second_correction) + epsilon)`.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root.
    pub epsilon: f64,
    /// `lr / (1 − β1^t)`.
    pub step_size: f64,
    /// `1 / (1 − β2^t)`.
    pub second_correction: f64,
}

/// Adamax (Kingma & Ba 2015, algorithm 2): `u = max(β2·u, |g|)`, `w −= step_size · m / (u + epsilon)`.
#[derive(Clone, Copy, Debug)]
pub struct AdamaxStep {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the infinity norm.
    pub beta2: f64,
    /// Added to the norm.
    pub epsilon: f64,
    /// `lr / (1 − β1^t)`, with the reference code's factor where it is chosen.
    pub step_size: f64,
}

/// A parameter with all that moves it.
#[derive(Debug)]
pub struct Moving<'a, B> {
    /// The parameter's weights.
    pub weights: &'a mut B,
    /// The loss's gradient with respect to them.
    pub gradient: &'a B,
    /// The optimizer's running mean of gradients.
    pub first: &'a mut B,
    /// Its running mean of squares, or the largest recent gradient.
    pub second: &'a mut B,
}

/// An average, what rounding has taken from it so far, and the weights that are added to it.
pub type Averaged<'a, B> = (&'a mut B, &'a mut B, &'a B);

/// Updates of weights in place, all parameters of a flow at once: most are small, and each by itself would wait longer
/// for its workers than it works.
pub trait OptimizerKernel<E: Element>: Storage<E> {
    /// One step of Adam.
    fn adam(&self, step: AdamStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()>;
    /// One step of Adamax.
    fn adamax(&self, step: AdamaxStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()>;
    /// `average += rate · (w − average)`, for each average, what rounding has taken from it so far, and its w.
    fn average(&self, rate: f64, all: Vec<Averaged<Buffer<E, Self>>>) -> Result<()>;
}
