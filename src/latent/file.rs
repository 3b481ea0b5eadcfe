//! Latents on disk: a safetensors file that knows which model they belong to.

use super::points::{Points, describe};
use crate::backend::{Device, Element, ImageShape};
use crate::flow::spec::ContextSpec;
use crate::flow::{FORMAT_VERSION, HostTensor, Model, TensorKind, read_tensors, write_tensors};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The tensor with classes, beside those of the latents.
const LABELS: &str = "labels";

/// The tensor with contexts, of a model that is conditioned on vectors or images.
const CONTEXT: &str = "context";

/// What the points of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Pictures.
    Latents,
    /// A difference between pictures: one point.
    Direction,
}

impl Content {
    fn kind(self) -> TensorKind {
        match self {
            Self::Latents => TensorKind::Latents,
            Self::Direction => TensorKind::Direction,
        }
    }
}

/// What a file of latents says beside its tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Of the format.
    pub version: u32,
    /// What its points are.
    pub content: Content,
    /// The fingerprint of the model that made them.
    pub model: String,
    /// The name of the model's flow file.
    pub flow: String,
    /// `[height, width, channels]` of the pictures.
    pub image: [usize; 3],
    /// Grey levels of the pictures.
    pub bins: u32,
    /// What was encoded, in words.
    pub source: String,
}

/// Latents with what is known of them.
#[derive(Clone, Debug, PartialEq)]
pub struct LatentFile<E> {
    /// The latents.
    pub points: Points<E>,
    /// The class that each was standardised under where the model is class-conditional; otherwise each image's own, if
    /// it has one.
    pub labels: Option<Vec<usize>>,
    /// The context of each, `[n, …]`, where the model is conditioned on vectors or images.
    pub context: Option<Vec<f32>>,
    /// The rest.
    pub about: About,
}

