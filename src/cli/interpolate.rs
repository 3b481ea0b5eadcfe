//! `interpolate MODEL`: straight lines in latent space between real pictures.

use super::common::{ModelArgs, SourceArgs, on_device, print};
use crate::Result;
use crate::backend::{Device, Element};
use crate::flow::Model;
use crate::latent::{Interpolation, Pictures};
use crate::plot::save_animation;
use std::path::PathBuf;

/// Pictures between two real ones, as a strip, or between four, as a grid
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: SourceArgs,
    /// Numbers of two or four pictures of the data, counted from 0
    #[arg(long, value_delimiter = ',', default_value = "0,1")]
    between: Vec<usize>,
    /// Pictures along each line, both ends included
    #[arg(long, default_value_t = 9)]
    steps: usize,
    /// The sheet to write
    #[arg(long, default_value = "interpolation.png")]
    out: PathBuf,
    /// Write an animation through the pictures and back to the first: an APNG, or a GIF where the name ends so
    #[arg(long, value_name = "FILE")]
    animation: Option<PathBuf>,
    /// Frames of the animation from each picture to the next
    #[arg(long, default_value_t = 24)]
    frames: usize,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => interpolate::<f32, _>(args, &device))
}

fn interpolate<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let (images, set) = args.data.open(&model.file)?;
    let between = Interpolation::new(&model.flow, device, &Pictures::of(&images, &args.between, &set.classes)?)?;
    between.sheet(args.steps)?.save_png(&args.out)?;
    let numbers = args.between.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let name = format!("{} split of {}", args.data.split_name(), set.name);
    print(&format!("{}: between pictures {numbers} of the {name}", args.out.display()))?;
    if let Some(path) = &args.animation {
        save_animation(path, &between.frames(args.frames)?, images.shape(), model.flow.bins(), 25)?;
        print(&format!("{}: {} frames, 25 a second", path.display(), args.frames * args.between.len()))?;
    }
    Ok(())
}
