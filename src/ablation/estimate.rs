//! How long a grid will take, from a brief timing of each variant.

use super::plan::{Plan, Variant};
use crate::backend::{Device, Element, Initializer, workers};
use crate::data::Samples;
use crate::flow::spec::{Length, Recipe};
use crate::flow::{Batch, Dequantize, Flow, FlowFile, Registry, Values};
use crate::noise::{NoiseKey, Purpose};
use crate::train::OptimizerState;
use crate::{Error, Result};
use rand::Rng;
use std::time::Instant;

/// Seconds for which each of a variant's two figures is timed, at least.
const BRIEFLY: f64 = 0.15;

/// What a variant costs on this machine, as measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Seconds of training, an image.
    pub training: f64,
    /// Seconds of a step whatever its batch: of the update above all.
    pub update: f64,
    /// Seconds of scoring, an image.
    pub scoring: f64,
}

/// Times training and scoring of a variant on random images: as few as it takes, and at most a batch at a time.
///
/// # Errors
/// Whatever computing with the flow reports.
pub fn cost<E: Element, D: Device<E>>(variant: &Variant, device: &D, registry: &Registry<E, D>) -> Result<Cost> {
    let file = FlowFile::from_spec(&variant.label, &variant.spec)?;
    let recipe: &Recipe = &file.spec.train;
    let mut flow = Flow::build(&file, registry, &Initializer::new(device, 0))?;
    let mut rng = NoiseKey::new(1, Purpose::Check).rng(0);
    let dims = flow.image_shape().dims();
    let samples = match flow.is_of_vectors() {
        true => Samples::Reals((0..recipe.batch * dims).map(|_| rng.gen_range(-1.0..1.0)).collect()),
        false => Samples::Levels((0..recipe.batch * dims).map(|_| rng.gen_range(0..flow.bins()) as u8).collect()),
    };
    let numbers: Vec<u64> = (0..recipe.batch as u64).collect();
    let labels: Option<Vec<usize>> = flow.classes().map(|_| vec![0; recipe.batch]);
    let context: Vec<f32> = (0..recipe.batch * flow.context_numbers()).map(|_| rng.r#gen()).collect();
    let dequantize = Dequantize::Uniform(NoiseKey::new(0, Purpose::Check));
    let batch = |count: usize| Batch {
        values: Values::from(&samples).samples(&(0..count), dims),
        labels: labels.as_ref().map(|labels| &labels[..count]),
        context: Some(&context[..count * context.len() / recipe.batch]),
        numbers: &numbers[..count],
        dequantize,
    };
    let few = workers().clamp(1, recipe.batch);
    flow.initialize(flow.images(device, &batch(few), &(0..few))?)?;
    flow.prepare(device)?;
    let gradient = |n| flow.gradient(device, &batch(n), recipe.memory).map(drop);
    let (fixed, training) = fixed_and_an_image(few, recipe.batch, gradient)?;
    let (_, scoring) = fixed_and_an_image(few, recipe.batch, |n| flow.log_prob_of(device, &batch(n)).map(drop))?;
    let gradients = flow.gradient(device, &batch(few), recipe.memory)?.gradients;
    let mut optimizer = OptimizerState::new(device, &flow, recipe.optimizer, 1000.0)?;
    let mut update = || optimizer.step(device, &mut flow, &gradients, 0.0).and_then(|()| flow.prepare(device));
    update()?;
    let begin = Instant::now();
    update()?;
    Ok(Cost { training, update: fixed + begin.elapsed().as_secs_f64(), scoring })
}

/// Seconds that work takes whatever the number of images, and seconds an image: from the two largest of more and more
/// images at a time, until they take long enough to be timed.
fn fixed_and_an_image(few: usize, most: usize, mut work: impl FnMut(usize) -> Result<()>) -> Result<(f64, f64)> {
    let mut time = |count: usize| -> Result<f64> {
        let begin = Instant::now();
        work(count)?;
        Ok(begin.elapsed().as_secs_f64())
    };
    // The first time allocates what later ones find.
    time(few)?;
    let (mut count, mut seconds) = (few, time(few)?);
    while count < most {
        let more = (count * 4).min(most);
        let longer = time(more)?;
        if longer >= BRIEFLY || more == most {
            let slope = (longer - seconds) / (more - count) as f64;
            let fixed = seconds - slope * count as f64;
            let is_sound = slope > 0.0 && fixed >= 0.0;
            return Ok(if is_sound { (fixed, slope) } else { (0.0, longer / more as f64) });
        }
        (count, seconds) = (more, longer);
    }
    Ok((0.0, seconds / count as f64))
}

/// Seconds of a run that has this much data: steps, evaluations along the way, and the one at the end.
pub fn seconds(recipe: &Recipe, cost: Cost, train_images: usize, test_images: usize) -> f64 {
    let train_images = train_images.saturating_sub(recipe.validation).max(1);
    let steps_of = |length: Length| length.steps(recipe.batch, train_images);
    let a_step = cost.training * recipe.batch as f64 + cost.update;
    let limit = recipe.time_limit.unwrap_or(f64::INFINITY);
    let steps = recipe.length.map_or(f64::INFINITY, |length| steps_of(length).ceil()).min((limit / a_step).ceil());
    let times = |every: Length| (steps / steps_of(every).max(1.0)).ceil();
    let interim = recipe.test_images.unwrap_or(test_images).min(test_images) as f64;
    let evaluated = recipe.test_every.map_or(0.0, |every| times(every) * interim)
        + times(recipe.validate_every) * recipe.validation as f64
        + test_images as f64;
    steps * a_step + evaluated * cost.scoring
}

/// Seconds of every run of a plan, one after the other.
///
/// # Errors
/// As [`cost`].
pub fn all_seconds<E: Element, D: Device<E>>(
    plan: &Plan,
    device: &D,
    registry: &Registry<E, D>,
    (train_images, test_images): (usize, usize),
) -> Result<Vec<f64>> {
    let of_variant = |variant: &Variant| {
        cost(variant, device, registry).map(|cost| seconds(&variant.spec.train, cost, train_images, test_images))
    };
    let of_variants = plan.variants.iter().map(of_variant).collect::<Result<Vec<_>>>()?;
    if of_variants.iter().any(|seconds| !seconds.is_finite()) {
        return Err(Error::Usage("the budget has no end that can be estimated".into()));
    }
    Ok(plan.runs.iter().map(|run| of_variants[run.variant]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_of_steps_and_evaluations() {
        let cost = Cost { training: 0.01, update: 0.1, scoring: 0.001 };
        let recipe = Recipe {
            batch: 10,
            length: Some(Length::Epochs(2.0)),
            validation: 100,
            validate_every: Length::Epochs(1.0),
            test_every: Some(Length::Steps(50)),
            test_images: Some(30),
            ..Recipe::default()
        };
        // 200 steps of 0.2 s; 4 · 30, 2 · 100 and 500 images to score.
        assert!((seconds(&recipe, cost, 1100, 500) - (40.0 + 0.82)).abs() < 1e-9);
        let limited = Recipe { time_limit: Some(20.0), ..recipe };
        assert!((seconds(&limited, cost, 1100, 500) - (20.0 + 0.06 + 0.1 + 0.5)).abs() < 1e-9);
    }
}
