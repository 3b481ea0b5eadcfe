//! Normalisation over the channels of each pixel (J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", 2016).
//!
//! ```text
//! y = (x − mean) / s,      s² = mean (x − mean)² + ε
//! dx = (g − mean g − y · mean(g · y)) / s                means over channels
//! ```

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element};
use crate::Result;
use dfdx::tensor::Storage;

/// ε: what keeps equal channels from a division by zero.
const EPSILON: f64 = 1e-6;

/// Normalisation over channels of `[rows, channels]`.
pub trait NormalisationKernel<E: Element>: Storage<E> {
    /// `x` becomes `y`.
    fn normalise(&self, x: &mut Buffer<E, Self>, channels: usize) -> Result<()>;
    /// From the input `x`: `g`, the gradient with respect to the output, becomes that with respect to the input.
    fn normalise_gradient(&self, x: &Buffer<E, Self>, g: &mut Buffer<E, Self>, channels: usize) -> Result<()>;
}
