//! One affine map per channel, and channels in another order: actnorm and permutations.

pub(super) mod cpu;
#[cfg(feature = "cuda")]
pub(super) mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// Maps that act on each channel of the matrix `[rows, channels]`.
pub trait ChannelKernel<E: Element>: Storage<E> {
    /// `x = (x + bias) · scale`.
    fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// `y = y / scale − bias`.
    fn affine_inverse(&self, y: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// The gradient through `y = (x + bias) · exp(factor · logs)`, from the output: `g` becomes `g · scale`,
    /// `d_bias += Σ g · scale`, `d_logs += factor · Σ g · y`, sums over rows.
    fn affine_gradient(
        &self,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        scale: &Buffer<E, Self>,
        factor: f64,
        d_bias: &mut Buffer<E, Self>,
        d_logs: &mut Buffer<E, Self>,
    ) -> Result<()>;
    /// `x = max((x + bias) · scale, 0)`.
    fn affine_relu(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// `exp(factor · logs)`.
    fn exp_scaled(&self, logs: &Buffer<E, Self>, factor: f64) -> Result<Buffer<E, Self>>;
    /// Mean and (biased) variance of each channel, in f64.
    fn channel_statistics(&self, x: &Buffer<E, Self>, channels: usize) -> Result<(Vec<f64>, Vec<f64>)>;
    /// `y[.., k] = x[.., order[k]]`, or `y[.., order[k]] = x[.., k]` when `back`; `order` holds whole numbers.
    fn permute_channels(&self, x: &Buffer<E, Self>, order: &Buffer<E, Self>, back: bool) -> Result<Buffer<E, Self>>;
    /// A copy of `count` channels from `start` of the matrix `[rows, channels]`.
    fn slice_channels(
        &self,
        x: &Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        count: usize,
    ) -> Result<Buffer<E, Self>>;
    /// Writes `part` `[rows, count]` over the channels from `start` of `x` `[rows, channels]`.
    fn place_channels(
        &self,
        x: &mut Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()>;
    /// Adds `part` `[rows, count]` to the channels from `start` of `x` `[rows, channels]`.
    fn add_channels(
        &self,
        x: &mut Buffer<E, Self>,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()>;
    /// `[batch, pixels, channels]` from one image `base` `[pixels, channels]` and one row per image `[batch,
    /// channels]`: their sum at every pixel.
    fn add_per_image(
        &self,
        base: &Buffer<E, Self>,
        per_image: &Buffer<E, Self>,
        channels: usize,
    ) -> Result<Buffer<E, Self>>;
    /// `[batch, pixels, channels]` to `[batch, channels]`: the sum over an image's pixels.
    fn sum_over_pixels(&self, x: &Buffer<E, Self>, pixels: usize, channels: usize) -> Result<Buffer<E, Self>>;
    /// `[batch, len]` to `[len]`: the sum over images.
    fn sum_over_batch(&self, x: &Buffer<E, Self>, len: usize) -> Result<Buffer<E, Self>>;
}
