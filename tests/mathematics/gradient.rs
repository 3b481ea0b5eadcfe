//! The gradient of a whole flow: by inversion, from stored activations, and by finite differences.

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::{Image, ParameterGradients, Parameters, Result, laws};
use rand::Rng;
use rand_distr::StandardNormal;

const LAYERS: &str = "
    layers: [
        Squeeze(), Repeat(2, [ActNorm(), InvertibleConv(), AffineCoupling(width: 6)]), Split(),
        Squeeze(), ActNorm(), InvertibleConv(weight: LU), AdditiveCoupling(width: 5), Shuffle(),
        AffineCoupling(width: 4, scale: Exp, inner_actnorm: false), Reverse(),
        AffineCoupling(width: 4, scale: ClampedTanh(), edge_channel: false),
    ],";

fn flow(prior: &str) -> Flow<f64, Cpu> {
    let text = format!("Flow(image: (height: 8, width: 4, channels: 2, bins: 16), {LAYERS} prior: Gaussian({prior}))");
    let device = Cpu::default();
    let file = FlowFile::parse("gradient", text).unwrap();
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 3)).unwrap();
    let mut rng = NoiseKey::new(5, Purpose::Initialize).rng(0);
    flow.visit_mut("", &mut |_, parameter| {
        if parameter.is_trained() {
            let moved: Vec<f64> = parameter.to_host(&device).unwrap();
            let moved: Vec<f64> = moved.iter().map(|w| w + 0.1 * rng.sample::<f64, _>(StandardNormal)).collect();
            parameter.set(&device, &moved).unwrap();
        }
    });
    flow.prepare(&device).unwrap();
    flow
}

/// Three images with their classes.
fn with_batch<T>(f: impl FnOnce(&Batch) -> T) -> T {
    let mut rng = NoiseKey::new(6, Purpose::Initialize).rng(0);
    let levels: Vec<u8> = (0..3 * 64).map(|_| rng.gen_range(0..16)).collect();
    let dequantize = Dequantize::Uniform(NoiseKey::new(1, Purpose::Dequantize));
    let (labels, numbers) = (Some(&[1, 0, 2][..]), &[4, 0, 7]);
    f(&Batch { values: (&levels).into(), labels, context: None, numbers, dequantize })
}

const PRIORS: [&str; 4] = [
    "learned: false",
    "learned: true",
    "learned: true, classes: 3",
    "learned: false, classes: 3, classifier: true, weight_y: 0.7",
];

/// The loss, from the outcome of the gradient.
fn loss(flow: &Flow<f64, Cpu>, batch: &Batch, weight: f64) -> f64 {
    let outcome = flow.gradient(&Cpu::default(), batch, Memory::Store).unwrap();
    let bits: f64 = outcome.log_prob.iter().map(|&l| flow.bits_per_dim(l)).sum();
    (bits + weight * outcome.cross_entropy.iter().sum::<f64>()) / batch.numbers.len() as f64
}

#[test]
fn ln_p_has_its_gradient_along_every_pixel() {
    let device = Cpu::default();
    for prior in PRIORS {
        let flow = flow(prior);
        let labels = flow.classes().map(|_| [1, 0, 2]);
        let labels = labels.as_ref().map(|labels| &labels[..]);
        with_batch(|batch| {
            let numbers = batch.numbers.iter().copied();
            let x = flow.image_of(&device, batch.values, numbers, batch.dequantize).unwrap();
            let (log_prob, g) = flow.log_prob_gradient(x.copied().unwrap(), labels).unwrap();
            assert_eq!(log_prob, flow.log_prob(x.copied().unwrap(), labels).unwrap());
            let (values, g, step) = (x.to_host().unwrap(), g.to_host().unwrap(), 1e-6);
            for i in (0..values.len()).step_by(13) {
                let at = |by: f64| {
                    let mut values = values.clone();
                    values[i] += by;
                    let x = Image::from_host(&device, 3, x.shape(), &values).unwrap();
                    flow.log_prob(x, labels).unwrap()[i / 64]
                };
                let numerical = (at(step) - at(-step)) / (2.0 * step);
                assert!(
                    (g[i] - numerical).abs() < 1e-5 * (1.0 + numerical.abs()),
                    "{prior}, {i}: {} {numerical}",
                    g[i]
                );
            }
        });
    }
}

