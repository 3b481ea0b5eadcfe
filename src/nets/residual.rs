//! RealNVP's residual network (L. Dinh, J. Sohl-Dickstein and S. Bengio, 2017, § 3.2 and § 4.1; K. He et al., "Identity
//! mappings in deep residual networks", 2016).
//!
//! ```text
//! h = conv 3×3 (x)
//! h = h + conv 3×3 (relu(norm(conv 3×3 (relu(norm(h))))))        for each block
//! y = zero conv 3×3 (relu(norm(h)))
//! ```
//!
//! RealNVP normalises by the statistics of a batch, through which the images of a batch move each other. Here the norms are
//! actnorms, initialised by the first batch that reaches them, or plain biases.

use super::conv::Conv;
use super::norm::Norm;
use super::{Net, ZeroConv};
use crate::Result;
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters, join};
use crate::bijector::{Health, Kept};

/// What can be chosen about a [`Residual`] network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResidualOptions {
    /// Blocks, of two convolutions each.
    pub blocks: usize,
    /// Hidden channels.
    pub width: usize,
    /// Whether convolutions see the edge-indicator channel.
    pub edge_channel: bool,
    /// Whether norms are actnorms or biases.
    pub inner_actnorm: bool,
    /// The factor of every `logs` in the network.
    pub log_scale_factor: f64,
    /// Whether the last layer has a learned gain `exp(factor · logs)`.
    pub gain: bool,
}

impl Default for ResidualOptions {
    fn default() -> Self {
        Self { blocks: 2, width: 64, edge_channel: true, inner_actnorm: true, log_scale_factor: 3.0, gain: true }
    }
}

/// A residual network of 3×3 convolutions.
#[derive(Debug)]
pub struct Residual<E: Element, D: Device<E>> {
    first: Conv<E, D>,
    blocks: Vec<Block<E, D>>,
    norm: Norm<E, D>,
    last: ZeroConv<E, D>,
}

/// What is added in one block.
#[derive(Debug)]
struct Block<E: Element, D: Device<E>> {
    norms: [Norm<E, D>; 2],
    convs: [Conv<E, D>; 2],
}

impl<E: Element, D: Device<E>> Residual<E, D> {
    /// From `input` to `output` channels.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn new(
        initializer: &Initializer<D>,
        (input, output): (usize, usize),
        options: ResidualOptions,
    ) -> Result<Self> {
        let ResidualOptions { width, edge_channel, log_scale_factor, .. } = options;
        let norm = || Norm::new(initializer, width, options.inner_actnorm.then_some(log_scale_factor));
        let conv = |name: &str, input| Conv::new(&initializer.at(name), (input, width), edge_channel);
        let block = |i: usize| {
            let convs = [conv(&format!("blocks.{i}.conv1"), width)?, conv(&format!("blocks.{i}.conv2"), width)?];
            Ok(Block { norms: [norm()?, norm()?], convs })
        };
        let last = ZeroConv::new(initializer, (width, output), edge_channel, log_scale_factor)?;
        Ok(Self {
            first: conv("first", input)?,
            blocks: (0..options.blocks).map(block).collect::<Result<_>>()?,
            norm: norm()?,
            last: if options.gain { last } else { last.without_gain(initializer.device())? },
        })
    }

    fn norms(&self) -> impl Iterator<Item = &Norm<E, D>> {
        self.blocks.iter().flat_map(|block| &block.norms).chain([&self.norm])
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Residual<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.first.visit(&join(path, "first"), visitor);
        for (i, Block { norms, convs }) in self.blocks.iter().enumerate() {
            for (k, (norm, conv)) in norms.iter().zip(convs).enumerate() {
                norm.visit(&join(path, &format!("blocks.{i}.norm{}", k + 1)), visitor);
                conv.visit(&join(path, &format!("blocks.{i}.conv{}", k + 1)), visitor);
            }
        }
        self.norm.visit(&join(path, "norm"), visitor);
        self.last.visit(&join(path, "last"), visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.first.visit_mut(&join(path, "first"), visitor);
        for (i, Block { norms, convs }) in self.blocks.iter_mut().enumerate() {
            for (k, (norm, conv)) in norms.iter_mut().zip(convs).enumerate() {
                norm.visit_mut(&join(path, &format!("blocks.{i}.norm{}", k + 1)), visitor);
                conv.visit_mut(&join(path, &format!("blocks.{i}.conv{}", k + 1)), visitor);
            }
        }
        self.norm.visit_mut(&join(path, "norm"), visitor);
        self.last.visit_mut(&join(path, "last"), visitor);
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Residual<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.first.input, self.last.channels().1)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_channels("Residual", self.first.input)?;
        let mut images = vec![x.copied()?];
        let mut h = self.first.forward(x)?;
        for Block { norms, convs } in &self.blocks {
            let mut step = h.copied()?;
            for (norm, conv) in norms.iter().zip(convs) {
                norm.apply_relu(&mut step)?;
                let next = conv.forward(&step)?;
                images.push(std::mem::replace(&mut step, next));
            }
            h.add_assign(&step)?;
        }
        self.norm.apply_relu(&mut h)?;
        let (y, last) = self.last.forward_keeping(&h)?;
        images.push(h);
        Ok((y, Kept { images, parts: vec![last] }))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let mut g = self.last.pull_back(kept.pop_part()?, g, grads)?;
        self.norm.relu_gradient(&kept.pop()?, &mut g, grads)?;
        for Block { norms, convs } in self.blocks.iter().rev() {
            let mut of_step = g.copied()?;
            for (norm, conv) in norms.iter().zip(convs).rev() {
                let input = kept.pop()?;
                of_step = conv.pull_back(&input, &of_step, grads)?;
                norm.relu_gradient(&input, &mut of_step, grads)?;
            }
            g.add_assign(&of_step)?;
        }
        self.first.pull_back(&kept.pop()?, &g, grads)
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let mut h = self.first.forward(x)?;
        for Block { norms, convs } in &mut self.blocks {
            let mut step = h.copied()?;
            for (norm, conv) in norms.iter_mut().zip(convs) {
                norm.initialize(&step)?;
                norm.apply_relu(&mut step)?;
                step = conv.forward(&step)?;
            }
            h.add_assign(&step)?;
        }
        self.norm.initialize(&h)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        let norms = self.blocks.iter_mut().flat_map(|block| &mut block.norms).chain([&mut self.norm]);
        norms.into_iter().try_for_each(|norm| norm.prepare(device))?;
        self.last.prepare(device)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        let mut health = Health { gains: self.last.gains(device)?, ..Default::default() };
        for norm in self.norms() {
            health = health.and(Health { gains: norm.scales(device)?, ..Default::default() });
        }
        Ok(health.gains)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        let convs = self.blocks.iter().flat_map(|block| &block.convs).chain([&self.first]);
        convs.map(Conv::multiply_adds_per_pixel).sum::<u64>() + self.last.multiply_adds_per_pixel()
    }

    /// The input, what each convolution sees, and what the last one keeps.
    fn kept_channels(&self) -> usize {
        let width = self.first.output;
        self.first.input + (2 * self.blocks.len() + 1) * width + self.last.kept_channels()
    }

    /// What is kept, an unfolded input, gradients, and the taps of the output.
    fn working_channels(&self) -> usize {
        self.kept_channels() + self.width() + 3 * self.first.output
    }

    fn width(&self) -> usize {
        let unfolded = self.blocks.iter().flat_map(|block| &block.convs).chain([&self.first]).map(Conv::unfolded);
        unfolded.max().unwrap_or(0).max(9 * self.last.channels().1)
    }
}
