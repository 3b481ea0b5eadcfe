//! Scoring images: log-probabilities, and bits per dimension with their error.

use crate::backend::{Device, Element};
use crate::data::{Ahead, Contexts, Images, Samples};
use crate::flow::spec::ContextSpec;
use crate::flow::{Batch, Dequantize, Flow, Loss, Values};
use crate::noise::{NoiseKey, Purpose};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Images scored at a time.
const CHUNK: usize = 512;

/// Which data an evaluation is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataName {
    /// As it was named, `digits` or `cifar10:DIR`.
    pub name: String,
    /// `train`, `validation` or `test`.
    pub split: String,
    /// A hash of the images and labels.
    pub fingerprint: String,
}

/// How well a classifier head does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Share of images whose most probable class is theirs.
    pub accuracy: f64,
    /// Mean cross-entropy, in bits per image.
    pub cross_entropy_bits: f64,
}

/// Bits per dimension of a set of images, or nats of one of vectors, with all that is needed to check them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Mean over images, or over vectors. Not finite if any one's is: none is dropped.
    #[serde(flatten)]
    pub loss: Loss,
    /// Standard error of that mean over images; none of a single image.
    pub standard_error: Option<f64>,
    /// Images scored.
    pub images: usize,
    /// Noise draws averaged for each image.
    pub draws: u64,
    /// Samples of noise in the importance-weighted bound of each draw; 1 for the plain one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub importance: u64,
    /// Images whose score is not finite.
    pub non_finite: usize,
    /// What was scored: `p(x)`, `p(x | class)`, `p(x | class 3)`, or `mean over classes of p(x | class)`.
    pub likelihood: String,
    /// Of the classifier head, if there is one and the images have labels.
    pub classification: Option<Classification>,
    /// `averaged` or `raw`.
    pub weights: String,
    /// `f32` or `f64`.
    pub precision: String,
    /// How the images were taken, where they are not all of their split: `100 of 10000, evenly from each class`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken: Option<String>,
    /// Which images.
    pub data: DataName,
}

impl Evaluation {
    /// `2.307 ± 0.021 bits/dim`, with the standard error over images; `8.079 ± n/a bits/dim` where there is none.
    pub fn with_error(&self) -> String {
        let error = self.standard_error.map_or_else(|| "n/a".to_owned(), |error| format!("{error:.3}"));
        format!("{:.3} ± {error} {}", self.loss.value(), self.loss.unit())
    }

    /// `360 images` or `360 vectors`, or how they were taken.
    pub fn images_in_words(&self) -> String {
        let what = self.loss.sample();
        let all = || if self.images == 1 { format!("1 {what}") } else { format!("{} {what}s", self.images) };
        self.taken.clone().unwrap_or_else(all)
    }
}

fn one() -> u64 {
    1
}

fn is_one(importance: &u64) -> bool {
    *importance == 1
}

/// Under which class a class-conditional flow scores an image. Another flow has none to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Its own, where images have classes; otherwise as [`Labels::Mixture`].
    Own,
    /// The mean over all classes.
    Mixture,
    /// This one for all images, whatever theirs is.
    Class(usize),
}

impl Labels {
    /// What is scored, in words: `p(x)`, `p(x | class)`, `p(x | class 3)` or `mean over classes of p(x | class)`.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class that the flow does not have.
    pub fn likelihood<E: Element, D: Device<E>>(self, flow: &Flow<E, D>, images: &Images) -> Result<String> {
        Ok(match (flow.classes(), self) {
            (None, Self::Class(class)) => {
                return Err(Error::Usage(format!("class {class} was asked for, but this flow has no classes")));
            }
            (Some(classes), Self::Class(class)) if class >= classes => {
                let last = classes - 1;
                return Err(Error::Usage(format!("class {class} was asked for; this flow has classes 0 to {last}")));
            }
            (None, _) if flow.context().is_some() => "p(x | context)".into(),
            (None, _) => "p(x)".into(),
            (Some(_), Self::Class(class)) => format!("p(x | class {class})"),
            (Some(_), Self::Own) if images.label(0).is_some() => "p(x | class)".into(),
            (Some(_), _) => "mean over classes of p(x | class)".into(),
        })
    }

