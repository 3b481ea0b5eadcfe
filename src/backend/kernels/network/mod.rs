//! The hidden layers of a coupling network, as one kernel.
//!
//! ```text
//! h1 = max((u·W1 + b1)·s1, 0)     u: the neighbours of each pixel of x, see `unfold`
//! h2 = max((h1·W2 + b2)·s2, 0)
//! taps = h2·W3                    what each pixel sends to its neighbours, see `sum_taps`
//! ```
//!
//! Rows depend on each other in `u` alone. So on the CPU a block of rows goes through all of it before the next does, in
//! buffers that stay in a core's cache and are not cleared in between; only what is asked for is written out whole. The
//! gradient goes back the same way: with `g` the gradient with respect to what stands behind it,
//!
//! ```text
//! dW3 += h2ᵀ·g_taps     g2 = (g_taps·W3ᵀ)·[h2 > 0]·s2     db2 += Σ g2     dlogs2 += f·Σ (g_taps·W3ᵀ)·h2
//! dW2 += h1ᵀ·g2         g1 = (g2·W2ᵀ)·[h1 > 0]·s1         db1 += Σ g1     dlogs1 += f·Σ (g2·W2ᵀ)·h1
//! dW1 += uᵀ·g1          g_x = fold (g1·W1ᵀ)
//! ```

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element, ImageShape};
use dfdx::tensor::Storage;

/// The hidden layers: what they multiply and add.
#[derive(Debug)]
pub struct HiddenLayers<'a, B> {
    /// `[9 · (channels + 1), width]`, or `[9 · channels, width]` without an edge indicator.
    pub conv1: &'a B,
    /// `b1` and `s1`, `[width]` each.
    pub norm1: (&'a B, &'a B),
    /// `[width, width]`
    pub conv2: &'a B,
    /// `b2` and `s2`, `[width]` each.
    pub norm2: (&'a B, &'a B),
    /// `[width, taps]`; rows beyond `width` are not read.
    pub conv3: &'a B,
    /// Hidden channels.
    pub width: usize,
    /// Columns of `conv3`.
    pub taps: usize,
    /// Whether the neighbours have an edge indicator.
    pub edge: bool,
}

/// Where the gradients of the hidden layers' parameters are added.
#[derive(Debug)]
pub struct HiddenGradients<'a, B> {
    /// With respect to `conv1`.
    pub conv1: &'a mut B,
    /// With respect to `b1` and to the logarithms of `s1`.
    pub norm1: (&'a mut B, &'a mut B),
    /// With respect to `conv2`.
    pub conv2: &'a mut B,
    /// With respect to `b2` and to the logarithms of `s2`.
    pub norm2: (&'a mut B, &'a mut B),
    /// With respect to `conv3`.
    pub conv3: &'a mut B,
    /// `f` of `s = exp(f · logs)`.
    pub factor: f64,
}

/// The hidden layers of a network, for images of a shape.
pub trait NetworkKernel<E: Element>: Storage<E> {
    /// `taps` `[rows, taps]`.
    fn hidden(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>>;
    /// `taps`, and `h1` and `h2` `[rows, width]` each.
    fn hidden_keeping(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<(Buffer<E, Self>, [Buffer<E, Self>; 2])>;
    /// The gradient with respect to `x`, from that with respect to `taps` and from `[h1, h2]`.
    fn hidden_gradient(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
        hidden: [&Buffer<E, Self>; 2],
        g_taps: &Buffer<E, Self>,
        grads: HiddenGradients<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>>;
}

fn unfolded_columns(shape: ImageShape, edge: bool) -> usize {
    9 * (shape.channels + usize::from(edge))
}
