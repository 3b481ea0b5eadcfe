//! An encoder of contexts that are vectors: linear maps with rectifiers between them.
//!
//! ```text
//! h_0 = c        h_i = relu(h_{i−1}·W_i + b_i)        the last without the rectifier
//! ```
//!
//! Unlike a coupling's network it starts at random, all of it, so that couplings have something to look at: weights are
//! normals of variance 2/in (K. He and others, 2015, "Delving deep into rectifiers", § 2.2), the last of 1/in.
//!
//! ```
//! use flowstone::{Image, ImageShape, backend::{Cpu, Initializer}, nets::{DenseEncoder, Net}};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let encoder = DenseEncoder::new(&Initializer::new(&device, 0), &[3, 8, 2], false)?;
//! let context = Image::from_host(&device, 1, ImageShape::new(1, 1, 3), &[0.3_f64, -0.2, 1.0])?;
//! assert_eq!(encoder.forward(&context)?.shape(), ImageShape::new(1, 1, 2));
//! # Ok(())
//! # }
//! ```

use super::Activation;
use super::{Linear, Net};
use crate::backend::{Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters, join};
use crate::bijector::Kept;
use crate::{Error, Result};

/// Linear maps of images of one pixel, with rectifiers between them.
#[derive(Debug)]
pub struct DenseEncoder<E: Element, D: Device<E>> {
    layers: Vec<Linear<E, D>>,
    channels: (usize, usize),
}

impl<E: Element, D: Device<E>> DenseEncoder<E, D> {
    /// From `sizes[0]` features through the hidden ones to the last. With `one_hot` the first map's weights have variance
    /// 1, for only one of its inputs is not zero.
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer than two sizes.
    pub fn new(initializer: &Initializer<D>, sizes: &[usize], one_hot: bool) -> Result<Self> {
        let (Some(&input), Some(&output), false) = (sizes.first(), sizes.last(), sizes.len() < 2) else {
            return Err(Error::Shape {
                layer: "DenseEncoder".into(),
                expected: "the sizes of its input and of its output".into(),
                found: format!("{sizes:?}"),
            });
        };
        let last = sizes.len() - 2;
        let layer = |(i, pair): (usize, &[usize])| {
            let inputs = if one_hot && i == 0 { 1 } else { pair[0] };
            let variance = if i == last { 1.0 } else { 2.0 } / inputs as f64;
            Linear::normal(&initializer.at(&i.to_string()), (pair[0], pair[1]), variance.sqrt())
        };
        let layers = sizes.windows(2).enumerate().map(layer).collect::<Result<_>>()?;
        Ok(Self { layers, channels: (input, output) })
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for DenseEncoder<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        for (i, layer) in self.layers.iter().enumerate() {
            layer.visit(&join(path, &i.to_string()), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.visit_mut(&join(path, &i.to_string()), visitor);
        }
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for DenseEncoder<E, D> {
    fn channels(&self) -> (usize, usize) {
        self.channels
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (mut h, mut kept) = (x.copied()?, Kept::images([]));
        for (i, layer) in self.layers.iter().enumerate() {
            let (next, part) = layer.forward_keeping(&h)?;
            kept.parts.push(part);
            h = next;
            if i + 1 < self.layers.len() {
                h.device().clone().activate(Activation::Relu, h.data_mut())?;
                kept.images.push(h.copied()?);
            }
        }
        Ok((h, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        for (i, layer) in self.layers.iter().enumerate().rev() {
            if i + 1 < self.layers.len() {
                let y = kept.pop()?;
                y.device().activate_gradient(Activation::Relu, y.data(), g.data_mut())?;
            }
            g = layer.pull_back(kept.pop_part()?, g, grads)?;
        }
        Ok(g)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.layers.iter_mut().try_for_each(|layer| layer.prepare(device))
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        self.layers.iter().map(|layer| layer.channels()).map(|(input, output)| (input * output) as u64).sum()
    }
}
