//! `sample MODEL`: a sheet of samples.

use super::common::{ModelArgs, print};
use crate::backend::Cpu;
use crate::data::npy;
use crate::flow::{Model, Registry};
use crate::plot::Sheet;
use crate::train::sample_labels;
use crate::{Error, Result};
use std::path::PathBuf;

/// Draw samples, as a picture sheet or as pixels
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// How many
    #[arg(short = 'n', long, default_value_t = 64)]
    count: usize,
    /// Multiplies the standard deviation of every latent
    #[arg(long, default_value_t = 0.7)]
    temperature: f64,
    /// The class to draw, for a class-conditional flow [default: a class drawn for each]
    #[arg(long)]
    class: Option<usize>,
    /// The sheet to write
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
    /// Write grey levels as well: u8 `[n, height, width, channels]`
    #[arg(long, value_name = "FILE")]
    npy: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    if args.count == 0 || !args.temperature.is_finite() || args.temperature < 0.0 {
        let (n, t) = (args.count, args.temperature);
        return Err(Error::Usage(format!("{n} samples at temperature {t}: expected at least one, at 0 or more")));
    }
    let device = args.model.device.open()?;
    let model: Model<f32, Cpu> = Model::load(&args.model.model, &device, &Registry::default(), args.model.raw)?;
    let labels = sample_labels(&model.flow, args.count, args.class, args.model.seed)?;
    let numbers = 0..args.count as u64;
    let levels = model.flow.sample(&device, numbers, args.temperature, labels.as_deref(), args.model.seed)?;
    let shape = model.flow.image_shape();
    let shape = [shape.height, shape.width, shape.channels];
    if let Some(path) = &args.npy {
        npy::write_levels(path, [args.count, shape[0], shape[1], shape[2]], &levels)?;
    }
    let columns = (args.count as f64).sqrt().ceil() as usize;
    let sheet = Sheet { rows: vec![(String::new(), levels)], shape, bins: model.flow.bins(), columns };
    sheet.save_png(&args.out)?;
    print(&format!("{}: {} samples at temperature {}", args.out.display(), args.count, args.temperature))
}
