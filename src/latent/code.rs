//! Pictures to points of latent space, and back.

use super::Points;
use crate::backend::{Device, Element};
use crate::data::Images;
use crate::flow::{Batch, Conditions, Dequantize, Flow, Quantized, quantize};
use crate::plot::Row;
use crate::train::{expect_context, expect_images};
use crate::{Error, Result};
use std::ops::Range;

/// The latents of images, each grey level at the middle of its bin. `labels` holds each image's class where the flow is
/// class-conditional.
///
/// # Errors
/// [`Error::Usage`] for images that are not the flow's, or labels that do not fit.
pub fn encode<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    images: &Images,
    labels: Option<&[usize]>,
) -> Result<Points<E>> {
    expect_images(flow, images)?;
    expect_labels(images.len(), labels)?;
    expect_context(flow, images, "the images")?;
    let shard = device.shard_images(flow.activation());
    let shards = device.over_shards(images.len(), shard, |device, ranges| {
        let mut points = Points::new(flow.latent_shapes());
        for range in ranges {
            let indices: Vec<usize> = range.clone().collect();
            let (samples, context) = (images.samples(&indices)?, images.contexts_of(&indices));
            let numbers: Vec<u64> = (range.start as u64..range.end as u64).collect();
            let (labels, context) = (part(labels, range), context.as_deref());
            let dequantize = Dequantize::Midpoint;
            let batch = Batch { values: (&samples).into(), labels, context, numbers: &numbers, dequantize };
            let latents = flow.encode(flow.images(device, &batch, &(0..indices.len()))?, labels)?.latents;
            let values = latents.iter().map(|(_, z)| z.to_host()).collect::<Result<Vec<_>>>()?;
            points.extend(Points::from_values(flow.latent_shapes(), &values)?)?;
        }
        Ok(points)
    })?;
    let mut points = Points::new(flow.latent_shapes());
    shards.into_iter().try_for_each(|shard| points.extend(shard))?;
    Ok(points)
}

/// Pictures from latents.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<E> {
    /// As the flow gives them, `[n, height, width, channels]`; a grey level is `1/bins` wide.
    pub values: Vec<E>,
    /// As grey levels, `[n, height, width, channels]`.
    pub levels: Vec<u8>,
    /// The pictures, by number from 0, that have values which are not finite: not images, whatever their levels say.
    pub not_finite: Vec<usize>,
}

impl<E> Decoded<E> {
    /// These pictures as a row of a sheet.
    pub fn into_row(self, caption: impl Into<String>) -> Row {
        Row { caption: caption.into(), levels: self.levels, not_finite: self.not_finite }
    }
}

/// The pictures of points: the inverse of [`encode`].
///
/// # Errors
/// [`Error::Shape`] for latents of other names or shapes, [`Error::Usage`] for labels that do not fit.
pub fn decode<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    points: &Points<E>,
    labels: Option<&[usize]>,
) -> Result<Decoded<E>> {
    decode_given(flow, device, points, labels.into())
}

/// [`decode`] where each point may have a context.
///
/// # Errors
/// As [`decode`]; [`Error::Usage`] for contexts that do not fit.
pub fn decode_given<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    points: &Points<E>,
    conditions: Conditions,
) -> Result<Decoded<E>> {
    expect_labels(points.len(), conditions.labels)?;
    let shard = device.shard_images(flow.activation());
    let shards = device.over_shards(points.len(), shard, |device, ranges| {
        let mut decoded = Vec::new();
        for range in ranges {
            let conditions = conditions.part(range, flow.context_numbers());
            let given = flow.given(device, range.len(), conditions)?;
            let x = flow.decode(points.upload(device, range.clone())?.giving(given), conditions.labels)?;
            decoded.push((x.to_host()?, quantize(&x, flow.bins())?));
        }
        Ok(decoded)
    })?;
    let (values, quantized): (Vec<_>, Vec<_>) = shards.into_iter().flatten().unzip();
    let Quantized { levels, not_finite } = Quantized::joined(quantized, flow.image_shape().dims());
    Ok(Decoded { values: values.concat(), levels, not_finite })
}

/// The vectors of points, `[n, features]`: the inverse of [`encode`] of a flow of vectors.
///
/// # Errors
/// As [`decode`], and [`Error::Usage`] where the flow is of images.
pub fn decode_vectors<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    points: &Points<E>,
    labels: Option<&[usize]>,
) -> Result<Vec<f64>> {
    expect_labels(points.len(), labels)?;
    let shard = device.shard_images(flow.activation());
    let shards = device.over_shards(points.len(), shard, |device, ranges| {
        let mut vectors = Vec::new();
        for range in ranges {
            let x = flow.decode(points.upload(device, range.clone())?, part(labels, range))?;
            vectors.extend(flow.vectors_of(&x)?);
        }
        Ok(vectors)
    })?;
    Ok(shards.concat())
}

/// The labels of a shard.
fn part<'a>(labels: Option<&'a [usize]>, range: &Range<usize>) -> Option<&'a [usize]> {
    labels.map(|labels| labels.get(range.clone()).unwrap_or(&[]))
}

fn expect_labels(count: usize, labels: Option<&[usize]>) -> Result<()> {
    match labels.map(<[usize]>::len).filter(|labels| *labels != count) {
        Some(labels) => Err(Error::Usage(format!("{labels} labels for {count} images"))),
        None => Ok(()),
    }
}
