//! Flows of vectors: their density is that of the vectors as the data have them.

use flowstone::backend::{Cpu, Device, Element, Initializer};
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use std::f64::consts::TAU;

/// A flow of four features whose layers begin as the identity, standardised by these vectors.
fn flow<E: Element>(vectors: &[f64]) -> Flow<E, Cpu>
where
    Cpu: Device<E>,
{
    let text = "Flow(vector: (features: 4), layers: [AdditiveCoupling(net: Dense(hidden: [4])), Reverse()],
        prior: Gaussian(learned: false))";

    let file = FlowFile::parse("vectors", text).unwrap();
    let device = Cpu::default();
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 0)).unwrap();
    flow.standardize(&device, vectors, &[]).unwrap();
    flow.prepare(&device).unwrap();
    flow
}

/// Twelve vectors of four features that differ in size and lie far from 0.
fn vectors() -> Vec<f64> {
    let at = |i: usize, feature: i32| (i as f64 * (f64::from(feature) + 1.3)).sin() * 10f64.powi(feature - 2);
    (0..12).flat_map(|i| [at(i, 0), 50.0 + at(i, 1), -2e3 + at(i, 2), 1.7e9 + at(i, 3)]).collect()
}

fn log_prob<E: Element>(flow: &Flow<E, Cpu>, vectors: &[f64]) -> Vec<f64>
where
    Cpu: Device<E>,
{
    let numbers: Vec<u64> = (0..vectors.len() as u64 / 4).collect();
    let (labels, context, dequantize) = (None, None, Dequantize::Midpoint);
    let batch = Batch { values: vectors.into(), labels, context, numbers: &numbers, dequantize };
    flow.log_prob_of(&Cpu::default(), &batch).unwrap()
}

#[test]
fn an_identity_has_the_density_of_a_gaussian_with_the_moments_of_the_data() {
    let data = vectors();
    let moments: Vec<(f64, f64)> = (0..4)
        .map(|feature| {
            let of: Vec<f64> = data.iter().skip(feature).step_by(4).copied().collect();
            let mean = of.iter().sum::<f64>() / 12.0;
            (mean, (of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 12.0).sqrt())
        })
        .collect();
    let gaussian = |v: &[f64]| -> f64 {
        v.iter().zip(&moments).map(|(v, (m, s))| -0.5 * ((v - m) / s).powi(2) - s.ln() - 0.5 * TAU.ln()).sum()
    };
    let exact: Vec<f64> = data.chunks_exact(4).map(gaussian).collect();
    for (found, exact) in log_prob(&flow::<f64>(&data), &data).iter().zip(&exact) {
        assert!((found - exact).abs() < 1e-8, "{found} and {exact}");
    }
    // In f32 the deviations are rounded, and what the flow sees; the features' own digits are not lost.
    for (found, exact) in log_prob(&flow::<f32>(&data), &data).iter().zip(&exact) {
        assert!((found - exact).abs() < 1e-4, "{found} and {exact}");
    }
}

#[test]
fn vectors_come_back_with_the_digits_that_their_deviation_leaves() {
    let data = vectors();
    let flow = flow::<f32>(&data);
    let device = Cpu::default();
    let x = flow.image_of(&device, data[..].into(), 0..12, Dequantize::Midpoint).unwrap();
    let back = flow.vectors_of(&flow.decode(flow.encode(x, None).unwrap(), None).unwrap()).unwrap();
    for (i, (v, back)) in data.iter().zip(&back).enumerate() {
        let deviation = 10f64.powi((i % 4) as i32 - 2);
        let known = f64::from(f32::EPSILON) * 8.0 * deviation + f64::EPSILON * v.abs();
        assert!((v - back).abs() <= known, "{v} and {back}");
    }
}

#[test]
fn scaling_a_feature_moves_the_density_by_the_logarithm_of_the_scale() {
    let data = vectors();
    let scaled: Vec<f64> = data.iter().enumerate().map(|(i, v)| if i % 4 == 1 { 8.0 * v } else { *v }).collect();
    let (before, after) = (log_prob(&flow::<f64>(&data), &data), log_prob(&flow::<f64>(&scaled), &scaled));
    for (before, after) in before.iter().zip(after) {
        assert!((before - 8f64.ln() - after).abs() < 1e-9, "{before} and {after}");
    }
}

#[test]
fn a_feature_that_does_not_vary_has_no_density() {
    let file = FlowFile::parse("one", "Flow(vector: (features: 1), layers: [])").unwrap();
    let device = Cpu::default();
    let mut flow = Flow::<f64, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0)).unwrap();
    let error = flow.standardize(&device, &[3.0, 3.0], &["width".into()]).unwrap_err().to_string();
    assert!(error.contains("feature 0 (`width`)") && error.contains("leave it out"), "{error}");
    assert!(flow.standardize(&device, &[1.0, f64::NAN], &[]).is_err());
}