    /// The classes of these images, if any are given.
    fn of(self, images: &Images, indices: &[usize]) -> Option<Vec<usize>> {
        match self {
            Self::Own => images.labels_of(indices),
            Self::Mixture => None,
            Self::Class(class) => Some(vec![class; indices.len()]),
        }
    }
}

/// The dequantisation noise of an evaluation.
///
/// With `K = importance` samples of noise q, the bound on an image's `ln P` is `ln 1/K Σ_k p(x + q_k)` (Burda et al.
/// 2016, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519); uniform noise makes every weight the density itself).
/// Its expectation grows with K and tends to `ln P`; K = 1 is the plain bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Decides it.
    pub seed: u64,
    /// Draws averaged for each image.
    pub draws: u64,
    /// Samples of noise in each draw.
    pub importance: u64,
}

/// A seed and a number of plain draws.
impl From<(u64, u64)> for Noise {
    fn from((seed, draws): (u64, u64)) -> Self {
        Self { seed, draws, importance: 1 }
    }
}

impl<'a> From<&'a Samples> for Values<'a> {
    fn from(samples: &'a Samples) -> Self {
        match samples {
            Samples::Levels(levels) => Self::Levels(levels),
            Samples::Reals(reals) => Self::Reals(reals),
        }
    }
}

/// `ln (exp a + exp b)`; NaN unless both are finite, so that no lost score is outvoted.
fn log_add_exp(a: f64, b: f64) -> f64 {
    if a.is_finite() && b.is_finite() { a.max(b) + (-(a - b).abs()).exp().ln_1p() } else { f64::NAN }
}

/// `ln p` in nats of each image.
///
/// # Errors
/// [`Error::Usage`] if the images are not the flow's, or the flow does not have the class.
pub fn score<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
    labels: Labels,
    dequantize: Dequantize,
) -> Result<Vec<f64>> {
    expect_images(flow, images)?;
    if let Labels::Own = labels {
        expect_labels(flow, images, "image")?;
    }
    labels.likelihood(flow, images)?;
    expect_context(flow, images, "the images")?;
    let mut scores = Vec::with_capacity(images.len());
    for_each_chunk(images, |indices, samples| {
        let numbers: Vec<u64> = indices.iter().map(|&i| images.place(i) as u64).collect();
        let labels = labels.of(images, &indices);
        let context = images.contexts_of(&indices);
        let (labels, context) = (labels.as_deref(), context.as_deref());
        let batch = Batch { values: (&samples).into(), labels, context, numbers: &numbers, dequantize };
        scores.extend(device.exactly(|| flow.log_prob_of(device, &batch))?);
        Ok(())
    })?;
    Ok(scores)
}

/// Does something with all images, a chunk at a time, while the next chunk is read.
fn for_each_chunk(images: &Images, mut work: impl FnMut(Vec<usize>, Samples) -> Result<()>) -> Result<()> {
    let (all, count) = (images.clone(), images.len());
    let chunks = Ahead::new((0..count).step_by(CHUNK).map(move |start| {
        let indices: Vec<usize> = (start..(start + CHUNK).min(count)).collect();
        all.samples(&indices).map(|samples| (indices, samples))
    }))?;
    for chunk in chunks {
        let (indices, samples) = chunk?;
        work(indices, samples)?;
    }
    Ok(())
}

/// Refuses images of another shape than the flow's.
pub(crate) fn expect_images<E: Element, D: Device<E>>(flow: &Flow<E, D>, images: &Images) -> Result<()> {
    let shape = flow.image_shape();
    let [height, width, channels] = images.shape();
    match (flow.is_of_vectors(), images.are_reals()) {
        (true, false) => {
            return Err(Error::Usage("the flow is of vectors of real numbers, and the data are images".into()));
        }
        (false, true) => {
            return Err(Error::Usage("the flow is of images, and the data are vectors of real numbers".into()));
        }
        (true, true) if channels != shape.channels => {
            let message =
                format!("the flow is of vectors of {} features, and the data have {channels}", shape.channels);
            return Err(Error::Usage(message));
        }
        _ => {}
    }
    if [height, width, channels] == [shape.height, shape.width, shape.channels] {
        return Ok(());
    }
    let help = match (height.cmp(&shape.height), width.cmp(&shape.width)) {
        _ if channels != shape.channels => "",
        (Ordering::Less | Ordering::Equal, Ordering::Less | Ordering::Equal) => "; `fit: Pad` in the recipe pads them",
        (Ordering::Greater | Ordering::Equal, Ordering::Greater | Ordering::Equal) => {
            "; `fit: Crop` in the recipe takes their middle, `shrink` averages them down"
        }
        _ => "",
    };
    Err(Error::Usage(format!("the flow is for images of {shape}, and the data are {height}×{width}×{channels}{help}")))
}

