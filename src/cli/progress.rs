//! What `train` shows while it works: a bar on a terminal, plain lines elsewhere. Both on stderr.

use super::common::{grouped, tell};
use crate::train::{Event, StepRecord};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// Seconds between plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Shows the events of a run.
pub struct Progress {
    quiet: bool,
    folder: String,
    bar: Option<ProgressBar>,
    total: u64,
    /// Updates left out so far.
    skipped: u64,
    last_line: Option<Instant>,
}

/// What to do about a flow that its training drives out of bounds.
pub const CALM: &str = "lower `learning_rate`, lengthen `warmup` or set `clip_gradient_norm`";

impl Progress {
    pub fn new(quiet: bool, folder: &Path) -> Self {
        Self { quiet, folder: folder.display().to_string(), bar: None, total: 0, skipped: 0, last_line: None }
    }

    pub fn show(&mut self, event: Event) {
        if self.quiet {
            return;
        }
        match event {
            Event::Started {
                parameters,
                data,
                images: (train, validation, test),
                streamed,
                steps: (done, total),
                rates,
            } => {
                let parameters = grouped(parameters as u64);
                let (train, validation, test) =
                    (grouped(train as u64), grouped(validation as u64), grouped(test as u64));
                tell(&format!(
                    "{parameters} parameters; {data}: {train} images to train on, {validation} to validate, {test} to test"
                ));
                if streamed {
                    tell("the images are read in the background, not held in memory (`loading` in the recipe)");
                }
                tell(&format!("{rates}"));
                tell(&format!("steps {} to {total}, into {}", done + 1, self.folder));
                self.total = total;
                if std::io::stderr().is_terminal() {
                    let bar = ProgressBar::new(total).with_position(done);
                    let style = "{bar:30} {pos}/{len} {msg} {eta} left";
                    if let Ok(style) = ProgressStyle::with_template(style) {
                        bar.set_style(style);
                    }
                    self.bar = Some(bar);
                }
            }
            Event::Step { record, images_per_second } => self.step(record, images_per_second),
            Event::Strained { step, layer } => self.line(&format!(
                "step {step}: warning: {} ({}) is strained: {}, {:.1} times its bound; inverting it loses digits. \
                 What helps: {CALM}",
                layer.path, layer.kind, layer.strain.cause, layer.strain.ratio
            )),
            Event::Drifted { step, drift, bound, steps, layer } => {
                let many = if steps > 1 { format!(", as at {} steps before", steps - 1) } else { String::new() };
                self.line(&format!(
                    "step {step}: warning: images do not come back by inversion (drift {drift:.1e}, bound {bound:.1e}){many}; \
                     worst is {} ({}): {}. The gradient was computed again from stored activations: right, but slower. If \
                     this goes on, {CALM}",
                    layer.path, layer.kind, layer.strain.cause
                ));
            }
            Event::Tested { step, evaluation } => {
                let (mean, images) = (evaluation.with_error(), evaluation.images_in_words());
                self.line(&format!("step {step}: test {mean} ({images}; ± s.e. over {}s)", evaluation.loss.sample()));
            }
            Event::Validated { step, evaluation, best } => {
                let mark = if best { ", the best so far" } else { "" };
                let mean = evaluation.with_error();
                self.line(&format!("step {step}: validation {mean}{mark}"));
            }
        }
    }

    fn step(&mut self, record: &StepRecord, images_per_second: f64) {
        let StepRecord { step, train, drift, skipped, .. } = record;
        if *skipped {
            self.skipped += 1;
            // Of the first, the second, the fourth, …: as of drift.
            if self.skipped.is_power_of_two() {
                let so_far = self.skipped;
                self.line(&format!(
                    "step {step}: warning: the gradient is not finite, and no update was made ({so_far} so far). If this \
                     goes on, {CALM}"
                ));
            }
        }
        let state = format!("{:.3} {}, {images_per_second:.0} {}s/s", train.value(), train.unit(), train.sample());
        if let Some(bar) = &self.bar {
            bar.set_position(*step);
            bar.set_message(state);
            return;
        }
        if *step == self.total || self.last_line.is_none_or(|at| at.elapsed() >= EVERY) {
            tell(&format!("step {step}/{}: {state}, drift {drift:.1e}", self.total));
            self.last_line = Some(Instant::now());
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => tell(text),
        }
    }
}
