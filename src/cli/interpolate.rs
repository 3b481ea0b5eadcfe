//! `interpolate MODEL`: straight lines in latent space between real pictures.

use super::common::{ModelArgs, SourceArgs, on_device, print, print_json};
use super::numbers;
use super::output::{self, ChannelArgs, tell_not_finite};
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
    #[arg(long, value_delimiter = ',', default_value = "0,1", value_parser = numbers::place)]
    between: Vec<usize>,
    /// Pictures along each line, both ends included
    #[arg(long, default_value_t = 9, value_parser = numbers::along)]
    steps: usize,
    /// The sheet to write: PNG, JPEG or WebP
    #[arg(long, default_value = "interpolation.png", value_parser = output::picture())]
    out: PathBuf,
    /// Write an animation through the pictures and back to the first: an APNG, or a GIF where the name ends so
    #[arg(long, value_name = "FILE", value_parser = output::animation())]
    animation: Option<PathBuf>,
    /// Frames of the animation from each picture to the next
    #[arg(long, default_value_t = 24, value_parser = numbers::count)]
    frames: usize,
    #[command(flatten)]
    channels: ChannelArgs,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => interpolate::<f32, _>(args, &device))
}

fn interpolate<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    model.flow.expect_of_images("lines are drawn between pictures")?;
    let shown = args.channels.shown(model.flow.image_shape().channels, true)?;
    let (images, set) = args.data.open(&model.file)?;
    let between = Interpolation::new(&model.flow, device, &Pictures::of(&images, &args.between, &set.classes)?)?;
    let sheet = between.sheet(args.steps)?;
    let (not_finite, of) = sheet.sheet.not_finite();
    sheet.shown(&shown)?.save(&args.out)?;
    tell_not_finite(&not_finite, of, "pictures between", ADVICE);
    let frames = match &args.animation {
        Some(path) => {
            let mut frames = between.frames(args.frames)?;
            let shape;
            (frames.levels, shape) = shown.of(frames.levels, images.shape())?;
            save_animation(path, &frames, shape, model.flow.bins(), 25)?;
            tell_not_finite(&frames.not_finite, args.frames * args.between.len(), "frames", ADVICE);
            Some(frames.not_finite)
        }
        None => None,
    };
    let name = format!("{} split of {}", args.data.split_name(), set.name);
    if args.json {
        return print_json(&serde_json::json!({
            "out": args.out.display().to_string(), "pictures": of, "not_finite": not_finite, "between": args.between,
            "data": name, "animation": output::name(args.animation.as_deref()), "frames_not_finite": frames,
        }));
    }
    let numbers = args.between.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let lost = output::not_images(&not_finite);
    print(&format!("{}: between pictures {numbers} of the {name}{lost}", args.out.display()))?;
    if let (Some(path), Some(lost)) = (&args.animation, frames) {
        let (count, lost) = (args.frames * args.between.len(), output::not_images(&lost));
        print(&format!("{}: {count} frames, 25 a second{lost}", path.display()))?;
    }
    Ok(())
}

/// What helps where pictures between others are none.
const ADVICE: &str = "`flowstone inspect` tells which layer is badly conditioned.";
