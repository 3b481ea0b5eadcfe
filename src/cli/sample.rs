//! `sample MODEL`: sheets of samples.

use super::common::{
    ModelArgs, ProductArgs, ReadingArgs, SourceArgs, Split, in_classes_of, on_device, print, print_json,
};
use super::output::{self, ChannelArgs, tell_not_finite};
use super::{numbers, vectors};
use crate::backend::{Device, Element};
use crate::data::{Contexts, load_contexts, npy};
use crate::flow::{Conditions, Model, Temperatures};
use crate::latent::{Classes, Drawing, Pictures, Request, classes_of, contexts_for, decode_rows, sample_sheet};
use crate::plot::{Captioned, Shown};
use crate::train::{TEMPERATURES, sample_labels};
use crate::{Error, Result};
use std::path::PathBuf;

/// Draw samples, as a picture sheet or as pixels
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    products: ProductArgs,
    /// How many, or how many a row [default: 64; 10 a row]
    #[arg(short = 'n', long, value_parser = numbers::count)]
    count: Option<usize>,
    /// Multiplies the standard deviation of latents: `0.7` of all, `0.7,top=0.5` of some another; given several times, a
    /// row for each [default: 0.7; of vectors 1]
    #[arg(long, value_name = "T|LATENT=T,…")]
    temperature: Vec<Temperatures>,
    /// A row of samples at each temperature of 0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1
    #[arg(long, conflicts_with = "temperature")]
    sweep: bool,
    /// For a class-conditional flow: the class to draw, by name or number, several as `3,5`, or `all`, a row for each
    /// [default: a class drawn for each sample, and of pictures their own]
    #[arg(long)]
    class: Option<String>,
    /// For a flow conditioned on vectors or images: a NumPy file of contexts, one for each sample, `[n, features]` or
    /// `[n, height, width, channels]`
    #[arg(long, value_name = "FILE", conflicts_with = "pictures")]
    context: Option<PathBuf>,
    /// Draw only these latents anew from column to column, a row for each: `split.0`, `top`, or `all`
    #[arg(long, value_delimiter = ',', value_name = "LATENT")]
    resample: Vec<String>,
    /// Draw them anew in real pictures: their numbers in the data, counted from 0
    #[arg(long, value_delimiter = ',', value_name = "N", requires = "resample", value_parser = numbers::place)]
    pictures: Vec<usize>,
    /// Where these are, `images:DIR` and so on [default: what the model was trained on]
    #[arg(long, requires = "pictures")]
    data: Option<String>,
    /// Which of its images
    #[arg(long, value_enum, default_value_t = Split::Test, requires = "pictures")]
    split: Split,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The sheet to write, PNG, JPEG or WebP, or of vectors the table, CSV [default: samples.png; samples.csv]
    #[arg(long, value_parser = output::picture_or_table())]
    out: Option<PathBuf>,
    #[command(flatten)]
    channels: ChannelArgs,
    /// Write an array: grey levels, u8 `[n, height, width, channels]`, or vectors, f64 `[n, features]`
    #[arg(long, value_name = "FILE", value_parser = output::array())]
    npy: Option<PathBuf>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    on_device!(args.products.open(args.model.device)?, device => sample::<f32, _>(args, &device))
}

