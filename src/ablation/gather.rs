//! What the runs of a grid left, by variant and over seeds.

use super::grid::{Grid, Status};
use super::plan::{Plan, Run};
use super::statistics::Mean;
use crate::Result;
use crate::train::{Evaluation, Record, StepTimes, read_metrics, read_timing};

/// An evaluation on test images along the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// After this step.
    pub step: u64,
    /// Passes over the training data.
    pub epoch: f64,
    /// Of the test images that are evaluated along the way.
    pub loss: f64,
}

/// What one run left.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Which variant.
    pub variant: usize,
    /// Its seed.
    pub seed: u64,
    /// What has become of it.
    pub status: Status,
    /// Test bits/dim along the way.
    pub curve: Vec<Point>,
    /// How the test images of these were taken, as [`Evaluation::taken`] says.
    pub taken: Option<String>,
    /// The evaluation at the end, on all test images.
    pub test: Option<Evaluation>,
    /// Steps made.
    pub steps: u64,
    /// Passes over the training data.
    pub epochs: f64,
    /// The largest drift of a step.
    pub drift: f64,
    /// Steps computed again from stored activations.
    pub stored: usize,
    /// Updates left out because the gradient was not finite.
    pub skipped: usize,
    /// How long its steps took.
    pub times: StepTimes,
}

/// What all runs left.
#[derive(Clone, Debug)]
pub struct Results {
    /// The runs, in the order of variants and then of seeds.
    pub runs: Vec<Gathered>,
}

/// Reads what the runs have left so far.
///
/// # Errors
/// [`crate::Error::Io`] and [`crate::Error::BadFile`] if their files cannot be read.
pub fn gather(plan: &Plan, grid: &Grid) -> Result<Results> {
    let mut runs = plan.runs.iter().map(|run| of_run(grid, run)).collect::<Result<Vec<_>>>()?;
    // Sorting is stable: seeds stay in the order of the file.
    runs.sort_by_key(|run| run.variant);
    Ok(Results { runs })
}

fn of_run(grid: &Grid, run: &Run) -> Result<Gathered> {
    let folder = grid.run(run);
    let metrics = folder.join("metrics.jsonl");
    let mut gathered = Gathered {
        variant: run.variant,
        seed: run.seed,
        status: grid.status(run)?,
        curve: Vec::new(),
        taken: None,
        test: None,
        steps: 0,
        epochs: 0.0,
        drift: 0.0,
        stored: 0,
        skipped: 0,
        times: read_timing(&folder)?,
    };
    for record in if metrics.exists() { read_metrics(&metrics)? } else { Vec::new() } {
        match record {
            Record::Step(step) => {
                (gathered.steps, gathered.epochs) = (step.step, step.epoch);
                gathered.drift = if step.drift.is_nan() { f64::NAN } else { gathered.drift.max(step.drift) };
                gathered.stored += usize::from(step.stored);
                gathered.skipped += usize::from(step.skipped);
            }
            Record::Interim(r) => {
                gathered.curve.push(Point { step: r.step, epoch: r.epoch, loss: r.evaluation.loss.value() });
                gathered.taken = r.evaluation.taken;
            }
            Record::Test(record) => gathered.test = Some(record.evaluation),
            Record::Validation(_) | Record::Health(_) => {}
        }
    }
    Ok(gathered)
}

impl Gathered {
    /// Bits/dim of all test images at the end of a finished run.
    pub fn final_bits_per_dim(&self) -> Option<f64> {
        let finished = self.status == Status::Finished;
        self.test.as_ref().filter(|_| finished).map(|test| test.loss.value())
    }
}

impl Results {
    /// The runs of a variant.
    pub fn of(&self, variant: usize) -> impl Iterator<Item = &Gathered> {
        self.runs.iter().filter(move |run| run.variant == variant)
    }

    /// The mean over a variant's seeds of what its finished runs have.
    pub fn mean(&self, variant: usize, of: impl Fn(&Gathered) -> Option<f64>) -> Option<Mean> {
        let finished = self.of(variant).filter(|run| run.status == Status::Finished);
        Mean::of(&finished.filter_map(of).collect::<Vec<_>>())
    }

    /// Final test bits/dim over a variant's seeds.
    pub fn test(&self, variant: usize) -> Option<Mean> {
        self.mean(variant, Gathered::final_bits_per_dim)
    }

    /// Final test bits/dim of one run.
    pub fn final_of(&self, variant: usize, seed: u64) -> Option<f64> {
        self.of(variant).find(|run| run.seed == seed)?.final_bits_per_dim()
    }
}
