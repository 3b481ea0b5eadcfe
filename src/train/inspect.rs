//! The health of a model: its layers' figures, and how well images come back, in both precisions.

use super::DataName;
use super::evaluate::{expect_context, expect_images, expect_labels};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image};
use crate::bijector::Effort;
use crate::data::Images;
use crate::flow::{Batch, Dequantize, Flow, LayerHealth, Model, Registry, RoundTrip, Verdict, default_drift_bound};
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// How far outside their range images are looked at: ten times as far from grey, x in [−5, 5].
const OUT_OF_RANGE: f64 = 10.0;

/// How images come back in one precision.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Probes {
    /// Images of the data, each grey level at the middle of its bin.
    pub real: RoundTrip,
    /// The same ten times as far from grey, as a layer meets them that an earlier one sends astray.
    pub out_of_range: RoundTrip,
}

/// A model's health.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// What the figures come to, for f32: the precision of training.
    pub verdict: Verdict,
    /// The name of the flow file.
    pub flow: String,
    /// Steps trained.
    pub step: u64,
    /// `averaged` or `raw`.
    pub weights: String,
    /// Which images.
    pub data: DataName,
    /// How many of them.
    pub images: usize,
    /// In f32.
    pub f32: Probes,
    /// The same weights in f64.
    pub f64: Probes,
    /// Why images out of range do not come back in f32, in a sentence; none where they do.
    pub out_of_range: Option<String>,
    /// The figures of every layer in f32, from the image to the top prior.
    pub layers: Vec<LayerHealth>,
}

/// Inspects a model on images.
///
/// # Errors
/// As [`Model::load`]; [`Error::Usage`] if the images are not the flow's, or there are none.
pub fn inspect<D: Device<f32> + Device<f64>>(
    path: &Path,
    device: &D,
    registries: (&Registry<f32, D>, &Registry<f64, D>),
    raw: bool,
    (images, data): (&Images, DataName),
) -> Result<Inspection> {
    let single: Model<f32, D> = Model::load(path, device, registries.0, raw)?;
    let double: Model<f64, D> = Model::load(path, device, registries.1, raw)?;
    expect_images(&single.flow, images)?;
    expect_labels(&single.flow, images, "image")?;
    expect_context(&single.flow, images, "the images")?;
    if images.is_empty() {
        return Err(Error::Usage("nothing to inspect with: no images".into()));
    }
    let labels = some_labels(&single.flow, images);
    let layers = single.flow.layer_health(midpoints(&single.flow, device, images)?, labels.as_deref())?;
    let far = far_out(&single.flow, device, images)?;
    let far = single.flow.layer_health_with(far, labels.as_deref(), Effort::NONE)?;
    let (in_f32, in_f64) = (
        probes(&single.flow, device, images, labels.as_deref())?,
        probes(&double.flow, device, images, labels.as_deref())?,
    );
    Ok(Inspection {
        verdict: Verdict::of::<f32>(&layers, &in_f32.real),
        flow: single.file.name,
        step: single.metadata.step,
        weights: if single.averaged { "averaged" } else { "raw" }.into(),
        data,
        images: images.len(),
        out_of_range: LayerHealth::worst(far).and_then(|worst| why_lost(&worst, &in_f32.out_of_range)),
        f32: in_f32,
        f64: in_f64,
        layers,
    })
}

/// Why images out of range do not come back, from the layer that is worst on them.
fn why_lost(worst: &LayerHealth, trip: &RoundTrip) -> Option<String> {
    let (path, kind, cause) = (&worst.path, &worst.kind, &worst.strain.cause);
    if worst.non_finite > 0 {
        return Some(format!(
            "numbers are lost in {path} ({kind}): {cause}. Such images cannot be rebuilt from their latents"
        ));
    }
    (trip.error.is_nan() || trip.error > default_drift_bound::<f32>()).then(|| {
        format!(
            "each layer comes back, worst is {path} ({kind}): {cause}; together they amplify roundings past every digit. Such \
             images can be scored, but not rebuilt from their latents"
        )
    })
}

/// Images at the middle of their bins.
pub(super) fn midpoints<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
) -> Result<Image<E, D>> {
    let all: Vec<usize> = (0..images.len()).collect();
    let (samples, numbers) = (images.samples(&all)?, Vec::from_iter(0..images.len() as u64));
    let (labels, context) = (images.labels_of(&all), images.contexts_of(&all));
    let (labels, context) = (labels.as_deref(), context.as_deref());
    let batch =
        Batch { values: (&samples).into(), labels, context, numbers: &numbers, dequantize: Dequantize::Midpoint };
    flow.images(device, &batch, &(0..images.len()))
}

/// The same out of their range.
fn far_out<E: Element, D: Device<E>>(flow: &Flow<E, D>, device: &D, images: &Images) -> Result<Image<E, D>> {
    let mut far = midpoints(flow, device, images)?;
    MemoryKernel::<E>::scale(device, far.data_mut(), OUT_OF_RANGE)?;
    Ok(far)
}

/// The images' classes, for a flow that needs them; the first class where they have none.
pub(super) fn some_labels<E: Element, D: Device<E>>(flow: &Flow<E, D>, images: &Images) -> Option<Vec<usize>> {
    let all: Vec<usize> = (0..images.len()).collect();
    flow.classes().map(|_| images.labels_of(&all).unwrap_or_else(|| vec![0; images.len()]))
}

fn probes<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
    labels: Option<&[usize]>,
) -> Result<Probes> {
    let (x, far) = (midpoints(flow, device, images)?, far_out(flow, device, images)?);
    Ok(Probes { real: flow.round_trip(x, labels)?, out_of_range: flow.round_trip(far, labels)? })
}