/// Refuses images with a label that a class-conditional flow has no class for, with the first one's place; `what` says
/// which images they are, such as `test image`.
///
/// # Errors
/// [`Error::Usage`] with the image, and with what helps where labels seem to count from 1.
pub(crate) fn expect_labels<E: Element, D: Device<E>>(flow: &Flow<E, D>, images: &Images, what: &str) -> Result<()> {
    let (Some(classes), Some(labels)) = (flow.classes(), images.labels()) else { return Ok(()) };
    let Some(i) = labels.iter().position(|label| usize::from(*label) >= classes) else { return Ok(()) };
    let (number, place) = (images.place(i), images.label_place(i));
    let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
    let counts_from_1 =
        labels.iter().min() == Some(&1) && labels.iter().max().is_some_and(|l| usize::from(*l) == classes);
    let help = if counts_from_1 {
        ". They seem to count from 1, as EMNIST's letters do: subtract 1 from every label, in all splits"
    } else {
        ". Give the prior as many `classes` as the data have"
    };
    Err(Error::Usage(format!(
        "{what} {number} has label {}{place}, and the flow has {classes} classes, 0 to {}{help}",
        labels[i],
        classes - 1
    )))
}

/// Refuses images without the context that the flow is conditioned on, or with one of another shape; `what` says which
/// images they are, such as `the test images`. A class is a label, see [`expect_labels`].
///
/// # Errors
/// [`Error::Usage`] with both shapes, and where contexts come from.
pub(crate) fn expect_context<E: Element, D: Device<E>>(flow: &Flow<E, D>, images: &Images, what: &str) -> Result<()> {
    let Some(context) = flow.context().filter(|context| !matches!(context, ContextSpec::Classes(_))) else {
        return Ok(());
    };
    match images.contexts() {
        Some(contexts) => expect_contexts_of(flow, contexts),
        None if images.is_empty() => Ok(()),
        None => Err(Error::Usage(format!(
            "the flow is conditioned on {context}, and {what} have none; give one for each: an .npz file with a second array \
             `context` of floats {}",
            context.array()
        ))),
    }
}

/// Refuses contexts that are not what the flow is conditioned on.
///
/// # Errors
/// [`Error::Usage`] with both shapes.
pub(crate) fn expect_contexts_of<E: Element, D: Device<E>>(flow: &Flow<E, D>, contexts: &Contexts) -> Result<()> {
    let found = match *contexts.shape() {
        [features] => format!("vectors of {features} features"),
        ref sides => format!("images of {sides:?}"),
    };
    match flow.context() {
        None => Err(Error::Usage(format!("there are contexts, {found}, and the flow is not conditioned on one"))),
        Some(ContextSpec::Classes(_)) => Err(Error::Usage(format!(
            "there are contexts, {found}, and the flow is conditioned on a class: labels of the data, or --class"
        ))),
        Some(context) if contexts.shape() == context.sides() => Ok(()),
        Some(ContextSpec::Vector { features }) if contexts.shape() == [features] => Ok(()),
        Some(context) => Err(Error::Usage(format!(
            "the flow is conditioned on {context}, an array {}, and the contexts are {found}",
            context.array()
        ))),
    }
}

/// Bits per dimension of images. The same seed of the noise gives the same number. Labels, where the images have them, make a class-conditional flow's score `p(x | class)`.
///
/// # Errors
/// [`Error::Usage`] if there are no images or they are not the flow's.
pub fn evaluate<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
    data: DataName,
    noise: impl Into<Noise>,
) -> Result<Evaluation> {
    evaluate_as(flow, device, images, Labels::Own, data, noise)
}

