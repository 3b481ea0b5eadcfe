//! Flow++'s network of gated convolutions and self-attention (J. Ho et al., "Flow++: improving flow-based generative models
//! with variational dequantization and architecture design", 2019, § 3.3).
//!
//! ```text
//! h = conv 3×3 (x)
//! h = norm(h + gate(conv 3×3 (cELU(h))))                         for each block
//! h = norm(h + gate(heads of attention over pixels (h)))          and this after it, if it has attention
//! y = zero conv 3×3 (h)
//! ```
//!
//! cELU is concat-ELU; a gate is a 1×1 map to twice the channels, then `a · sigmoid(b)`; norms are over the channels of each
//! pixel, with a learned bias and gain `(x̂ + bias) · exp(logs)`, so images do not move each other. Pixels are told their
//! places before attention.

mod attention;
mod convolution;

use super::conv::Conv;
use super::norm::Norm;
use super::{Net, ZeroConv};
use crate::backend::{
    Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, Parameters, join,
};
use crate::bijector::{Health, Kept};
use crate::{Error, Result};
use attention::GatedAttention;
use convolution::GatedConv;

/// What can be chosen about a [`Gated`] network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GatedOptions {
    /// Blocks.
    pub blocks: usize,
    /// Whether each has attention over pixels.
    pub attention: bool,
    /// Heads of attention, which divide `width`.
    pub heads: usize,
    /// Hidden channels.
    pub width: usize,
    /// Whether 3×3 convolutions see the edge-indicator channel.
    pub edge_channel: bool,
    /// The factor of the last layer's gain.
    pub log_scale_factor: f64,
    /// Whether the last layer has a learned gain `exp(factor · logs)`.
    pub gain: bool,
}

impl Default for GatedOptions {
    fn default() -> Self {
        Self { blocks: 2, attention: true, heads: 4, width: 64, edge_channel: true, log_scale_factor: 3.0, gain: true }
    }
}

/// Gated convolutions and self-attention.
#[derive(Debug)]
pub struct Gated<E: Element, D: Device<E>> {
    first: Conv<E, D>,
    bias: Norm<E, D>,
    blocks: Vec<Block<E, D>>,
    last: ZeroConv<E, D>,
}

#[derive(Debug)]
struct Block<E: Element, D: Device<E>> {
    conv: GatedConv<E, D>,
    attention: Option<GatedAttention<E, D>>,
}

