//! The trait everything turns on.
//!
//! A bijector is an invertible map of an image with a tractable `log|det J|` (*ladj*, nats per sample):
//!
//! ```text
//! y = f(x)            x = f⁻¹(y)            ladj = ln |det ∂f/∂x|
//! ln p_x(x) = ln p_y(f(x)) + ladj
//! ```
//!
//! Its gradient is computed from its *output*: [`Bijector::pull_back`] rebuilds the input and pulls the cotangent
//! back through it, so a chain of bijectors trains in memory that does not grow with its length.

mod health;
mod jacobian;
mod taped;

pub use health::Health;
pub(crate) use health::{larger, range};
pub use jacobian::{Effort, jacobian_condition};
pub(crate) use jacobian::{ones, pulled_back, triangular_inverse_pull_back};
pub use taped::{FromTape, ImageTensor, Leaves, SampleTensor, Taped, device_error};

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Device, Element, Image, ImageShape, ParameterGradients, Parameters, PerSample};
use crate::{Error, Result};
use std::sync::Arc;

/// The gradient of a loss with respect to the two things that a bijector gives: its output and its ladj.
#[derive(Clone, Debug)]
pub struct Cotangent<E: Element, D: Device<E>> {
    /// With respect to the output image.
    pub image: Image<E, D>,
    ladj: Arc<LadjCotangent<D>>,
}

/// The gradient with respect to each sample's ladj, the same for every layer of a chain.
#[derive(Debug)]
pub struct LadjCotangent<D: MemoryKernel<f64>> {
    device: D,
    data: Buffer<f64, D>,
    total: f64,
}

impl<D: MemoryKernel<f64>> LadjCotangent<D> {
    /// One number per sample, on the device.
    pub fn data(&self) -> &Buffer<f64, D> {
        &self.data
    }

    /// One number per sample, on the host.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn to_host(&self) -> Result<Vec<f64>> {
        self.device.download(&self.data)
    }
}

impl<E: Element, D: Device<E>> Cotangent<E, D> {
    /// From the gradient with respect to the output and that with respect to each sample's ladj.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one number per sample.
    pub fn new(image: Image<E, D>, ladj: &[f64]) -> Result<Self> {
        if ladj.len() != image.batch() {
            return Err(Error::Shape {
                layer: "cotangent".into(),
                expected: format!("{} ladj gradients, one a sample", image.batch()),
                found: ladj.len().to_string(),
            });
        }
        let device = image.device().clone();
        let data = MemoryKernel::<f64>::upload(&device, ladj)?;
        Ok(Self { image, ladj: Arc::new(LadjCotangent { device, data, total: ladj.iter().sum() }) })
    }

    /// The same gradient of ladj with another image's: how a chain goes from layer to layer.
    pub fn with_ladj_of(image: Image<E, D>, ladj: Arc<LadjCotangent<D>>) -> Self {
        Self { image, ladj }
    }

    /// The part that does not change from layer to layer.
    pub fn shared_ladj(&self) -> Arc<LadjCotangent<D>> {
        Arc::clone(&self.ladj)
    }

    /// With respect to each sample's ladj.
    pub fn ladj(&self) -> &LadjCotangent<D> {
        &self.ladj
    }

    /// The sum of [`Cotangent::ladj`] over the samples: all that a constant ladj needs.
    pub fn ladj_total(&self) -> f64 {
        self.ladj.total
    }
}

/// What a bijector or a network keeps from a forward pass for `--memory store`.
#[derive(Debug)]
pub struct Kept<E: Element, D: Device<E>> {
    /// Its own images, in an order that only it knows.
    pub images: Vec<Image<E, D>>,
    /// What its parts keep.
    pub parts: Vec<Kept<E, D>>,
}

impl<E: Element, D: Device<E>> Kept<E, D> {
    /// Only images.
    pub fn images(images: impl Into<Vec<Image<E, D>>>) -> Self {
        Self { images: images.into(), parts: Vec::new() }
    }

    /// Takes out the last image kept.
    ///
    /// # Errors
    /// [`Error::Device`] if there is none: it was kept by another kind of layer.
    pub fn pop(&mut self) -> Result<Image<E, D>> {
        self.images.pop().ok_or_else(|| Error::Device("nothing was kept for this layer".into()))
    }

    /// Takes out what the last part kept.
    ///
    /// # Errors
    /// As [`Kept::pop`].
    pub fn pop_part(&mut self) -> Result<Self> {
        self.parts.pop().ok_or_else(|| Error::Device("nothing was kept for this layer's part".into()))
    }
}

/// An invertible map of images with a tractable log-determinant.
///
/// Implementations are held to the laws of [`crate::laws`].
pub trait Bijector<E: Element, D: Device<E>>: Parameters<E, D> + Send + Sync {
    /// Its kind, as flow files spell it.
    fn kind(&self) -> &str;

