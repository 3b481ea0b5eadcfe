//! `reconstruct MODEL`: pictures beside what comes back from their latents.

use super::common::{DataArgs, ModelArgs, in_classes_of, on_device, print, print_json};
use super::numbers;
use super::output::{self, ChannelArgs, tell_not_finite};
use crate::Result;
use crate::backend::{Device, Element};
use crate::flow::Model;
use crate::latent::{Reconstruction, classes_of};
use crate::plot::Shown;
use std::path::PathBuf;

/// Pictures, the same from their latents, and the difference: a sheet, and how exact it is
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The class of every picture, by name or number, for a class-conditional flow [default: their own]
    #[arg(long)]
    class: Option<String>,
    /// Pictures on the sheet; all are compared
    #[arg(long, default_value_t = 10, value_parser = numbers::count)]
    columns: usize,
    /// The sheet to write: PNG, JPEG or WebP [default: reconstructions.png]
    #[arg(long, value_parser = output::picture())]
    out: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    /// The numbers as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => {
        if args.data.f64 { reconstruct::<f64, _>(args, &device) } else { reconstruct::<f32, _>(args, &device) }
    })
}

fn reconstruct<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    model
        .flow
        .expect_of_images("pictures are compared with what their latents give; `inspect` measures that of vectors")?;
    let shown = args.channels.shown(model.flow.image_shape().channels, args.out.is_some())?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let opened = args.data.open(&model.file)?;
    let (images, set) = if class.is_none() { in_classes_of(&model, opened)? } else { opened };
    let classes = classes_of(&model.flow, &images, class)?;
    let outcome = Reconstruction::of(&model.flow, device, &images, classes.as_deref(), args.columns)?;
    let Reconstruction { images: n, not_finite, .. } = &outcome;
    let out = match shown {
        Shown::Not(_) => None,
        _ => {
            let path = args.out.clone().unwrap_or_else(|| "reconstructions.png".into());
            outcome.sheet.clone().shown(&shown)?.save(&path)?;
            Some(path.display().to_string())
        }
    };
    let advice = "Try --f64; `flowstone inspect` tells which layer is badly conditioned.";
    tell_not_finite(not_finite, *n, "pictures", advice);
    if args.json {
        return print_json(&serde_json::json!({
            "out": out, "images": n, "not_finite": not_finite, "exact": outcome.exact, "changed_levels": outcome.changed_levels,
            "largest_error_levels": outcome.largest_error, "precision": E::NAME,
            "data": args.data.describe(&images, &set),
        }));
    }
    let sentence = format!("{}, in {}", outcome.sentence(), E::NAME);
    print(&out.map_or(sentence.clone(), |out| format!("{sentence}\n{out}")))
}
