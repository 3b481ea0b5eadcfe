//! The nonlinearity and the gate of gated networks.
//!
//! ```text
//! concat-ELU:  y = [elu(x), elu(−x)],   elu(x) = x where x > 0, else eˣ − 1       [rows, c] to [rows, 2c]
//! gate:        y = a · sigmoid(b),      x = [a, b]                                 [rows, 2c] to [rows, c]
//! ```

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element};
use crate::Result;
use dfdx::tensor::Storage;

/// Concat-ELU and gates; `channels` are c.
pub trait GatingKernel<E: Element>: Storage<E> {
    /// `[rows, c]` to `[rows, 2c]`.
    fn concat_elu(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>>;
    /// From the input `x` and the gradient with respect to the output, that with respect to the input.
    fn concat_elu_gradient(&self, x: &Buffer<E, Self>, g: &Buffer<E, Self>, channels: usize)
    -> Result<Buffer<E, Self>>;
    /// `[rows, 2c]` to `[rows, c]`.
    fn gate(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>>;
    /// From the input `x` and the gradient with respect to the output, that with respect to the input.
    fn gate_gradient(&self, x: &Buffer<E, Self>, g: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>>;
}
