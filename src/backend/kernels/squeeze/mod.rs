//! Space to channels and back.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element, ImageShape};
use dfdx::tensor::Storage;

/// `[h, w, c] ↔ [h/2, w/2, 4c]`, output channel `c·4 + dy·2 + dx`.
pub trait SqueezeKernel<E: Element>: Storage<E> {
    /// From images of `shape`, whose height and width are even.
    fn squeeze(&self, x: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>>;
    /// Back to images of `shape`.
    fn unsqueeze(&self, y: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>>;
}