impl<E: Element, D: Device<E>> Gated<E, D> {
    /// From `input` to `output` channels.
    ///
    /// # Errors
    /// [`Error::Shape`] if the heads do not divide the width, [`Error::Device`] when the device fails.
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), options: GatedOptions) -> Result<Self> {
        let GatedOptions { width, edge_channel, heads, .. } = options;
        if options.attention && (heads == 0 || !width.is_multiple_of(heads)) {
            return Err(Error::Shape {
                layer: "Gated".into(),
                expected: format!("a `width` that its {heads} heads of attention divide"),
                found: format!("{width} channels"),
            });
        }
        let block = |i: usize| {
            let at = initializer.at(&format!("blocks.{i}"));
            let attention = || GatedAttention::new(&at.at("attention"), width, heads);
            let conv = GatedConv::new(&at.at("conv"), width, edge_channel)?;
            Ok(Block { conv, attention: options.attention.then(attention).transpose()? })
        };
        let last = ZeroConv::new(initializer, (width, output), edge_channel, options.log_scale_factor)?;
        Ok(Self {
            first: Conv::new(&initializer.at("first"), (input, width), edge_channel)?,
            bias: Norm::new(initializer, width, None)?,
            blocks: (0..options.blocks).map(block).collect::<Result<_>>()?,
            last: if options.gain { last } else { last.without_gain(initializer.device())? },
        })
    }

    fn attentions(&self) -> impl Iterator<Item = &GatedAttention<E, D>> {
        self.blocks.iter().filter_map(|block| block.attention.as_ref())
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Gated<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.first.visit(&join(path, "first"), visitor);
        self.bias.visit(&join(path, "first"), visitor);
        for (i, Block { conv, attention }) in self.blocks.iter().enumerate() {
            conv.visit(&join(path, &format!("blocks.{i}.conv")), visitor);
            attention.iter().for_each(|a| a.visit(&join(path, &format!("blocks.{i}.attention")), visitor));
        }
        self.last.visit(&join(path, "last"), visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.first.visit_mut(&join(path, "first"), visitor);
        self.bias.visit_mut(&join(path, "first"), visitor);
        for (i, Block { conv, attention }) in self.blocks.iter_mut().enumerate() {
            conv.visit_mut(&join(path, &format!("blocks.{i}.conv")), visitor);
            attention.iter_mut().for_each(|a| a.visit_mut(&join(path, &format!("blocks.{i}.attention")), visitor));
        }
        self.last.visit_mut(&join(path, "last"), visitor);
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Gated<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.first.input, self.last.channels().1)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_channels("Gated", self.first.input)?;
        let mut h = self.first.forward(x)?;
        self.bias.apply(&mut h)?;
        let mut kept = Kept::images([x.copied()?, h.copied()?]);
        for Block { conv, attention } in &self.blocks {
            let (next, of_conv) = conv.forward_keeping(h)?;
            h = next;
            kept.parts.push(of_conv);
            if let Some(attention) = attention {
                let (next, of_attention) = attention.forward_keeping(h)?;
                h = next;
                kept.parts.push(of_attention);
            }
        }
        let (y, last) = self.last.forward_keeping(&h)?;
        kept.parts.push(last);
        Ok((y, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let mut g = self.last.pull_back(kept.pop_part()?, g, grads)?;
        for Block { conv, attention } in self.blocks.iter().rev() {
            if let Some(attention) = attention {
                g = attention.pull_back(kept.pop_part()?, g, grads)?;
            }
            g = conv.pull_back(kept.pop_part()?, g, grads)?;
        }
        let h = kept.pop()?;
        self.bias.gradient(&h, &mut g, grads)?;
        self.first.pull_back(&kept.pop()?, &g, grads)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        for Block { conv, attention } in &mut self.blocks {
            conv.prepare(device)?;
            attention.iter_mut().try_for_each(|attention| attention.prepare(device))?;
        }
        self.last.prepare(device)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        let mut health = Health { gains: self.last.gains(device)?, ..Default::default() };
        for norm in self.blocks.iter().map(|block| block.conv.norm()).chain(self.attentions().map(GatedAttention::norm))
        {
            health = health.and(Health { gains: norm.scales(device)?, ..Default::default() });
        }
        Ok(health.gains)
    }

    /// Of an image of one pixel: what attention does grows with the number of pixels.
    fn multiply_adds_per_pixel(&self) -> u64 {
        self.multiply_adds(ImageShape::new(1, 1, 1))
    }

    fn multiply_adds(&self, shape: ImageShape) -> u64 {
        let convs = self.blocks.iter().map(|block| block.conv.multiply_adds_per_pixel()).sum::<u64>();
        let attention =
            self.attentions().map(|attention| attention.multiply_adds_per_pixel(shape.pixels())).sum::<u64>();
        let ends = self.first.multiply_adds_per_pixel() + self.last.multiply_adds_per_pixel();
        shape.pixels() as u64 * (ends + convs + attention)
    }

    fn kept_channels(&self) -> usize {
        let width = self.first.output;
        let attention: usize = self.attentions().map(GatedAttention::kept_channels).sum();
        let convs = self.blocks.len() * GatedConv::<E, D>::kept_channels(width);
        self.first.input + width + convs + attention + self.last.kept_channels()
    }

    /// What is kept, an unfolded input, and the gradients of one block.
    fn working_channels(&self) -> usize {
        self.kept_channels() + self.width() + 6 * self.first.output
    }

    fn width(&self) -> usize {
        let unfolded = self.blocks.iter().map(|block| block.conv.unfolded()).chain([self.first.unfolded()]);
        unfolded.max().unwrap_or(0).max(9 * self.last.channels().1)
    }
}
