//! `check FLOW`: validates a flow file and shows what it builds.

use super::common::{grouped, print, print_json, tell};
use crate::Result;
use crate::backend::{Cpu, Initializer};
use crate::data::published_size;
use crate::flow::{Flow, FlowFile, LayerSummary, Registry, Summary};
use crate::train::with_features_of_data;

/// Validate a flow file; show its layers, parameters and cost
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A flow file, or the name of one that comes with the program
    flow: String,
    /// Every layer, also those that repeat
    #[arg(long)]
    all: bool,
    /// Data of vectors, where the flow leaves their number of features to them
    #[arg(long)]
    data: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let file = with_features_of_data(FlowFile::read(&args.flow)?, args.data.as_deref())?;
    let device = Cpu::default();
    let flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::blank(&device))?;
    let summary = flow.summary(&device, &file)?;
    let (train, images) = (&file.spec.train, file.spec.train.data.as_deref().and_then(published_size));
    let initial = images.map_or(train.initialization_images, |images| train.initialization_images.min(images));
    let of_size = images.map_or(Vec::new(), |images| train.remarks(images));
    flow.initialization_remark(initial).iter().chain(&of_size).for_each(|remark| tell(remark));
    if args.json {
        print_json(&summary)
    } else {
        print(&format!("{}\n{}", table(&summary, file.spec.train.batch, args.all), recipe(&file)))
    }
}

/// What the recipe comes to, as far as it is known before data are read.
fn recipe(file: &FlowFile) -> String {
    let recipe = &file.spec.train;
    match recipe.data.as_deref().and_then(|data| Some((data, published_size(data)?))) {
        Some((data, images)) => format!("the recipe with {data}, {}", recipe.rates(images)),
        None => {
            // Two sizes show what depends on them.
            let [few, many] = [50_000 + recipe.validation, 1_000_000 + recipe.validation].map(|n| recipe.rates(n));
            // In one step an epoch the formulas remember nothing, and `train` says so.
            let least = match recipe.remarks(recipe.validation + recipe.batch).is_empty() {
                true => String::new(),
                false => format!(" (in no more than {} the decays come to 0)", recipe.batch),
            };
            format!("the recipe, with as many images as the data have{least}, for example:\n  {few}\n  {many}")
        }
    }
}

/// A row of the table: layers that differ only in their repetition are one.
struct Row<'a> {
    path: String,
    count: u64,
    layer: &'a LayerSummary,
    parameters: u64,
    multiply_adds: u64,
}

fn rows(summary: &Summary, all: bool) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    for layer in &summary.layers {
        let path = if all { layer.path.clone() } else { without_repetition(&layer.path) };
        let parameters = layer.parameters as u64;
        let same =
            |row: &&mut Row| row.path == path && row.layer.kind == layer.kind && row.layer.output == layer.output;
        match rows.iter_mut().find(same) {
            Some(row) => {
                row.count += 1;
                row.parameters += parameters;
                row.multiply_adds += layer.multiply_adds;
            }
            None => rows.push(Row { path, count: 1, layer, parameters, multiply_adds: layer.multiply_adds }),
        }
    }
    rows
}

/// `layers.1.17.2` as `layers.1.*.2`.
fn without_repetition(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    let is_repetition = |i: usize| i >= 2 && i.is_multiple_of(2) && i + 1 < parts.len();
    (0..parts.len()).map(|i| if is_repetition(i) { "*" } else { parts[i] }).collect::<Vec<_>>().join(".")
}

fn table(summary: &Summary, batch: usize, all: bool) -> String {
    let shape = |[h, w, c]: [usize; 3]| format!("{h}×{w}×{c}");
    let samples = match (summary.bins, summary.image) {
        (0, [.., features]) => format!("{}: vectors of {features} features", summary.flow),
        (bins, image) => format!("{}: images of {}, {bins} grey levels", summary.flow, shape(image)),
    };
    let mut lines = vec![samples];
    let what = if summary.bins == 0 { "vector" } else { "image" };
    lines.extend(summary.context.as_ref().map(|context| format!("given, each {what}: {context}")));
    lines.extend([
        String::new(),
        format!(
            "{:<18}{:<18}{:>5}  {:<14}{:>14}{:>22}",
            "layer", "kind", "times", "output", "parameters", "multiply-adds/image"
        ),
    ]);
    for row in rows(summary, all) {
        lines.push(format!(
            "{:<18}{:<18}{:>5}  {:<14}{:>14}{:>22}",
            row.path,
            row.layer.kind,
            row.count,
            shape(row.layer.output),
            grouped(row.parameters),
            grouped(row.multiply_adds)
        ));
    }
    let (parameters, multiply_adds) = (grouped(summary.parameters as u64), grouped(summary.multiply_adds));
    lines.push(format!("{:<57}{parameters:>14}{multiply_adds:>22}", "total"));
    if summary.inverse_multiply_adds != summary.multiply_adds {
        lines.push(format!(
            "a sample takes {} multiply-adds: autoregressive layers have a dear direction, which goes element by element",
            grouped(summary.inverse_multiply_adds)
        ));
    }
    lines.push(String::new());
    let latents: Vec<String> = summary.latents.iter().map(|(name, s)| format!("{name} {}", shape(*s))).collect();
    lines.push(format!("latents: {}", latents.join(", ")));
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    lines.push(format!(
        "training by inversion, f32, beside the parameters: {:.1} MiB for each image in work, {} at a time in each \
         thread, and about 2 MiB a thread for products",
        mib(summary.training_bytes_per_image),
        summary.images_in_work
    ));
    if summary.spared_bytes_per_image > 0 {
        lines.push(format!(
            "of these, {:.1} MiB are inputs of layers whose inverse is dear: they are kept, a layer each, not rebuilt",
            mib(summary.spared_bytes_per_image)
        ));
    }
    lines.push(format!(
        "parameters: {:.1} MiB, four times for weights, moments and averages, and gradients once for each thread",
        mib(4 * summary.parameters)
    ));
    let images = summary.images_on_card.min(batch);
    lines.push(format!(
        "on a card, f32: {:.1} MiB for {images} of the batch's {batch} images at a time, and {:.1} MiB for weights, gradients, \
         moments and averages; beside what CUDA takes for itself",
        mib(images * summary.training_bytes_per_image),
        5.0 * mib(4 * summary.parameters)
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_repetitions_number_is_left_out() {
        assert_eq!(without_repetition("layers.0"), "layers.0");
        assert_eq!(without_repetition("layers.1.17.2"), "layers.1.*.2");
        assert_eq!(without_repetition("layers.1.17.2.3.4"), "layers.1.*.2.*.4");
        assert_eq!(without_repetition("prior"), "prior");
    }
}
