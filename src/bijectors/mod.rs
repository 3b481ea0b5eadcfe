//! The bijectors, one file each: the formula, a runnable example, then forward, inverse, ladj and pull-back.

/// What a bijector writes that has an orthogonal Jacobian and no parameter to train, beside its map and the inverse: ladj is 0,
/// and the inverse pulls gradients back.
macro_rules! orthogonal {
    () => {
        fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
            Ok(PerSample::zeros(x.device(), x.batch()))
        }

        fn pull_back(
            &self,
            y: Image<E, D>,
            cotangent: Cotangent<E, D>,
            _: &mut ParameterGradients<E, D>,
        ) -> Result<(Image<E, D>, Image<E, D>)> {
            Ok((self.inverse(&y)?, self.inverse(&cotangent.image)?))
        }

        fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
            let ladj = PerSample::zeros(x.device(), x.batch());
            Ok((self.forward(&x)?, ladj, Kept::images([])))
        }

        fn pull_back_kept(
            &self,
            _: Kept<E, D>,
            cotangent: Cotangent<E, D>,
            _: &mut ParameterGradients<E, D>,
        ) -> Result<Image<E, D>> {
            self.inverse(&cotangent.image)
        }

        fn inverse_pull_back(&self, _: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
            self.forward(&g).map(Some)
        }

        /// It changes no length.
        fn health(&self, _: &Image<E, D>) -> Result<Health> {
            Ok(Health { jacobian_condition: Some(1.0), ..Default::default() })
        }

        fn kept(&self, _: ImageShape) -> usize {
            0
        }
    };
}

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
