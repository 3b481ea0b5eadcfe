//! Multi-head self-attention over the pixels of each image, and the places of pixels.
//!
//! ```text
//! S = Q·Kᵀ / √d          P = softmax(S) over keys          O = P·V
//! dV = Pᵀ·G     dP = G·Vᵀ     dS = P ∘ (dP − rowsum(G ∘ O))     dQ = dS·K/√d     dK = dSᵀ·Q/√d
//! ```
//!
//! for each image and head (A. Vaswani et al., "Attention is all you need", 2017, § 3.2). `Q, K, V` are the thirds of the
//! channels, and a head has d of each. Beside the output, ln of each row's normaliser is kept, from which P is computed again;
//! so no matrix of pixels by pixels outlives its head (T. Dao et al., 2022, § 3.1).
//!
//! The places of § 3.5 in two dimensions: of c channels the first half tells the line and the second the column,
//! `sin(p/10000^(2k/h))` in channel 2k of a half of h and the cosine in channel 2k + 1.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element, ImageShape};
use crate::Result;
use dfdx::tensor::Storage;

/// Whose attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionForm {
    /// Pixels of an image.
    pub pixels: usize,
    /// Channels of Q, of K and of V.
    pub channels: usize,
    /// Heads, which divide the channels.
    pub heads: usize,
}

impl AttentionForm {
    /// d
    fn of_head(&self) -> usize {
        self.channels / self.heads
    }

    /// `1/√d`
    fn scale(&self) -> f64 {
        1.0 / (self.of_head() as f64).sqrt()
    }
}

/// Attention over the pixels of images.
pub trait AttentionKernel<E: Element>: Storage<E> {
    /// From `[rows, 3 · channels]`: the output `[rows, channels]`, and ln of the normalisers, `[rows, heads]`.
    fn attend(&self, form: AttentionForm, qkv: &Buffer<E, Self>) -> Result<(Buffer<E, Self>, Buffer<E, Self>)>;
    /// The gradient with respect to `qkv` from that with respect to the output, and from what [`AttentionKernel::attend`] gave.
    fn attend_gradient(
        &self,
        form: AttentionForm,
        qkv: &Buffer<E, Self>,
        given: (&Buffer<E, Self>, &Buffer<E, Self>),
        g: &Buffer<E, Self>,
    ) -> Result<Buffer<E, Self>>;
    /// Adds the places of pixels to images of `shape`.
    fn add_places(&self, x: &mut Buffer<E, Self>, shape: ImageShape) -> Result<()>;
}
