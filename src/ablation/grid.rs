//! A grid on disk, and what becomes of its runs.
//!
//! ```text
//! OUT/ablation.ron     the ablation file
//!     grid.json        what its runs have in common
//!     flows/NAME.ron   the whole flow and recipe of every run
//!     runs/NAME/       a run's folder, as `train` leaves it; `failed.json` with the reason where it failed
//!     report/          what is read
//! ```

use super::plan::{Plan, Run};
use crate::data::Portion;
use crate::files::{self, write_atomically};
use crate::flow::Loss;
use crate::train::{DataIdentity, Record, RunFolder, read_metrics};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For a process that was killed to let go of its run's folder.
const PATIENCE: Duration = Duration::from_secs(20);

/// What has become of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not begun, or killed before its first checkpoint.
    Waiting,
    /// Killed after a checkpoint: it goes on from there.
    Interrupted,
    /// Done.
    Finished,
    /// It failed, for this reason.
    Failed(String),
}

/// What the runs of a grid have in common, as `grid.json` keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Common {
    /// Shares that batches are divided into.
    workers: usize,
    /// The data of its first run; not in grids of version 0.1.0.
    #[serde(default)]
    data: Option<DataIdentity>,
    /// Every machine that was at work on it.
    #[serde(default)]
    machines: Vec<String>,
    /// Which images its runs hold out, and which test images they evaluate along the way.
    #[serde(default = "Portion::of_version_1")]
    portion: Portion,
}

/// How a grid is to be worked through.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Shares to divide batches into; a grid that was begun keeps its own.
    pub workers: usize,
    /// The data of its first run.
    pub data: Option<DataIdentity>,
    /// What computes, in words.
    pub machine: String,
    /// Whether a grid may go on with other data than it was begun with.
    pub allow_other_data: bool,
    /// Whether it may go on on another device.
    pub allow_other_device: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    reason: String,
}

/// The folder of a grid, held by one process at a time.
#[derive(Debug)]
pub struct Grid {
    path: PathBuf,
    common: Common,
    _lock: File,
}

impl Grid {
    /// Makes a grid's folder, or goes on with the one that is there. Batches are divided into as many shares as it was begun
    /// with, so that its runs stay comparable.
    ///
    /// # Errors
    /// [`Error::Usage`] if the folder holds another grid, another process is at work in it, or it was begun with other data
    /// or on another device and that is not allowed.
    pub fn open(path: &Path, plan: &Plan, conditions: Conditions) -> Result<Self> {
        for folder in ["flows", "runs", "report"] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
        let lock_path = path.join(".lock");
        let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Usage(format!("another process runs the grid in {}", path.display())),
            TryLockError::Error(error) => Error::io(&lock_path)(error),
        })?;
        let common_path = path.join("grid.json");
        let Conditions { workers, data, machine, .. } = conditions.clone();
        let mut common = Common { workers, data, machines: vec![machine], portion: Portion::Spread };
        if common_path.exists() {
            let began: Common = read_json(&common_path)?;
            expect_same(path, plan)?;
            common = began.going_on(path, &conditions)?;
            write_atomically(&common_path, &json(&common)?)?;
        } else {
            for run in &plan.runs {
                write_atomically(flow_path(path, run), run.file.text.as_bytes())?;
            }
            write_atomically(path.join("ablation.ron"), plan.text.as_bytes())?;
            write_atomically(&common_path, &json(&common)?)?;
        }
        Ok(Self { path: path.to_path_buf(), common, _lock: lock })
    }

    /// Every machine that was at work on it, in words.
    pub fn machines(&self) -> String {
        self.common.machines.join(" and ")
    }

    /// The shares that batches are divided into.
    pub fn workers(&self) -> usize {
        self.common.workers
    }

    /// Which images its runs hold out, and which test images they evaluate along the way: all of them alike.
    pub fn portion(&self) -> Portion {
        self.common.portion
    }

    /// The folder of the report.
    pub fn report(&self) -> PathBuf {
        self.path.join("report")
    }

    /// The flow file of a run.
    pub fn flow(&self, run: &Run) -> PathBuf {
        flow_path(&self.path, run)
    }

    /// The folder of a run.
    pub fn run(&self, run: &Run) -> PathBuf {
        self.path.join("runs").join(&run.name)
    }

    /// What has become of a run.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::BadFile`] if its files cannot be read.
    pub fn status(&self, run: &Run) -> Result<Status> {
        let folder = self.run(run);
        let failed = folder.join("failed.json");
        if failed.exists() {
            return Ok(Status::Failed(read_json::<Failure>(&failed)?.reason));
        }
        if self.test(run)?.is_some() {
            return Ok(Status::Finished);
        }
        let started = folder.join("checkpoint.safetensors").exists();
        Ok(if started { Status::Interrupted } else { Status::Waiting })
    }

    /// The final test loss of a run that is done: it writes this record when all else is written.
    ///
    /// # Errors
    /// As [`Grid::status`].
    pub fn test(&self, run: &Run) -> Result<Option<Loss>> {
        let metrics = self.run(run).join("metrics.jsonl");
        let records = if metrics.exists() { read_metrics(&metrics)? } else { Vec::new() };
        let of = |record: &Record| if let Record::Test(test) = record { Some(test.evaluation.loss) } else { None };
        Ok(records.iter().find_map(of))
    }

    /// Waits until no other process trains in a run's folder: one whose grid was killed needs a moment to notice.
    ///
    /// # Errors
    /// [`Error::Usage`] if it does not end in time, [`Error::Io`] if the folder cannot be written.
    pub fn wait_for(&self, run: &Run) -> Result<()> {
        let (folder, begin) = (self.run(run), Instant::now());
        while folder.exists() {
            match RunFolder::open(&folder) {
                Err(Error::Usage(_)) if begin.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(50)),
                other => return other.map(drop),
            }
        }
        Ok(())
    }

    /// Marks a run as failed.
    ///
    /// # Errors
    /// [`Error::Io`] if that cannot be written.
    pub fn fail(&self, run: &Run, reason: &str) -> Result<()> {
        let folder = self.run(run);
        fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        write_atomically(folder.join("failed.json"), &json(&Failure { reason: reason.to_owned() })?)
    }

    /// Removes all that a run has left, so that it starts over.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be removed.
    pub fn clear(&self, run: &Run) -> Result<()> {
        let folder = self.run(run);
        if folder.exists() { fs::remove_dir_all(&folder).map_err(Error::io(&folder)) } else { Ok(()) }
    }
}

