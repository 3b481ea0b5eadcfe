//! The bijectors, one file each: the formula, a runnable example, then forward, inverse, ladj and pull-back.

mod actnorm;
mod autoregressive;
mod chain;
mod context;
mod coupling;
mod haar;
mod householder;
mod invertible_conv;
mod logit;
mod mask;
mod moves;
mod permutation;
mod squeeze;

pub use actnorm::ActNorm;
pub use autoregressive::{Autoregressive, Direction, ElementMap};
pub use chain::Chain;
pub use context::ContextView;
pub(crate) use coupling::even_half;
pub use coupling::{Coupling, MixtureLogistic, ScaleMap, Spline, Transform};
pub use haar::Haar;
pub use householder::Householder;
pub use invertible_conv::{InvertibleConv, Weight};
pub use logit::Logit;
pub use mask::{Mask, Masked, Parity};
pub(crate) use moves::Move;
pub use permutation::Permutation;
pub(crate) use permutation::indexes;
pub use squeeze::Squeeze;

use crate::backend::ImageShape;
use crate::{Error, Result};

/// `input`, if it has the channels that the layer was built for.
fn expect_channels(layer: &str, input: ImageShape, channels: usize) -> Result<ImageShape> {
    if input.channels == channels {
        return Ok(input);
    }
    Err(Error::Shape {
        layer: layer.into(),
        expected: format!("{channels} channels"),
        found: format!("{} ({input})", input.channels),
    })
}
