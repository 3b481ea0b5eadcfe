//! `timing.jsonl`: what of a run depends on the clock and the machine, one line a step.

use super::metrics::{line, read_lines};
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

const NAME: &str = "timing.jsonl";

/// A line of `timing.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Counted from 1. A run that goes on from a checkpoint has the steps after it twice: the later line counts.
    pub step: u64,
    /// Seconds of training steps since this process began the run or went on with it; evaluations and saving are not
    /// among them.
    pub seconds: f64,
    /// Training images per second since then.
    pub images_per_second: f64,
    /// The largest resident memory of the process (data, weights, optimizer and activations) while it made steps, since
    /// the last evaluation or saving, in MiB; none where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mib: Option<f64>,
}

impl Timing {
    /// Appends the line to a run's file.
    pub(super) fn append(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        file.write_all(line(self)?.as_bytes()).map_err(Error::io(&path))
    }
}

/// Drops a last line that was cut off, so that the next one stands by itself.
pub(super) fn drop_cut_off_line(folder: &Path) -> Result<()> {
    let path = folder.join(NAME);
    if !path.exists() {
        return Ok(());
    }
    let text = files::read_text(&path)?;
    match text.rfind('\n').map_or(0, |end| end + 1) {
        end if end < text.len() => files::write_atomically(&path, &text.as_bytes()[..end]),
        _ => Ok(()),
    }
}

/// The times of a run's steps, whatever number of processes made them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepTimes {
    seconds: BTreeMap<u64, f64>,
    peak_mib: Option<f64>,
}

impl StepTimes {
    /// The seconds of all steps up to each one.
    pub fn seconds_so_far(&self) -> BTreeMap<u64, f64> {
        let mut total = 0.0;
        let so_far = |(&step, seconds): (&u64, &f64)| {
            total += seconds;
            (step, total)
        };
        self.seconds.iter().map(so_far).collect()
    }

    /// Seconds of the steps up to this one.
    pub fn seconds_to(&self, step: u64) -> f64 {
        self.seconds.range(..=step).map(|(_, seconds)| seconds).sum()
    }

    /// The median over steps, in seconds; `None` without steps.
    pub fn median(&self) -> Option<f64> {
        let mut sorted: Vec<f64> = self.seconds.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }

    /// The largest resident memory while making steps, in MiB.
    pub fn peak_mib(&self) -> Option<f64> {
        self.peak_mib
    }
}

/// Reads a run's times; none where it has no file of them. A last line that was cut off is left out.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::BadFile`] with the line that is none of times.
pub fn read_timing(folder: &Path) -> Result<StepTimes> {
    let path = folder.join(NAME);
    if !path.exists() {
        return Ok(StepTimes::default());
    }
    Ok(times(read_lines(&path)?.into_iter().map(|(timing, _)| timing)))
}

fn times(lines: impl Iterator<Item = Timing>) -> StepTimes {
    let (mut times, mut previous) = (StepTimes::default(), None);
    for line in lines {
        // The clock of a process starts at 0 with its first step.
        let before = match previous {
            Some(Timing { step, seconds, .. }) if step.checked_add(1) == Some(line.step) && seconds <= line.seconds => {
                seconds
            }
            _ => 0.0,
        };
        times.seconds.insert(line.step, line.seconds - before);
        times.peak_mib = [times.peak_mib, line.peak_mib].into_iter().flatten().reduce(f64::max);
        previous = Some(line);
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_made_again_count_once() {
        let line = |step, seconds, peak_mib| Timing { step, seconds, images_per_second: 0.0, peak_mib };
        let lines = [
            line(1, 1.0, Some(5.0)),
            line(2, 3.0, None),
            line(3, 9.0, Some(7.0)),
            line(2, 0.5, None),
            line(3, 1.5, Some(6.0)),
            line(4, 2.5, None),
        ];
        let times = times(lines.into_iter());
        assert_eq!([0, 1, 2, 4, 9].map(|step| times.seconds_to(step)), [0.0, 1.0, 1.5, 3.5, 3.5]);
        assert_eq!((times.median(), times.peak_mib()), (Some(1.0), Some(7.0)));
        assert_eq!(StepTimes::default().median(), None);
    }
}
