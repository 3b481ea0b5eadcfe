//! A 3×3 convolution of hidden channels, without a bias: what follows it has one.
//!
//! Neighbours are unfolded, `[rows, 9 · (in + 1)]`, and one product does the rest.

use crate::Result;
use crate::backend::kernels::Operand;
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients};

/// A 3×3 convolution.
#[derive(Debug)]
pub(super) struct Conv<E: Element, D: Device<E>> {
    /// `[3, 3, in + 1, out]`, the edge indicator last in `in + 1`; `[3, 3, in, out]` without it.
    weight: Parameter<E, D>,
    pub input: usize,
    pub output: usize,
    edge: bool,
}

impl<E: Element, D: Device<E>> Conv<E, D> {
    /// Weights start as normals of variance `2/(9 · in)` (He et al. 2015, eq. 10).
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), edge: bool) -> Result<Self> {
        let std = (2.0 / (9 * input.max(1)) as f64).sqrt();
        let weight = initializer.normal("weight", &[3, 3, input + usize::from(edge), output], std)?;
        Ok(Self { weight, input, output, edge })
    }

    /// Columns of the unfolded input.
    pub fn unfolded(&self) -> usize {
        9 * (self.input + usize::from(self.edge))
    }

    pub fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        let device = x.device();
        let unfolded = device.unfold(x.data(), x.shape(), self.edge)?;
        let mut y = Image::zeros(device, x.batch(), x.shape().with_channels(self.output))?;
        let (size, weight) = ((x.rows(), self.unfolded(), self.output), Operand::Plain(self.weight.data()));
        device.product(size, Operand::Plain(&unfolded), weight, y.data_mut(), false)?;
        Ok(y)
    }

    /// The gradient with respect to the input `x` from that with respect to the output; adds the weight's.
    pub fn pull_back(
        &self,
        x: &Image<E, D>,
        g: &Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (device, rows, columns) = (x.device(), x.rows(), self.unfolded());
        let mut unfolded = device.unfold(x.data(), x.shape(), self.edge)?;
        let (by_weight, of_output) = (Operand::Transposed(&unfolded), Operand::Plain(g.data()));
        device.product((columns, rows, self.output), by_weight, of_output, grads.slot(&self.weight)?, true)?;
        let (of_output, weight) = (Operand::Plain(g.data()), Operand::Transposed(self.weight.data()));
        device.product((rows, self.output, columns), of_output, weight, &mut unfolded, false)?;
        let d_x = device.fold(&unfolded, x.shape(), self.edge)?;
        Ok(Image::from_buffer(device, x.batch(), x.shape(), d_x))
    }

    pub fn multiply_adds_per_pixel(&self) -> u64 {
        (self.unfolded() * self.output) as u64
    }

    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        visitor(&format!("{path}.weight"), &self.weight);
    }

    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        visitor(&format!("{path}.weight"), &mut self.weight);
    }
}
