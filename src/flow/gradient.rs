//! The gradient of the training loss, by inversion or from stored activations.
//!
//! ```text
//! L = mean_n [ bits/dim_n + weight_y · cross-entropy_n in bits ]        bits/dim = −ln p / (ln 2 · dims); nats of vectors
//! ```
//!
//! By inversion, a shard keeps its latents (as many numbers as the image) and one image at each level's border; every
//! activation within a level is rebuilt from the level's output. At each border the rebuilt image is compared with the
//! one kept: their largest difference, relative to the image's size where that exceeds 1, is the *drift*. The true image
//! then takes the rebuilt one's place, so errors do not travel from level to level.

use super::{Conditions, Dequantize, Encoded, Flow, Level, Values};
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent, Kept, larger};
use crate::flow::spec::Memory;
use std::ops::Range;

/// Images to learn from or to score.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Grey levels `[n, height, width, channels]`, or real numbers `[n, features]`.
    pub values: Values<'a>,
    /// The class of each image, if known.
    pub labels: Option<&'a [usize]>,
    /// The context of each image, `[n, …]`, if the data have one beside the labels.
    pub context: Option<&'a [f32]>,
    /// The number of each image, for its noise.
    pub numbers: &'a [u64],
    /// Where in their bins grey levels are put.
    pub dequantize: Dequantize,
}

/// What a batch gives.
#[derive(Debug)]
pub struct GradientOutcome<E: Element, D: Device<E>> {
    /// `∂L/∂parameter`.
    pub gradients: ParameterGradients<E, D>,
    /// `ln p` in nats per image.
    pub log_prob: Vec<f64>,
    /// The classifier's cross-entropy in bits per image; empty without one.
    pub cross_entropy: Vec<f64>,
    /// The largest drift at any level's border; 0 when activations were stored. NaN if an image was lost.
    pub drift: f64,
}

