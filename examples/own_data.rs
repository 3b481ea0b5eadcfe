//! Images of a program's own, as a data set: `cargo run --release --example own_data`.
//!
//! Here they are drawn: crosses and squares on a grainy ground, 8×8 in four grey levels, with the shape as their class.
//! The flow is class-conditional, so it can be asked for either.

use flowstone::backend::Cpu;
use flowstone::data::{DataSet, Images};
use flowstone::flow::{FlowFile, Model, Registry, Temperatures};
use flowstone::latent::{Classes, Request, decode_rows, sample_sheet};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Result, noise};
use rand::Rng;
use std::path::Path;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 4),
    define: { "step": [ActNorm(), InvertibleConv(), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Squeeze(), Repeat(4, [Use("step")])],
    prior: Gaussian(learned: true, classes: 2),
    train: (length: Steps(400), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

/// `n` images `[8, 8, 1]` with their classes, 0 for a cross and 1 for a square, at one of four places.
fn draw(n: usize, seed: u64) -> Result<Images> {
    let mut rng = noise::NoiseKey::new(seed, noise::Purpose::Check).rng(0);
    let (mut levels, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let (top, left, shape) = (rng.gen_range(1..3), rng.gen_range(1..3), rng.gen_range(0..2u16));
        let mut image: Vec<u8> = (0..64).map(|_| rng.gen_range(0..2)).collect();
        for (i, j) in (0..5).flat_map(|i| (0..5).map(move |j| (i, j))) {
            let (cross, square) = (i == 2 || j == 2, i == 0 || i == 4 || j == 0 || j == 4);
            if (shape == 0 && cross) || (shape == 1 && square) {
                image[8 * (top + i) + left + j] = 3;
            }
        }
        levels.extend(image);
        labels.push(shape);
    }
    Images::new(levels, [8, 8, 1], Some(labels))
}

fn main() -> Result<()> {
    let (train, test) = (draw(2000, 0)?, draw(200, 1)?);
    let classes = vec!["cross".to_owned(), "square".to_owned()];
    let data = DataSet { name: "shapes".into(), train, test, bins: 4, classes };
    println!("fingerprint {}", data.train.fingerprint());

    let (device, registry) = (Cpu::default(), Registry::<f32, Cpu>::default());
    let file = FlowFile::parse("own_data", FLOW)?;
    let folder = RunFolder::create(None, "own_data")?;
    let outcome = Trainer::new(&device, &file, &registry, data, folder, Start::Fresh)?.run(&mut |_| ())?;
    println!(
        "test: {:.3} ± {:.3} bits/dim, of 2 without a model",
        outcome.test.bits_per_dim, outcome.test.standard_error
    );

    let model = Model::load(Path::new(&outcome.folder), &device, &registry, false)?;
    let request = Request {
        count: Some(10),
        temperatures: vec![Temperatures::from(0.7)],
        classes: Classes::All,
        class_names: model.metadata.classes.clone(),
        resampled: Vec::new(),
        seed: 0,
    };
    let rows = decode_rows(&model.flow, &device, &request.rows(&model.flow)?)?;
    let path = Path::new(&outcome.folder).join("classes.png");
    sample_sheet(&model.flow, rows).save_png(&path)?;
    println!("{}", path.display());
    Ok(())
}