fn sample<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<()> {
    let model: Model<E, D> = args.model.load(device)?;
    if model.flow.is_of_vectors() {
        return sample_vectors(args, device, &model);
    }
    vectors::expect_picture(args.out.as_deref())?;
    let shape = model.flow.image_shape();
    let shown = args.channels.shown(shape.channels, args.out.is_some() || args.npy.is_none())?;
    let contexts = args.context.as_deref().map(load_contexts).transpose()?;
    let request = Request {
        count: args.count,
        temperatures: match (args.sweep, args.temperature.is_empty()) {
            (true, _) => TEMPERATURES.map(Temperatures::from).to_vec(),
            (false, true) => vec![Temperatures::from(0.7)],
            (false, false) => args.temperature.clone(),
        },
        classes: args.class.as_deref().map_or(Ok(Classes::Any), |class| Classes::named(class, &model))?,
        class_names: model.metadata.classes.clone(),
        resampled: args.resample.clone(),
        contexts,
        seed: args.model.seed,
    };
    let rows = match args.pictures[..] {
        [] => request.rows(&model.flow)?,
        _ => rows_of_pictures(args, device, &model, &request)?,
    };
    let decoded = decode_rows(&model.flow, device, &rows)?;
    if let Some(path) = &args.npy {
        let levels: Vec<u8> = decoded.iter().flat_map(|row| &row.levels).copied().collect();
        let n = levels.len() / shape.dims();
        npy::write_levels(path, [n, shape.height, shape.width, shape.channels], &levels)?;
    }
    let sheet = sample_sheet(&model.flow, decoded);
    let (not_finite, of) = sheet.not_finite();
    let headings = match args.pictures[..] {
        [] => Vec::new(),
        _ => std::iter::once("picture".to_owned()).chain((1..sheet.columns).map(|i| i.to_string())).collect(),
    };
    let drawn = match shown {
        Shown::Not(_) => None,
        _ => {
            let path = args.out.clone().unwrap_or_else(|| "samples.png".into());
            Captioned { title: String::new(), headings, sheet }.shown(&shown)?.save(&path)?;
            Some(path)
        }
    };
    let advice =
        "A lower --temperature helps; where it does not, `flowstone inspect` tells which layer is badly conditioned.";
    tell_not_finite(&not_finite, of, "samples", advice);
    let (out, npy) = (drawn.as_deref(), args.npy.as_deref());
    if args.json {
        return print_json(&serde_json::json!({
            "out": output::name(out), "npy": output::name(npy), "samples": of, "rows": rows.len(),
            "not_finite": not_finite,
        }));
    }
    let (names, lost) = (output::names(&[out, npy])?, output::not_images(&not_finite));
    print(&format!("{names}: {}{lost}", request.sentence(&rows)))
}

/// Samples of a flow of vectors, as a table or an array.
fn sample_vectors<E: Element, D: Device<E>>(args: &Args, device: &D, model: &Model<E, D>) -> Result<()> {
    if args.sweep || args.temperature.len() > 1 || !args.resample.is_empty() || args.channels.channels.is_some() {
        let options = "--sweep, several --temperature, --resample and --channels draw sheets of pictures";
        return Err(Error::Usage(format!("{options}, and this flow is of vectors")));
    }
    vectors::expect_table(args.out.as_deref())?;
    let class = args.class.as_deref().map(|class| model.class(class)).transpose()?;
    let contexts = args.context.as_deref().map(load_contexts).transpose()?;
    let n = args.count.or(contexts.as_ref().map(Contexts::len)).unwrap_or(1000);
    let seed = args.model.seed;
    let labels = sample_labels(&model.flow, n, class, seed)?;
    let context = contexts.as_ref().map(|contexts| contexts_for(&model.flow, contexts, n)).transpose()?.flatten();
    let conditions = Conditions { labels: labels.as_deref(), context: context.as_deref() };
    let temperature = args.temperature.first().cloned().unwrap_or_else(|| 1.0.into());
    let values = model.flow.sample_vectors(device, 0..n as u64, temperature, conditions, seed)?;
    let names = model.flow.names_of_features();
    let (table, lost) = vectors::write(&names, &values, (args.out.as_deref(), args.npy.as_deref()), "samples.csv")?;
    let (out, npy) = (table.as_deref(), args.npy.as_deref());
    if args.json {
        return print_json(&serde_json::json!({
            "out": output::name(out), "npy": output::name(npy), "samples": n, "not_finite": lost,
        }));
    }
    let (written, lost) = vectors::words(out, npy, lost)?;
    print(&format!("{written}: {n} samples of {} features{lost}", names.len()))
}

/// What each latent of real pictures holds.
fn rows_of_pictures<E: Element, D: Device<E>>(
    args: &Args,
    device: &D,
    model: &Model<E, D>,
    request: &Request,
) -> Result<Vec<Drawing<E>>> {
    let class = match &request.classes {
        Classes::Any => None,
        Classes::These(these) if these.len() == 1 => these.first().copied(),
        _ => return Err(Error::Usage("--pictures are of their own classes, or all of one --class".into())),
    };
    let source = SourceArgs { data: args.data.clone(), split: args.split, reading: args.reading };
    let opened = source.open(&model.file)?;
    let (images, set) = if class.is_none() { in_classes_of(model, opened)? } else { opened };
    let pictures = Pictures::of(&images, &args.pictures, &set.classes)?;
    let labels = classes_of(&model.flow, &pictures.images, class)?;
    request.rows_of_pictures(&model.flow, device, &pictures, labels.as_deref())
}
