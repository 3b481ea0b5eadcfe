//! One run of a grid in a process of its own, so that a run that fails, or takes all memory, takes no other along.
//!
//! The grid's process starts `flowstone run-of-grid`, which trains and writes lines of JSON to stdout: how far it is, and
//! at the end why it failed if it did. It ends when the grid's process does, which it learns from the end of stdin.

use super::common::{DeviceArgs, ReadingArgs, on_device};
use crate::Result;
use crate::ablation::{Grid, Run, Work, Worker};
use crate::backend::{Device, Element};
use crate::data::Portion;
use crate::flow::{FlowFile, Loss, Registry};
use crate::train::{Event, RunFolder, Start, Trainer, open_data_as};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Train one run of a grid
#[derive(Debug, clap::Args)]
pub struct Args {
    flow: String,
    folder: PathBuf,
    #[arg(long)]
    resume: bool,
    #[arg(long)]
    allow_other_data: bool,
    /// Of a grid that version 0.1.0 began
    #[arg(long)]
    ends: bool,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

/// A line to the grid's process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Steps { done: f64, loss: Loss },
    Failed(String),
}

/// Between lines about steps.
const EVERY: Duration = Duration::from_millis(500);

/// The process of a run.
pub fn run(args: &Args) -> Result<()> {
    std::thread::spawn(|| {
        // Nothing is ever written to it: it ends when the process that started this one does.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(1);
    });
    let train = || on_device!(args.device.open()?, device => train::<f32, _>(args, &device));
    train().inspect_err(|error| say(&Line::Failed(error.to_string())))
}

fn train<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let (file, registry) = (FlowFile::read(&args.flow)?, Registry::default());
    let data = open_data_as(&file, None, args.reading.skip_unreadable)?;
    let (folder, start) = match args.resume {
        true if args.allow_other_data => (RunFolder::open(&args.folder)?, Start::ResumeOnOtherData),
        true => (RunFolder::open(&args.folder)?, Start::Resume),
        false => (RunFolder::create(Some(&args.folder), "")?, Start::Fresh),
    };
    let (mut total, mut last) = (1, Instant::now());
    let mut watch = |event: Event| match event {
        Event::Started { steps: (_, of), .. } => total = of,
        Event::Step { record, .. } if last.elapsed() >= EVERY => {
            let done = record.step as f64 / total as f64;
            say(&Line::Steps { done, loss: record.train });
            last = Instant::now();
        }
        _ => {}
    };
    let portion = if args.ends { Portion::Ends } else { Portion::Spread };
    Trainer::with_portions(device, &file, &registry, data, folder, start, portion)?.run(&mut watch).map(drop)
}

/// If nobody listens, nothing is lost.
fn say(line: &Line) {
    if let Ok(text) = serde_json::to_string(line) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// Makes each run in a process of its own.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    /// Threads of each.
    pub threads: usize,
    /// Where each computes.
    pub device: DeviceArgs,
    /// Whether runs that were interrupted may go on on other data.
    pub allow_other_data: bool,
    /// How each reads its data.
    pub reading: ReadingArgs,
}

impl Worker for Child {
    fn train(&self, grid: &Grid, run: &Run, resumes: bool, watch: &dyn Fn(Work)) -> std::result::Result<(), String> {
        let folder = grid.run(run);
        let started = |error: std::io::Error| format!("its process could not be started: {error}");
        let program = std::env::current_exe().map_err(started)?;
        let mut command = Command::new(program);
        command.args(["--threads", &self.threads.to_string(), "--workers", &grid.workers().to_string()]);
        command.arg("run-of-grid").args([grid.flow(run), folder]).args(self.device.arguments());
        command.args(self.reading.arguments());
        if resumes {
            command.arg("--resume");
            command.args(self.allow_other_data.then_some("--allow-other-data"));
        }
        if grid.portion() == Portion::Ends {
            command.arg("--ends");
        }
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().map_err(started)?;
        let stderr = child.stderr.take();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.map(|mut stderr| stderr.read_to_string(&mut text));
            text
        });
        let mut reason = None;
        for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
            match line.ok().and_then(|line| serde_json::from_str(&line).ok()) {
                Some(Line::Steps { done, loss }) => watch(Work::Steps { run, done, loss }),
                Some(Line::Failed(why)) => reason = Some(why),
                None => {}
            }
        }
        let status = child.wait().map_err(|error| error.to_string())?;
        let said = errors.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim()));
        Err(reason.unwrap_or_else(|| format!("its process ended with {status}{}", last.unwrap_or_default())))
    }
}
