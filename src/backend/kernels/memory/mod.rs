//! Buffers: moving them, filling them, adding them.

pub(super) mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// Buffers of `E` on a device.
pub trait MemoryKernel<E: Element>: Storage<E> {
    /// A buffer with these values.
    fn upload(&self, values: &[E]) -> Result<Buffer<E, Self>>;
    /// The values of a buffer.
    fn download(&self, buffer: &Buffer<E, Self>) -> Result<Vec<E>>;
    /// The values of many buffers, in one transfer.
    fn download_all(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<Vec<Vec<E>>>;
    /// Another buffer with the same values.
    fn copy(&self, buffer: &Buffer<E, Self>) -> Result<Buffer<E, Self>>;
    /// A buffer of zeros.
    fn zeros(&self, len: usize) -> Result<Buffer<E, Self>>;
    /// Sets every element to `value`.
    fn fill(&self, buffer: &mut Buffer<E, Self>, value: E) -> Result<()>;
    /// `y += x`.
    fn add_assign(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()>;
    /// [`MemoryKernel::add_assign`] of many pairs `(y, x)`, by all workers together.
    fn accumulate(&self, pairs: Vec<(&mut Buffer<E, Self>, &Buffer<E, Self>)>) -> Result<()>;
    /// `y += value`, every element.
    fn add_scalar(&self, y: &mut Buffer<E, Self>, value: f64) -> Result<()>;
    /// `Σ x²` over all the buffers, in f64.
    fn sum_of_squares(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<f64>;
    /// `y *= factor`.
    fn scale(&self, y: &mut Buffer<E, Self>, factor: f64) -> Result<()>;
    /// `max |a − b|` and `max |b|`; NaN if either holds one.
    fn max_difference(&self, a: &Buffer<E, Self>, b: &Buffer<E, Self>) -> Result<(f64, f64)>;
}
