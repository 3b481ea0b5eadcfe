//! `score MODEL`: log p of every image.

use super::common::{DataArgs, LabelArgs, ModelArgs, in_classes_of, on_device, print, print_json};
use super::output;
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::npy;
use crate::flow::{Dequantize, Loss, Model, Unit};
use crate::noise::{NoiseKey, Purpose};
use crate::train::{Comparison, Labels, rank, score, write_ranking};
use clap::ValueEnum;
use std::path::PathBuf;

/// ln p of every image, in nats, as an .npy file of f64
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The file to write: f64 `[n]`, nats per image
    #[arg(long, default_value = "scores.npy", value_parser = output::array())]
    out: PathBuf,
    /// Where in its bin a grey level is put
    #[arg(long, value_enum, default_value_t = How::Uniform)]
    dequantize: How,
    #[command(flatten)]
    labels: LabelArgs,
    /// Write a ranking, from the most bits/dim to the fewest, with file names where the data are `images:DIR`: CSV, or
    /// JSON where the name ends so
    #[arg(long, value_name = "FILE", value_parser = output::ranking())]
    rank: Option<PathBuf>,
    /// Score other data too, and say how well bits/dim tells them apart (AUROC); both as with --no-labels or --class, since
    /// the classes of one set are not those of the other
    #[arg(long, value_name = "DATA")]
    against: Option<String>,
    /// A summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum How {
    /// Uniform noise, from the seed
    Uniform,
    /// The middle: deterministic
    Midpoint,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => {
        if args.data.f64 { scores::<f64, _>(args, &device) } else { scores::<f32, _>(args, &device) }
    })
}

fn scores<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let labels = match args.labels.labels(&model)? {
        Labels::Own if args.against.is_some() => Labels::Mixture,
        labels => labels,
    };
    let opened = args.data.open(&model.file)?;
    let (images, set) = if labels == Labels::Own { in_classes_of(&model, opened)? } else { opened };
    let dequantize = match args.dequantize {
        How::Uniform => Dequantize::Uniform(NoiseKey::new(args.model.seed, Purpose::Evaluate)),
        How::Midpoint => Dequantize::Midpoint,
    };
    let scores = score(&model.flow, device, &images, labels, dequantize)?;
    npy::write_f64(&args.out, &scores)?;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let non_finite = scores.iter().filter(|s| !s.is_finite()).count();
    let (unit, out) = (model.flow.unit(), args.out.display().to_string());
    let loss = unit.loss(unit.of(mean));
    let what = loss.sample();
    let likelihood = LabelArgs::likelihood(labels, &model, &images)?;
    if let Some(path) = &args.rank {
        let about = |i: usize| {
            let file = images.file(i).map(|path| path.display().to_string());
            // The data name their classes, or the model does where theirs are numbers.
            let named = |label: usize| match set.classes.get(label).filter(|name| **name != label.to_string()) {
                Some(name) => name.clone(),
                None => model.metadata.classes.get(label).cloned().unwrap_or_else(|| label.to_string()),
            };
            (file, images.label(i).map(named))
        };
        let mut ranking = rank(&scores, unit, about);
        ranking.iter_mut().for_each(|ranked| ranked.image = images.place(ranked.image));
        write_ranking(path, &ranking)?;
    }
    let against = match &args.against {
        Some(other) => Some(compare(args, device, &model, (other, labels, dequantize), &scores)?),
        None => None,
    };
    if args.json {
        let bits_per_dim = matches!(unit, Unit::BitsPerDim { .. }).then_some(loss.value());
        return print_json(&serde_json::json!({
            "out": out, "images": scores.len(), "mean_nats": mean, "bits_per_dim": bits_per_dim,
            "non_finite": non_finite, "likelihood": likelihood, "precision": E::NAME, "against": against,
            "taken": images.taken(),
        }));
    }
    let count =
        images.taken().map_or_else(|| format!("{} {what}s", scores.len()), |taken| format!("{what}s ({taken})"));
    let in_bits = match loss {
        Loss::BitsPerDim(bits) => format!(", {bits:.4} bits/dim"),
        Loss::Nats(_) => String::new(),
    };
    print(&format!("{out}: ln {likelihood} of {count}; mean {mean:.3} nats{in_bits}, {non_finite} not finite"))?;
    if let Some(path) = &args.rank {
        print(&format!("{}: the {what}s from the least likely to the likeliest", path.display()))?;
    }
    against.map_or(Ok(()), |against| print(&against.sentence(&set.name)))
}

/// Scores of other data, beside these.
fn compare<E: Element, D: Device<E>>(
    args: &Args,
    device: &D,
    model: &Model<E, D>,
    (other, labels, dequantize): (&str, Labels, Dequantize),
    scores: &[f64],
) -> Result<Comparison> {
    let (images, set) = args.data.of(other).open(&model.file)?;
    let theirs = score(&model.flow, device, &images, labels, dequantize)?;
    Comparison::new(&set.name, scores, &theirs, model.flow.unit())
}
