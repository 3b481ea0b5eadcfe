//! Super-resolution: `cargo run --release --example super_resolution`.
//!
//! A flow of 8×8 digits is given what is left of each after shrinking it to 4×4: p(digit | shrunk digit). Samples of it are
//! digits that could have been shrunk so, each sharp, where the mean of them would be blurred. The sheet has a column for
//! each test digit: what the flow is given, the truth, and samples. A number of steps as an argument, such as 3000, trains for longer than the 400 of it.

use flowstone::backend::Cpu;
use flowstone::data::{self, Contexts, DataSet, Images};
use flowstone::flow::{Conditions, FlowFile, Model, Registry};
use flowstone::plot::{Row, Sheet};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Error, Result};
use std::path::Path;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    context: Image(height: 4, width: 4, channels: 1),
    encoder: Convolutional(width: 32, channels: 8),
    define: {"step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 48)]},
    layers: [Squeeze(), Repeat(8, [Use("step")]), Split(), Squeeze(), Repeat(8, [Use("step")])],
    train: (batch: 64, warmup: Steps(50), averaging: Ema(decay: 0.99)),
)"#;
/// Digits on the sheet, and samples of each.
const COLUMNS: usize = 10;
const SAMPLES: u64 = 4;

/// The mean of each 2×2 block of an 8×8 digit, in grey levels.
fn shrunk(digit: &[u8]) -> Vec<f32> {
    let sum =
        |y: usize, x: usize| [0, 1, 8, 9].map(|offset| f32::from(digit[16 * y + 2 * x + offset])).iter().sum::<f32>();
    (0..16).map(|i| sum(i / 4, i % 4) / 4.0).collect()
}

/// The digits, each with its shrunk self, from -0.5 to 0.5, as its context.
fn given(images: &Images) -> Result<Images> {
    let contexts = images.levels()?.chunks_exact(64).flat_map(shrunk).map(|mean| mean / 16.0 - 0.5).collect();
    images.clone().with_contexts(Contexts::new(contexts, &[4, 4, 1])?)
}

fn main() -> Result<()> {
    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let steps = std::env::args().nth(1).map_or(Ok(400), |steps| steps.parse());
    let steps: u64 = steps.map_err(|_| Error::Usage("expected a number of steps".into()))?;
    let mut file = FlowFile::parse("super_resolution", FLOW)?;
    file.spec.train.value.length = Some(flowstone::flow::spec::Length::Steps(steps));
    let file = FlowFile::from_spec("super_resolution", &file.spec)?;
    let digits = data::open("digits")?;
    let digits = DataSet { train: given(&digits.train)?, test: given(&digits.test)?, ..digits };

    let folder = RunFolder::create(None, "super_resolution")?;
    let trainer = Trainer::new(&device, &file, &registry, digits.clone(), folder, Start::Fresh)?;
    let outcome = trainer.run(&mut |_| ())?;
    println!("test: {} bits/dim, given the shrunk digit", outcome.test.with_error());

    let folder = Path::new(&outcome.folder);
    let flow = Model::load(folder, &device, &registry, false)?.flow;
    let truth = digits.test.select(0..COLUMNS)?;
    let levels = truth.levels()?.into_owned();
    let enlarged = |digit: &[u8]| {
        let small = shrunk(digit);
        (0..64).map(|i| small[i / 16 * 4 + i % 8 / 2].round() as u8).collect::<Vec<u8>>()
    };
    let mut rows = vec![
        Row::new("given, 4×4", levels.chunks_exact(64).flat_map(enlarged).collect::<Vec<u8>>()),
        Row::new("truth, 8×8", levels.clone()),
    ];
    let conditions = Conditions { labels: None, context: truth.contexts().map(Contexts::values) };
    for sample in 0..SAMPLES {
        let drawn = flow.sample_given(&device, 0..COLUMNS as u64, 0.8, conditions, sample)?;
        rows.push(Row::new(format!("sample {}", sample + 1), drawn.levels));
    }
    let path = folder.join("super_resolution.png");
    Sheet { rows, shape: [8, 8, 1], bins: 17, columns: COLUMNS }.save(&path)?;
    println!("{}: digits, what the flow was given of them, and samples", path.display());
    Ok(())
}