impl<E: Element> LatentFile<E> {
    /// Latents that a model made.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn new<D: Device<E>>(
        model: &Model<E, D>,
        device: &D,
        content: Content,
        points: Points<E>,
        labels: Option<Vec<usize>>,
        source: String,
    ) -> Result<Self> {
        let ImageShape { height, width, channels } = model.flow.image_shape();
        let about = About {
            version: FORMAT_VERSION,
            content,
            model: model.fingerprint(device)?,
            flow: model.metadata.name.clone(),
            image: [height, width, channels],
            bins: model.flow.bins(),
            source,
        };
        Ok(Self { points, labels, context: None, about })
    }

    /// The same with the context of each point, if the model is conditioned on vectors or images.
    #[must_use]
    pub fn given(self, context: Option<Vec<f32>>) -> Self {
        Self { context, ..self }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; what was there before is then still there.
    pub fn write(&self, path: &Path) -> Result<()> {
        let tensor = |(which, (name, shape)): (usize, &(String, ImageShape))| {
            let shape = vec![self.points.len(), shape.height, shape.width, shape.channels];
            (name.clone(), (shape, self.points.values(which)))
        };
        let mut tensors: BTreeMap<String, HostTensor<E>> =
            self.points.latents().iter().enumerate().map(tensor).collect();
        if let Some(labels) = &self.labels {
            let values = labels.iter().map(|&label| E::of(label as f64)).collect();
            tensors.insert(LABELS.into(), (vec![labels.len()], values));
        }
        if let Some(context) = &self.context {
            let numbers = context.len() / self.points.len().max(1);
            let values = context.iter().map(|&value| E::of(f64::from(value))).collect();
            tensors.insert(CONTEXT.into(), (vec![self.points.len(), numbers], values));
        }
        write_tensors(path, &tensors, &self.about)
    }

    /// Reads a file of this content that the model made.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a file of another kind or another model, and where tensors do not fit the model;
    /// [`Error::Io`] for one that cannot be read.
    pub fn read<D: Device<E>>(path: &Path, model: &Model<E, D>, device: &D, content: Content) -> Result<Self> {
        let bad = |reason: String| Error::bad_file(path, reason);
        let (mut tensors, about): (_, About) = read_tensors::<E, _>(path, content.kind())?;
        let fingerprint = model.fingerprint(device)?;
        if about.model != fingerprint {
            return Err(bad(format!(
                "its latents are of another model: {} of flow `{}`, and this is {fingerprint} of `{}`; the same model's \
                 averaged and raw weights (--raw) count as two",
                about.model, about.flow, model.metadata.name
            )));
        }
        let (labels, context) = (tensors.remove(LABELS), tensors.remove(CONTEXT));
        let shapes = model.flow.latent_shapes();
        let mut values = Vec::new();
        let mut count = None;
        for (name, shape) in &shapes {
            let (found, tensor) = tensors
                .remove(name)
                .ok_or_else(|| bad(format!("latent `{name}` is missing; the model's are {}", describe(&shapes))))?;
            let n = *count.get_or_insert(found.first().copied().unwrap_or(0));
            let expected = [n, shape.height, shape.width, shape.channels];
            if found != expected {
                return Err(bad(format!("latent `{name}` has shape {found:?}; the model has {expected:?}")));
            }
            if let Some(i) = tensor.iter().position(|value| !value.is_finite()) {
                return Err(bad(format!("latent `{name}` holds {} at position {i}", tensor[i])));
            }
            values.push(tensor);
        }
        if let Some(name) = tensors.keys().next() {
            return Err(bad(format!("tensor `{name}` is no latent of the model; its own are {}", describe(&shapes))));
        }
        let points = Points::from_values(shapes, &values)?;
        match (content, points.len()) {
            (_, 0) => return Err(bad("it holds no point".into())),
            (Content::Direction, n @ 2..) => return Err(bad(format!("a direction is one point, and there are {n}"))),
            _ => {}
        }
        let labels = labels.map(|labels| read_labels(&labels, points.len())).transpose().map_err(bad)?;
        if let Some(classes) = model.flow.classes() {
            let Some(labels) = &labels else {
                return Err(bad("it has no tensor `labels`, and the model is class-conditional".into()));
            };
            if let Some(label) = labels.iter().find(|label| **label >= classes) {
                return Err(bad(format!("`labels` holds class {label}; the model has {classes}, counted from 0")));
            }
        }
        let wanted = model.flow.context().filter(|context| !matches!(context, ContextSpec::Classes(_)));
        let context = match (wanted, context) {
            (None, _) => None,
            (Some(spec), None) => {
                return Err(bad(format!("it has no tensor `context`, and the model is conditioned on {spec}")));
            }
            (Some(spec), Some((shape, values))) => {
                let expected = [points.len(), spec.shape().dims()];
                if shape != expected || values.iter().any(|value| !value.is_finite()) {
                    return Err(bad(format!("`context` has shape {shape:?}; expected {expected:?} finite numbers")));
                }
                Some(values.into_iter().map(|value| value.as_f64() as f32).collect())
            }
        };
        Ok(Self { points, labels, context, about })
    }

    /// The labels, where the model decodes with them.
    pub fn labels_for<D: Device<E>>(&self, model: &Model<E, D>) -> Option<&[usize]> {
        model.flow.classes().and(self.labels.as_deref())
    }
}

/// Whole numbers, one a point.
fn read_labels<E: Element>((shape, values): &HostTensor<E>, count: usize) -> std::result::Result<Vec<usize>, String> {
    if *shape != [count] {
        return Err(format!("`labels` has shape {shape:?}; expected [{count}], one a point"));
    }
    let whole = |value: &E| {
        let value = value.as_f64();
        (value >= 0.0 && value.fract() == 0.0 && value <= f64::from(u16::MAX)).then_some(value as usize)
    };
    let labels: Option<Vec<usize>> = values.iter().map(whole).collect();
    labels.ok_or_else(|| "`labels` holds what is no class, counted from 0".into())
}
