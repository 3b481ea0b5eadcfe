//! Pictures made larger by repeating pixels, and smaller by summing blocks of them.
//!
//! Along each axis by itself: where the result is as long or longer, a pixel is repeated; where it is shorter, the pixels of
//! a block are summed. All of it times a factor. The transposed map is the same one the other way round, with the same
//! factor.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element, ImageShape};
use crate::Result;
use dfdx::tensor::Storage;
use std::ops::Range;

/// `[h, w, c] → [height, width, c]`, where on each axis one length is a multiple of the other.
pub trait ResizeKernel<E: Element>: Storage<E> {
    /// From images of shape `from`.
    fn resize(&self, x: &Buffer<E, Self>, from: ImageShape, to: (usize, usize), factor: f64)
    -> Result<Buffer<E, Self>>;
}

/// The places of an axis of length `from` that place `i` of one of length `to` is made of.
fn span(i: usize, from: usize, to: usize) -> Range<usize> {
    if to >= from {
        let place = i / (to / from);
        return place..place + 1;
    }
    let block = from / to;
    i * block..(i + 1) * block
}
