//! `manipulate MODEL`: real pictures moved along a direction of latent space.

use super::common::{ModelArgs, SourceArgs, on_device, open, print, tell};
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::{Attributes, DataSet, Images};
use crate::flow::Model;
use crate::latent::{Attribute, Content, Direction, LatentFile, Pictures};
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
    #[arg(long, default_value_t = 1000)]
    examples: usize,
    /// Use a direction that was saved
    #[arg(long, value_name = "FILE", conflicts_with_all = ["with", "without", "attributes", "save"])]
    direction: Option<PathBuf>,
    /// Save the direction
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Numbers of the pictures to change, counted from 0
    #[arg(long, value_delimiter = ',', default_value = "0,1,2,3")]
    pictures: Vec<usize>,
    /// How far to go: 1 is the whole difference of the means
    #[arg(long, default_value_t = 1.0)]
    alpha: f64,
    /// Pictures from −alpha to +alpha; an odd number has the picture itself in its middle
    #[arg(long, default_value_t = 7)]
    steps: usize,
    /// The sheet to write
    #[arg(long, default_value = "manipulation.png")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => manipulate::<f32, _>(args, &device))
}

fn manipulate<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
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
    let sheet = direction.sheet(&model.flow, device, &pictures, (args.alpha, args.steps))?;
    sheet.save_png(&args.out)?;
    print(&format!("{}: {} pictures along {}", args.out.display(), args.pictures.len(), direction.words))?;
    if let Some(path) = &args.save {
        let (labels, Direction { point, words }) = (model.flow.classes().map(|_| vec![0]), direction);
        LatentFile::new(&model, device, Content::Direction, point, labels, words)?.write(path)?;
        print(&format!("{}: the direction", path.display()))?;
    }
    Ok(())
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