    /// The shape it gives images of shape `input`.
    ///
    /// # Errors
    /// [`Error::Shape`] if it cannot take them.
    fn output_shape(&self, input: ImageShape) -> Result<ImageShape>;

    /// `y = f(x)`.
    ///
    /// # Errors
    /// [`Error::Shape`] for images it cannot take, [`Error::Device`] when the device fails; so for all methods.
    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>>;

    /// `x = f⁻¹(y)`.
    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>>;

    /// `ln |det ∂y/∂x|` in nats per sample, where `y = f(x)`.
    fn log_abs_det_jacobian(&self, x: &Image<E, D>, y: &Image<E, D>) -> Result<PerSample<D>>;

    /// From the output alone: the input, and the gradient with respect to it; adds the parameters' gradients.
    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)>;

    /// Output and ladj at once, in place where it can be.
    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let y = self.forward(&x)?;
        let ladj = self.log_abs_det_jacobian(&x, &y)?;
        Ok((y, ladj))
    }

    /// The inverse of an image that is no longer needed, in place where it can be.
    fn inverse_of(&self, y: Image<E, D>) -> Result<Image<E, D>> {
        self.inverse(&y)
    }

    /// Sets parameters from the first batch that reaches this layer.
    fn initialize(&mut self, _x: &Image<E, D>) -> Result<()> {
        Ok(())
    }

    /// Whether [`Bijector::initialize`] divides by the standard deviation of a channel, over all pixels of all images.
    fn normalizes(&self) -> bool {
        false
    }

    /// Called after parameters change and before anything else is: what depends on them alone is computed once, not
    /// once a shard.
    fn prepare(&mut self, _device: &D) -> Result<()> {
        Ok(())
    }

    /// [`Bijector::forward_and_ladj`], keeping what [`Bijector::pull_back_kept`] needs. By default that is `x`.
    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (y, ladj) = self.forward_and_ladj(x.copied()?)?;
        Ok((y, ladj, Kept::images([x])))
    }

    /// The gradient with respect to the input from what was kept; adds the parameters' gradients.
    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let x = kept.pop()?;
        let y = self.forward(&x)?.giving(x.shared_given());
        Ok(self.pull_back(y, cotangent, grads)?.1)
    }

    /// The pull-back of the inverse, `J⁻ᵀ g` with J the Jacobian at `x`: the gradient with respect to the output of what
    /// has the gradient `g` with respect to the input. Only [`jacobian_condition`] asks for it; `None`, the default,
    /// where it is not known, and then the estimate is a weaker one.
    fn inverse_pull_back(&self, _x: &Image<E, D>, _g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        Ok(None)
    }

    /// [`Bijector::forward_and_ladj`] on the way up of a pass whose activations are rebuilt by inverting, keeping what is
    /// too dear to rebuild. By default that is nothing.
    fn forward_sparing(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (y, ladj) = self.forward_and_ladj(x)?;
        Ok((y, ladj, Kept::images([])))
    }

    /// [`Bijector::pull_back`], with what [`Bijector::forward_sparing`] kept.
    fn pull_back_spared(
        &self,
        y: Image<E, D>,
        _kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        self.pull_back(y, cotangent, grads)
    }

    /// Elements of all that [`Bijector::forward_sparing`] keeps of one image.
    fn spared(&self, _input: ImageShape) -> usize {
        0
    }

    /// How near it is to where its inverse loses digits: figures of its parameters and, where they depend on them, of
    /// the images `x` that reach it. None by default; whoever asks measures the round trip beside it.
    fn health(&self, _x: &Image<E, D>) -> Result<Health> {
        Ok(Health::default())
    }

    /// Multiplications with additions of its matrix products in the forward direction, for one image.
    fn multiply_adds(&self, _input: ImageShape) -> u64 {
        0
    }

    /// The same in the inverse direction: as many by default.
    fn inverse_multiply_adds(&self, input: ImageShape) -> u64 {
        self.multiply_adds(input)
    }

    /// Elements of all that [`Bijector::forward_keeping`] keeps of one image; the input by default.
    fn kept(&self, input: ImageShape) -> usize {
        input.dims()
    }

    /// Elements in use at the peak of [`Bijector::pull_back`], for one image; by default four images: output, input and
    /// their gradients.
    fn working_set(&self, input: ImageShape) -> usize {
        4 * input.dims()
    }

    /// Elements of its largest intermediate result, for one image.
    fn activation(&self, input: ImageShape) -> usize {
        input.dims()
    }
}

/// Implements [`Parameters`] for a type that has none.
#[macro_export]
macro_rules! no_parameters {
    ($type:ident) => {
        impl<E: $crate::Element, D: $crate::Device<E>> $crate::Parameters<E, D> for $type {
            fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, &'a $crate::Parameter<E, D>)) {}
            fn visit_mut<'a>(&'a mut self, _: &str, _: &mut dyn FnMut(&str, &'a mut $crate::Parameter<E, D>)) {}
        }
    };
}
