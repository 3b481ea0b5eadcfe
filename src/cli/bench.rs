//! `bench FLOW`: images per second, and where the time goes.

use super::common::{print, print_json};
use crate::Result;
use crate::bench::{Rate, Report, bench};
use crate::flow::FlowFile;

/// Measure training, scoring and sampling: images/s, share of the machine's product peak, memory
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flow file, or the name of one that comes with the program
    flow: String,
    /// Images a step [default: the recipe's]
    #[arg(long)]
    batch: Option<usize>,
    /// For each figure
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let file = FlowFile::read(&args.flow)?;
    let report = bench(&file, args.batch.unwrap_or(file.spec.train.batch).max(1), args.seconds)?;
    if args.json { print_json(&report) } else { print(&table(&report)) }
}

fn table(report: &Report) -> String {
    let row = |name: &str, rate: &Rate| {
        format!(
            "{name:<24}{:>12.1}{:>12.1}{:>17.0} %{:>13.0} %",
            rate.images_per_second,
            rate.gflops,
            100.0 * rate.gflops / report.product_peak_gflops,
            100.0 * rate.in_products
        )
    };
    let mut lines = vec![
        format!("{}: batch {}, {} threads, f32", report.flow, report.batch, report.threads),
        format!("{:<24}{:>12}{:>12}{:>19}{:>15}", "", "images/s", "GFLOP/s", "of product peak", "in products"),
        row("train, invert", &report.train_invert),
        row("train, store", &report.train_store),
        row("score", &report.score),
        row("sample", &report.sample),
        format!("product peak {:.0} GFLOP/s (768×768 on every thread)", report.product_peak_gflops),
    ];
    if let Some(peak) = report.peak_mib {
        lines.push(format!("peak memory {peak:.0} MiB"));
    }
    lines.join("\n")
}
