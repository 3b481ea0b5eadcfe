//! `reconstruct MODEL`: pictures beside what comes back from their latents.

use super::common::{DataArgs, ModelArgs, on_device, print, print_json};
use crate::Result;
use crate::backend::{Device, Element};
use crate::flow::Model;
use crate::latent::{Reconstruction, classes_of};
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
    #[arg(long, default_value_t = 10)]
    columns: usize,
    /// The sheet to write
    #[arg(long, default_value = "reconstructions.png")]
    out: PathBuf,
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
    let (images, set) = args.data.open(&model.file)?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let classes = classes_of(&model.flow, &images, class)?;
    let outcome = Reconstruction::of(&model.flow, device, &images, classes.as_deref(), args.columns)?;
    outcome.sheet.save_png(&args.out)?;
    let out = args.out.display().to_string();
    if args.json {
        return print_json(&serde_json::json!({
            "out": out, "images": outcome.images, "exact": outcome.exact, "changed_levels": outcome.changed_levels,
            "largest_error_levels": outcome.largest_error, "precision": E::NAME,
            "data": args.data.describe(&images, &set),
        }));
    }
    print(&format!("{}, in {}\n{out}", outcome.sentence(), E::NAME))
}
