//! A linear map that starts at zero, with a learned gain (reference code, `linear_zeros`).
//!
//! ```text
//! y = (x·W + bias) · exp(factor · logs)        W: [in, out]
//! ```
//!
//! It acts on the channels of each pixel.

use super::Net;
use super::gain::Gain;
use crate::Result;
use crate::backend::kernels::Operand;
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters, join};
use crate::bijector::{Kept, range};

/// A linear map that starts at zero.
#[derive(Debug)]
pub struct Linear<E: Element, D: Device<E>> {
    /// `[in, out]`
    weight: Parameter<E, D>,
    /// `[out]`
    bias: Parameter<E, D>,
    input: usize,
    output: usize,
    /// `exp(factor · logs)`
    gain: Gain<E, D>,
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Linear<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        visitor(&join(path, "weight"), &self.weight);
        visitor(&join(path, "bias"), &self.bias);
        self.gain.visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        visitor(&join(path, "weight"), &mut self.weight);
        visitor(&join(path, "bias"), &mut self.bias);
        self.gain.visit_mut(path, visitor);
    }
}

impl<E: Element, D: Device<E>> Linear<E, D> {
    /// From `input` to `output` channels; `factor` multiplies `logs`.
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), factor: f64) -> Result<Self> {
        Ok(Self {
            weight: initializer.zeros(&[input, output])?,
            bias: initializer.zeros(&[output])?,
            input,
            output,
            gain: Gain::new(initializer, output, factor)?,
        })
    }

    /// One whose weights start as normals of this standard deviation, without a gain.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn normal(initializer: &Initializer<D>, (input, output): (usize, usize), std: f64) -> Result<Self> {
        let weight = initializer.normal("weight", &[input, output], std)?;
        // The factor has nothing to multiply.
        let linear = Self { weight, ..Self::new(initializer, (input, output), 1.0)? };
        linear.without_gain(initializer.device())
    }

    /// The same without a gain, as the paper has it: no `logs`, and 1 in place of their exponential.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn without_gain(mut self, device: &D) -> Result<Self> {
        self.gain.leave_out(device)?;
        Ok(self)
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Linear<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.input, self.output)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_channels("Linear", self.input)?;
        let mut y = Image::zeros(x.device(), x.batch(), x.shape().with_channels(self.output))?;
        let size = (x.rows(), self.input, self.output);
        let weight = Operand::Plain(self.weight.data());
        x.device().product(size, Operand::Plain(x.data()), weight, y.data_mut(), false)?;
        x.device().affine(y.data_mut(), self.bias.data(), self.gain.values())?;
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
        self.gain.gradient(device, y.data(), g.data_mut(), &self.bias, grads)?;
        let d_weight = grads.slot(&self.weight)?;
        let size = (self.input, x.rows(), self.output);
        device.product(size, Operand::Transposed(x.data()), Operand::Plain(g.data()), d_weight, true)?;
        let mut d_x = Image::zeros(device, x.batch(), x.shape())?;
        let (size, weight) = ((x.rows(), self.output, self.input), Operand::Transposed(self.weight.data()));
        device.product(size, Operand::Plain(g.data()), weight, d_x.data_mut(), false)?;
        Ok(d_x)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        Ok(range(device.download(self.gain.values())?.into_iter().map(E::as_f64)))
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.gain.prepare(device)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        (self.input * self.output) as u64
    }

    fn working_channels(&self) -> usize {
        self.output
    }
}
