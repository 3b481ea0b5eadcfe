//! `ablate FILE`: a grid of runs, and what it shows.

use super::common::{DeviceArgs, ReadingArgs, grouped, on_device, open, print, print_json, tell};
use super::numbers;
use super::run_of_grid::Child;
use crate::ablation::{AblationFile, Conditions, Grid, Plan, Status, Work, all_seconds, gather, work, write_report};
use crate::backend::{Device, Element, Machine, workers};
use crate::flow::Registry;
use crate::train::DataIdentity;
use crate::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// Run a grid of variants and seeds, and report which differ; goes on where it was stopped
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An ablation file, or the name of one that comes with the program
    file: String,
    /// The grid's folder; where it holds this grid already, what is not finished goes on [default: runs/ablation-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Runs at a time; the threads are divided among them, and results stay the same
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = numbers::counted)]
    jobs: u64,
    /// Only show what would be done and how long it would take
    #[arg(long)]
    dry_run: bool,
    /// Go on with a grid on other data than it was begun with
    #[arg(long)]
    allow_other_data: bool,
    /// Go on with a grid on another device than it was begun on; the report then names both
    #[arg(long)]
    allow_other_device: bool,
    /// Try runs again that failed
    #[arg(long)]
    retry_failed: bool,
    /// The data, in place of the recipe's: `digits`, `cifar10:DIR`, …
    #[arg(long)]
    data: Option<String>,
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    device: DeviceArgs,
    /// The plan, or at the end the results, as JSON on stdout
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    // Closed before the runs begin: what its memory holds is theirs.
    let opened = args.device.open()?;
    let file = AblationFile::read(&args.file)?;
    let (plan, seconds, data, machine) = on_device!(opened, device => {
        let (plan, seconds, data) = planned::<f32, _>(args, &file, &device)?;
        (plan, seconds, data, args.device.with_products(device.name()?))
    });
    let jobs = args.jobs as usize;
    if args.dry_run {
        return if args.json { print_json(&plan_json(&plan, &seconds)) } else { print(&table(&plan, &seconds, jobs)) };
    }
    if !args.json {
        tell(&format!("{}\n", table(&plan, &seconds, jobs)));
    }
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(format!("ablation-{}", file.stem())));
    let (allow_other_data, allow_other_device) = (args.allow_other_data, args.allow_other_device);
    let conditions = Conditions { workers: workers(), data, machine, allow_other_data, allow_other_device };
    let grid = Grid::open(&out, &plan, conditions)?;
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let progress = Progress::new(&plan, &grid, args.json)?;
    let child = Child { threads, device: args.device, reading: args.reading, allow_other_data };
    work(&plan, &grid, &child, (jobs, args.retry_failed), &|event| progress.show(event))?;
    progress.finish();
    let results = gather(&plan, &grid)?;
    let conditions = format!(
        "on {}, {jobs} at a time, {threads} threads each, batches in {} shares",
        grid.machines(),
        grid.workers()
    );
    let summary = write_report(&plan, &grid, &results, &conditions)?;
    if args.json {
        print_json(&summary.json)?;
    } else {
        print(&format!("{}\n\n{}", summary.text.replace("**", ""), grid.report().join("report.md").display()))?;
    }
    let failed = results.runs.iter().filter(|run| matches!(run.status, Status::Failed(_))).count();
    if failed == 0 { Ok(()) } else { Err(Error::Device(format!("{failed} of {} runs failed", results.runs.len()))) }
}

/// The plan, seconds of every run, and the data of the first: they are opened for their number.
type Planned = (Plan, Vec<f64>, Option<DataIdentity>);

fn planned<E: Element, D: Device<E>>(args: &Args, file: &AblationFile, device: &D) -> Result<Planned> {
    let registry = Registry::default();
    let plan = Plan::new(file, device, &registry, args.data.as_deref())?;
    let Some(run) = plan.runs.first() else { return Ok((plan, Vec::new(), None)) };
    let set = open(&run.file, None, args.reading)?;
    let seconds = all_seconds(&plan, device, &registry, (set.train.len(), set.test.len()))?;
    let data = DataIdentity::of(&set)?;
    Ok((plan, seconds, Some(data)))
}

