//! Working through a grid, several runs at a time.

use super::grid::{Grid, Status};
use super::plan::{Plan, Run};
use crate::flow::Loss;
use crate::{Error, Result};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What makes the runs of a grid: a process for each, or this one.
pub trait Worker: Sync {
    /// Trains a run in its folder, from its checkpoint if `resumes`; `watch` may be told how it goes.
    ///
    /// # Errors
    /// The reason why the run failed, in one line.
    fn train(&self, grid: &Grid, run: &Run, resumes: bool, watch: &dyn Fn(Work)) -> std::result::Result<(), String>;
}

/// What happens in a grid, for whoever watches.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// A run begins or goes on.
    Begins {
        /// Which.
        run: &'a Run,
        /// Whether it goes on from a checkpoint.
        resumes: bool,
    },
    /// A run has made steps.
    Steps {
        /// Which.
        run: &'a Run,
        /// Share of its training that is done, from 0 to 1.
        done: f64,
        /// Mean of the last batch.
        loss: Loss,
    },
    /// A run ended.
    Ends {
        /// Which.
        run: &'a Run,
        /// Its final test loss, or why it failed.
        outcome: std::result::Result<Loss, &'a str>,
        /// How long this process took for it.
        took: Duration,
    },
}

/// Makes every run that is not finished, `jobs` at a time, in the order of the plan. A run that fails is marked with its
/// reason, and the others go on; one that failed earlier is tried again only if `again`.
///
/// # Errors
/// [`Error::Io`] if the grid's folder cannot be read or written.
pub fn work(
    plan: &Plan,
    grid: &Grid,
    worker: &dyn Worker,
    (jobs, again): (usize, bool),
    watch: &(dyn Fn(Work) + Sync),
) -> Result<()> {
    let mut waiting = VecDeque::new();
    for run in &plan.runs {
        match grid.status(run)? {
            Status::Finished => {}
            Status::Failed(_) if !again => {}
            Status::Interrupted => waiting.push_back((run, true)),
            Status::Waiting | Status::Failed(_) => waiting.push_back((run, false)),
        }
    }
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.pop_front());
    let take = || -> Result<()> {
        while let Some((run, resumes)) = next() {
            let begin = Instant::now();
            watch(Work::Begins { run, resumes });
            grid.wait_for(run)?;
            if !resumes {
                grid.clear(run)?;
            }
            let trained = worker.train(grid, run, resumes, &watch);
            let outcome = match &trained {
                Ok(()) => grid.test(run)?.ok_or("it left no evaluation on the test set"),
                Err(reason) => Err(reason.as_str()),
            };
            if let Err(reason) = outcome {
                grid.fail(run, reason)?;
            }
            watch(Work::Ends { run, outcome, took: begin.elapsed() });
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let takers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(take)).collect();
        let died = |_| Err(Error::Device("a thread that worked on the grid died".into()));
        takers.into_iter().try_for_each(|taker| taker.join().unwrap_or_else(died))
    })
}
