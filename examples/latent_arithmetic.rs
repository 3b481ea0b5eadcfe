//! Latents of pictures, added and subtracted: `cargo run --release --example latent_arithmetic`.
//!
//! ```text
//! direction = mean latent of eights − mean latent of threes
//! picture(α) = decode(encode(three) + α · direction)
//! ```

use flowstone::backend::Cpu;
use flowstone::flow::{FlowFile, Model, Registry};
use flowstone::latent::{Attribute, Direction, Pictures, decode, encode};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Result, data};
use std::path::Path;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    define: { "step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Split(), Squeeze(), Repeat(4, [Use("step")])],
    train: (length: Steps(300), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

fn main() -> Result<()> {
    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let file = FlowFile::parse("latent_arithmetic", FLOW)?;
    let digits = data::open("digits")?;
    let folder = RunFolder::create(None, "latent_arithmetic")?;
    let outcome = Trainer::new(&device, &file, &registry, digits.clone(), folder, Start::Fresh)?.run(&mut |_| ())?;
    let folder = Path::new(&outcome.folder);
    let model: Model<f32, Cpu> = Model::load(folder, &device, &registry, false)?;
    let flow = &model.flow;

    // There and back: the same grey levels.
    let five = digits.test.select(0..5)?;
    let points = encode(flow, &device, &five, None)?;
    println!("latents: {}", points.describe());
    let back = decode(flow, &device, &points, None)?;
    println!("came back exactly: {}", back.levels == five.levels()?.to_vec());

    // What makes a three an eight.
    let class = |name: &str| Attribute::named(&[name.to_owned()], &digits, usize::MAX, data::open);
    let direction = Direction::between(flow, &device, &class("8")?, &class("3")?)?;
    println!("direction: {}", direction.words);
    let threes: Vec<usize> = (0..digits.test.len()).filter(|&i| digits.test.label(i) == Some(3)).take(4).collect();
    let sheet = direction.sheet(flow, &device, &Pictures::of(&digits.test, &threes, &digits.classes)?, (1.5, 7))?;
    sheet.save(folder.join("three-to-eight.png"))?;
    println!("{}/three-to-eight.png: four threes in the middle, eights to the right", outcome.folder);
    Ok(())
}
