//! A layer of images in an interval, tried on images of any size: they are made small first.
//!
//! ```text
//! y = f(s·x)        ladj = ladj of f + dims · ln s
//! ```

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent};
use crate::{Result, parameters};

/// By so much: a standard normal that is drawn is well inside of `[−½, ½)`.
const SCALE: f64 = 1.0 / 16.0;

/// A bijector of small images.
pub struct Shrunk<E: Element, D: Device<E>> {
    layer: Box<dyn Bijector<E, D>>,
}

parameters!(Shrunk {} parts { layer });

impl<E: Element, D: Device<E>> Shrunk<E, D> {
    /// Of this layer.
    pub fn new(layer: Box<dyn Bijector<E, D>>) -> Self {
        Self { layer }
    }
}

fn scaled<E: Element, D: Device<E>>(mut x: Image<E, D>, by: f64) -> Result<Image<E, D>> {
    MemoryKernel::<E>::scale(&x.device().clone(), x.data_mut(), by)?;
    Ok(x)
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Shrunk<E, D> {
    fn kind(&self) -> &str {
        self.layer.kind()
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        self.layer.output_shape(input)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.layer.forward(&scaled(x.copied()?, SCALE)?)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        scaled(self.layer.inverse(y)?, 1.0 / SCALE)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, y: &Image<E, D>) -> Result<PerSample<D>> {
        let mut ladj = self.layer.log_abs_det_jacobian(&scaled(x.copied()?, SCALE)?, y)?;
        ladj.add_assign(&PerSample::constant(x.device(), x.batch(), x.shape().dims() as f64 * SCALE.ln()))?;
        Ok(ladj)
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let (x, g) = self.layer.pull_back(y, cotangent, grads)?;
        Ok((scaled(x, 1.0 / SCALE)?, scaled(g, SCALE)?))
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.layer.prepare(device)
    }
}