impl<E: Element, D: Device<E>> GradientOutcome<E, D> {
    /// Adds what the images that follow gave.
    fn append(&mut self, device: &D, other: Self) -> Result<()> {
        self.gradients.add_assign(device, &other.gradients)?;
        self.log_prob.extend(other.log_prob);
        self.cross_entropy.extend(other.cross_entropy);
        self.drift = larger(self.drift, other.drift);
        Ok(())
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// The images of a part of a batch, with their context.
    pub(crate) fn images(&self, device: &D, batch: &Batch, range: &Range<usize>) -> Result<Image<E, D>> {
        let numbers = batch.numbers.get(range.clone()).unwrap_or(&[]).iter().copied();
        let values = batch.values.samples(range, self.image.dims());
        let x = self.image_of(device, values, numbers, batch.dequantize)?;
        Ok(match &self.context {
            Some(context) => {
                let conditions = Conditions { labels: batch.labels, context: batch.context };
                // Without a class the flow is a mixture, so none is missing here.
                match (context.classes(), batch.labels) {
                    (Some(_), None) => x,
                    _ => x.giving(self.given(device, range.len(), conditions.part(range, self.context_numbers()))?),
                }
            }
            None => x,
        })
    }

    /// The labels of a part of a batch, where the flow is class-conditional.
    pub(crate) fn labels<'a>(&self, batch: &Batch<'a>, range: &Range<usize>) -> Option<&'a [usize]> {
        self.classes().and(batch.labels).map(|labels| labels.get(range.clone()).unwrap_or(&[]))
    }

    /// `ln p` in nats of each image of a batch, in shards over the device's workers.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) and [`Error::Usage`](crate::Error::Usage) for images and labels that do
    /// not fit.
    pub fn log_prob_of(&self, device: &D, batch: &Batch) -> Result<Vec<f64>> {
        let count = batch.numbers.len();
        let shards = device.over_shards(count, device.shard_images(self.activation()), |device, ranges| {
            let mut log_prob = Vec::new();
            for range in ranges {
                log_prob.extend(self.log_prob(self.images(device, batch, range)?, self.labels(batch, range))?);
            }
            Ok(log_prob)
        })?;
        Ok(shards.concat())
    }

    /// The loss's gradient over a batch, in shards over the device's workers; sums have a fixed order.
    ///
    /// # Errors
    /// As [`Flow::log_prob_of`]; a class-conditional flow needs labels.
    pub fn gradient(&self, device: &D, batch: &Batch, memory: Memory) -> Result<GradientOutcome<E, D>> {
        let count = batch.numbers.len();
        let stored = self.stored_levels(memory, count);
        let shards = device.over_shards(count, device.shard_images(self.activation()), |device, ranges| {
            let mut outcome = GradientOutcome {
                gradients: ParameterGradients::zeros(device, self)?,
                log_prob: Vec::new(),
                cross_entropy: Vec::new(),
                drift: 0.0,
            };
            for range in ranges {
                let (x, labels) = (self.images(device, batch, range)?, self.labels(batch, range));
                let by_log_prob = -1.0 / (self.unit().nats() * count as f64);
                self.add_gradient(x, labels, (by_log_prob, Some(1.0 / count as f64)), &stored, &mut outcome)?;
            }
            Ok(outcome)
        })?;
        let mut shards = shards.into_iter();
        let mut total = match shards.next() {
            Some(first) => first,
            None => return Err(crate::Error::Usage("a batch without images has no gradient".into())),
        };
        shards.try_for_each(|shard| total.append(device, shard))?;
        Ok(total)
    }

    /// Which levels keep their activations, when `images` are in work at a time.
    fn stored_levels(&self, memory: Memory, images: usize) -> Vec<bool> {
        let mib = match memory {
            Memory::Invert => 0,
            Memory::Store => usize::MAX,
            Memory::Auto { mib } => mib,
        };
        let mut left = mib.saturating_mul(1 << 20);
        let bytes = |level: &Level<E, D>| level.chain.kept(level.input).saturating_mul(images * size_of::<E>());
        let saved = |level: &Level<E, D>| level.chain.multiply_adds(level.input) as f64 / bytes(level).max(1) as f64;
        let mut order: Vec<usize> = (0..self.levels.len()).collect();
        order.sort_by(|&a, &b| saved(&self.levels[b]).total_cmp(&saved(&self.levels[a])));
        let mut stored = vec![false; self.levels.len()];
        for i in order {
            let bytes = bytes(&self.levels[i]);
            stored[i] = mib > 0 && bytes <= left;
            left = left.saturating_sub(if stored[i] { bytes } else { 0 });
        }
        stored
    }

    /// `ln p` of images in nats, and the gradient of each with respect to its image as the flow sees it: for inverse
    /// problems, where an image is looked for that is likely and fits what was measured. A class-conditional flow needs
    /// labels. All images are in work together, so bring as many as fit.
    ///
    /// # Errors
    /// As [`Flow::log_prob`].
    pub fn log_prob_gradient(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<(Vec<f64>, Image<E, D>)> {
        let gradients = ParameterGradients::zeros(x.device(), self)?;
        let mut outcome = GradientOutcome { gradients, log_prob: Vec::new(), cross_entropy: Vec::new(), drift: 0.0 };
        let stored = vec![false; self.levels.len()];
        let g = self.add_gradient(x, labels, (1.0, None), &stored, &mut outcome)?;
        Ok((outcome.log_prob, g))
    }

    /// Adds the gradient of one shard, whose images weigh so much: each `ln p`, and each cross-entropy of the classifier, if it
    /// counts. Gives the gradient with respect to the images.
    fn add_gradient(
        &self,
        x: Image<E, D>,
        labels: Option<&[usize]>,
        (by_log_prob, by_class): (f64, Option<f64>),
        stored: &[bool],
        outcome: &mut GradientOutcome<E, D>,
    ) -> Result<Image<E, D>> {
        let device = x.device().clone();
        let by_log_prob = vec![by_log_prob; x.batch()];
        let by_density = MemoryKernel::<f64>::upload(&device, &by_log_prob)?;
        let grads = &mut outcome.gradients;

        let (x, of_encoder) = self.conditioned_keeping(x, labels)?;
        let (mut encoded, trail) = self.to_top_keeping(x, stored)?;
        outcome.log_prob.extend(self.top_log_prob(&encoded, labels)?);

        let (z, _) = self.top.standardize(encoded.top, labels)?;
        let g = device.normal_log_density_gradient(z.data(), &by_density)?;
        let g = Image::from_buffer(&device, z.batch(), z.shape(), g);
        let cotangent = Cotangent::new(g, &by_log_prob)?;
        let shared = cotangent.shared_ladj();
        let (mut y, mut g) = self.top.pull_back_given(z, labels, cotangent, grads)?;
        if let (Some(classifier), Some(labels), Some(weight)) = (&self.classifier, labels, by_class) {
            let (bits, d_y) = classifier.pull_back(&y, labels, weight, grads)?;
            outcome.cross_entropy.extend(bits);
            g.add_assign(&d_y)?;
        }
        for ((level, &stored), Trail { input, kept }) in self.levels.iter().zip(stored).zip(trail).rev() {
            let (kept_chain, kept_split) = kept;
            let factored = encoded.factored.pop_if(|_| level.split.is_some());
            if let (Some(split), Some(z), Some(kept)) = (&level.split, factored, kept_split) {
                let d_z = device.normal_log_density_gradient(z.data(), &by_density)?;
                let d_z = Image::from_buffer(&device, z.batch(), z.shape(), d_z);
                let cotangent = Cotangent::with_ladj_of(g.concat_channels(&d_z)?, shared.clone());
                match stored {
                    true => g = split.prior.pull_back_kept(kept, cotangent, grads)?,
                    false => (y, g) = split.prior.pull_back_spared(y.concat_channels(&z)?, kept, cotangent, grads)?,
                }
            }
            let cotangent = Cotangent::with_ladj_of(g, shared.clone());
            match stored {
                true => g = level.chain.pull_back_kept(kept_chain, cotangent, grads)?,
                false => {
                    let (rebuilt, d_x) = level.chain.pull_back_spared(y, kept_chain, cotangent, grads)?;
                    let (difference, size) = MemoryKernel::<E>::max_difference(&device, rebuilt.data(), input.data())?;
                    outcome.drift = larger(outcome.drift, difference / size.max(1.0));
                    g = d_x;
                }
            }
            y = input;
        }
        self.pull_context_back(&device, of_encoder, grads)?;
        Ok(g)
    }

    /// The way to the top, keeping what the way back needs.
    fn to_top_keeping(&self, x: Image<E, D>, stored: &[bool]) -> Result<(Encoded<E, D>, Vec<Trail<E, D>>)> {
        x.expect_shape("flow", self.image)?;
        let mut log_density = PerSample::zeros(x.device(), x.batch());
        let (mut factored, mut trail, mut x) = (Vec::new(), Vec::new(), x);
        for (level, &stored) in self.levels.iter().zip(stored) {
            let input = x.copied()?;
            let (y, ladj, kept_chain) = forward(&level.chain, x, stored)?;
            log_density.add_assign(&ladj)?;
            x = y;
            let mut kept_split = None;
            if let Some(split) = &level.split {
                let (y, ladj, kept) = forward(&split.prior, x, stored)?;
                log_density.add_assign(&ladj)?;
                kept_split = Some(kept);
                let half = y.shape().channels / 2;
                let z = y.channels(half, half)?;
                z.device().normal_log_density(z.data(), log_density.data_mut()?)?;
                factored.push(z);
                x = y.channels(0, half)?;
            }
            trail.push(Trail { input, kept: (kept_chain, kept_split) });
        }
        Ok((Encoded { factored, top: x, log_density }, trail))
    }
}

