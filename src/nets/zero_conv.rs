//! The 3×3 convolution that starts at zero, with a learned gain (reference code, `conv2d_zeros`).
//!
//! ```text
//! y = (conv(x) + bias) · exp(factor · logs)
//! conv(x)[p] = Σ_t W[.., t, ..] · x̃[p + t]      t over the 3×3 neighbours
//! ```
//!
//! x̃ is x with zeros around it and, as an option, one more channel: the *edge indicator*, 1 outside and 0 inside, so
//! that the network knows where the border is. The paper mentions neither it nor the gain.
//!
//! The output is the thin side: one product `x·W` makes what each pixel sends to its nine neighbours, and a sum
//! gathers it. That is why the weight is stored `[in + 1, 3, 3, out]`, the edge indicator's row last.

use super::Net;
use super::gain::Gain;
use crate::Result;
use crate::backend::kernels::{MemoryKernel, Operand};
use crate::backend::{Buffer, Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters, join};
use crate::bijector::{Kept, range};

/// A 3×3 convolution that starts at zero.
#[derive(Debug)]
pub struct ZeroConv<E: Element, D: Device<E>> {
    /// `[in + 1, 3, 3, out]`, the edge indicator last; `[in, 3, 3, out]` without it.
    weight: Parameter<E, D>,
    /// `[out]`
    bias: Parameter<E, D>,
    input: usize,
    output: usize,
    edge: bool,
    /// `exp(factor · logs)`
    gain: Gain<E, D>,
}

impl<E: Element, D: Device<E>> Parameters<E, D> for ZeroConv<E, D> {
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

impl<E: Element, D: Device<E>> ZeroConv<E, D> {
    /// From `input` to `output` channels; `factor` multiplies `logs`.
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), edge: bool, factor: f64) -> Result<Self> {
        Ok(Self {
            weight: initializer.zeros(&[input + usize::from(edge), 3, 3, output])?,
            bias: initializer.zeros(&[output])?,
            input,
            output,
            edge,
            gain: Gain::new(initializer, output, factor)?,
        })
    }

    /// One whose weights start as normals of this standard deviation, without a gain.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn normal(initializer: &Initializer<D>, (input, output): (usize, usize), edge: bool, std: f64) -> Result<Self> {
        let weight = initializer.normal("weight", &[input + usize::from(edge), 3, 3, output], std)?;
        // The factor has nothing to multiply.
        let conv = Self { weight, ..Self::new(initializer, (input, output), edge, 1.0)? };
        conv.without_gain(initializer.device())
    }

    /// The same without a gain, as the paper has it: no `logs`, and 1 in place of their exponential.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn without_gain(mut self, device: &D) -> Result<Self> {
        self.gain.leave_out(device)?;
        Ok(self)
    }

    /// The gradient with respect to what each pixel of the input sends to its neighbours, `[rows, 9 · out]`, from the
    /// output `y` and the gradient with respect to it. All of the parameters' gradients but that of the taps' weight.
    pub(super) fn taps_gradient(
        &self,
        y: &Image<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Buffer<E, D>> {
        let device = y.device();
        self.gain.gradient(device, y.data(), g.data_mut(), &self.bias, grads)?;
        let edge = if self.edge { Some((grads.slot(&self.weight)?, self.edge_offset())) } else { None };
        device.spread_taps(g.data(), g.shape(), edge)
    }

    /// The gradient with respect to the input `x`, from the output `y` and the gradient with respect to it.
    fn gradient(
        &self,
        x: &Image<E, D>,
        y: &Image<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let device = x.device();
        let taps = self.taps_gradient(y, g, grads)?;
        let (rows, width) = (x.rows(), 9 * self.output);
        let by_weight = (self.input, rows, width);
        let d_weight = grads.slot(&self.weight)?;
        device.product(by_weight, Operand::Transposed(x.data()), Operand::Plain(&taps), d_weight, true)?;
        let mut d_x = Image::zeros(device, x.batch(), x.shape())?;
        let (taps, weight) = (Operand::Plain(&taps), Operand::Transposed(self.weight.data()));
        device.product((rows, width, self.input), taps, weight, d_x.data_mut(), false)?;
        Ok(d_x)
    }

    /// `[in + 1, 9 · out]`: what makes the taps, and the edge indicator's row.
    pub(super) fn weight(&self) -> &Parameter<E, D> {
        &self.weight
    }

    /// The output, from what each pixel of `x` sends to its neighbours, `[rows, 9 · out]`.
    pub(super) fn gather(&self, x: &Image<E, D>, taps: Buffer<E, D>) -> Result<Image<E, D>> {
        let (device, shape) = (x.device(), x.shape().with_channels(self.output));
        let edge = self.edge.then(|| (self.weight.data(), self.edge_offset()));
        let mut y = device.sum_taps(&taps, shape, edge)?;
        device.affine(&mut y, self.bias.data(), self.gain.values())?;
        Ok(Image::from_buffer(device, x.batch(), shape, y))
    }

    /// Where the edge indicator's weights begin.
    fn edge_offset(&self) -> usize {
        self.input * 9 * self.output
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for ZeroConv<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.input, self.output)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        x.expect_channels("ZeroConv", self.input)?;
        let device = x.device();
        let mut taps = MemoryKernel::<E>::zeros(device, x.rows() * 9 * self.output)?;
        let size = (x.rows(), self.input, 9 * self.output);
        device.product(size, Operand::Plain(x.data()), Operand::Plain(self.weight.data()), &mut taps, false)?;
        self.gather(x, taps)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let y = self.forward(x)?;
        let kept = Kept::images([x.copied()?, y.copied()?]);
        Ok((y, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (y, x) = (kept.pop()?, kept.pop()?);
        self.gradient(&x, &y, g, grads)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        Ok(range(device.download(self.gain.values())?.into_iter().map(E::as_f64)))
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.gain.prepare(device)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        (9 * self.input * self.output) as u64
    }
}