#[test]
fn the_gradient_is_the_losses_along_every_parameter() {
    let device = Cpu::default();
    for prior in PRIORS {
        let mut flow = flow(prior);
        let weight = flow.classifier().map_or(0.0, |classifier| classifier.weight());
        with_batch(|batch| {
            let outcome = flow.gradient(&device, batch, Memory::Invert).unwrap();
            let mut names = Vec::new();
            flow.visit("", &mut |name, p| {
                if p.is_trained() {
                    names.push((name.to_owned(), p.id(), p.count()))
                }
            });
            for (name, id, count) in names {
                let gradient = outcome.gradients.get(id).unwrap();
                let mut rng = NoiseKey::new(8, Purpose::Initialize).rng(count as u64);
                let direction: Vec<f64> = (0..count).map(|_| rng.sample(StandardNormal)).collect();
                let slope: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                let mut at = |t: f64| {
                    flow.visit_mut("", &mut |_, p| {
                        if p.id() == id {
                            let w = p.to_host(&device).unwrap();
                            let w: Vec<f64> = w.iter().zip(&direction).map(|(w, d)| w + t * d).collect();
                            p.set(&device, &w).unwrap();
                        }
                    });
                    flow.prepare(&device).unwrap();
                    loss(&flow, batch, weight)
                };
                let h = 1e-6;
                let (up, down) = (at(h), at(-2.0 * h));
                at(h);
                let difference = (up - down) / (2.0 * h);
                assert!(
                    (difference - slope).abs() < 1e-6 * slope.abs().max(1e-2),
                    "{prior}, {name}: {slope} by inversion, {difference} by differences"
                );
            }
        });
    }
}

/// Equal to 1e-8 of the largest element of each parameter.
fn assert_same(flow: &Flow<f64, Cpu>, a: &ParameterGradients<f64, Cpu>, b: &ParameterGradients<f64, Cpu>) {
    flow.visit("", &mut |name, parameter| {
        let (Some(a), Some(b)) = (a.get(parameter.id()), b.get(parameter.id())) else { return };
        let size = b.iter().map(|b| b.abs()).fold(0.0, f64::max);
        let difference = a.iter().zip(b.iter()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(difference <= 1e-8 * size, "{name}: {difference:e} of {size:e}");
    });
}

#[test]
fn a_budget_between_stores_some_levels_and_inverts_others() -> Result<()> {
    let level = "Squeeze(), Repeat(2, [ActNorm(), InvertibleConv(), AffineCoupling(width: 128)])";
    let text = format!(
        "Flow(image: (height: 32, width: 32, channels: 3), layers: [{level}, Split(), {level}, Split(), {level}])"
    );
    let device = Cpu::default();
    let file = FlowFile::parse("levels", text)?;
    let mut flow = Flow::<f64, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 3))?;
    laws::randomize(&mut flow, &device, 1, 0.01)?;
    flow.prepare(&device)?;
    let levels: Vec<u8> = (0..2 * 3072).map(|i| (i * 89 % 256) as u8).collect();
    let (labels, context, dequantize) = (None, None, Dequantize::Midpoint);
    let batch = Batch { values: (&levels).into(), labels, context, numbers: &[0, 1], dequantize };
    let stored = flow.gradient(&device, &batch, Memory::Store)?;
    for mib in [1, 2, 3, 4, 8] {
        let some = flow.gradient(&device, &batch, Memory::Auto { mib })?;
        assert_same(&flow, &some.gradients, &stored.gradients);
    }
    Ok(())
}

#[test]
fn inverting_and_storing_give_the_same_gradient() -> Result<()> {
    for prior in PRIORS {
        let flow = flow(prior);
        with_batch(|batch| {
            let device = Cpu::default();
            let stored = flow.gradient(&device, batch, Memory::Store)?;
            assert_eq!(stored.drift, 0.0);
            // A budget of nothing inverts every level; one of everything stores every level.
            for memory in [Memory::Invert, Memory::Auto { mib: 0 }, Memory::Auto { mib: 1 << 20 }] {
                let other = flow.gradient(&device, batch, memory)?;
                assert_eq!(other.log_prob, stored.log_prob);
                assert_eq!(other.drift > 0.0, memory != Memory::Auto { mib: 1 << 20 });
                assert!(other.drift < 1e-12, "{}", other.drift);
                assert_same(&flow, &other.gradients, &stored.gradients);
            }
            Result::<()>::Ok(())
        })?;
    }
    Ok(())
}
