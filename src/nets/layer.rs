//! A hidden layer of dense networks: `y = x·W + b` on the channels of each pixel, W under a mask if there is one.

use crate::Result;
use crate::backend::kernels::{Activation, MemoryKernel, Operand};
use crate::backend::{Buffer, Device, Element, Image, Initializer, Parameter, ParameterGradients, join};

/// `y = x·(W ∘ mask) + b`.
#[derive(Debug)]
pub(super) struct Layer<E: Element, D: Device<E>> {
    /// `[in, out]`
    weight: Parameter<E, D>,
    /// `[out]`
    bias: Parameter<E, D>,
    ones: Buffer<E, D>,
    masked: Option<Masked<E, D>>,
    pub input: usize,
    pub output: usize,
}

/// What is left of a weight.
#[derive(Debug)]
struct Masked<E: Element, D: Device<E>> {
    /// `[in, out]`, of 0 and 1.
    mask: Buffer<E, D>,
    /// `W ∘ mask`
    weight: Buffer<E, D>,
}

impl<E: Element, D: Device<E>> Layer<E, D> {
    /// Weights as He et al. (2015, eq. 10 and 14) start them: normals of variance `2/in` before a ReLU, `1/in` before
    /// a tanh. Biases start at zero.
    pub fn hidden(initializer: &Initializer<D>, size: (usize, usize), activation: Activation) -> Result<Self> {
        let gain = if activation == Activation::Relu { 2.0 } else { 1.0 };
        let std = (gain / size.0.max(1) as f64).sqrt();
        Self::new(initializer, size, initializer.normal("weight", &[size.0, size.1], std)?)
    }

    /// All zeros.
    pub fn zero(initializer: &Initializer<D>, size: (usize, usize)) -> Result<Self> {
        Self::new(initializer, size, initializer.zeros(&[size.0, size.1])?)
    }

    fn new(initializer: &Initializer<D>, (input, output): (usize, usize), weight: Parameter<E, D>) -> Result<Self> {
        // Not a parameter: a blank flow, which values are then read into, has these too.
        let (bias, ones) = (initializer.zeros(&[output])?, initializer.device().upload(&vec![E::one(); output])?);
        Ok(Self { weight, bias, ones, masked: None, input, output })
    }

    /// Lets only those weights be whose input and output `sees` connects. [`Layer::prepare`] is to follow.
    pub fn mask(&mut self, device: &D, sees: impl Fn(usize, usize) -> bool) -> Result<()> {
        let connected = |i: usize| if sees(i / self.output, i % self.output) { E::one() } else { E::zero() };
        let mask = device.upload(&(0..self.input * self.output).map(connected).collect::<Vec<E>>())?;
        self.masked = Some(Masked { mask, weight: MemoryKernel::<E>::zeros(device, 0)? });
        Ok(())
    }

    /// Called after parameters change.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        if let Some(masked) = &mut self.masked {
            masked.weight = MemoryKernel::<E>::copy(device, self.weight.data())?;
            device.multiply(&mut masked.weight, &masked.mask)?;
        }
        Ok(())
    }

    /// The weight as it is used.
    fn used(&self) -> &Buffer<E, D> {
        self.masked.as_ref().map_or(self.weight.data(), |masked| &masked.weight)
    }

    /// `y`, for the channels of each pixel.
    pub fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.columns(x, 0, self.output)
    }

    /// The channels `start .. start + count` of y, at the cost of these alone.
    pub fn columns(&self, x: &Image<E, D>, start: usize, count: usize) -> Result<Image<E, D>> {
        let device = x.device();
        let mut y = Image::zeros(device, x.batch(), x.shape().with_channels(count))?;
        let size = (x.rows(), self.input, count);
        if count == self.output {
            device.product(size, Operand::Plain(x.data()), Operand::Plain(self.used()), y.data_mut(), false)?;
            device.affine(y.data_mut(), self.bias.data(), &self.ones)?;
            return Ok(y);
        }
        let weight = device.slice_channels(self.used(), self.input, self.output, start, count)?;
        let [bias, ones] = [
            device.slice_channels(self.bias.data(), 1, self.output, start, count)?,
            device.slice_channels(&self.ones, 1, self.output, start, count)?,
        ];
        device.product(size, Operand::Plain(x.data()), Operand::Plain(&weight), y.data_mut(), false)?;
        device.affine(y.data_mut(), &bias, &ones)?;
        Ok(y)
    }

    /// The gradient with respect to `x` from that with respect to y.
    pub fn back(&self, g: &Image<E, D>) -> Result<Image<E, D>> {
        self.back_from_columns(g, 0)
    }

    /// The same where the gradient is zero but for the channels from `start` on.
    pub fn back_from_columns(&self, g: &Image<E, D>, start: usize) -> Result<Image<E, D>> {
        let (device, count) = (g.device(), g.shape().channels);
        let mut d_x = Image::zeros(device, g.batch(), g.shape().with_channels(self.input))?;
        let part = match count == self.output {
            true => None,
            false => Some(device.slice_channels(self.used(), self.input, self.output, start, count)?),
        };
        let weight = Operand::Transposed(part.as_ref().unwrap_or(self.used()));
        device.product((g.rows(), count, self.input), Operand::Plain(g.data()), weight, d_x.data_mut(), false)?;
        Ok(d_x)
    }

    /// Adds the parameters' gradients, from the input and the gradient with respect to y.
    pub fn add_gradients(&self, x: &Image<E, D>, g: &Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<()> {
        let device = x.device();
        let mut ones = MemoryKernel::<E>::zeros(device, x.rows())?;
        MemoryKernel::<E>::fill(device, &mut ones, E::one())?;
        let (sum, of_output) = (Operand::Plain(&ones), Operand::Plain(g.data()));
        device.product((1, x.rows(), self.output), sum, of_output, grads.slot(&self.bias)?, true)?;
        let (size, d_weight) = ((self.input, x.rows(), self.output), grads.slot(&self.weight)?);
        let (x, g) = (Operand::Transposed(x.data()), Operand::Plain(g.data()));
        let Some(masked) = &self.masked else { return device.product(size, x, g, d_weight, true) };
        let mut by_weight = MemoryKernel::<E>::zeros(device, self.input * self.output)?;
        device.product(size, x, g, &mut by_weight, false)?;
        device.multiply(&mut by_weight, &masked.mask)?;
        MemoryKernel::<E>::add_assign(device, d_weight, &by_weight)
    }

    pub fn multiply_adds(&self) -> u64 {
        (self.input * self.output) as u64
    }

    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        visitor(&join(path, "weight"), &self.weight);
        visitor(&join(path, "bias"), &self.bias);
    }

    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        visitor(&join(path, "weight"), &mut self.weight);
        visitor(&join(path, "bias"), &mut self.bias);
    }

    /// Lets a weight be that the mask leaves out.
    #[cfg(test)]
    pub fn unmask(&mut self, device: &D, i: usize, k: usize) {
        let masked = self.masked.as_mut().unwrap();
        let mut values = MemoryKernel::<E>::download(device, &masked.mask).unwrap();
        values[i * self.output + k] = E::one();
        masked.mask = device.upload(&values).unwrap();
    }
}
