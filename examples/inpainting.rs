//! The lower half of a digit from its upper half, by a flow that was trained on whole ones: an inverse problem.
//!
//! What was measured is held, and the rest climbs ln p by its gradient with respect to the image, with noise that cools down:
//! Langevin steps `x ← x + ε·∂ln p/∂x + √(2ε·T)·n` with T from 1 to 0 (M. Welling and Y. W. Teh, 2011, without minibatches).
//! Built from code, without a flow file: `cargo run --release --example inpainting [STEPS]`.

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry, quantize};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::plot::{Row, Sheet};
use flowstone::train::OptimizerState;
use flowstone::{Image, ImageShape, Parameters, Result, data};
use rand::Rng;
use rand_distr::StandardNormal;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    layers: [
        Squeeze(), Repeat(8, [ActNorm(), InvertibleConv(), AffineCoupling(width: 48)]), Split(),
        Squeeze(), Repeat(4, [ActNorm(), InvertibleConv(), AffineCoupling(width: 48)]),
    ],
)"#;
const BATCH: usize = 64;
/// Digits whose lower half is looked for.
const SHOWN: usize = 12;
/// Pixels of the upper half.
const KNOWN: usize = 32;

fn main() -> Result<()> {
    let steps: u64 = std::env::args().nth(1).and_then(|steps| steps.parse().ok()).unwrap_or(400);
    let device = Cpu::default();
    let file = FlowFile::parse("inpainting", FLOW)?;
    let mut flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0))?;
    let digits = data::open("digits")?;

    // A loop of one's own: batches, gradients, an optimizer.
    let recipe = &file.spec.train;
    let mut optimizer = OptimizerState::new(&device, &flow, recipe.optimizer, 22.0)?;
    for step in 0..steps {
        let numbers: Vec<u64> =
            (0..BATCH as u64).map(|i| (step * BATCH as u64 + i) % digits.train.len() as u64).collect();
        let levels = digits.train.gather(&numbers.iter().map(|&i| i as usize).collect::<Vec<_>>())?;
        let dequantize = Dequantize::Uniform(NoiseKey::new(0, Purpose::Dequantize).at(step));
        let batch = Batch { values: (&levels).into(), labels: None, context: None, numbers: &numbers, dequantize };
        if step == 0 {
            flow.initialize(flow.image_of(&device, batch.values, numbers.iter().copied(), dequantize)?)?;
            flow.prepare(&device)?;
        }
        let outcome = flow.gradient(&device, &batch, Memory::Invert)?;
        let rate = recipe.learning_rate * (step as f64 / 50.0).min(1.0);
        optimizer.step(&device, &mut flow, &outcome.gradients, rate)?;
        flow.prepare(&device)?;
        if step % 100 == 99 {
            let mean = outcome.log_prob.iter().sum::<f64>() / BATCH as f64;
            println!("step {}: {:.3} bits/dim, {} parameters", step + 1, flow.bits_per_dim(mean), flow.trained_count());
        }
    }

    let truth = digits.test.gather(&(0..SHOWN).collect::<Vec<_>>())?;
    let numbers = 0..SHOWN as u64;
    let whole = flow.image_of(&device, (&truth).into(), numbers, Dequantize::Midpoint)?.to_host()?;
    let mut rng = NoiseKey::new(1, Purpose::Check).rng(0);
    let is_known = |i: usize| i % 64 < KNOWN;
    let mut x: Vec<f32> =
        whole.iter().enumerate().map(|(i, v)| if is_known(i) { *v } else { rng.gen_range(-0.5..0.5) }).collect();
    let shape = ImageShape::new(8, 8, 1);
    let climbs = 10 * steps;
    for climb in 0..climbs {
        let (_, g) = flow.log_prob_gradient(Image::from_host(&device, SHOWN, shape, &x)?, None)?;
        let (rate, temperature) = (2e-5, 1.0 - climb as f32 / climbs as f32);
        for ((i, x), g) in x.iter_mut().enumerate().zip(g.to_host()?) {
            if !is_known(i) {
                let noise: f32 = rng.sample(StandardNormal);
                *x = (*x + rate * g.clamp(-1e3, 1e3) + (2.0 * rate * temperature).sqrt() * noise).clamp(-0.5, 0.499);
            }
        }
    }
    let found = quantize(&Image::from_host(&device, SHOWN, shape, &x)?, 17)?.levels;
    let upper = truth.iter().enumerate().map(|(i, level)| if is_known(i) { *level } else { 8 }).collect();
    let rows = vec![Row::new("measured", upper), Row::new("found", found), Row::new("truth", truth)];
    Sheet { rows, shape: [8, 8, 1], bins: 17, columns: SHOWN }.save("inpainting.png")?;
    println!("inpainting.png: what was measured, what was found, and the truth");
    Ok(())
}
