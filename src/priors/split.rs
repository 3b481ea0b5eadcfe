//! The split prior: half of the channels is factored out, as Gaussian given the half that goes on (Glow, § 3.4).
//!
//! ```text
//! z1, z2 = first and second half of the channels
//! μ, ln σ = zero conv 3×3 (z1): even channels, odd channels
//! y = (z1, (z2 − μ)/σ)
//! ladj = −Σ ln σ
//! ```
//!
//! Where it is conditioned on a context c, the convolution sees (z1, c). It is a coupling whose scale is 1/σ; the flow then slices y's second half off as a latent.
//!
//! ```
//! use flowstone::{Bijector, backend::{Cpu, Initializer}, Image, ImageShape, priors::split};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let prior = split(&Initializer::new(&device, 0), 2, true, 3.0)?;
//! let z = Image::from_host(&device, 1, ImageShape::new(1, 1, 2), &[0.3_f64, -0.7])?;
//! // The convolution starts at zero: μ = 0 and σ = 1.
//! assert_eq!(prior.forward(&z)?.to_host()?, [0.3, -0.7]);
//! # Ok(())
//! # }
//! ```

use crate::Result;
use crate::backend::kernels::CouplingMap;
use crate::backend::{Device, Element, ImageShape, Initializer};
use crate::bijectors::{Coupling, Mask, Masked, Move};
use crate::nets::ZeroConv;

/// The split prior of `channels` channels.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the number of channels is odd.
pub fn split<E: Element, D: Device<E>>(
    initializer: &Initializer<D>,
    channels: usize,
    edge_channel: bool,
    log_scale_factor: f64,
) -> Result<Coupling<E, D>> {
    split_with(initializer, channels, SplitOptions { edge_channel, log_scale_factor, ..Default::default() })
}

/// The same with a convolution that has no gain, as in the paper.
///
/// # Errors
/// As [`split`].
pub fn split_without_gain<E: Element, D: Device<E>>(
    initializer: &Initializer<D>,
    channels: usize,
    edge_channel: bool,
) -> Result<Coupling<E, D>> {
    // The factor has nothing to multiply.
    let options = SplitOptions { edge_channel, log_scale_factor: 1.0, gain: false, context: None };
    split_with(initializer, channels, options)
}

/// What can be chosen about a split prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SplitOptions {
    /// Whether the convolution has the edge-indicator channel.
    pub edge_channel: bool,
    /// The factor of its `logs`.
    pub log_scale_factor: f64,
    /// Whether it has a learned gain; the paper has none.
    pub gain: bool,
    /// The shape of the context it is conditioned on, if it is.
    pub context: Option<ImageShape>,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self { edge_channel: true, log_scale_factor: 3.0, gain: true, context: None }
    }
}

/// The split prior of `channels` channels, with all that can be chosen.
///
/// # Errors
/// As [`split`].
pub fn split_with<E: Element, D: Device<E>>(
    initializer: &Initializer<D>,
    channels: usize,
    options: SplitOptions,
) -> Result<Coupling<E, D>> {
    let SplitOptions { edge_channel, log_scale_factor, gain, context } = options;
    let mask: Masked = context.map_or(Mask::Halves.into(), |context| Mask::Halves.given(context));
    let conv = ZeroConv::new(initializer, mask.network("Split", channels, 2)?, edge_channel, log_scale_factor)?;
    let conv = if gain { conv } else { conv.without_gain(initializer.device())? };
    Coupling::new("Split", channels, mask, Move::Affine(CouplingMap::Standardize), Box::new(conv))
}
