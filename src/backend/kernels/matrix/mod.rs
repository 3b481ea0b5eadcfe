//! What the gradient of a 1×1 convolution's small matrix needs beside products.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// Sums of `[n, n]` matrices that a 1×1 convolution's gradient is made of.
pub trait MatrixKernel<E: Element>: Storage<E> {
    /// `y += factor · aᵀ`.
    fn add_transposed(&self, y: &mut Buffer<E, Self>, a: &Buffer<E, Self>, n: usize, factor: f64) -> Result<()>;
    /// The gradient with respect to `L` below the diagonal, `U` above it and `log_s` on it, from those with respect to L
    /// and to `B = U + diag(s)`: `y += tril(d_lower, −1) + triu(d_upper, 1) + diag(s · diag(d_upper) + volume)`. `upper`
    /// is B.
    fn add_lu_gradient(
        &self,
        y: &mut Buffer<E, Self>,
        d_lower: &Buffer<E, Self>,
        d_upper: &Buffer<E, Self>,
        upper: &Buffer<E, Self>,
        n: usize,
        volume: f64,
    ) -> Result<()>;
}
