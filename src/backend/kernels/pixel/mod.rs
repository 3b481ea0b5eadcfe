//! Grey levels to numbers and back, and random latents: where images come to a device and leave it.
//!
//! The random numbers are [`NoiseKey`]'s, made where they are needed: only grey levels and image numbers cross to a device.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use crate::noise::NoiseKey;
use dfdx::tensor::Storage;

/// The ends of a flow.
pub trait PixelKernel<E: Element>: Storage<E> {
    /// `(level + u)/bins − 1/2` for the images numbered `numbers`, whose grey levels are `levels` `[numbers.len(), ..]`: u
    /// is the image's uniform noise under `key`, or 1/2 without one. Computed in f64.
    fn dequantize(&self, levels: &[u8], numbers: &[u64], bins: u32, key: Option<NoiseKey>) -> Result<Buffer<E, Self>>;
    /// `⌊(x + 1/2) · bins⌋`, within `0 … bins − 1`, of images of `dims` elements; 0 for what is not a number. Computed in f64.
    /// For each image also whether it has an element that is not a number, or infinite.
    fn quantize(&self, x: &Buffer<E, Self>, dims: usize, bins: u32) -> Result<(Vec<u8>, Vec<bool>)>;
    /// `factor` times the standard normal numbers of the images numbered `numbers`, `dims` of each, under `key`.
    fn normals(&self, numbers: &[u64], dims: usize, factor: f64, key: NoiseKey) -> Result<Buffer<E, Self>>;
}
