//! What couplings and priors call: networks from images to images of the same height and width.
//!
//! A network need not be invertible. It gives its gradient from what it kept of a forward pass, which a coupling runs
//! again when it pulls back, so nothing outlives a layer.

mod conv;
mod conv_net;
mod dense;
mod encoder;
mod gain;
mod gated;
mod layer;
mod linear;
mod made;
mod norm;
mod residual;
mod zero_conv;

pub use conv_net::{ConvNet, ConvNetOptions};
pub use dense::{Activation, Dense, DenseOptions};
pub use encoder::DenseEncoder;
pub use gated::{Gated, GatedOptions};
pub use linear::Linear;
pub use made::{Made, MadeOptions, Order};
pub use residual::{Residual, ResidualOptions};
pub use zero_conv::ZeroConv;

use crate::Result;
use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients, Parameters};
use crate::bijector::Kept;

/// A differentiable map of images that keeps their height and width.
pub trait Net<E: Element, D: Device<E>>: Parameters<E, D> + Send + Sync {
    /// Channels of its input and of its output.
    fn channels(&self) -> (usize, usize);

    /// `h = net(x)`, and what [`Net::pull_back`] needs.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for images it cannot take,
    /// [`Error::Device`](crate::Error::Device) when the device fails; so for all methods.
    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)>;

    /// The gradient with respect to the input from that with respect to the output; adds the parameters' gradients.
    fn pull_back(&self, kept: Kept<E, D>, g: Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<Image<E, D>>;

    /// `h = net(x)`.
    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_keeping(x)?.0)
    }

    /// Sets parameters from the first batch that reaches it.
    fn initialize(&mut self, _x: &Image<E, D>) -> Result<()> {
        Ok(())
    }

    /// Whether [`Net::initialize`] divides by the standard deviation of a channel, over all pixels of all images.
    fn normalizes(&self) -> bool {
        false
    }

    /// Called after parameters change and before anything else is.
    fn prepare(&mut self, _device: &D) -> Result<()> {
        Ok(())
    }

    /// The smallest and the largest factor that its gains and actnorms multiply a channel by, if it has any.
    fn gains(&self, _device: &D) -> Result<Option<(f64, f64)>> {
        Ok(None)
    }

    /// Multiplications with additions of its matrix products, per pixel.
    fn multiply_adds_per_pixel(&self) -> u64 {
        0
    }

    /// Multiplications with additions of its matrix products for one image of this height and width; as many for every
    /// pixel by default.
    fn multiply_adds(&self, shape: ImageShape) -> u64 {
        shape.pixels() as u64 * self.multiply_adds_per_pixel()
    }

    /// Channels of all that [`Net::forward_keeping`] keeps; input and output by default.
    fn kept_channels(&self) -> usize {
        let (input, output) = self.channels();
        input + output
    }

    /// Channels of all that is in use at the peak of [`Net::pull_back`], beside its input and output; by default nine of
    /// each, for a 3×3 convolution unfolded.
    fn working_channels(&self) -> usize {
        let (input, output) = self.channels();
        9 * (input + output)
    }

    /// Channels of its widest intermediate result.
    fn width(&self) -> usize {
        let (input, output) = self.channels();
        input.max(output)
    }
}
