//! `eval MODEL`: bits per dimension with their error.

use super::common::{DataArgs, LabelArgs, ModelArgs, Split, in_classes_of, on_device, print, print_json, tell_copies};
use super::numbers;
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::Copies;
use crate::flow::{Loss, Model};
use crate::train::{DataName, Evaluation, Labels, Noise, evaluate_as};

/// Bits/dim of a model on images: mean, standard error, and all that is needed to check them
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    labels: LabelArgs,
    /// Noise draws averaged for each image
    #[arg(long, default_value_t = 1, value_parser = numbers::counted)]
    draws: u64,
    /// Samples of noise in the importance-weighted bound, which is tighter the more there are; 1 is the plain bound
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = numbers::counted)]
    importance: u64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let evaluation = on_device!(args.model.device.open()?, device => {
        if args.data.f64 { evaluation::<f64, _>(args, &device)? } else { evaluation::<f32, _>(args, &device)? }
    });
    if args.json { print_json(&evaluation) } else { print(&describe(&evaluation)) }
}

fn evaluation<E: Element, D: Device<E>>(args: &Args, device: &D) -> Result<Evaluation> {
    let model: Model<E, D> = args.model.load(device)?;
    let labels = args.labels.labels(&model)?;
    let opened = args.data.open(&model.file)?;
    let (images, set) = if labels == Labels::Own { in_classes_of(&model, opened)? } else { opened };
    if args.data.source.split == Split::Test {
        tell_copies(&Copies::if_held("test", &images, &set.train)?);
    }
    let data = DataName { name: set.name, split: args.data.split_name().into(), fingerprint: images.fingerprint()? };
    let noise = Noise { seed: args.model.seed, draws: args.draws, importance: args.importance };
    let mut evaluation = evaluate_as(&model.flow, device, &images, labels, data, noise)?;
    evaluation.likelihood = LabelArgs::likelihood(labels, &model, &images)?;
    evaluation.weights = if model.averaged { "averaged" } else { "raw" }.into();
    Ok(evaluation)
}

/// One line: the mean with its error, and what it is of.
pub fn sentence(evaluation: &Evaluation) -> String {
    let Evaluation { loss, standard_error, images, draws, non_finite, .. } = evaluation;
    let what = loss.sample();
    let mut draws = if *draws == 1 { "1 noise draw".to_owned() } else { format!("{draws} noise draws") };
    if evaluation.importance > 1 {
        draws += &format!(", importance-weighted over {}", evaluation.importance);
    }
    let draws = match loss {
        Loss::BitsPerDim(_) => format!(", {draws}"),
        Loss::Nats(_) => String::new(),
    };
    let images = if *images == 1 { format!("1 {what}") } else { format!("{images} {what}s") };
    let error = match standard_error {
        Some(_) => format!("± s.e. over {what}s"),
        None => format!("one {what} has no standard error"),
    };
    let mut text = format!("{} ({images}{draws}, {} weights; {error})", evaluation.with_error(), evaluation.weights);
    if evaluation.likelihood != "p(x)" {
        text += &format!(" of {}", evaluation.likelihood);
    }
    if *non_finite > 0 {
        let have = if *non_finite == 1 { format!("1 {what} has") } else { format!("{non_finite} {what}s have") };
        text += &format!("; {have} a score that is not finite");
    }
    if let Some(classification) = &evaluation.classification {
        let percent = 100.0 * classification.accuracy;
        text += &format!("; classifier right on {percent:.1} %");
    }
    text
}

fn describe(evaluation: &Evaluation) -> String {
    let data = &evaluation.data;
    let taken = evaluation.taken.as_ref().map_or_else(String::new, |taken| format!(" ({taken})"));
    format!(
        "{}\n{} split{taken} of {}, fingerprint {}, computed in {}",
        sentence(evaluation),
        data.split,
        data.name,
        data.fingerprint,
        evaluation.precision
    )
}
