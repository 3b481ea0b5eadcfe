//! `plot RUN…`: learning curves of one or more runs.

use super::common::print;
use crate::Result;
use crate::plot::Figure;
use crate::train::run_series;
use std::path::PathBuf;

/// Draw the learning curves of one or more runs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Runs' folders
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// The files to write, without ending: .svg and .png
    #[arg(long, default_value = "curves")]
    out: PathBuf,
    /// The figure's title
    #[arg(long, default_value = "")]
    title: String,
}

pub fn run(args: &Args) -> Result<()> {
    let mut series = Vec::new();
    for (color, run) in args.runs.iter().enumerate() {
        let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let label = if args.runs.len() == 1 { String::new() } else { name };
        for mut curve in run_series(run, &label)? {
            curve.color = Some(color);
            series.push(curve);
        }
    }
    let (title, x_label, y_label) = (args.title.clone(), "step".into(), "bits/dim".into());
    Figure { title, x_label, y_label, series }.save(&args.out)?;
    let out = args.out.display();
    print(&format!("{out}.svg, {out}.png"))
}
