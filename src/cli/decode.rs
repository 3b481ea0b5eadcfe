//! `decode MODEL LATENTS`: a file of latents to pictures.

use super::common::{ModelArgs, on_device, print, print_json};
use super::output::{self, ChannelArgs, tell_not_finite};
use super::vectors;
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::npy;
use crate::flow::{Conditions, Model};
use crate::latent::{Content, LatentFile, decode_given, decode_vectors, sample_sheet};
use crate::plot::Shown;
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
    /// The sheet to write, PNG, JPEG or WebP: the first 400 pictures; or of vectors the table, CSV [default: decoded.png;
    /// decoded.csv]
    #[arg(long, value_parser = output::picture_or_table())]
    out: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    /// Write an array: grey levels, u8 `[n, height, width, channels]`, or vectors, f64 `[n, features]`
    #[arg(long, value_name = "FILE", value_parser = output::array())]
    npy: Option<PathBuf>,
    /// Compute in f64 instead of f32
    #[arg(long)]
    f64: bool,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => {
        if args.f64 { pictures::<f64, _>(args, &device) } else { pictures::<f32, _>(args, &device) }
    })
}

fn pictures<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    if model.flow.is_of_vectors() {
        return vectors_of(args, device, &model);
    }
    vectors::expect_picture(args.out.as_deref())?;
    let shape = model.flow.image_shape();
    let shown = args.channels.shown(shape.channels, args.out.is_some() || args.npy.is_none())?;
    let file = LatentFile::read(&args.latents, &model, device, Content::Latents)?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let class = class.map(|class| vec![class; file.points.len()]);
    let labels = class.as_deref().or_else(|| file.labels_for(&model));
    let conditions = Conditions { labels, context: file.context.as_deref() };
    let mut decoded = decode_given(&model.flow, device, &file.points, conditions)?;
    let (n, source, not_finite) = (file.points.len(), &file.about.source, decoded.not_finite.clone());
    if let Some(path) = &args.npy {
        npy::write_levels(path, [n, shape.height, shape.width, shape.channels], &decoded.levels)?;
    }
    let sheet = match shown {
        Shown::Not(_) => None,
        _ => {
            let path = args.out.clone().unwrap_or_else(|| "decoded.png".into());
            decoded.levels.truncate(ON_SHEET * shape.dims());
            decoded.not_finite.retain(|number| *number < ON_SHEET);
            sample_sheet(&model.flow, vec![decoded.into_row("")]).shown(&shown)?.save(&path)?;
            Some(path)
        }
    };
    tell_not_finite(&not_finite, n, "pictures", "Try --f64; latents far from those of images have no pictures.");
    let (out, npy) = (sheet.as_deref(), args.npy.as_deref());
    if args.json {
        return print_json(&serde_json::json!({
            "out": output::name(out), "npy": output::name(npy), "pictures": n, "not_finite": not_finite, "source": source,
        }));
    }
    let (names, latents, lost) = (output::names(&[out, npy])?, args.latents.display(), output::not_images(&not_finite));
    print(&format!("{names}: {n} pictures from {latents} ({source}){lost}"))
}

/// The vectors of a file of latents, as a table or an array.
fn vectors_of<E: Element, D: Device<E>>(args: &Args, device: &D, model: &Model<E, D>) -> Result<()> {
    vectors::expect_table(args.out.as_deref())?;
    let file = LatentFile::read(&args.latents, model, device, Content::Latents)?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let class = class.map(|class| vec![class; file.points.len()]);
    let labels = class.as_deref().or_else(|| file.labels_for(model));
    let values = decode_vectors(&model.flow, device, &file.points, labels)?;
    let names = model.flow.names_of_features();
    let (table, lost) = vectors::write(&names, &values, (args.out.as_deref(), args.npy.as_deref()), "decoded.csv")?;
    let (out, npy, n, source) = (table.as_deref(), args.npy.as_deref(), file.points.len(), &file.about.source);
    if args.json {
        return print_json(&serde_json::json!({
            "out": output::name(out), "npy": output::name(npy), "vectors": n, "not_finite": lost, "source": source,
        }));
    }
    let (written, lost) = vectors::words(out, npy, lost)?;
    print(&format!("{written}: {n} vectors from {} ({source}){lost}", args.latents.display()))
}
