//! `metrics.jsonl`: one record a line, and nothing in it that depends on the clock.

use super::Evaluation;
use crate::bijector::{Health, larger};
use crate::flow::{LayerHealth, Loss, TrainingLoss, null_as_nan};
use crate::{Error, Result, files};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Counted from 1.
    pub step: u64,
    /// Passes over the training data so far.
    pub epoch: f64,
    /// Mean over the batch, before this step's update.
    #[serde(flatten, with = "TrainingLoss")]
    pub train: Loss,
    /// The classifier's cross-entropy in bits per image, if there is a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_entropy_bits: Option<f64>,
    /// L2 norm over all parameters, before clipping.
    #[serde(deserialize_with = "null_as_nan")]
    pub gradient_norm: f64,
    /// Of this step.
    pub learning_rate: f64,
    /// The largest relative difference between an image rebuilt by inversion and the true one; 0 with `memory: Store`.
    #[serde(deserialize_with = "null_as_nan")]
    pub drift: f64,
    /// Whether the drift was past its bound and the gradient was computed again from stored activations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stored: bool,
    /// Whether the gradient was not finite and the update was left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
}

/// An evaluation during training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationRecord {
    /// After this step.
    pub step: u64,
    /// Passes over the training data so far.
    pub epoch: f64,
    /// The result.
    pub evaluation: Evaluation,
    /// At the end of a run whose weights are averaged, the same of the weights as the optimizer left them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Evaluation>,
}

/// The health of a flow's layers during training, on a few images: the worst of each figure, and of the layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthRecord {
    /// After this step.
    pub step: u64,
    /// Passes over the training data so far.
    pub epoch: f64,
    /// The path of the layer that is nearest to its bound.
    pub layer: String,
    /// Its figure over its bound.
    #[serde(deserialize_with = "null_as_nan")]
    pub strain: f64,
    /// Its figure, in words.
    pub cause: String,
    /// The largest condition number of any W; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<f64>,
    /// The largest condition number of any layer's Jacobian, for couplings a brief estimate from below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jacobian_condition: Option<f64>,
    /// The smallest and the largest scale of any actnorm; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scales: Option<(f64, f64)>,
    /// The largest `|ln scale|` of any coupling or prior; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_scale: Option<f64>,
    /// The largest error of any layer's own round trip.
    #[serde(deserialize_with = "null_as_nan")]
    pub round_trip: f64,
}

impl HealthRecord {
    /// The record of a flow's layers; none of no layers.
    pub fn of(step: u64, epoch: f64, layers: &[LayerHealth]) -> Option<Self> {
        let worst = LayerHealth::worst(layers.iter().cloned())?;
        let health = layers.iter().fold(Health::default(), |all, layer| all.and(layer.health));
        let finite = |value: &f64| value.is_finite();
        Some(Self {
            step,
            epoch,
            layer: worst.path,
            strain: worst.strain.ratio,
            cause: worst.strain.cause,
            condition: health.condition.filter(finite),
            jacobian_condition: health.jacobian_condition.filter(finite),
            scales: health.scales.filter(|(smallest, largest)| smallest.is_finite() && largest.is_finite()),
            log_scale: health.log_scale.filter(finite),
            round_trip: layers.iter().fold(0.0, |worst, layer| larger(layer.round_trip, worst)),
        })
    }
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Record {
    /// A training step.
    Step(StepRecord),
    /// An evaluation on held-out images.
    Validation(ValidationRecord),
    /// The health of the layers.
    Health(HealthRecord),
    /// An evaluation on test images along the way.
    Interim(ValidationRecord),
    /// The evaluation on the test set at the end.
    Test(ValidationRecord),
}

impl Record {
    fn step(&self) -> u64 {
        match self {
            Self::Step(record) => record.step,
            Self::Health(record) => record.step,
            Self::Validation(record) | Self::Interim(record) | Self::Test(record) => record.step,
        }
    }
}

/// The metrics of a run, appended line by line.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens a run's metrics to go on after `step`: what later steps or an earlier end have written is dropped.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written, [`Error::BadFile`] if it is not one of metrics.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        let kept = if path.exists() { read_lines(path)? } else { Vec::new() };
        let goes_on = |record: &Record| record.step() <= step && !matches!(record, Record::Test(_));
        let text: String = kept.into_iter().filter(|(record, _)| goes_on(record)).map(|(_, line)| line).collect();
        files::write_atomically(path, text.as_bytes())?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        self.file.write_all(line(record)?.as_bytes()).map_err(Error::io(&self.path))
    }

    /// Waits until the records are on the disk.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }
}

/// A record as a line of JSON; what is not finite becomes null.
pub(super) fn line(record: &impl Serialize) -> Result<String> {
    serde_json::to_string(record)
        .map(|text| text + "\n")
        .map_err(|error| Error::Device(format!("a record cannot be written: {error}")))
}

/// Reads a run's metrics. A last line that was cut off is left out.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::BadFile`] with the line that is no record.
pub fn read_metrics(path: &Path) -> Result<Vec<Record>> {
    Ok(read_lines(path)?.into_iter().map(|(record, _)| record).collect())
}

/// Records with the lines they stand on. A last line that was cut off is left out.
pub(super) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<(T, String)>> {
    let text = files::read_text(path)?;
    let mut records = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        match serde_json::from_str(line) {
            Ok(record) => records.push((record, line.to_owned())),
            Err(_) if !line.ends_with('\n') => break,
            Err(error) => return Err(Error::bad_file(path, format!("line {}: {error}", number + 1))),
        }
    }
    Ok(records)
}
