//! Images to named latents and back, and samples.

use super::{Conditions, Flow, Quantized, Temperatures};
use crate::backend::{Device, Element, Image, ImageShape};
use crate::bijector::Bijector;
use crate::noise::{NoiseKey, Purpose};
use crate::{Error, Result};
use std::sync::Arc;

/// What a flow makes of images: a list of standardised latents, `split.0`, `split.1`, …, `top`.
#[derive(Clone, Debug)]
pub struct Latents<E: Element, D: Device<E>> {
    /// Names and values; each standard normal under the flow.
    pub latents: Vec<(String, Image<E, D>)>,
}

impl<E: Element, D: Device<E>> Latents<E, D> {
    /// The same latents with the context of the images that they are of.
    #[must_use]
    pub fn giving(self, given: Option<Arc<Image<E, D>>>) -> Self {
        let giving = |(name, z): (String, Image<E, D>)| (name, z.giving(given.clone()));
        Self { latents: self.latents.into_iter().map(giving).collect() }
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// Names and shapes of the latents, in the order of [`Flow::encode`].
    pub fn latent_shapes(&self) -> Vec<(String, ImageShape)> {
        let split =
            |(level, next): (&super::Level<E, D>, &super::Level<E, D>)| level.split.as_ref().map(|_| next.input);
        let levels = self.levels.iter().zip(self.levels.iter().skip(1));
        let mut shapes: Vec<(String, ImageShape)> =
            levels.filter_map(split).enumerate().map(|(i, shape)| (format!("split.{i}"), shape)).collect();
        shapes.push(("top".to_owned(), self.top_shape));
        shapes
    }

    /// The standardised latents of images. A class-conditional flow needs the images' classes, another conditional one the
    /// context that they carry; the latents carry it on.
    ///
    /// # Errors
    /// [`Error::Shape`] for images it cannot take, [`Error::Usage`] for labels that do not fit.
    pub fn encode(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<Latents<E, D>> {
        let given = x.shared_given();
        let encoded = self.to_top(self.conditioned(x, labels)?)?;
        let (top, _) = self.top.standardize(encoded.top, labels)?;
        let values = encoded.factored.into_iter().chain([top]);
        let latents = self.latent_shapes().into_iter().map(|(name, _)| name).zip(values).collect();
        Ok(Latents { latents }.giving(given))
    }

    /// The images of standardised latents: the inverse of [`Flow::encode`], which of a conditional flow carry a context or
    /// need labels. The images carry the encoded context.
    ///
    /// # Errors
    /// [`Error::Shape`] for latents of other names or shapes, [`Error::Usage`] for labels that do not fit.
    pub fn decode(&self, latents: Latents<E, D>, labels: Option<&[usize]>) -> Result<Image<E, D>> {
        let expected = self.latent_shapes();
        let fits = latents.latents.len() == expected.len()
            && expected.iter().zip(&latents.latents).all(|((a, shape), (b, z))| a == b && *shape == z.shape());
        if !fits {
            let list = |shapes: Vec<(String, ImageShape)>| {
                shapes.iter().map(|(name, shape)| format!("{name} {shape}")).collect::<Vec<_>>().join(", ")
            };
            let found = latents.latents.iter().map(|(name, z)| (name.clone(), z.shape())).collect();
            return Err(Error::Shape { layer: "latents".into(), expected: list(expected), found: list(found) });
        }
        let mut values: Vec<Image<E, D>> = latents.latents.into_iter().map(|(_, z)| z).collect();
        let Some(top) = values.pop() else {
            return Err(Error::Shape { layer: "latents".into(), expected: "top".into(), found: "none".into() });
        };
        let mut x = self.top.unstandardize(self.conditioned(top, labels)?, labels)?;
        for level in self.levels.iter().rev() {
            if let (Some(split), Some(z)) = (&level.split, if level.split.is_some() { values.pop() } else { None }) {
                x = split.prior.inverse_of(x.concat_channels(&z)?)?;
            }
            x = level.chain.inverse_of(x)?;
        }
        Ok(x)
    }

    /// Latents drawn for images numbered `numbers`: standard normals times each latent's temperature. The same seed and
    /// number give the same latents, however many are drawn together.
    ///
    /// # Errors
    /// [`Error::Usage`] for temperatures of latents that the flow does not have.
    pub fn draw_latents(
        &self,
        device: &D,
        numbers: std::ops::Range<u64>,
        temperatures: impl Into<Temperatures>,
        seed: u64,
    ) -> Result<Latents<E, D>> {
        let temperatures = temperatures.into();
        temperatures.expect_names_of(self)?;
        let key = NoiseKey::new(seed, Purpose::Sample);
        let numbers: Vec<u64> = numbers.collect();
        let draw = |(which, (name, shape)): (usize, (String, ImageShape))| {
            let z = device.normals(&numbers, shape.dims(), temperatures.of(&name), key.at(which as u64))?;
            Ok((name, Image::from_buffer(device, numbers.len(), shape, z)))
        };
        Ok(Latents { latents: self.latent_shapes().into_iter().enumerate().map(draw).collect::<Result<_>>()? })
    }

    /// Samples numbered `numbers` as grey levels, at temperatures that multiply the latents' standard deviations. `labels` holds each image's class where the flow is class-conditional.
    ///
    /// # Errors
    /// [`Error::Usage`] for labels that do not fit.
    pub fn sample(
        &self,
        device: &D,
        numbers: std::ops::Range<u64>,
        temperatures: impl Into<Temperatures>,
        labels: Option<&[usize]>,
        seed: u64,
    ) -> Result<Quantized> {
        self.sample_given(device, numbers, temperatures, labels.into(), seed)
    }

    /// [`Flow::sample`] where each image has a context.
    ///
    /// # Errors
    /// [`Error::Usage`] for labels or contexts that do not fit.
    pub fn sample_given(
        &self,
        device: &D,
        numbers: std::ops::Range<u64>,
        temperatures: impl Into<Temperatures>,
        conditions: Conditions,
        seed: u64,
    ) -> Result<Quantized> {
        let finish = |x| super::quantize(&x, self.bins());
        let samples = self.sampled(device, numbers, &temperatures.into(), conditions, seed, finish)?;
        Ok(Quantized::joined(samples, self.image_shape().dims()))
    }

    /// The same of a flow of vectors: real numbers `[n, features]`.
    ///
    /// # Errors
    /// [`Error::Usage`] for labels or contexts that do not fit, or where the flow is of images.
    pub fn sample_vectors(
        &self,
        device: &D,
        numbers: std::ops::Range<u64>,
        temperatures: impl Into<Temperatures>,
        conditions: Conditions,
        seed: u64,
    ) -> Result<Vec<f64>> {
        let vectors = self.sampled(device, numbers, &temperatures.into(), conditions, seed, |x| self.vectors_of(&x))?;
        Ok(vectors.concat())
    }

    /// What `finish` makes of the samples of each shard, in their order.
    fn sampled<T: Send>(
        &self,
        device: &D,
        numbers: std::ops::Range<u64>,
        temperatures: &Temperatures,
        conditions: Conditions,
        seed: u64,
        finish: impl Fn(Image<E, D>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let first = numbers.start;
        let count = (numbers.end - numbers.start) as usize;
        let shards = device.over_shards(count, device.shard_images(self.activation()), |device, ranges| {
            let mut samples = Vec::new();
            for range in ranges {
                let conditions = conditions.part(range, self.context_numbers());
                let given = self.given(device, range.len(), conditions)?;
                let numbers = first + range.start as u64..first + range.end as u64;
                let latents = self.draw_latents(device, numbers, temperatures.clone(), seed)?.giving(given);
                samples.push(finish(self.decode(latents, conditions.labels)?)?);
            }
            Ok(samples)
        })?;
        Ok(shards.into_iter().flatten().collect())
    }
}