fn table(plan: &Plan, seconds: &[f64], jobs: usize) -> String {
    let longest = plan.variants.iter().map(|variant| variant.label.chars().count()).max().unwrap_or(0).max(7);
    let mut lines = vec![
        format!(
            "{}: {} × {} = {} of {}, from {}",
            plan.title,
            counted(plan.variants.len(), "variant"),
            counted(plan.seeds.len(), "seed"),
            counted(plan.runs.len(), "run"),
            plan.budget,
            plan.flow
        ),
        format!(
            "{:<longest$}{:>14}{:>22}{:>14}",
            plan.factors.iter().map(|factor| factor.name.as_str()).collect::<Vec<_>>().join(", "),
            "parameters",
            "multiply-adds/image",
            "a run takes"
        ),
    ];
    for (variant, seconds) in plan.variants.iter().zip(seconds) {
        lines.push(format!(
            "{:<longest$}{:>14}{:>22}{:>14}",
            variant.label,
            grouped(variant.parameters as u64),
            grouped(variant.multiply_adds),
            duration(*seconds)
        ));
    }
    let total = duration(seconds.iter().sum());
    let several = if jobs > 1 { format!(", were they not {jobs} at a time") } else { String::new() };
    lines.push(format!("all runs together about {total}{several} (estimated from a brief timing on this machine)"));
    lines.join("\n")
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn plan_json(plan: &Plan, seconds: &[f64]) -> serde_json::Value {
    let runs: Vec<_> = (plan.runs.iter().zip(seconds))
        .map(|(run, seconds)| {
            let variant = &plan.variants[run.variant];
            serde_json::json!({
                "name": run.name, "variant": variant.label, "seed": run.seed, "parameters": variant.parameters,
                "multiply_adds": variant.multiply_adds, "estimated_seconds": seconds,
            })
        })
        .collect();
    serde_json::json!({ "title": plan.title, "flow": plan.flow, "budget": plan.budget.to_string(), "runs": runs })
}

/// `95` as `1 min 35 s`.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..172_800 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// A bar over the whole grid on a terminal, a line for each run elsewhere.
struct Progress<'a> {
    plan: &'a Plan,
    quiet: bool,
    bar: Option<ProgressBar>,
    state: Mutex<State>,
}

struct State {
    ended: usize,
    /// Shares of the runs under way.
    under_way: Vec<(String, f64)>,
}

const PARTS: f64 = 1000.0;

impl<'a> Progress<'a> {
    fn new(plan: &'a Plan, grid: &Grid, quiet: bool) -> Result<Self> {
        let statuses = plan.runs.iter().map(|run| grid.status(run)).collect::<Result<Vec<_>>>()?;
        let ended = statuses.iter().filter(|status| **status == Status::Finished).count();
        if !quiet && ended > 0 {
            tell(&format!("{ended} of {} runs are finished already", plan.runs.len()));
        }
        let shows = !quiet && std::io::stderr().is_terminal() && ended < plan.runs.len();
        let bar = shows.then(|| {
            let bar = ProgressBar::new(plan.runs.len() as u64 * PARTS as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent} % {msg} {eta} left") {
                bar.set_style(style);
            }
            bar
        });
        Ok(Self { plan, quiet, bar, state: Mutex::new(State { ended, under_way: Vec::new() }) })
    }

    fn show(&self, event: Work) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Work::Begins { run, resumes } => {
                state.under_way.push((run.name.clone(), 0.0));
                if resumes {
                    self.line(&format!("{} goes on from its checkpoint", run.name));
                }
            }
            Work::Steps { run, done, loss } => {
                state.under_way.iter_mut().filter(|(name, _)| *name == run.name).for_each(|(_, share)| *share = done);
                if let Some(bar) = &self.bar {
                    let parts = state.ended as f64 + state.under_way.iter().map(|(_, share)| share).sum::<f64>();
                    bar.set_position((parts * PARTS) as u64);
                    bar.set_message(format!("{}: {:.3} {}", run.name, loss.value(), loss.unit()));
                }
            }
            Work::Ends { run, outcome, took } => {
                state.ended += 1;
                state.under_way.retain(|(name, _)| *name != run.name);
                let (took, of) = (duration(took.max(Duration::from_millis(100)).as_secs_f64()), self.plan.runs.len());
                let outcome = match outcome {
                    Ok(loss) => format!("test {:.4} {}", loss.value(), loss.unit()),
                    Err(reason) => format!("failed: {reason}"),
                };
                self.line(&format!("[{}/{of}] {}: {outcome}, {took}", state.ended, run.name));
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.println(text),
            None => tell(text),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
