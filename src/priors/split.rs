//! The split prior: half of the channels is factored out, as Gaussian given the half that goes on (Glow, § 3.4).
//!
//! ```text
//! z1, z2 = first and second half of the channels
//! μ, ln σ = zero conv 3×3 (z1): even channels, odd channels
//! y = (z1, (z2 − μ)/σ)
//! ladj = −Σ ln σ
//! ```
//!
//! It is a coupling whose scale is 1/σ; the flow then slices y's second half off as a latent.
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
use crate::backend::{Device, Element, Initializer};
use crate::bijectors::{Coupling, Mask, Move, even_half};
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
    let half = even_half("Split", channels)?;
    of_conv(channels, ZeroConv::new(initializer, (half, channels), edge_channel, log_scale_factor)?)
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
    let half = even_half("Split", channels)?;
    // The factor has nothing to multiply.
    let conv = ZeroConv::new(initializer, (half, channels), edge_channel, 1.0)?;
    of_conv(channels, conv.without_gain(initializer.device())?)
}

fn of_conv<E: Element, D: Device<E>>(channels: usize, conv: ZeroConv<E, D>) -> Result<Coupling<E, D>> {
    Coupling::new("Split", channels, Mask::Halves, Move::Affine(CouplingMap::Standardize), Box::new(conv))
}
