//! `sample MODEL`: sheets of samples.

use super::common::{ModelArgs, ProductArgs, on_device, print};
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::npy;
use crate::flow::{Model, Temperatures};
use crate::latent::{Classes, Request, decode_rows, sample_sheet};
use crate::train::TEMPERATURES;
use std::path::PathBuf;

/// Draw samples, as a picture sheet or as pixels
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    products: ProductArgs,
    /// How many, or how many a row [default: 64; 10 a row]
    #[arg(short = 'n', long)]
    count: Option<usize>,
    /// Multiplies the standard deviation of latents: `0.7` of all, `0.7,top=0.5` of some another; given several times, a
    /// row for each
    #[arg(long, default_value = "0.7", value_name = "T|LATENT=T,…")]
    temperature: Vec<Temperatures>,
    /// A row of samples at each temperature of 0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1
    #[arg(long, conflicts_with = "temperature")]
    sweep: bool,
    /// For a class-conditional flow: the class to draw, several as `3,5`, or `all`, a row for each [default: a class
    /// drawn for each sample]
    #[arg(long)]
    class: Option<Classes>,
    /// Draw only these latents anew from column to column, a row for each: `split.0`, `top`, or `all`
    #[arg(long, value_delimiter = ',', value_name = "LATENT")]
    resample: Vec<String>,
    /// The sheet to write
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
    /// Write grey levels as well: u8 `[n, height, width, channels]`
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.products.open(args.model.device)?, device => sample::<f32, _>(args, &device))
}

fn sample<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    let request = Request {
        count: args.count,
        temperatures: if args.sweep { TEMPERATURES.map(Temperatures::from).to_vec() } else { args.temperature.clone() },
        classes: args.class.clone().unwrap_or(Classes::Any),
        resampled: args.resample.clone(),
        seed: args.model.seed,
    };
    let rows = request.rows(&model.flow)?;
    let decoded = decode_rows(&model.flow, device, &rows)?;
    let shape = model.flow.image_shape();
    if let Some(path) = &args.npy {
        let levels: Vec<u8> = decoded.iter().flat_map(|(_, levels)| levels).copied().collect();
        let n = levels.len() / shape.dims();
        npy::write_levels(path, [n, shape.height, shape.width, shape.channels], &levels)?;
    }
    sample_sheet(&model.flow, decoded).save_png(&args.out)?;
    print(&format!("{}: {}", args.out.display(), request.sentence(&rows)))
}
