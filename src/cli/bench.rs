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
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let shares = [
            rate.gflops / report.fma_peak_gflops,
            rate.in_products,
            rate.in_passes,
            1.0 - rate.in_products - rate.in_passes,
        ];
        let shares = shares.map(|share| format!("{:>13}", percent(share))).concat();
        format!("{name:<16}{:>10.1}{:>10.1}{shares}", rate.images_per_second, rate.gflops)
    };
    let heads = ["of FMA peak", "products", "passes", "elsewhere"].map(|head| format!("{head:>13}")).concat();
    let mut lines = vec![
        format!("{}: batch {}, {} threads, f32", report.flow, report.batch, report.threads),
        format!("{:<16}{:>10}{:>10}{heads}", "", "images/s", "GFLOP/s"),
        row("train, invert", &report.train_invert),
        row("train, store", &report.train_store),
        row("score", &report.score),
        row("sample", &report.sample),
        "GFLOP/s: only the products that the mathematics needs, each once. Of the threads' time: products of matrices;"
            .into(),
        "passes over images, element-wise; elsewhere: optimizer, sums of gradients, inverses of W, waiting.".into(),
        format!(
            "peaks: {:.0} GFLOP/s of multiply-adds in registers, {:.0} of products of 768×768 matrices",
            report.fma_peak_gflops, report.product_peak_gflops
        ),
    ];
    if let Some(peak) = report.peak_mib {
        lines.push(format!("peak memory {peak:.0} MiB"));
    }
    lines.join("\n")
}
