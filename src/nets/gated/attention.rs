//! Gated attention over pixels: `y = norm(h + gate(attention(W·(h + places))))`.

use super::super::layer::Layer;
use super::super::norm::Norm;
use super::convolution::{gate, gate_gradient, normalised, normalised_gradient};
use crate::Result;
use crate::backend::kernels::{Activation, AttentionForm};
use crate::backend::{Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, join};
use crate::bijector::Kept;

/// Attention, a gate and a norm around what they are added to.
#[derive(Debug)]
pub(super) struct GatedAttention<E: Element, D: Device<E>> {
    qkv: Layer<E, D>,
    gate: Layer<E, D>,
    norm: Norm<E, D>,
    heads: usize,
}

impl<E: Element, D: Device<E>> GatedAttention<E, D> {
    pub fn new(initializer: &Initializer<D>, width: usize, heads: usize) -> Result<Self> {
        Ok(Self {
            qkv: Layer::hidden(&initializer.at("qkv"), (width, 3 * width), Activation::Tanh)?,
            gate: Layer::hidden(&initializer.at("gate"), (width, 2 * width), Activation::Tanh)?,
            norm: Norm::new(initializer, width, Some(1.0))?,
            heads,
        })
    }

    fn form(&self, shape: ImageShape) -> AttentionForm {
        AttentionForm { pixels: shape.pixels(), channels: shape.channels, heads: self.heads }
    }

    /// h and the places of its pixels.
    fn placed(h: &Image<E, D>) -> Result<Image<E, D>> {
        let mut placed = h.copied()?;
        h.device().add_places(placed.data_mut(), h.shape())?;
        Ok(placed)
    }

    pub fn forward_keeping(&self, h: Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (device, batch, shape) = (h.device().clone(), h.batch(), h.shape());
        let qkv = self.qkv.forward(&Self::placed(&h)?)?;
        let (out, normalisers) = device.attend(self.form(shape), qkv.data())?;
        let out = Image::from_buffer(&device, batch, shape, out);
        let normalisers = Image::from_buffer(&device, batch, shape.with_channels(self.heads), normalisers);
        let gated = self.gate.forward(&out)?;
        let mut sum = gate(&gated)?;
        sum.add_assign(&h)?;
        let y = normalised(&sum, &self.norm)?;
        let kept = Kept::images([h, qkv, out, normalisers, gated, sum, y.copied()?]);
        Ok((y, kept))
    }

    pub fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (y, sum, gated) = (kept.pop()?, kept.pop()?, kept.pop()?);
        let (normalisers, out, qkv, h) = (kept.pop()?, kept.pop()?, kept.pop()?, kept.pop()?);
        normalised_gradient((&sum, &y), &mut g, &self.norm, grads)?;
        let of_gate = gate_gradient(&gated, &g)?;
        self.gate.add_gradients(&out, &of_gate, grads)?;
        let (of_out, given) = (self.gate.back(&of_gate)?, (out.data(), normalisers.data()));
        let of_qkv = h.device().attend_gradient(self.form(h.shape()), qkv.data(), given, of_out.data())?;
        let of_qkv = Image::from_buffer(h.device(), h.batch(), qkv.shape(), of_qkv);
        self.qkv.add_gradients(&Self::placed(&h)?, &of_qkv, grads)?;
        g.add_assign(&self.qkv.back(&of_qkv)?)?;
        Ok(g)
    }

    pub fn prepare(&mut self, device: &D) -> Result<()> {
        self.norm.prepare(device)
    }

    pub fn norm(&self) -> &Norm<E, D> {
        &self.norm
    }

    /// Of the maps, and of scores and sums with every pixel of the image.
    pub fn multiply_adds_per_pixel(&self, pixels: usize) -> u64 {
        self.qkv.multiply_adds() + self.gate.multiply_adds() + (2 * pixels * self.qkv.input) as u64
    }

    /// h, q, k and v, the output, the normalisers, the gate's two, the sum and y.
    pub fn kept_channels(&self) -> usize {
        9 * self.qkv.input + self.heads
    }

    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.qkv.visit(&join(path, "qkv"), visitor);
        self.gate.visit(&join(path, "gate"), visitor);
        self.norm.visit(&join(path, "norm"), visitor);
    }

    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.qkv.visit_mut(&join(path, "qkv"), visitor);
        self.gate.visit_mut(&join(path, "gate"), visitor);
        self.norm.visit_mut(&join(path, "norm"), visitor);
    }
}
