//! `inspect MODEL`: how well a model's layers, and the whole of it, can be inverted.

use super::common::{ModelArgs, SourceArgs, on_device, print, print_json};
use super::numbers;
use crate::Result;
use crate::backend::Device;
use crate::bijector::Health;
use crate::flow::{LayerHealth, Registry, RoundTrip};
use crate::train::{DataName, Inspection, inspect};

/// Health of a model: condition numbers, scales, round trips in f32 and f64, drift, and the worst layer
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    source: SourceArgs,
    /// How many of them, evenly from each class
    #[arg(short = 'n', long, default_value_t = 16, value_parser = numbers::images)]
    images: usize,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What a column of the table shows.
const CONDITION: &str = "condition: that of the layer's Jacobian on these images, the largest over the smallest singular \
                         value; of couplings, splits and custom layers an estimate from below, on the first images";

pub fn run(args: &Args) -> Result<()> {
    let inspection = on_device!(args.model.device.open()?, device => inspection(args, &device)?);
    if args.json { print_json(&inspection) } else { print(&describe(&inspection)) }
}

fn inspection<D: Device<f32> + Device<f64>>(args: &Args, device: &D) -> Result<Inspection> {
    let model = &args.model;
    let file = model.load::<f32, _>(device)?.file;
    let (all, set) = args.source.open(&file)?;
    let images = all.spread(args.images)?;
    let name = DataName { name: set.name, split: args.source.split_name().into(), fingerprint: images.fingerprint()? };
    let registries = (&Registry::default(), &Registry::default());
    inspect(&model.model, device, registries, model.raw, (&images, name))
}

fn describe(inspection: &Inspection) -> String {
    let Inspection { verdict, flow, step, weights, data, images, f32, f64, out_of_range, layers } = inspection;
    let mut lines = vec![
        verdict.sentence.clone(),
        String::new(),
        format!("{flow} after {step} steps, {weights} weights; {images} images of {}, {} split", data.name, data.split),
        String::new(),
        format!("{:<26}{:>12}{:>12}{:>14}{:>14}", "", "round trip", "drift", "not finite", "wrong levels"),
        row("real images, f32", &f32.real),
        row("real images, f64", &f64.real),
        row("10 times as far, f32", &f32.out_of_range),
        row("10 times as far, f64", &f64.out_of_range),
        String::new(),
    ];
    lines.extend(
        out_of_range.iter().flat_map(|why| [format!("10 times as far from grey, in f32, {why}."), String::new()]),
    );
    lines.push(format!(
        "{:<16}{:<18}{:>11}{:>20}{:>20}{:>9}{:>12}{:>10}",
        "layer", "kind", "condition", "scales", "gains", "|ln s|", "round trip", "strain"
    ));
    lines.extend(layers.iter().map(layer_row));
    lines.extend([String::new(), CONDITION.into()]);
    lines.join("\n")
}

fn row(name: &str, trip: &RoundTrip) -> String {
    let RoundTrip { error, drift, non_finite, wrong_levels } = trip;
    format!("{name:<26}{error:>12.1e}{drift:>12.1e}{non_finite:>14}{wrong_levels:>14}")
}

fn layer_row(layer: &LayerHealth) -> String {
    let Health { jacobian_condition, scales, gains, log_scale, .. } = layer.health;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.3}"));
    let condition =
        jacobian_condition.map_or_else(String::new, |c| if c < 1e4 { format!("{c:.3}") } else { format!("{c:.2e}") });
    let range = |range: Option<(f64, f64)>| range.map_or_else(String::new, |(a, b)| format!("{a:.3e} {b:.3e}"));
    format!(
        "{:<16}{:<18}{condition:>11}{:>20}{:>20}{:>9}{:>12.1e}{:>10.1e}",
        layer.path,
        layer.kind,
        range(scales),
        range(gains),
        number(log_scale),
        layer.round_trip,
        layer.strain.ratio
    )
}
