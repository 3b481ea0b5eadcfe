//! Models on disk: one safetensors file that holds its flow.
//!
//! Tensors have the names of [`Parameters::visit`]; `raw.` before a name marks the weights as the optimizer left them,
//! where the plain name holds their average. The metadata says the flow file, and what is known of the training.

use super::tensor_file::{FORMAT_VERSION, HostTensor, TensorKind, read_tensors, write_tensors};
use super::{Flow, FlowFile, Registry};
use crate::backend::{Device, Element, Initializer, ParameterGradients, Parameters};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a model file says beside its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelMetadata {
    /// Of the format.
    pub version: u32,
    /// The name of the flow file.
    pub name: String,
    /// The whole flow file.
    pub flow: String,
    /// Steps trained.
    pub step: u64,
    /// Whether plain names hold averaged weights and `raw.` names the optimizer's.
    pub averaged: bool,
    /// The names of the classes, where the flow is class-conditional and its training data named them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// The names of the features, where the flow is of vectors and its training data named them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// A flow with the file that declares it, as loaded from disk.
#[derive(Debug)]
pub struct Model<E: Element, D: Device<E>> {
    /// The flow, prepared.
    pub flow: Flow<E, D>,
    /// Its declaration.
    pub file: FlowFile,
    /// The rest of what the model file says.
    pub metadata: ModelMetadata,
    /// Whether the weights are averaged ones.
    pub averaged: bool,
}

impl<E: Element, D: Device<E>> Model<E, D> {
    /// The model file that a path means: itself, or `model.safetensors` in a run's folder.
    pub fn path(path: &Path) -> PathBuf {
        if path.is_dir() { path.join("model.safetensors") } else { path.to_path_buf() }
    }

    /// Loads a model file or a run's folder, with its averaged weights or, if `raw`, as the optimizer left them.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::BadFile`] if it is not a model of this program's.
    pub fn load(path: &Path, device: &D, registry: &Registry<E, D>, raw: bool) -> Result<Self> {
        let path = Self::path(path);
        let (mut tensors, metadata): (_, ModelMetadata) = read_tensors::<E, _>(&path, TensorKind::Model)?;
        let file = FlowFile::parse(metadata.name.clone(), metadata.flow.clone())?;
        let mut flow = Flow::build(&file, registry, &Initializer::blank(device))?;
        let raw_tensors: BTreeMap<_, _> = tensors
            .extract_if(.., |name, _| name.starts_with("raw."))
            .map(|(name, tensor)| (name["raw.".len()..].to_owned(), tensor))
            .collect();
        if raw {
            // Constants and, where nothing was averaged, all weights are under their plain names.
            tensors.extend(raw_tensors);
        }
        flow.fill(device, &path, tensors)?;
        flow.prepare(device).map_err(unusable(&path))?;
        let (named, classes) = (metadata.classes.len(), flow.classes().unwrap_or(0));
        if named > classes {
            return Err(Error::bad_file(path, format!("it names {named} classes, and its flow has {classes}")));
        }
        flow.name_features(&metadata.features);
        Ok(Self { flow, file, averaged: metadata.averaged && !raw, metadata })
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// Every parameter by name, on the host.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn tensors(&self, device: &D) -> Result<BTreeMap<String, HostTensor<E>>> {
        let mut tensors = BTreeMap::new();
        let mut outcome = Ok(());
        self.visit("", &mut |name, parameter| match parameter.to_host(device) {
            Ok(values) => drop(tensors.insert(name.to_owned(), (parameter.shape().to_vec(), values))),
            Err(error) => outcome = Err(error),
        });
        outcome.map(|()| tensors)
    }

    /// The trained parameters' names with buffers kept beside them.
    pub(crate) fn tensors_beside(
        &self,
        device: &D,
        beside: &ParameterGradients<E, D>,
    ) -> Result<BTreeMap<String, HostTensor<E>>> {
        let mut tensors = BTreeMap::new();
        let mut outcome = Ok(());
        self.visit("", &mut |name, parameter| {
            if let Some(buffer) = beside.get(parameter.id()) {
                match device.download(buffer) {
                    Ok(values) => drop(tensors.insert(name.to_owned(), (parameter.shape().to_vec(), values))),
                    Err(error) => outcome = Err(error),
                }
            }
        });
        outcome.map(|()| tensors)
    }

    /// Sets every parameter from tensors by name; the file is for messages.
    ///
    /// # Errors
    /// [`Error::BadFile`] if a tensor is missing, left over, of another shape or not finite.
    pub(crate) fn fill(&mut self, device: &D, path: &Path, mut tensors: BTreeMap<String, HostTensor<E>>) -> Result<()> {
        let mut outcome = Ok(());
        self.visit_mut("", &mut |name, parameter| {
            let tensor = tensors.remove(name);
            if outcome.is_ok() {
                outcome = take(path, name, parameter.shape().to_vec(), tensor)
                    .and_then(|values| parameter.set(device, &values));
            }
        });
        outcome?;
        match tensors.keys().next() {
            Some(name) => Err(Error::bad_file(path, format!("tensor `{name}` belongs to no layer of its flow"))),
            None => Ok(()),
        }
    }

    /// Sets buffers beside the trained parameters from tensors by name.
    pub(crate) fn fill_beside(
        &self,
        device: &D,
        path: &Path,
        beside: &mut ParameterGradients<E, D>,
        mut tensors: BTreeMap<String, HostTensor<E>>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        self.visit("", &mut |name, parameter| {
            let Some(buffer) = beside.get_mut(parameter.id()) else { return };
            let tensor = tensors.remove(name);
            if outcome.is_ok() {
                outcome = take(path, name, parameter.shape().to_vec(), tensor)
                    .and_then(|values| device.upload(&values))
                    .map(|values| *buffer = values);
            }
        });
        outcome
    }

    /// Writes a model file. With `averages`, plain names hold them and `raw.` names the flow's own weights. `classes` are
    /// the names of the data's classes, kept where the flow has classes.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; what was there before is then still there.
    pub fn save(
        &self,
        device: &D,
        path: &Path,
        file: &FlowFile,
        step: u64,
        averages: Option<&ParameterGradients<E, D>>,
        classes: &[String],
    ) -> Result<()> {
        let mut tensors = self.tensors(device)?;
        if let Some(averages) = averages {
            for (name, average) in self.tensors_beside(device, averages)? {
                if let Some(raw) = tensors.insert(name.clone(), average) {
                    tensors.insert(format!("raw.{name}"), raw);
                }
            }
        }
        let metadata = ModelMetadata {
            version: FORMAT_VERSION,
            name: file.name.clone(),
            flow: file.text.clone(),
            step,
            averaged: averages.is_some(),
            classes: classes.iter().take(self.classes().unwrap_or(0)).cloned().collect(),
            features: self.feature_names().to_vec(),
        };
        write_tensors(path, &tensors, &metadata)
    }
}

/// The error of a file whose tensors are of the right shapes, and whose layers cannot be computed with.
pub(crate) fn unusable(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Shape { .. } | Error::Singular { .. } => Error::bad_file(path, error.to_string()),
        other => other,
    }
}

/// The values of the tensor `name` of a file, if they fit.
fn take<E: Element>(path: &Path, name: &str, shape: Vec<usize>, tensor: Option<HostTensor<E>>) -> Result<Vec<E>> {
    let bad = |reason: String| Error::bad_file(path, format!("tensor `{name}` {reason}"));
    let (found, values) = tensor.ok_or_else(|| bad("is missing".into()))?;
    if found != shape {
        return Err(bad(format!("has shape {found:?}; its flow has {shape:?}")));
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(i) => Err(bad(format!("holds {} at position {i}", values[i]))),
        None => Ok(values),
    }
}
