//! Does a flow know what it was not trained on? `cargo run --release --example out_of_distribution`.
//!
//! It is trained on the digits, and scores digits that it has not seen; the same upside down, with their pixels in
//! another order, and with ink and paper exchanged. AUROC is the probability that an image of the others takes more
//! bits/dim than a digit: 1 tells them apart always, ½ is a guess. A flow's likelihood is no detector of meaning: simple
//! images of another kind can take fewer bits (E. Nalisnick et al., "Do deep generative models know what they don't
//! know?", ICLR 2019).

use flowstone::backend::Cpu;
use flowstone::data::{Images, permutation};
use flowstone::flow::{Dequantize, FlowFile, Model, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::train::{Comparison, Labels, RunFolder, Start, Trainer, score};
use flowstone::{Result, data};
use std::path::Path;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    define: { "step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Split(), Squeeze(), Repeat(4, [Use("step")])],
    train: (length: Steps(300), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

/// The same images, pixel `i` being the old pixel `order[i]`.
fn reordered(images: &Images, order: &[usize]) -> Result<Images> {
    let levels = images.levels()?;
    let reorder = |image: &[u8]| order.iter().map(|&pixel| image[pixel]).collect::<Vec<u8>>();
    let levels = levels.chunks_exact(images.pixels_per_image()).flat_map(reorder);
    Images::new(levels.collect(), images.shape(), None)
}

/// The same images, each with its grey levels turned: ink becomes paper.
fn inverted(images: &Images) -> Result<Images> {
    Images::new(images.levels()?.iter().map(|level| 16 - level).collect(), images.shape(), None)
}

fn main() -> Result<()> {
    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let file = FlowFile::parse("out_of_distribution", FLOW)?;
    let digits = data::open("digits")?;
    let folder = RunFolder::create(None, "out_of_distribution")?;
    let outcome = Trainer::new(&device, &file, &registry, digits.clone(), folder, Start::Fresh)?.run(&mut |_| ())?;
    let model: Model<f32, Cpu> = Model::load(Path::new(&outcome.folder), &device, &registry, false)?;

    let score = |images: &Images| score(&model.flow, &device, images, Labels::Own, Dequantize::Midpoint);
    let bits_per_dim = |nats: f64| model.flow.bits_per_dim(nats);
    let seen = score(&digits.test)?;
    println!("digits: mean {:.3} bits/dim", bits_per_dim(seen.iter().sum::<f64>() / seen.len() as f64));
    let upside_down: Vec<usize> = (0..64).map(|i| 8 * (7 - i / 8) + i % 8).collect();
    let shuffled = permutation(NoiseKey::new(0, Purpose::Check), 0, 64);
    for (name, images) in [
        ("upside down", reordered(&digits.test, &upside_down)?),
        ("shuffled pixels", reordered(&digits.test, &shuffled)?),
        ("inverted", inverted(&digits.test)?),
    ] {
        println!("{}", Comparison::new(name, &seen, &score(&images)?, model.flow.unit())?.sentence("digits"));
    }
    Ok(())
}