impl Common {
    /// A grid that was begun with this, as it goes on.
    fn going_on(mut self, path: &Path, conditions: &Conditions) -> Result<Self> {
        if let (Some(began), Some(found), false) = (&self.data, &conditions.data, conditions.allow_other_data) {
            began.expect(found, &format!("the grid in {}", path.display()))?;
        }
        if conditions.allow_other_data || self.data.is_none() {
            self.data.clone_from(&conditions.data);
        }
        if !self.machines.contains(&conditions.machine) {
            if !self.machines.is_empty() && !conditions.allow_other_device {
                let (shown, began, here) = (path.display(), self.machines.join(" and "), &conditions.machine);
                return Err(Error::Usage(format!(
                    "the grid in {shown} began on {began}, and this is {here}: times would be of two machines, and runs of \
                     other last digits. Go on there, choose another --out, or go on here by `--allow-other-device`"
                )));
            }
            self.machines.push(conditions.machine.clone());
        }
        Ok(self)
    }
}

fn flow_path(path: &Path, run: &Run) -> PathBuf {
    path.join("flows").join(format!("{}.ron", run.name))
}

fn expect_same(path: &Path, plan: &Plan) -> Result<()> {
    let differs = |run: &&Run| fs::read_to_string(flow_path(path, run)).ok().as_deref() != Some(&run.file.text);
    let shown = path.display();
    if let Some(run) = plan.runs.iter().find(differs) {
        let message = format!("{shown} holds another grid: its run {} is not the same; choose another --out", run.name);
        return Err(Error::Usage(message));
    }
    let flows = path.join("flows");
    let count = fs::read_dir(&flows).map_err(Error::io(&flows))?.count();
    if count != plan.runs.len() {
        let message = format!("{shown} holds another grid, of {count} runs; choose another --out");
        return Err(Error::Usage(message));
    }
    Ok(())
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::Device(error.to_string()))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = files::read(path)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::bad_file(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_of_version_1_keeps_the_images_that_its_runs_were_begun_with() {
        let portion = |text: &str| serde_json::from_str::<Common>(text).unwrap().portion;
        assert_eq!(portion("{\"workers\": 2}"), Portion::Ends);
        let new = json(&Common { workers: 2, data: None, machines: vec![], portion: Portion::Spread }).unwrap();
        assert_eq!(portion(&String::from_utf8(new).unwrap()), Portion::Spread);
    }
}
