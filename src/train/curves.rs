//! Learning curves of runs, from their metrics.

use super::{Record, ValidationRecord, read_metrics, read_timing};
use crate::plot::Series;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Points of a training curve, each a mean over as many steps.
const POINTS: usize = 120;

/// What learning curves are drawn against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XAxis {
    /// Steps of training.
    #[default]
    Step,
    /// Passes over the training data.
    Epoch,
    /// Seconds spent in steps of training, without evaluations, over all processes that trained the run.
    Seconds,
}

impl XAxis {
    /// What is written along the axis.
    pub fn label(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Seconds => "seconds of training",
        }
    }
}

/// A run's learning curves, bits/dim against steps: training (mean over windows), validation and test. What a run does
/// not have is left out; `label` is written before `train`, `validation` and `test`.
///
/// # Errors
/// As [`read_metrics`].
pub fn run_series(folder: &Path, label: &str) -> Result<Vec<Series>> {
    let points = Points::read(folder, XAxis::Step)?;
    let window = points.window();
    Ok(points.series(label, window))
}

/// The learning curves of each of several runs, as [`run_series`] without a label. All means are over as many steps, so
/// that a short run does not look noisier than a long one.
///
/// # Errors
/// As [`read_metrics`]; for seconds, [`Error::Io`] and [`Error::BadFile`] where `timing.jsonl` does not say them.
pub fn series_of_runs(folders: &[impl AsRef<Path>], axis: XAxis) -> Result<Vec<Vec<Series>>> {
    let read = |folder: &_| Points::read(AsRef::<Path>::as_ref(folder), axis);
    let runs = folders.iter().map(read).collect::<Result<Vec<_>>>()?;
    let window = runs.iter().map(Points::window).max().unwrap_or(1);
    Ok(runs.into_iter().map(|points| points.series("", window)).collect())
}

/// What a run's losses are told in: `bits/dim` or `nats`.
///
/// # Errors
/// As [`run_series`].
pub fn unit_of_run(folder: &Path) -> Result<&'static str> {
    let path = folder.join("metrics.jsonl");
    let records = if path.exists() { read_metrics(&path)? } else { Vec::new() };
    let unit = |record: &Record| match record {
        Record::Step(at) => Some(at.train.unit()),
        _ => None,
    };
    Ok(records.iter().find_map(unit).unwrap_or("bits/dim"))
}

/// What was logged of a run: places on an axis, and losses.
#[derive(Default)]
struct Points {
    train: Vec<(f64, f64)>,
    validation: Vec<(f64, f64)>,
    interim: Vec<(f64, f64)>,
    test: Vec<(f64, f64)>,
}

impl Points {
    fn read(folder: &Path, axis: XAxis) -> Result<Self> {
        let seconds = if axis == XAxis::Seconds { read_timing(folder)?.seconds_so_far() } else { BTreeMap::new() };
        let place = |step: u64, epoch: f64| match axis {
            XAxis::Step => Ok(step as f64),
            XAxis::Epoch => Ok(epoch),
            XAxis::Seconds => {
                let unknown = || {
                    let timing = folder.join("timing.jsonl");
                    Error::bad_file(timing, format!("it does not say when step {step} was made"))
                };
                seconds.get(&step).copied().ok_or_else(unknown)
            }
        };
        let held_out = |at: &ValidationRecord| Ok::<_, Error>((place(at.step, at.epoch)?, at.evaluation.loss.value()));
        let mut points = Self::default();
        for record in read_metrics(&folder.join("metrics.jsonl"))? {
            match record {
                Record::Step(at) => points.train.push((place(at.step, at.epoch)?, at.train.value())),
                Record::Validation(at) => points.validation.push(held_out(&at)?),
                Record::Interim(at) => points.interim.push(held_out(&at)?),
                Record::Health(_) => {}
                Record::Test(at) => points.test.push(held_out(&at)?),
            }
        }
        Ok(points)
    }

    /// Steps in a point of the training curve.
    fn window(&self) -> usize {
        self.train.len().div_ceil(POINTS).max(1)
    }

    fn series(self, label: &str, window: usize) -> Vec<Series> {
        let mean = |points: &[(f64, f64)]| {
            let n = points.len() as f64;
            (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n)
        };
        let named = |what: &str| if label.is_empty() { what.to_owned() } else { format!("{label} {what}") };
        let all = [
            (named("train"), self.train.chunks(window).map(mean).collect::<Vec<_>>(), true),
            (named("validation"), self.validation, false),
            (named("test"), if self.interim.is_empty() { self.test } else { self.interim }, false),
        ];
        let series = all.into_iter().filter(|(_, points, _)| !points.is_empty());
        series.map(|(label, points, dashed)| Series { label, points, dashed, ..Series::default() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn step(step: u64) -> String {
        format!(
            "{{\"kind\":\"step\",\"step\":{step},\"epoch\":{},\"train_bits_per_dim\":{},\"gradient_norm\":1.0,\
             \"learning_rate\":0.001,\"drift\":0.0}}\n",
            step as f64 / 2.0,
            10.0 / step as f64
        )
    }

    fn time(step: u64, seconds: f64) -> String {
        format!("{{\"step\":{step},\"seconds\":{seconds},\"images_per_second\":1.0}}\n")
    }

    fn run(metrics: &str, timing: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metrics.jsonl"), metrics).unwrap();
        fs::write(folder.path().join("timing.jsonl"), timing).unwrap();
        folder
    }

    #[test]
    fn a_run_without_validation_has_a_training_curve_over_any_axis() {
        let timing = time(1, 2.0) + &time(2, 3.0) + &time(2, 0.5);
        let folder = run(&(step(1) + &step(2)), &timing);
        let points = |axis| series_of_runs(&[folder.path()], axis).unwrap()[0][0].points.clone();
        assert_eq!(run_series(folder.path(), "a").unwrap().len(), 1);
        assert_eq!(points(XAxis::Step), [(1.0, 10.0), (2.0, 5.0)]);
        assert_eq!(points(XAxis::Epoch), [(0.5, 10.0), (1.0, 5.0)]);
        assert_eq!(points(XAxis::Seconds), [(2.0, 10.0), (2.5, 5.0)], "step 2 was made again by a second process");
    }

    #[test]
    fn all_runs_are_averaged_over_as_many_steps() {
        let of = |steps: u64| run(&(1..=steps).map(step).collect::<String>(), "");
        let (long, short) = (of(240), of(5));
        let series = series_of_runs(&[long.path(), short.path()], XAxis::Step).unwrap();
        assert_eq!(
            (series[0][0].points.len(), series[1][0].points.len()),
            (120, 3),
            "two steps a point, the last alone"
        );
        assert_eq!(series[1][0].points[0], (1.5, 7.5));
        assert_eq!(run_series(short.path(), "").unwrap()[0].points.len(), 5);
    }

    #[test]
    fn times_that_are_missing_or_broken_are_one_error() {
        let complaint = |rest| {
            let folder = run(&(step(1) + &step(2)), &(time(1, 2.0) + rest));
            series_of_runs(&[folder.path()], XAxis::Seconds).unwrap_err().to_string()
        };
        assert!(complaint("").contains("when step 2"));
        assert!(complaint("ten\n").contains("line 2"));
        assert!(complaint("{\"ste").contains("when step 2"));
    }
}