/// The same under these classes.
///
/// # Errors
/// As [`evaluate`], and [`Error::Usage`] for a class that the flow does not have.
pub fn evaluate_as<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
    labels: Labels,
    data: DataName,
    noise: impl Into<Noise>,
) -> Result<Evaluation> {
    let Noise { seed, draws, importance } = noise.into();
    // Vectors have no noise: one draw is all.
    let (draws, importance) =
        if flow.is_of_vectors() { (draws.min(1), importance.min(1)) } else { (draws, importance) };
    if images.is_empty() || draws == 0 || importance == 0 {
        return Err(Error::Usage("nothing to evaluate: no images, or no noise draws".into()));
    }
    let key = NoiseKey::new(seed, Purpose::Evaluate);
    let mut losses = vec![0.0; images.len()];
    for draw in 0..draws {
        let sample = |k| score(flow, device, images, labels, Dequantize::Uniform(key.at(draw * importance + k)));
        let mut scores = sample(0)?;
        for k in 1..importance {
            scores.iter_mut().zip(sample(k)?).for_each(|(sum, s)| *sum = log_add_exp(*sum, s));
        }
        scores.iter_mut().for_each(|sum| *sum -= (importance as f64).ln());
        losses.iter_mut().zip(scores).for_each(|(loss, s)| *loss += flow.unit().of(s) / draws as f64);
    }
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    let variance = losses.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (n - 1.0);
    // The labels of other data, which were not asked for, mean nothing to the classifier.
    let labelled = images.label(0).is_some() && expect_labels(flow, images, "image").is_ok();
    let classification =
        if flow.classifier().is_some() && labelled { Some(classify(flow, device, images)?) } else { None };
    Ok(Evaluation {
        loss: flow.unit().loss(mean),
        standard_error: (losses.len() > 1).then(|| (variance / n).sqrt()),
        images: images.len(),
        draws,
        importance,
        non_finite: losses.iter().filter(|b| !b.is_finite()).count(),
        likelihood: labels.likelihood(flow, images)?,
        classification,
        weights: "raw".into(),
        precision: E::NAME.into(),
        taken: images.taken(),
        data,
    })
}

/// The class of the greatest log-probability, of several the first; none where one is not a number.
fn likeliest(log_probabilities: &[f64]) -> Option<usize> {
    let greater = |best: Option<usize>, class: usize| match best {
        Some(best) if log_probabilities[class] <= log_probabilities[best] => Some(best),
        _ => Some(class),
    };
    let finite = !log_probabilities.iter().any(|p| p.is_nan());
    (0..log_probabilities.len()).filter(|_| finite).fold(None, greater)
}

/// The classifier head on labelled images at the middle of their bins.
fn classify<E: Element, D: Device<E>>(flow: &Flow<E, D>, device: &D, images: &Images) -> Result<Classification> {
    let (mut right, mut bits) = (0usize, 0.0);
    for_each_chunk(images, |indices, samples| {
        let labels = images.labels_of(&indices).unwrap_or_default();
        let x = flow.image_of(device, (&samples).into(), 0..indices.len() as u64, Dequantize::Midpoint)?;
        for (log_probabilities, label) in flow.classify(x)?.iter().zip(labels) {
            right += usize::from(likeliest(log_probabilities) == Some(label));
            bits -= log_probabilities.get(label).copied().unwrap_or(f64::NEG_INFINITY) / std::f64::consts::LN_2;
        }
        Ok(())
    })?;
    let n = images.len() as f64;
    Ok(Classification { accuracy: right as f64 / n, cross_entropy_bits: bits / n })
}

#[cfg(test)]
mod tests {
    use super::likeliest;

    #[test]
    fn of_classes_that_are_as_likely_it_is_the_first_and_of_what_is_no_number_none() {
        assert_eq!(likeliest(&[-2.0, -1.0, -1.0, -3.0]), Some(1));
        assert_eq!(likeliest(&[-1.0, -1.0]), Some(0));
        assert_eq!(likeliest(&[f64::NEG_INFINITY, -1.0]), Some(1));
        assert_eq!((likeliest(&[-1.0, f64::NAN]), likeliest(&[f64::NAN]), likeliest(&[])), (None, None, None));
    }
}
