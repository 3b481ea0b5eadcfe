//! `flowstone density`: what a flow of vectors has learned.

use super::common::{DataArgs, ModelArgs, on_device, print, print_json};
use super::output;
use crate::Result;
use crate::backend::{Device, Element};
use crate::flow::Model;
use crate::train::draw_vectors;
use std::path::PathBuf;

/// Draw a flow of vectors beside its data: of two features the density, of more each pair of features
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The picture to write: PNG, JPEG or WebP
    #[arg(long, default_value = "density.png", value_parser = output::picture())]
    out: PathBuf,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.model.device.open()?, device => draw::<f32, _>(args, &device))
}

fn draw<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let (images, set) = args.data.open(&model.file)?;
    draw_vectors(&model.flow, device, &images, &model.file.name, args.model.seed, &args.out)?;
    let (out, data) = (args.out.display().to_string(), args.data.describe(&images, &set));
    if args.json {
        return print_json(&serde_json::json!({ "out": out, "data": data }));
    }
    print(&format!("{out}: {} and the {data}", model.file.name))
}
