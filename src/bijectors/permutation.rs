//! Channels in another order: RealNVP's reverse, a fixed random shuffle, and an order that is given.
//!
//! ```text
//! y[.., k] = x[.., order[k]]
//! x[.., order[k]] = y[.., k]
//! ladj = 0
//! ```
//!
//! The order is part of the model: it is saved with it as the constant `order`, and drawn from the model's seed.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}, bijectors::Permutation};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let reverse = Permutation::reverse(&Initializer::new(&device, 0), 3)?;
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 1, 3), &[1.0_f32, 2.0, 3.0])?;
//! assert_eq!(reverse.forward(&x)?.to_host()?, [3.0, 2.0, 1.0]);
//! # Ok(())
//! # }
//! ```

use crate::backend::{Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Result, parameters};

/// A fixed order of the channels.
#[derive(Debug)]
pub struct Permutation<E: Element, D: Device<E>> {
    kind: &'static str,
    /// `[channels]`: the input channel of each output channel, counted from 0.
    order: Parameter<E, D>,
}

parameters!(Permutation { order });

impl<E: Element, D: Device<E>> Permutation<E, D> {
    /// The last channel first.
    pub fn reverse(initializer: &Initializer<D>, channels: usize) -> Result<Self> {
        Self::new(initializer, "Reverse", channels, || (0..channels).rev().collect())
    }

    /// A random order, drawn from the initializer's seed.
    pub fn shuffle(initializer: &Initializer<D>, channels: usize) -> Result<Self> {
        Self::new(initializer, "Shuffle", channels, || initializer.order("order", channels))
    }

    /// Output channel k is input channel `order[k]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if that is no order of `channels` channels.
    pub fn given(initializer: &Initializer<D>, channels: usize, order: &[usize]) -> Result<Self> {
        if order.len() != channels {
            return Err(Error::Shape {
                layer: "Permute".into(),
                expected: format!("an order of {} channels", order.len()),
                found: channels.to_string(),
            });
        }
        indexes("Permute", &order.iter().map(|&k| k as f64).collect::<Vec<_>>())?;
        Self::new(initializer, "Permute", channels, || order.to_vec())
    }

    fn new(
        initializer: &Initializer<D>,
        kind: &'static str,
        channels: usize,
        order: impl FnOnce() -> Vec<usize>,
    ) -> Result<Self> {
        let values = || order().into_iter().map(|k| k as f64).collect();
        Ok(Self { kind, order: initializer.constant(&[channels], values)?.mirrored() })
    }

    fn permuted(&self, x: &Image<E, D>, back: bool) -> Result<Image<E, D>> {
        self.output_shape(x.shape())?;
        let data = x.device().permute_channels(x.data(), self.order.data(), back)?;
        Ok(Image::from_buffer(x.device(), x.batch(), x.shape(), data))
    }
}

/// An order as a file has it: numbers that must be the channels, counted from 0, each once.
pub(crate) fn indexes(kind: &str, order: &[f64]) -> Result<Vec<usize>> {
    let mut seen = vec![false; order.len()];
    for k in order.iter().filter(|k| k.fract() == 0.0 && **k >= 0.0) {
        seen.get_mut(*k as usize).into_iter().for_each(|seen| *seen = true);
    }
    if seen.contains(&false) {
        return Err(Error::Shape {
            layer: kind.into(),
            expected: format!("an order of the channels 0 to {}", order.len().saturating_sub(1)),
            found: format!("{order:?}"),
        });
    }
    Ok(order.iter().map(|&k| k as usize).collect())
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Permutation<E, D> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels(self.kind, input, self.order.count())
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.permuted(x, false)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.permuted(y, true)
    }

    /// Refuses an order that is none, as a file may have.
    fn prepare(&mut self, device: &D) -> Result<()> {
        let order = self.order.to_host(device)?;
        if order.is_empty() {
            return Ok(());
        }
        indexes(self.kind, &order.iter().map(|k| k.as_f64()).collect::<Vec<_>>()).map(drop)
    }

    orthogonal!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_every_channel_once() {
        assert_eq!(indexes("Shuffle", &[2.0, 0.0, 1.0]).unwrap(), [2, 0, 1]);
        assert!(indexes("Shuffle", &[]).unwrap().is_empty());
        for order in [[0.0, 0.0, 1.0], [0.0, 1.0, 3.0], [1.0, 2.0, 3.0], [0.5, 1.0, 2.0], [-1.0, 1.0, 2.0]] {
            assert!(matches!(indexes("Shuffle", &order), Err(Error::Shape { .. })), "{order:?}");
        }
        assert!(indexes("Shuffle", &[f64::NAN, 1.0]).is_err());
    }
}
