//! A flow declared, trained, scored and sampled from a program: `cargo run --release --example train_from_code`.

use flowstone::backend::Cpu;
use flowstone::flow::{Dequantize, FlowFile, Model, Registry};
use flowstone::plot::{Row, Sheet};
use flowstone::train::{Event, Labels, RunFolder, Start, Trainer, score};
use flowstone::{Result, data};
use std::path::Path;

/// A small Glow; `flows/digits.ron` is a larger one.
const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    define: { "step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Split(), Squeeze(), Repeat(4, [Use("step")])],
    train: (length: Steps(200), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

fn main() -> Result<()> {
    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let file = FlowFile::parse("train_from_code", FLOW)?;
    let digits = data::open("digits")?;

    // Everything a run leaves is in its folder: the model, metrics, a learning curve, samples.
    let folder = RunFolder::create(None, "train_from_code")?;
    let trainer = Trainer::new(&device, &file, &registry, digits.clone(), folder, Start::Fresh)?;
    let outcome = trainer.run(&mut |event| {
        if let Event::Step { record, .. } = event
            && record.step.is_multiple_of(50)
        {
            println!("step {}: {:.3} bits/dim", record.step, record.train.value());
        }
    })?;
    let test = outcome.test.with_error();
    println!("test: {test}, of {:.3} without a model", outcome.uniform_bits_per_dim.unwrap_or(f64::NAN));

    let folder = Path::new(&outcome.folder);
    let model = Model::load(folder, &device, &registry, false)?;
    let scores = score(&model.flow, &device, &digits.test.select(0..3)?, Labels::Own, Dequantize::Midpoint)?;
    println!("ln p of the first test images, in nats: {scores:.1?}");

    // Ten samples, numbered 0 to 9, at temperature 0.7 and from seed 0.
    let samples = model.flow.sample(&device, 0..10, 0.7, None, 0)?;
    let sheet = Sheet { rows: vec![Row::new("samples", samples.levels)], shape: [8, 8, 1], bins: 17, columns: 10 };
    sheet.save(folder.join("ten.png"))?;
    println!("{}/ten.png: ten samples", outcome.folder);
    Ok(())
}
