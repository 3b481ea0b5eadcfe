//! A linear map that starts at zero, with a learned gain (reference code, `linear_zeros`).
//!
//! ```text
//! y = (x·W + bias) · exp(factor · logs)        W: [in, out]
//! ```
//!
//! It acts on images of one pixel, `[batch, 1, 1, in]`.

use super::Net;
use crate::backend::kernels::{MemoryKernel, Operand};
use crate::backend::{Buffer, Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients};
use crate::bijector::{Kept, range};
use crate::{Result, parameters};

/// A linear map that starts at zero.
#[derive(Debug)]
pub struct Linear<E: Element, D: Device<E>> {
    /// `[in, out]`
    weight: Parameter<E, D>,
    /// `[out]`
    bias: Parameter<E, D>,
    /// `[out]`
    logs: Parameter<E, D>,
    input: usize,
    output: usize,
    factor: f64,
    /// `exp(factor · logs)`
    gain: Buffer<E, D>,
}

parameters!(Linear { weight, bias, logs });

impl<E: Element, D: Device<E>> Linear<E, D> {
    /// From `input` to `output` channels; `factor` multiplies `logs`.
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), factor: f64) -> Result<Self> {
        let gain = MemoryKernel::<E>::zeros(initializer.device(), 0)?;
        let mut linear = Self {
            weight: initializer.zeros(&[input, output])?,
            bias: initializer.zeros(&[output])?,
            logs: initializer.zeros(&[output])?,
            input,
            output,
            factor,
            gain,
        };
        linear.prepare(initializer.device())?;
        Ok(linear)
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Linear<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.input, self.output)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_shape("Linear", ImageShape::new(1, 1, self.input))?;
        let mut y = Image::zeros(x.device(), x.batch(), x.shape().with_channels(self.output))?;
        let size = (x.rows(), self.input, self.output);
        let weight = Operand::Plain(self.weight.data());
        x.device().product(size, Operand::Plain(x.data()), weight, y.data_mut(), false)?;
        x.device().affine(y.data_mut(), self.bias.data(), &self.gain)?;
        let kept = Kept::images([x.copied()?, y.copied()?]);
        Ok((y, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (y, x) = (kept.pop()?, kept.pop()?);
        let device = x.device();
        let [d_bias, d_logs] = grads.slots([&self.bias, &self.logs])?;
        device.affine_gradient(y.data(), g.data_mut(), &self.gain, self.factor, d_bias, d_logs)?;
        let d_weight = grads.slot(&self.weight)?;
        let size = (self.input, x.rows(), self.output);
        device.product(size, Operand::Transposed(x.data()), Operand::Plain(g.data()), d_weight, true)?;
        let mut d_x = Image::zeros(device, x.batch(), x.shape())?;
        let (size, weight) = ((x.rows(), self.output, self.input), Operand::Transposed(self.weight.data()));
        device.product(size, Operand::Plain(g.data()), weight, d_x.data_mut(), false)?;
        Ok(d_x)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        Ok(range(device.download(&self.gain)?.into_iter().map(E::as_f64)))
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.gain = device.exp_scaled(self.logs.data(), self.factor)?;
        Ok(())
    }
}
