//! `score MODEL`: log p of every image.

use super::common::{DataArgs, ModelArgs, print, print_json};
use crate::Result;
use crate::backend::{Cpu, Device, Element};
use crate::data::npy;
use crate::flow::{Dequantize, Model, Registry};
use crate::noise::{NoiseKey, Purpose};
use crate::train::score;
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
    #[arg(long, default_value = "scores.npy")]
    out: PathBuf,
    /// Where in its bin a grey level is put
    #[arg(long, value_enum, default_value_t = How::Uniform)]
    dequantize: How,
    /// Score the mixture over classes, also where labels are known
    #[arg(long)]
    no_labels: bool,
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
    let device = args.model.device.open()?;
    if args.data.f64 { scores::<f64, Cpu>(args, &device) } else { scores::<f32, Cpu>(args, &device) }
}

fn scores<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = Model::load(&args.model.model, device, &Registry::default(), args.model.raw)?;
    let (images, _) = args.data.open(&model.file)?;
    let dequantize = match args.dequantize {
        How::Uniform => Dequantize::Uniform(NoiseKey::new(args.model.seed, Purpose::Evaluate)),
        How::Midpoint => Dequantize::Midpoint,
    };
    let scores = score(&model.flow, device, &images, !args.no_labels, dequantize)?;
    npy::write_f64(&args.out, &scores)?;
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let non_finite = scores.iter().filter(|s| !s.is_finite()).count();
    let (bits_per_dim, out) = (model.flow.bits_per_dim(mean), args.out.display().to_string());
    let labelled = model.flow.classes().is_some() && !args.no_labels && images.label(0).is_some();
    let likelihood = match (model.flow.classes(), labelled) {
        (None, _) => "p(x)",
        (Some(_), true) => "p(x | class)",
        (Some(_), false) => "mean over classes of p(x | class)",
    };
    if args.json {
        return print_json(&serde_json::json!({
            "out": out, "images": scores.len(), "mean_nats": mean, "bits_per_dim": bits_per_dim,
            "non_finite": non_finite, "likelihood": likelihood, "precision": E::NAME,
        }));
    }
    let count = scores.len();
    print(&format!(
        "{out}: ln {likelihood} of {count} images; mean {mean:.3} nats, {bits_per_dim:.4} bits/dim, {non_finite} not finite"
    ))
}
