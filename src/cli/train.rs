//! `train FLOW`: trains a flow in a folder of its own, or goes on where a run stopped.

use super::common::{DeviceArgs, ReadingArgs, on_device, open, print, print_json, tell, tell_copies};
use super::numbers;
use super::progress::{CALM, Progress};
use crate::backend::{Device, Element};
use crate::flow::spec::{Length, Memory};
use crate::flow::{FlowFile, Registry, not_finite_words};
use crate::train::{Checkpoint, DataIdentity, Outcome, RunFolder, Start, Trainer, with_features_of_data};
use crate::{Error, Result};
use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Train a flow: bits/dim, samples and a learning curve in a folder
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flow file, or the name of one that comes with the program
    #[arg(required_unless_present = "resume")]
    flow: Option<String>,
    /// Go on with the run in this folder, exactly where its checkpoint is
    #[arg(long, value_name = "RUN", conflicts_with_all = ["flow", "out", "from", "seed", "batch"])]
    resume: Option<PathBuf>,
    /// Start from this model's weights
    #[arg(long, value_name = "MODEL")]
    from: Option<PathBuf>,
    /// `digits`, `cifar10:DIR`, `cifar100:DIR`, `idx:DIR`, `images:DIR`, `npy:FILE` or `npz:FILE`; or a name of `flowstone data list`
    /// [default: the recipe's]; with --resume, the run's own data where they are now
    #[arg(long)]
    data: Option<String>,
    /// Go on with a run on other data than it began with
    #[arg(long, requires = "resume")]
    allow_other_data: bool,
    /// The run's folder [default: the first free of runs/NAME, runs/NAME-2, …]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Steps of the whole run [default: the recipe's length]
    #[arg(long, conflicts_with = "epochs", value_parser = numbers::counted)]
    steps: Option<u64>,
    /// Passes over the training data in the whole run [default: the recipe's length]
    #[arg(long, value_parser = numbers::positive)]
    epochs: Option<f64>,
    /// Images a step [default: the recipe's]
    #[arg(long, value_parser = numbers::count)]
    batch: Option<usize>,
    /// Decides every random number of the run [default: the recipe's]
    #[arg(long, value_parser = numbers::seed)]
    seed: Option<u64>,
    /// Where the backward pass finds activations [default: the recipe's]
    #[arg(long, value_enum)]
    memory: Option<MemoryChoice>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// The result as JSON on stdout
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum MemoryChoice {
    /// Rebuild them by inverting: memory does not grow with depth
    Invert,
    /// Keep them from the forward pass
    Store,
    /// Keep those that fit a budget, rebuild the rest
    Auto,
}

pub fn run(args: &Args) -> Result<()> {
    let outcome = on_device!(args.device.open()?, device => match &args.resume {
        Some(folder) => resume::<f32, _>(args, &device, folder)?,
        None => start::<f32, _>(args, &device)?,
    });
    if args.json { print_json(&outcome) } else { print(&describe(&outcome)) }
}

fn start<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<Outcome> {
    let file = overridden(args, FlowFile::read(args.flow.as_deref().unwrap_or_default())?)?;
    let file = with_features_of_data(file, None)?;
    let folder = RunFolder::create(args.out.as_deref(), &stem(&file.name))?;
    let start = args.from.as_deref().map_or(Start::Fresh, Start::From);
    train(args, device, &file, None, folder, start)
}

fn resume<E: Element, D: Device<E>>(args: &Args, device: &D, path: &Path) -> Result<Outcome> {
    let checkpoint = path.join("checkpoint.safetensors");
    if !checkpoint.exists() {
        return Err(Error::Usage(format!("{} holds no checkpoint to go on from", path.display())));
    }
    let (checkpoint, file, _) = Checkpoint::read::<E>(&checkpoint)?;
    RunFolder::expect_unedited(path, &file)?;
    let file = overridden(args, file)?;
    let start = if args.allow_other_data { Start::ResumeOnOtherData } else { Start::Resume };
    train(args, device, &file, checkpoint.data.as_ref(), RunFolder::open(path)?, start)
}

fn train<E: Element, D: Device<E>>(
    args: &Args,
    device: &D,
    file: &FlowFile,
    began: Option<&DataIdentity>,
    folder: RunFolder,
    start: Start,
) -> Result<Outcome> {
    let named = file.spec.train.data.as_deref();
    let found = began.zip(named).map(|(began, named)| began.found_from(named));
    let data = open(file, found.as_deref(), args.reading)?;
    let registry = Registry::default();
    let mut progress = Progress::new(args.json, folder.path());
    let stop = stop_on_interrupt()?;
    let trainer = Trainer::new(device, file, &registry, data, folder, start)?.stoppable(&stop);
    trainer.copies()?.iter().for_each(tell_copies);
    trainer.remarks().iter().for_each(|remark| tell(remark));
    trainer.run(&mut |event| progress.show(event))
}

