//! A dense network on the channels of each pixel; on a vector, which is an image of one pixel, simply a dense network.
//!
//! ```text
//! h = activation(h·W + b)                      for each hidden layer, h = x before the first
//! y = (h·W + b) · exp(factor · logs)           starts at zero
//! ```
//!
//! Hidden weights start as in K. He et al., "Delving deep into rectifiers" (2015).

use super::layer::Layer;
use super::{Linear, Net};
use crate::Result;
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters, join};
use crate::bijector::Kept;

pub use crate::backend::kernels::Activation;

/// What can be chosen about a [`Dense`] network.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseOptions {
    /// Channels of each hidden layer.
    pub hidden: Vec<usize>,
    /// What follows each of them.
    pub activation: Activation,
    /// The factor of the last layer's gain.
    pub log_scale_factor: f64,
    /// Whether the last layer has a learned gain `exp(factor · logs)`.
    pub gain: bool,
}

impl Default for DenseOptions {
    fn default() -> Self {
        Self { hidden: vec![64, 64], activation: Activation::Relu, log_scale_factor: 3.0, gain: true }
    }
}

/// A dense network on the channels of each pixel.
#[derive(Debug)]
pub struct Dense<E: Element, D: Device<E>> {
    hidden: Vec<Layer<E, D>>,
    last: Linear<E, D>,
    activation: Activation,
    channels: (usize, usize),
}

impl<E: Element, D: Device<E>> Dense<E, D> {
    /// From `input` to `output` channels.
    pub fn new(initializer: &Initializer<D>, channels: (usize, usize), options: &DenseOptions) -> Result<Self> {
        let (mut input, mut hidden) = (channels.0, Vec::new());
        for (i, &width) in options.hidden.iter().enumerate() {
            let at = initializer.at(&format!("hidden.{i}"));
            hidden.push(Layer::hidden(&at, (input, width), options.activation)?);
            input = width;
        }
        let last = Linear::new(initializer, (input, channels.1), options.log_scale_factor)?;
        let last = if options.gain { last } else { last.without_gain(initializer.device())? };
        Ok(Self { hidden, last, activation: options.activation, channels })
    }

    /// Hidden channels, of all layers together.
    fn hidden_channels(&self) -> usize {
        self.hidden.iter().map(|layer| layer.output).sum()
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Dense<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        for (i, layer) in self.hidden.iter().enumerate() {
            layer.visit(&join(path, &format!("hidden.{i}")), visitor);
        }
        self.last.visit(&join(path, "last"), visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        for (i, layer) in self.hidden.iter_mut().enumerate() {
            layer.visit_mut(&join(path, &format!("hidden.{i}")), visitor);
        }
        self.last.visit_mut(&join(path, "last"), visitor);
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Dense<E, D> {
    fn channels(&self) -> (usize, usize) {
        self.channels
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_channels("Dense", self.channels.0)?;
        let mut inputs = Vec::new();
        let mut h = x.copied()?;
        for layer in &self.hidden {
            let mut next = layer.forward(&h)?;
            x.device().activate(self.activation, next.data_mut())?;
            inputs.push(std::mem::replace(&mut h, next));
        }
        let (y, last) = self.last.forward_keeping(&h)?;
        Ok((y, Kept { images: inputs, parts: vec![last] }))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        // The last layer keeps its input, which is the output of the one before.
        let last = kept.pop_part()?;
        let mut y = last.images.first().map(Image::copied).transpose()?;
        let mut g = self.last.pull_back(last, g, grads)?;
        for layer in self.hidden.iter().rev() {
            if let Some(y) = y.take() {
                g.device().clone().activate_gradient(self.activation, y.data(), g.data_mut())?;
            }
            let x = kept.pop()?;
            layer.add_gradients(&x, &g, grads)?;
            g = layer.back(&g)?;
            y = Some(x);
        }
        Ok(g)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.last.prepare(device)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        self.last.gains(device)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        self.hidden.iter().map(Layer::multiply_adds).sum::<u64>() + self.last.multiply_adds_per_pixel()
    }

    /// Each layer's input, and the output.
    fn kept_channels(&self) -> usize {
        self.channels.0 + self.hidden_channels() + self.channels.1
    }

    /// What is kept, a layer's output before it is kept, and two gradients.
    fn working_channels(&self) -> usize {
        self.kept_channels() + 3 * self.width()
    }

    fn width(&self) -> usize {
        self.hidden.iter().map(|layer| layer.output).max().unwrap_or(0).max(self.channels.0).max(self.channels.1)
    }
}
