//! `manipulate MODEL`: real pictures moved along a direction of latent space.

use super::common::{ModelArgs, SourceArgs, on_device, open, print, print_json, tell};
use super::numbers;
use super::output::{self, ChannelArgs, tell_not_finite};
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::{Attributes, DataSet, Images};
use crate::flow::Model;
use crate::latent::{Attribute, Content, Direction, LatentFile, Pictures};
use crate::plot::Shown;
use std::path::{Path, PathBuf};

/// Move pictures along a direction, from the mean latent of pictures without an attribute to that of those with it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: SourceArgs,
    /// Which pictures have the attribute: classes of the data, by name or number, or other data such as images:DIR; with
    /// --attributes, all pictures that have these attributes (`Smiling,Young`) and lack those after `no:`
    /// (`Smiling,no:Male`)
    #[arg(long, value_delimiter = ',', value_name = "CLASS|DATA|ATTRIBUTE", required_unless_present = "direction")]
    with: Vec<String>,
    /// Which have not, named in the same way: `--without 3` is the pictures of class 3, `--without Young` those that have
    /// the attribute Young [default: all other classes; with --attributes, all other pictures that are listed]
    #[arg(long, value_delimiter = ',', value_name = "CLASS|DATA|ATTRIBUTE", requires = "with")]
    without: Vec<String>,
    /// Which pictures have which attributes: CSV with a heading line, an image's file in its first column and attributes as
    /// 1 or 0 (or -1) in the others, or CelebA's list_attr_celeba.txt. Of pictures in files those to train on are taken;
    /// other images go by number in the --split, from 0, and are taken of it
    #[arg(long, value_name = "FILE", requires = "with")]
    attributes: Option<PathBuf>,
    /// Pictures of each class or data that the direction is taken from, at most
    #[arg(long, default_value_t = 1000, value_parser = numbers::count)]
    examples: usize,
    /// Use a direction that was saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with", "without", "attributes", "save"])]
    direction: Option<PathBuf>,
    /// Save the direction
    #[arg(long, value_name = "FILE", value_parser = output::latents())]
    save: Option<PathBuf>,
    /// Numbers of the pictures to change, counted from 0
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,3", value_parser = numbers::place)]
    pictures: Vec<usize>,
    /// How far to go: 1 is the whole difference of the means
    #[arg(long, default_value_t = 1.0, value_parser = numbers::finite)]
    alpha: f64,
    /// Pictures from −alpha to +alpha; an odd number has the picture itself in its middle
    #[arg(long, default_value_t = 7, value_parser = numbers::along)]
    steps: usize,
    /// The sheet to write: PNG, JPEG or WebP [default: manipulation.png]
    #[arg(long, value_parser = output::picture())]
    out: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => manipulate::<f32, _>(args, &device))
}

fn manipulate<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    model.flow.expect_of_images("pictures are moved along a direction")?;
    let shown = args.channels.shown(model.flow.image_shape().channels, args.out.is_some() || args.save.is_none())?;
    let (images, set) = args.data.open(&model.file)?;
    let direction = match &args.direction {
        Some(path) => {
            let file = LatentFile::read(path, &model, device, Content::Direction)?;
            Direction { point: file.points, words: file.about.source }
        }
        None => {
            let (with, without) = match &args.attributes {
                Some(path) => listed(args, &model, path, (&images, &set))?,
                None => named(args, &model, &set)?,
            };
            Direction::between(&model.flow, device, &with, &without)?
        }
    };
    let pictures = Pictures::of(&images, &args.pictures, &set.classes)?;
    let words = direction.words.clone();
    let (mut out, mut not_finite) = (None, Vec::new());
    if !matches!(shown, Shown::Not(_)) {
        let sheet = direction.sheet(&model.flow, device, &pictures, (args.alpha, args.steps))?;
        let of;
        (not_finite, of) = sheet.sheet.not_finite();
        let path = args.out.clone().unwrap_or_else(|| "manipulation.png".into());
        sheet.shown(&shown)?.save(&path)?;
        tell_not_finite(&not_finite, of, "pictures", "Try a smaller --alpha.");
        out = Some(path.display().to_string());
    }
    if let Some(path) = &args.save {
        let (labels, Direction { point, words }) = (model.flow.classes().map(|_| vec![0]), direction);
        LatentFile::new(&model, device, Content::Direction, point, labels, words)?.write(path)?;
    }
    let saved = output::name(args.save.as_deref());
    if args.json {
        return print_json(&serde_json::json!({
            "out": out, "pictures": args.pictures, "steps": args.steps, "not_finite": not_finite, "along": words,
            "direction": saved,
        }));
    }
    let sheet = out
        .map(|out| format!("{out}: {} pictures along {words}{}", args.pictures.len(), output::not_images(&not_finite)));
    let lines: Vec<String> = sheet.into_iter().chain(saved.map(|path| format!("{path}: the direction"))).collect();
    print(&lines.join("\n"))
}

/// The two sides of a direction from classes or other data.
fn named<E: Element, D: Device<E>>(args: &Args, model: &Model<E, D>, set: &DataSet) -> Result<(Attribute, Attribute)> {
    let open = |name: &str| open(&model.file, Some(name), args.data.reading);
    let with = Attribute::named(&args.with, set, args.examples, open)?;
    let without = if args.without.is_empty() {
        Attribute::other_than(&args.with, set, args.examples)?
    } else {
        Attribute::named(&args.without, set, args.examples, open)?
    };
    Ok((with, without))
}

/// The two sides of a direction from a list of attributes.
fn listed<E: Element, D: Device<E>>(
    args: &Args,
    model: &Model<E, D>,
    path: &Path,
    (images, set): (&Images, &DataSet),
) -> Result<(Attribute, Attribute)> {
    let attributes = Attributes::read(path)?;
    let (listed, images) = match args.data.all_files(&model.file, set)? {
        Some((folder, files)) => (attributes.of_files(&folder, &files)?, &set.train),
        None => (attributes.of_numbers(images.len())?, images),
    };
    if let Some(left_out) = &listed.left_out {
        tell(left_out);
    }
    Attribute::listed(&attributes, &listed, images, (&args.with, &args.without), args.examples)
}
