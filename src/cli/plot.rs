//! `plot RUN…`: learning curves of one or more runs, and of published logs.

use super::common::print;
use super::output;
use crate::Result;
use crate::plot::{Figure, Series};
use crate::train::{XAxis, glow_log_series, series_of_runs, unit_of_run};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Draw the learning curves of one or more runs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Runs' folders
    #[arg(required_unless_present = "log")]
    runs: Vec<PathBuf>,
    /// Lay a published curve beside them: a `test.txt` or `train.txt` as openai/glow writes it
    #[arg(long, value_name = "FILE[=LABEL]")]
    log: Vec<String>,
    /// What to draw against [default: step; with --log, epoch]
    #[arg(long, value_enum)]
    x: Option<X>,
    /// The file to write: an SVG, PNG, JPEG or WebP, as its name ends; without such an ending both .svg and .png
    #[arg(long, default_value = "curves", value_parser = output::figure())]
    out: PathBuf,
    /// The figure's title
    #[arg(long, default_value = "")]
    title: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum X {
    /// Steps of training
    Step,
    /// Passes over the training data
    Epoch,
    /// Seconds spent in steps of training
    Seconds,
}

pub fn run(args: &Args) -> Result<()> {
    let axis = match (args.x, args.log.is_empty()) {
        (Some(X::Step), _) | (None, true) => XAxis::Step,
        (Some(X::Epoch), _) | (None, false) => XAxis::Epoch,
        (Some(X::Seconds), _) => XAxis::Seconds,
    };
    let mut series = Vec::new();
    let alone = args.runs.len() + args.log.len() == 1;
    for (color, (curves, name)) in series_of_runs(&args.runs, axis)?.into_iter().zip(names(&args.runs)).enumerate() {
        series.extend(if alone { curves } else { under_one_name(curves, &name) }.into_iter().map(colored(color)));
    }
    for (i, log) in args.log.iter().enumerate() {
        let (path, label) = path_and_label(log);
        series.push(colored(args.runs.len() + i)(glow_log_series(&path, &label, axis)?));
    }
    let unit = args.runs.first().map_or(Ok("bits/dim"), |run| unit_of_run(run))?;
    let y_label =
        if alone || args.runs.is_empty() { unit.to_owned() } else { format!("{unit} (dashed: training, dots: test)") };
    let figure = Figure { title: args.title.clone(), x_label: axis.label().into(), y_label, series };
    let written: Vec<String> = figure.save_as(&args.out)?.iter().map(|path| path.display().to_string()).collect();
    print(&written.join(", "))
}

fn colored(color: usize) -> impl Fn(Series) -> Series {
    move |series| Series { color: Some(color), ..series }
}

/// A run's curves with one label for all: at the validation curve, or else at the training curve.
fn under_one_name(mut curves: Vec<Series>, name: &str) -> Vec<Series> {
    let named = curves.iter().position(|curve| !curve.dashed && curve.points.len() > 1).unwrap_or(0);
    for (i, curve) in curves.iter_mut().enumerate() {
        curve.label = if i == named { name.to_owned() } else { String::new() };
    }
    curves
}

/// What runs are called in a figure: their folders' names, or the whole paths of those that share one.
fn names(runs: &[PathBuf]) -> Vec<String> {
    let last = |run: &Path| {
        let name = run.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| run.display().to_string())
    };
    let is_shared = |name: &String| runs.iter().filter(|run| last(run) == *name).count() > 1;
    runs.iter()
        .map(|run| Some(last(run)).filter(|name| !is_shared(name)).unwrap_or(run.display().to_string()))
        .collect()
}

/// `FILE=LABEL` in two, or the file with its name; a file that is there under the whole text is meant whole.
fn path_and_label(log: &str) -> (PathBuf, String) {
    let whole = PathBuf::from(log);
    match log.rsplit_once('=') {
        Some((path, label)) if !whole.exists() => (path.into(), label.to_owned()),
        _ => {
            let label = whole.file_stem().map_or_else(|| log.to_owned(), |stem| stem.to_string_lossy().into_owned());
            (whole, label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_share_a_folders_name_go_by_their_paths() {
        let of = |runs: &[&str]| names(&runs.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["runs/a", "runs/b/"]), ["a", "b"]);
        assert_eq!(of(&["x/run", "y/run", "z"]), ["x/run", "y/run", "z"]);
        assert_eq!(of(&["."]), ["."]);
    }

    #[test]
    fn a_log_may_have_a_label() {
        assert_eq!(path_and_label("logs/test.txt"), ("logs/test.txt".into(), "test".into()));
        assert_eq!(path_and_label("logs/test.txt=Glow, 3 seeds"), ("logs/test.txt".into(), "Glow, 3 seeds".into()));
    }
}
