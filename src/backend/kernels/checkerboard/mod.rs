//! The pixels of one colour of a checkerboard, taken out of images and put back.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element, ImageShape};
use dfdx::tensor::Storage;

/// `[h, w, c] ↔ [h, w/2, c]`: in each row the pixels whose row + column is even (`parity` 0) or odd (1), in their order.
pub trait CheckerboardKernel<E: Element>: Storage<E> {
    /// Out of images of `shape`, whose width is even.
    fn take_pixels(&self, x: &Buffer<E, Self>, shape: ImageShape, parity: usize) -> Result<Buffer<E, Self>>;
    /// Over those of images of `shape`.
    fn put_pixels(
        &self,
        y: &mut Buffer<E, Self>,
        shape: ImageShape,
        parity: usize,
        pixels: &Buffer<E, Self>,
    ) -> Result<()>;
}
