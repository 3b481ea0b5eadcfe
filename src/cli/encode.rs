//! `encode MODEL`: pictures to a file of latents.

use super::common::{DataArgs, ModelArgs, in_classes_of, on_device, print, print_json};
use super::output;
use crate::Result;
use crate::backend::{Device, Element};
use crate::flow::Model;
use crate::latent::{Content, LatentFile, classes_of, encode};
use std::path::PathBuf;

/// The standardised latents of pictures, as a safetensors file
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The class of every picture, by name or number, for a class-conditional flow [default: their own]
    #[arg(long)]
    class: Option<String>,
    /// The file to write
    #[arg(long, default_value = "latents.safetensors", value_parser = output::latents())]
    out: PathBuf,
    /// A summary as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => {
        if args.data.f64 { latents::<f64, _>(args, &device) } else { latents::<f32, _>(args, &device) }
    })
}

fn latents<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let opened = args.data.open(&model.file)?;
    let (images, set) = if class.is_none() { in_classes_of(&model, opened)? } else { opened };
    let classes = classes_of(&model.flow, &images, class)?;
    let points = encode(&model.flow, device, &images, classes.as_deref())?;
    let labels = classes.or_else(|| images.labels_of(&(0..images.len()).collect::<Vec<_>>()));
    let source = args.data.describe(&images, &set);
    let file = LatentFile::new(&model, device, Content::Latents, points, labels, source)?;
    let file = file.given(images.contexts().map(|contexts| contexts.values().to_vec()));
    file.write(&args.out)?;
    let (out, n, names) = (args.out.display().to_string(), file.points.len(), file.points.describe());
    if args.json {
        let latents: Vec<_> = file.points.latents().iter().map(|(name, _)| name).collect();
        return print_json(&serde_json::json!({ "out": out, "images": n, "latents": latents, "about": file.about }));
    }
    print(&format!("{out}: {n} pictures, {}; {names}; of model {}", file.about.source, file.about.model))
}
