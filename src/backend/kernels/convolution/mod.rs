//! 3×3 convolutions as matrix products, unfolded on their thin side.
//!
//! In Glow's networks one side of each 3×3 convolution is thin. Where the input is thin, [`unfold`] gathers the nine
//! neighbours of each pixel before the product. Where the output is thin, one product makes the nine contributions
//! that each pixel sends, and [`sum_taps`] adds them where they arrive. Tap `t = 3·ky + kx` looks at the neighbour
//! `(ky − 1, kx − 1)` away. Outside the picture every channel is 0, but the *edge indicator*, which is 1 there and 0
//! inside.
//!
//! [`unfold`]: ConvolutionKernel::unfold
//! [`sum_taps`]: ConvolutionKernel::sum_taps

pub(super) mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element, ImageShape};
use dfdx::tensor::Storage;

/// The parts of a 3×3 convolution that are not products.
pub trait ConvolutionKernel<E: Element>: Storage<E> {
    /// Images of `shape` to rows of neighbours `[rows, 9 · (channels + 1)]`, tap by tap, the edge indicator last in
    /// each; `[rows, 9 · channels]` without `edge`.
    fn unfold(&self, x: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>>;
    /// The adjoint of [`ConvolutionKernel::unfold`]: `[rows, 9 · (channels + 1)]` to `[rows, channels]`.
    fn fold(&self, u: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>>;
    /// `y[p] = Σ_t taps[p + t, t]`, taps `[rows, 9, channels]`; a tap that looks outside adds `edge[t]` instead, the
    /// `9 · channels` numbers of the weight from the given offset on.
    fn sum_taps(
        &self,
        taps: &Buffer<E, Self>,
        shape: ImageShape,
        edge: Option<(&Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>>;
    /// The adjoint of [`ConvolutionKernel::sum_taps`]: `[rows, channels]` to `[rows, 9, channels]`, adding to the
    /// edge weights' gradient.
    fn spread_taps(
        &self,
        g: &Buffer<E, Self>,
        shape: ImageShape,
        d_edge: Option<(&mut Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>>;
}
