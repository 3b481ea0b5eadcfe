//! The classifier head of class-conditional training (reference code, `weight_y`).
//!
//! ```text
//! logits = zero linear (mean of z over its pixels)        z: the top latent before it is standardised
//! loss += weight · (−log₂ softmax(logits)[class])         bits per image
//! ```

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image, ImageShape, Initializer, ParameterGradients};
use crate::nets::{Linear, Net};
use crate::{Error, Result, parameters};
use std::f64::consts::LN_2;

/// A linear classifier on the top latent.
#[derive(Debug)]
pub struct Classifier<E: Element, D: Device<E>> {
    linear: Linear<E, D>,
    classes: usize,
    /// The weight of the cross-entropy beside bits/dim.
    weight: f64,
}

parameters!(Classifier {} parts { linear });

impl<E: Element, D: Device<E>> Classifier<E, D> {
    /// From latents of `channels` channels to `classes` classes; the cross-entropy in bits weighs `weight`.
    pub fn new(
        initializer: &Initializer<D>,
        channels: usize,
        classes: usize,
        factor: f64,
        weight: f64,
    ) -> Result<Self> {
        Ok(Self { linear: Linear::new(&initializer.at("linear"), (channels, classes), factor)?, classes, weight })
    }

    /// The same without a gain, as the paper has it.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn without_gain(mut self, device: &D) -> Result<Self> {
        self.linear = self.linear.without_gain(device)?;
        Ok(self)
    }

    /// The weight of the cross-entropy beside bits/dim.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Called after parameters change and before anything else is.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        self.linear.prepare(device)
    }

    fn mean(&self, z: &Image<E, D>) -> Result<Image<E, D>> {
        let (pixels, channels) = (z.shape().pixels(), z.shape().channels);
        let mut mean = z.device().sum_over_pixels(z.data(), pixels, channels)?;
        MemoryKernel::<E>::scale(z.device(), &mut mean, 1.0 / pixels as f64)?;
        Ok(Image::from_buffer(z.device(), z.batch(), ImageShape::new(1, 1, channels), mean))
    }

    /// `ln p(class | z)` for every class, `[batch][classes]`, in nats.
    ///
    /// # Errors
    /// [`Error::Shape`] for latents it cannot take.
    pub fn log_probabilities(&self, z: &Image<E, D>) -> Result<Vec<Vec<f64>>> {
        let logits = self.linear.forward(&self.mean(z)?)?.to_host()?;
        Ok(logits.chunks_exact(self.classes).map(log_softmax).collect())
    }

    /// The cross-entropy in bits of each image, the gradient of `scale · weight · Σ cross-entropy` with respect to
    /// `z`; adds the parameters' gradients.
    ///
    /// # Errors
    /// [`Error::Usage`] for labels out of range, [`Error::Shape`] for latents it cannot take.
    pub fn pull_back(
        &self,
        z: &Image<E, D>,
        labels: &[usize],
        scale: f64,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Vec<f64>, Image<E, D>)> {
        let (logits, kept) = self.linear.forward_keeping(&self.mean(z)?)?;
        let mut bits = Vec::with_capacity(labels.len());
        let mut g = Vec::with_capacity(labels.len() * self.classes);
        for (logits, &label) in logits.to_host()?.chunks_exact(self.classes).zip(labels) {
            let log_probabilities = log_softmax(logits);
            let own = log_probabilities.get(label).ok_or_else(|| {
                Error::Usage(format!("class {label} of a flow with {} classes, counted from 0", self.classes))
            })?;
            bits.push(-own / LN_2);
            g.extend(log_probabilities.iter().enumerate().map(|(class, log_p)| {
                E::of(scale * self.weight / LN_2 * (log_p.exp() - f64::from(u8::from(class == label))))
            }));
        }
        let g = Image::from_host(z.device(), z.batch(), logits.shape(), &g)?;
        let mut d_mean = self.linear.pull_back(kept, g, grads)?;
        MemoryKernel::<E>::scale(z.device(), d_mean.data_mut(), 1.0 / z.shape().pixels() as f64)?;
        let zeros = Image::zeros(z.device(), 1, z.shape())?;
        let d_z = z.device().add_per_image(zeros.data(), d_mean.data(), z.shape().channels)?;
        Ok((bits, Image::from_buffer(z.device(), z.batch(), z.shape(), d_z)))
    }
}

fn log_softmax<E: Element>(logits: &[E]) -> Vec<f64> {
    let logits: Vec<f64> = logits.iter().map(|l| l.as_f64()).collect();
    let normaliser = log_sum_exp(&logits);
    logits.iter().map(|l| l - normaliser).collect()
}

/// `ln Σ exp(x)` without overflow.
pub(crate) fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max.is_finite() { max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln() } else { max }
}
