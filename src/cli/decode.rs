//! `decode MODEL LATENTS`: a file of latents to pictures.

use super::common::{ModelArgs, on_device, print};
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::npy;
use crate::flow::Model;
use crate::latent::{Content, LatentFile, decode, sample_sheet};
use std::path::PathBuf;

/// Pictures on a sheet, at most.
const ON_SHEET: usize = 400;

/// The pictures of a file of latents, as a picture sheet or as pixels
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// What `encode` wrote, of the same model
    latents: PathBuf,
    /// The class of every picture, by name or number, instead of the one that its latents were standardised under
    #[arg(long)]
    class: Option<String>,
    /// The sheet to write: the first 400 pictures
    #[arg(long, default_value = "decoded.png")]
    out: PathBuf,
    /// Write grey levels as well: u8 `[n, height, width, channels]`
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
    /// Compute in f64 instead of f32
    #[arg(long)]
    f64: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => {
        if args.f64 { pictures::<f64, _>(args, &device) } else { pictures::<f32, _>(args, &device) }
    })
}

fn pictures<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let file = LatentFile::read(&args.latents, &model, device, Content::Latents)?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let class = class.map(|class| vec![class; file.points.len()]);
    let labels = class.as_deref().or_else(|| file.labels_for(&model));
    let mut levels = decode(&model.flow, device, &file.points, labels)?.levels;
    let (n, shape) = (file.points.len(), model.flow.image_shape());
    if let Some(path) = &args.npy {
        npy::write_levels(path, [n, shape.height, shape.width, shape.channels], &levels)?;
    }
    levels.truncate(ON_SHEET * shape.dims());
    sample_sheet(&model.flow, vec![(String::new(), levels)]).save_png(&args.out)?;
    print(&format!("{}: {n} pictures from {} ({})", args.out.display(), args.latents.display(), file.about.source))
}