/// One bijector forward, keeping what its gradient needs, or only what is too dear to rebuild.
fn forward<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: Image<E, D>,
    stored: bool,
) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
    if stored { bijector.forward_keeping(x) } else { bijector.forward_sparing(x) }
}

/// What the forward pass leaves of a level for the backward pass.
struct Trail<E: Element, D: Device<E>> {
    /// The image that entered it: where rebuilding begins in the level before, and what ends it in this one.
    input: Image<E, D>,
    /// What its layers and its split keep: all activations where they are stored, else what is too dear to rebuild.
    kept: (Kept<E, D>, Option<Kept<E, D>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{Cpu, Initializer};
    use crate::flow::{FlowFile, Registry};

    /// Three levels that differ in what they keep and in what a byte of it saves.
    fn flow() -> Flow<f32, Cpu> {
        let level = |width: usize| format!("Squeeze(), Repeat(2, [ActNorm(), AffineCoupling(width: {width})])");
        let text = format!(
            "Flow(image: (height: 32, width: 32, channels: 3), layers: [{}, Split(), {}, Split(), {}])",
            level(16),
            level(128),
            level(64)
        );
        let file = FlowFile::parse("levels", text).unwrap();
        Flow::build(&file, &Registry::default(), &Initializer::blank(&Cpu::default())).unwrap()
    }

    #[test]
    fn a_budget_keeps_the_levels_that_are_dearest_to_rebuild_as_far_as_they_fit() {
        const IMAGES: usize = 40;
        let flow = flow();
        let bytes: Vec<usize> = flow.levels.iter().map(|level| level.chain.kept(level.input) * IMAGES * 4).collect();
        let saved = |i: usize| flow.levels[i].chain.multiply_adds(flow.levels[i].input) as f64 / bytes[i] as f64;
        let mut dearest: Vec<usize> = (0..3).collect();
        dearest.sort_by(|&a, &b| saved(b).total_cmp(&saved(a)));
        assert_ne!(dearest, [0, 1, 2], "an order that is not the levels' own");
        let mut choices = Vec::new();
        for mib in 0..=bytes.iter().sum::<usize>() / (1 << 20) + 1 {
            let stored = flow.stored_levels(Memory::Auto { mib }, IMAGES);
            let mut left = mib << 20;
            for &i in &dearest {
                assert_eq!(stored[i], bytes[i] <= left, "level {i} of {bytes:?} bytes, {mib} MiB");
                left -= if stored[i] { bytes[i] } else { 0 };
            }
            choices.push(stored);
        }
        choices.dedup();
        assert!(choices.len() > 3, "{choices:?}");
        assert_eq!((&choices[0], choices.last()), (&vec![false; 3], Some(&vec![true; 3])));
        assert_eq!(flow.stored_levels(Memory::Invert, IMAGES), [false; 3]);
        assert_eq!(flow.stored_levels(Memory::Store, IMAGES), [true; 3]);
    }
}
