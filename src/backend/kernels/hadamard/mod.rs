//! Products and quotients element by element: a weight under its mask, a gradient over its slope.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element};
use crate::Result;
use dfdx::tensor::Storage;

/// Two buffers of the same length, element by element.
pub trait HadamardKernel<E: Element>: Storage<E> {
    /// `y *= x`.
    fn multiply(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()>;
    /// `y /= x`.
    fn divide(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()>;
}
