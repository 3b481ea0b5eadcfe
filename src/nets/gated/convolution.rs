//! A gated convolution: `y = norm(h + gate(cELU(conv 3×3 (cELU(h)) + bias)))`.

use super::super::conv::Conv;
use super::super::layer::Layer;
use super::super::norm::Norm;
use crate::Result;
use crate::backend::kernels::Activation;
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients, join};
use crate::bijector::Kept;

/// A convolution, a gate and a norm around what they are added to.
#[derive(Debug)]
pub(super) struct GatedConv<E: Element, D: Device<E>> {
    conv: Conv<E, D>,
    bias: Norm<E, D>,
    gate: Layer<E, D>,
    norm: Norm<E, D>,
}

impl<E: Element, D: Device<E>> GatedConv<E, D> {
    pub fn new(initializer: &Initializer<D>, width: usize, edge: bool) -> Result<Self> {
        Ok(Self {
            conv: Conv::new(initializer, (2 * width, width), edge)?,
            bias: Norm::new(initializer, width, None)?,
            gate: Layer::hidden(&initializer.at("gate"), (2 * width, 2 * width), Activation::Tanh)?,
            norm: Norm::new(initializer, width, Some(1.0))?,
        })
    }

    /// The gate's input from what it is of.
    fn gated(&self, c: &Image<E, D>) -> Result<Image<E, D>> {
        self.gate.forward(&concat_elu(c)?)
    }

    pub fn forward_keeping(&self, h: Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let mut c = self.conv.forward(&concat_elu(&h)?)?;
        self.bias.apply(&mut c)?;
        let gated = self.gated(&c)?;
        let mut sum = gate(&gated)?;
        sum.add_assign(&h)?;
        let y = normalised(&sum, &self.norm)?;
        let kept = Kept::images([h, c, gated, sum, y.copied()?]);
        Ok((y, kept))
    }

    pub fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (y, sum, gated, c, h) = (kept.pop()?, kept.pop()?, kept.pop()?, kept.pop()?, kept.pop()?);
        normalised_gradient((&sum, &y), &mut g, &self.norm, grads)?;
        let of_gate = gate_gradient(&gated, &g)?;
        self.gate.add_gradients(&concat_elu(&c)?, &of_gate, grads)?;
        let mut of_c = concat_elu_gradient(&c, &self.gate.back(&of_gate)?)?;
        self.bias.gradient(&c, &mut of_c, grads)?;
        let of_h = self.conv.pull_back(&concat_elu(&h)?, &of_c, grads)?;
        g.add_assign(&concat_elu_gradient(&h, &of_h)?)?;
        Ok(g)
    }

    pub fn prepare(&mut self, device: &D) -> Result<()> {
        self.norm.prepare(device)
    }

    pub fn norm(&self) -> &Norm<E, D> {
        &self.norm
    }

    pub fn unfolded(&self) -> usize {
        self.conv.unfolded()
    }

    pub fn multiply_adds_per_pixel(&self) -> u64 {
        self.conv.multiply_adds_per_pixel() + self.gate.multiply_adds()
    }

    /// h, c, the gate's two, the sum and y.
    pub fn kept_channels(width: usize) -> usize {
        6 * width
    }

    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.conv.visit(path, visitor);
        self.bias.visit(path, visitor);
        self.gate.visit(&join(path, "gate"), visitor);
        self.norm.visit(&join(path, "norm"), visitor);
    }

    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.conv.visit_mut(path, visitor);
        self.bias.visit_mut(path, visitor);
        self.gate.visit_mut(&join(path, "gate"), visitor);
        self.norm.visit_mut(&join(path, "norm"), visitor);
    }
}

fn concat_elu<E: Element, D: Device<E>>(x: &Image<E, D>) -> Result<Image<E, D>> {
    let (device, channels) = (x.device(), x.shape().channels);
    let y = device.concat_elu(x.data(), channels)?;
    Ok(Image::from_buffer(device, x.batch(), x.shape().with_channels(2 * channels), y))
}

fn concat_elu_gradient<E: Element, D: Device<E>>(x: &Image<E, D>, g: &Image<E, D>) -> Result<Image<E, D>> {
    let d_x = x.device().concat_elu_gradient(x.data(), g.data(), x.shape().channels)?;
    Ok(Image::from_buffer(x.device(), x.batch(), x.shape(), d_x))
}

/// `a · sigmoid(b)`, of half the channels.
pub(super) fn gate<E: Element, D: Device<E>>(x: &Image<E, D>) -> Result<Image<E, D>> {
    let (device, channels) = (x.device(), x.shape().channels / 2);
    let y = device.gate(x.data(), channels)?;
    Ok(Image::from_buffer(device, x.batch(), x.shape().with_channels(channels), y))
}

pub(super) fn gate_gradient<E: Element, D: Device<E>>(x: &Image<E, D>, g: &Image<E, D>) -> Result<Image<E, D>> {
    let d_x = x.device().gate_gradient(x.data(), g.data(), g.shape().channels)?;
    Ok(Image::from_buffer(x.device(), x.batch(), x.shape(), d_x))
}

/// `norm(sum)` over the channels of each pixel.
pub(super) fn normalised<E: Element, D: Device<E>>(sum: &Image<E, D>, norm: &Norm<E, D>) -> Result<Image<E, D>> {
    let (mut y, channels) = (sum.copied()?, sum.shape().channels);
    sum.device().normalise(y.data_mut(), channels)?;
    norm.apply(&mut y)?;
    Ok(y)
}

/// `g`, the gradient with respect to `y = norm(sum)`, becomes that with respect to the sum.
pub(super) fn normalised_gradient<E: Element, D: Device<E>>(
    (sum, y): (&Image<E, D>, &Image<E, D>),
    g: &mut Image<E, D>,
    norm: &Norm<E, D>,
    grads: &mut ParameterGradients<E, D>,
) -> Result<()> {
    norm.gradient(y, g, grads)?;
    sum.device().normalise_gradient(sum.data(), g.data_mut(), sum.shape().channels)
}
