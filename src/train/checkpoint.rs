//! Checkpoints: the whole state of a run, to go on from exactly.

use super::{Average, DataIdentity, OptimizerState};
use crate::backend::{Device, Element};
use crate::data::Portion;
use crate::flow::{Flow, FlowFile, TensorKind, read_tensors, unusable, write_tensors};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// More steps than any run makes: beyond it, images could not be numbered.
const MOST_STEPS: u64 = 1 << 40;

/// What a checkpoint says beside its tensors. Tensors are the model's names after `raw.` (weights), `first.` and
/// `second.` (the optimizer's moments), `average.` and `rest.` (what rounding took from the average).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Of the format.
    pub version: u32,
    /// The name of the flow file.
    pub name: String,
    /// The whole flow file.
    pub flow: String,
    /// Steps done.
    pub step: u64,
    /// Updates made: steps whose gradient was finite.
    pub updates: u64,
    /// The best validation bits/dim so far, and its step.
    pub best: Option<(f64, u64)>,
    /// The data it learns from; not in files of version 1.
    #[serde(default)]
    pub data: Option<DataIdentity>,
    /// Which images are held out, and which test images evaluated along the way. Checkpoints of version 0.1.0 do not say.
    #[serde(default = "Portion::of_version_1")]
    pub portion: Portion,
}

impl Checkpoint {
    /// Writes a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if it cannot be written; the one before is then still there.
    pub fn save<E: Element, D: Device<E>>(
        &self,
        path: &Path,
        device: &D,
        flow: &Flow<E, D>,
        optimizer: &OptimizerState<E, D>,
        average: Option<&Average<E, D>>,
    ) -> Result<()> {
        let beside = |buffers| flow.tensors_beside(device, buffers);
        let mut parts = vec![
            ("raw", flow.tensors(device)?),
            ("first", beside(&optimizer.first)?),
            ("second", beside(&optimizer.second)?),
        ];
        if let Some(average) = average {
            parts.push(("average", beside(&average.mean)?));
            parts.push(("rest", beside(&average.rest)?));
        }
        let tensors = parts
            .into_iter()
            .flat_map(|(part, tensors)| {
                tensors.into_iter().map(move |(name, tensor)| (format!("{part}.{name}"), tensor))
            })
            .collect();
        write_tensors(path, &tensors, self)
    }

    /// Reads what a checkpoint says, and its flow file.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) and [`Error::BadFile`](crate::Error::BadFile) if it is not a checkpoint.
    pub fn read<E: Element>(path: &Path) -> Result<(Self, FlowFile, CheckpointTensors<E>)> {
        let (tensors, checkpoint): (_, Self) = read_tensors::<E, _>(path, TensorKind::Checkpoint)?;
        if checkpoint.step > MOST_STEPS || checkpoint.updates > checkpoint.step {
            let Self { step, updates, .. } = checkpoint;
            let reason = format!("says {updates} updates in {step} steps, which no run has made");
            return Err(Error::bad_file(path, reason));
        }
        let file = FlowFile::parse(checkpoint.name.clone(), checkpoint.flow.clone())?;
        Ok((checkpoint, file, CheckpointTensors(tensors)))
    }
}

/// The tensors of a checkpoint, to be put back.
#[derive(Debug)]
pub struct CheckpointTensors<E>(BTreeMap<String, (Vec<usize>, Vec<E>)>);

impl<E: Element> CheckpointTensors<E> {
    fn part(&mut self, part: &str) -> BTreeMap<String, (Vec<usize>, Vec<E>)> {
        let prefix = format!("{part}.");
        let taken: Vec<_> = self.0.extract_if(.., |name, _| name.starts_with(&prefix)).collect();
        taken.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect()
    }

    /// Puts everything back where it was; the path is for messages.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile) if a tensor is missing or does not fit.
    pub fn restore<D: Device<E>>(
        mut self,
        path: &Path,
        device: &D,
        flow: &mut Flow<E, D>,
        optimizer: &mut OptimizerState<E, D>,
        average: Option<&mut Average<E, D>>,
    ) -> Result<()> {
        flow.fill(device, path, self.part("raw"))?;
        flow.fill_beside(device, path, &mut optimizer.first, self.part("first"))?;
        flow.fill_beside(device, path, &mut optimizer.second, self.part("second"))?;
        if let Some(average) = average {
            flow.fill_beside(device, path, &mut average.mean, self.part("average"))?;
            let rest = self.part("rest");
            // Version 0.1.0 kept none: it begins at 0.
            if !rest.is_empty() {
                flow.fill_beside(device, path, &mut average.rest, rest)?;
            }
        }
        flow.prepare(device).map_err(unusable(path))
    }
}