/// What Ctrl-C, a request to terminate or the end of the terminal raises. A second one ends the program at once: what was
/// saved stays.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM].into_iter().chain(hangup()) {
        // In this order: the first signal finds it still false.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Error::Device(format!("Ctrl-C cannot be waited for: {error}")))?;
    }
    Ok(stop)
}

/// The signal of a terminal's end, unless whoever started the program wants it ignored, as `nohup` does.
#[cfg(unix)]
fn hangup() -> Option<i32> {
    let is_ignored = match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            // Signal 1 is the lowest bit.
            mask.and_then(|mask| u128::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
        }
        // `nohup` sends what would go to the terminal elsewhere.
        Err(_) => !std::io::IsTerminal::is_terminal(&std::io::stderr()),
    };
    (!is_ignored).then_some(signal_hook::consts::SIGHUP)
}

#[cfg(not(unix))]
fn hangup() -> Option<i32> {
    None
}

/// The file with the recipe as the command line changes it; the file itself if it changes nothing.
fn overridden(args: &Args, file: FlowFile) -> Result<FlowFile> {
    let mut spec = file.spec.clone();
    let recipe = &mut spec.train;
    if let Some(data) = &args.data {
        recipe.data = Some(data.clone());
    }
    if let Some(steps) = args.steps {
        recipe.length = Some(Length::Steps(steps));
    }
    if let Some(epochs) = args.epochs {
        recipe.length = Some(Length::Epochs(epochs));
    }
    if let Some(batch) = args.batch {
        recipe.batch = batch;
    }
    if let Some(seed) = args.seed {
        recipe.seed = seed;
    }
    if let Some(memory) = args.memory {
        recipe.memory = match memory {
            MemoryChoice::Invert => Memory::Invert,
            MemoryChoice::Store => Memory::Store,
            MemoryChoice::Auto => Memory::Auto { mib: 1024 },
        };
    }
    if spec == file.spec { Ok(file) } else { FlowFile::from_spec(file.name, &spec) }
}

fn stem(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned())
}

fn describe(outcome: &Outcome) -> String {
    let mut lines = vec![
        format!("step {}: train {:.3} {}", outcome.step, outcome.train.value(), outcome.train.unit()),
        format!("        test {}", super::eval::sentence(&outcome.test)),
    ];
    if let Some(raw) = &outcome.raw {
        lines.push(format!("        test {}", super::eval::sentence(raw)));
    }
    if let Some((step, best)) = &outcome.best {
        lines.push(format!("best by validation, step {step}: test {}", super::eval::sentence(best)));
    }
    let drift = match outcome.largest_drift {
        drift if drift.is_nan() => "images were lost by inversion".into(),
        drift => format!("largest drift {drift:.1e}"),
    };
    lines.push(format!("{:.0} {}s/s, {drift}", outcome.images_per_second, outcome.train.sample()));
    if outcome.stored_steps > 0 {
        let stored = outcome.stored_steps;
        lines.push(format!(
            "{stored} steps were past the drift bound and used stored activations; to avoid them, {CALM}"
        ));
    }
    if outcome.skipped_updates > 0 {
        let skipped = outcome.skipped_updates;
        lines
            .push(format!("{skipped} updates were left out, since their gradient was not finite; to avoid it, {CALM}"));
    }
    let found = outcome.test.loss.value();
    if let Some(uniform) = outcome.uniform_bits_per_dim.filter(|uniform| found.is_nan() || found >= *uniform) {
        lines.push(format!(
            "the flow has learned nothing: all grey levels alike have {uniform:.3} bits/dim. Train longer, or {CALM}"
        ));
    }
    let what = "samples in samples/samples.png";
    lines.extend(not_finite_words(&outcome.samples_not_finite, outcome.samples, what));
    let folder = &outcome.folder;
    let drawn = ["samples/samples.png", "samples/density.png"].map(|name| (name, Path::new(folder).join(name)));
    let samples: String = drawn.iter().filter(|(_, path)| path.exists()).map(|(name, _)| format!("{name}, ")).collect();
    lines.push(format!("{folder}: model.safetensors, {samples}curve.svg, metrics.jsonl"));
    lines.join("\n")
}
