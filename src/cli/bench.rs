//! `bench FLOW`: images per second, and where the time goes.

use super::common::{DeviceArgs, on_device, print, print_json};
use super::numbers;
use crate::Result;
use crate::bench::{KernelShare, Rate, Report, Shares, bench};
use crate::flow::FlowFile;

/// Measure training, scoring and sampling: images/s, share of the machine's product peak, memory
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flow file, or the name of one that comes with the program
    flow: String,
    /// Images a step [default: the recipe's]
    #[arg(long, value_parser = numbers::count)]
    batch: Option<usize>,
    /// For each figure
    #[arg(long, default_value_t = 5.0, value_parser = numbers::seconds)]
    seconds: f64,
    #[command(flatten)]
    device: DeviceArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let opened = args.device.open()?;
    let file = FlowFile::read(&args.flow)?;
    let batch = args.batch.unwrap_or(file.spec.train.batch);
    let mut report = on_device!(opened, device => bench(&file, &device, batch, args.seconds)?);
    report.device = args.device.with_products(report.device);
    if args.json { print_json(&report) } else { print(&table(&report)) }
}

fn table(report: &Report) -> String {
    let threads = report.threads.map_or_else(String::new, |threads| format!(", {threads} threads"));
    let mut lines = vec![format!("{}: batch {}, f32, {}{threads}", report.flow, report.batch, report.device)];
    lines.extend(rates(report));
    lines.push("GFLOP/s: only the products that the mathematics needs, each once.".into());
    lines.push(match report.fma_peak_gflops {
        Some(fma_peak) => format!(
            "Of the threads' time: products of matrices; passes over images, element-wise; elsewhere: optimizer, sums of\n\
             gradients, inverses of W, waiting.\n\
             peaks: {fma_peak:.0} GFLOP/s of multiply-adds in registers, {:.0} of products of large matrices",
            report.product_peak_gflops
        ),
        None => format!("peak: {:.0} GFLOP/s of products of large matrices", report.product_peak_gflops),
    });
    if let Some(peak) = report.peak_mib {
        let whose = if report.kernels.is_empty() { "" } else { " of this process, without the card's" };
        lines.push(format!("peak memory{whose} {peak:.0} MiB"));
    }
    lines.extend(kernels(&report.kernels));
    lines.join("\n")
}

/// A line for each kind of work, under a line of headings.
fn rates(report: &Report) -> Vec<String> {
    let (peak, of_peak) = match report.fma_peak_gflops {
        Some(peak) => (peak, "of FMA peak"),
        None => (report.product_peak_gflops, "of peak"),
    };
    let kinds = [
        ("train, invert", &report.train_invert),
        ("train, store", &report.train_store),
        ("score", &report.score),
        ("sample", &report.sample),
    ];
    let has_workers = kinds.iter().any(|(_, rate)| rate.workers.is_some());
    let heads = [of_peak, "products", "passes", "elsewhere"].map(|head| format!("{head:>13}"));
    let heads = if has_workers { heads.concat() } else { heads[0].clone() };
    let row = |(name, rate): (&str, &Rate)| {
        let mut shares = vec![rate.gflops / peak];
        if let Some(Shares { in_products, in_passes }) = rate.workers {
            shares.extend([in_products, in_passes, 1.0 - in_products - in_passes]);
        }
        let shares: String = shares.iter().map(|share| format!("{:>13}", percent(*share))).collect();
        format!("{name:<16}{:>10.1}{:>10.1}{shares}", rate.images_per_second, rate.gflops)
    };
    let mut lines = vec![format!("{:<16}{:>10}{:>10}{heads}", "", "images/s", "GFLOP/s")];
    lines.extend(kinds.map(row));
    lines
}

/// Where a training step's time goes, if it goes to kernels.
fn kernels(kernels: &[KernelShare]) -> Vec<String> {
    if kernels.is_empty() {
        return Vec::new();
    }
    let row = |KernelShare { name, launches, milliseconds, share }: &KernelShare| {
        format!("{name:<28}{launches:>10}{milliseconds:>12.3}{:>10}", percent(*share))
    };
    let heads = format!("{:<28}{:>10}{:>12}{:>10}", "a step of train, invert", "launches", "ms", "share");
    let note = "Each launch is waited for here, so that together they take longer than above.".to_owned();
    [String::new(), heads].into_iter().chain(kernels.iter().map(row)).chain([note]).collect()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
