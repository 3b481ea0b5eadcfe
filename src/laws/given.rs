//! A layer that is given its context as a parameter: so every law of gradients is one of the context's gradient too.
//!
//! ```text
//! y = f(x; c),    c a trained parameter [batch, h, w, channels]
//! ```

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Result, parameters};
use std::sync::Arc;

/// A bijector with a context for each image of a batch.
pub struct Given<E: Element, D: Device<E>> {
    layer: Box<dyn Bijector<E, D>>,
    /// `[batch, h, w, channels]`
    context: Parameter<E, D>,
    shape: ImageShape,
}

parameters!(Given { context } parts { layer });

impl<E: Element, D: Device<E>> Given<E, D> {
    /// A layer for contexts of this shape, with one for each of `batch` images.
    pub fn new(
        initializer: &Initializer<D>,
        (shape, batch): (ImageShape, usize),
        layer: Box<dyn Bijector<E, D>>,
    ) -> Result<Self> {
        let ImageShape { height, width, channels } = shape;
        let context = initializer.normal("given", &[batch, height, width, channels], 1.0)?;
        Ok(Self { layer, context, shape })
    }

    /// The images with their contexts.
    fn giving(&self, x: Image<E, D>) -> Result<Image<E, D>> {
        let device = x.device().clone();
        let context = MemoryKernel::<E>::copy(&device, self.context.data())?;
        let batch = self.context.count() / self.shape.dims();
        Ok(x.giving(Some(Arc::new(Image::from_buffer(&device, batch, self.shape, context)))))
    }

    /// Takes the context's gradient for the parameter's.
    fn collect(&self, device: &D, grads: &mut ParameterGradients<E, D>) -> Result<()> {
        match grads.take_context(device) {
            Some(g) => MemoryKernel::<E>::add_assign(device, grads.slot(&self.context)?, g.data()),
            None => Ok(()),
        }
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Given<E, D> {
    fn kind(&self) -> &str {
        self.layer.kind()
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        self.layer.output_shape(input)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.layer.forward(&self.giving(x.copied()?)?)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.layer.inverse(&self.giving(y.copied()?)?)
    }

    fn inverse_of(&self, y: Image<E, D>) -> Result<Image<E, D>> {
        self.layer.inverse_of(self.giving(y)?)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, y: &Image<E, D>) -> Result<PerSample<D>> {
        self.layer.log_abs_det_jacobian(&self.giving(x.copied()?)?, y)
    }

    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        self.layer.forward_and_ladj(self.giving(x)?)
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let device = y.device().clone();
        let pulled = self.layer.pull_back(self.giving(y)?, cotangent, grads)?;
        self.collect(&device, grads)?;
        Ok(pulled)
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let x = self.giving(x.copied()?)?;
        self.layer.initialize(&x)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.layer.prepare(device)
    }

    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        self.layer.forward_keeping(self.giving(x)?)
    }

    fn pull_back_kept(
        &self,
        kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let device = cotangent.image.device().clone();
        let g = self.layer.pull_back_kept(kept, cotangent, grads)?;
        self.collect(&device, grads)?;
        Ok(g)
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        self.layer.inverse_pull_back(&self.giving(x.copied()?)?, g)
    }

    fn forward_sparing(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        self.layer.forward_sparing(self.giving(x)?)
    }

    fn pull_back_spared(
        &self,
        y: Image<E, D>,
        kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let device = y.device().clone();
        let pulled = self.layer.pull_back_spared(self.giving(y)?, kept, cotangent, grads)?;
        self.collect(&device, grads)?;
        Ok(pulled)
    }

    fn spared(&self, input: ImageShape) -> usize {
        self.layer.spared(input)
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        self.layer.health(&self.giving(x.copied()?)?)
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        self.layer.multiply_adds(input)
    }

    fn kept(&self, input: ImageShape) -> usize {
        self.layer.kept(input)
    }

    fn working_set(&self, input: ImageShape) -> usize {
        self.layer.working_set(input)
    }

    fn activation(&self, input: ImageShape) -> usize {
        self.layer.activation(input)
    }
}
