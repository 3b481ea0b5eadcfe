//! Optimizers' steps on the CPU.

use super::{AdamStep, AdamaxStep, Averaged, Moving, OptimizerKernel};
use crate::Result;
use crate::backend::kernels::memory::cpu::CHUNK;
use crate::backend::{Buffer, Cpu, Element};
use rayon::prelude::*;

impl<E: Element> OptimizerKernel<E> for Cpu {
    fn adam(&self, step: AdamStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()> {
        let (beta1, beta2, epsilon) = (E::of(step.beta1), E::of(step.beta2), E::of(step.epsilon));
        let (rest1, rest2) = (E::of(1.0 - step.beta1), E::of(1.0 - step.beta2));
        let (step_size, correction) = (E::of(step.step_size), E::of(step.second_correction));
        each(parameters, |w, g, m, v| {
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *w -= step_size * *m / ((*v * correction).sqrt() + epsilon);
        });
        Ok(())
    }

    fn adamax(&self, step: AdamaxStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()> {
        let (beta1, beta2, epsilon) = (E::of(step.beta1), E::of(step.beta2), E::of(step.epsilon));
        let (rest1, step_size) = (E::of(1.0 - step.beta1), E::of(step.step_size));
        each(parameters, |w, g, m, u| {
            *m = beta1 * *m + rest1 * g;
            *u = (beta2 * *u).max(g.abs());
            *w -= step_size * *m / (*u + epsilon);
        });
        Ok(())
    }

    fn average(&self, rate: f64, all: Vec<Averaged<Buffer<E, Self>>>) -> Result<()> {
        let rate = E::of(rate);
        all.into_par_iter().for_each(|(average, rest, w)| {
            let chunks = average.par_chunks_mut(CHUNK).zip(rest.par_chunks_mut(CHUNK)).zip(w.par_chunks(CHUNK));
            chunks.for_each(|((average, rest), w)| {
                for ((average, rest), &w) in average.iter_mut().zip(rest).zip(w) {
                    let update = rate * (w - *average) + *rest;
                    let sum = *average + update;
                    *rest = update - (sum - *average);
                    *average = sum;
                }
            });
        });
        Ok(())
    }
}

/// Elementwise, so the same in any order.
fn each<E: Element>(parameters: Vec<Moving<Buffer<E, Cpu>>>, update: impl Fn(&mut E, E, &mut E, &mut E) + Sync) {
    parameters.into_par_iter().for_each(|Moving { weights, gradient, first, second }| {
        let chunks = weights.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
        chunks.zip(moments).for_each(|((w, g), (m, v))| {
            for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                update(w, g, m, v);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::MemoryKernel;

    /// Gradients of three steps.
    const GRADIENTS: [f64; 3] = [0.5, -2.0, 0.25];

    fn one(device: &Cpu, value: f64) -> Buffer<f64, Cpu> {
        device.upload(&[value]).unwrap()
    }

    fn moving<'a, B>(weights: &'a mut B, gradient: &'a B, first: &'a mut B, second: &'a mut B) -> Moving<'a, B> {
        Moving { weights, gradient, first, second }
    }

    /// The published sums written out: `m_t = (1 − β1) Σ β1^(t−i) g_i`, and so on.
    #[test]
    fn adam_moves_by_the_ratio_of_debiased_moments() {
        let device = Cpu::default();
        let (mut w, mut m, mut v) = (one(&device, 1.0), one(&device, 0.0), one(&device, 0.0));
        let (beta1, beta2, epsilon, rate): (f64, f64, f64, f64) = (0.9, 0.99, 1e-8, 0.1);
        let mut expected = 1.0;
        for t in 1..=GRADIENTS.len() {
            let (correction1, correction2) = (1.0 - beta1.powi(t as i32), 1.0 - beta2.powi(t as i32));
            let second_correction = 1.0 / correction2;
            let step = AdamStep { beta1, beta2, epsilon, step_size: rate / correction1, second_correction };
            device.adam(step, vec![moving(&mut w, &one(&device, GRADIENTS[t - 1]), &mut m, &mut v)]).unwrap();
            let weighted = |beta: f64, power: i32| -> f64 {
                let terms = GRADIENTS[..t].iter().enumerate();
                terms.map(|(i, g)| (1.0 - beta) * beta.powi((t - 1 - i) as i32) * g.powi(power)).sum()
            };
            expected -=
                rate * (weighted(beta1, 1) / correction1) / ((weighted(beta2, 2) / correction2).sqrt() + epsilon);
            assert!((w[0] - expected).abs() < 1e-14, "step {t}: {} is not {expected}", w[0]);
        }
    }

    #[test]
    fn adamax_divides_by_the_largest_decayed_gradient() {
        let device = Cpu::default();
        let (mut w, mut m, mut u) = (one(&device, 1.0), one(&device, 0.0), one(&device, 0.0));
        let (beta1, beta2, epsilon, rate): (f64, f64, f64, f64) = (0.9, 0.99, 1e-8, 0.1);
        let mut expected = 1.0;
        for t in 1..=GRADIENTS.len() {
            let step = AdamaxStep { beta1, beta2, epsilon, step_size: rate / (1.0 - f64::powi(beta1, t as i32)) };
            device.adamax(step, vec![moving(&mut w, &one(&device, GRADIENTS[t - 1]), &mut m, &mut u)]).unwrap();
            let age = |i: usize| (t - 1 - i) as i32;
            let mean: f64 = (0..t).map(|i| (1.0 - beta1) * f64::powi(beta1, age(i)) * GRADIENTS[i]).sum();
            let largest = (0..t).map(|i| f64::powi(beta2, age(i)) * GRADIENTS[i].abs()).fold(0.0, f64::max);
            expected -= rate / (1.0 - f64::powi(beta1, t as i32)) * mean / (largest + epsilon);
            assert!((w[0] - expected).abs() < 1e-14, "step {t}: {} is not {expected}", w[0]);
        }
    }

    /// After one gradient of 1 the moments are `1 − β`. In f32 that of the rounded β would be off in the fifth digit.
    #[test]
    fn one_less_beta_is_of_the_double_and_not_of_what_it_is_rounded_to() {
        let device = Cpu::default();
        let buffer = |value: f32| device.upload(&[value]).unwrap();
        let (beta1, beta2, epsilon): (f64, f64, f64) = (0.9, 0.999, 1e-8);
        assert_ne!(1.0 - beta2 as f32, (1.0 - beta2) as f32);
        let (mut w, mut m, mut v) = (buffer(0.0), buffer(0.0), buffer(0.0));
        let step = AdamStep { beta1, beta2, epsilon, step_size: 0.1, second_correction: 1.0 };
        device.adam(step, vec![moving(&mut w, &buffer(1.0), &mut m, &mut v)]).unwrap();
        assert_eq!((m[0], v[0]), ((1.0 - beta1) as f32, (1.0 - beta2) as f32));
        let (mut w, mut m, mut u) = (buffer(0.0), buffer(0.0), buffer(0.0));
        let step = AdamaxStep { beta1: beta2, beta2, epsilon, step_size: 0.1 };
        device.adamax(step, vec![moving(&mut w, &buffer(1.0), &mut m, &mut u)]).unwrap();
        assert_eq!(m[0], (1.0 - beta2) as f32);
    }

    #[test]
    fn the_debiased_average_of_equal_weights_is_the_weight() {
        let device = Cpu::default();
        let (mut average, mut rest) = (one(&device, 0.0), one(&device, 0.0));
        for t in 1..5 {
            let rate = (1.0 - 0.9) / (1.0 - 0.9_f64.powi(t));
            device.average(rate, vec![(&mut average, &mut rest, &one(&device, 3.0))]).unwrap();
            assert!((average[0] - 3.0).abs() < 1e-14);
        }
    }

    /// In f32 no update would move it: each is below half a unit in the last place.
    #[test]
    fn an_average_follows_weights_that_move_by_less_than_a_rounding_a_step() {
        let device = Cpu::default();
        let buffer = |value: f32| device.upload(&[value]).unwrap();
        let (mut average, mut rest, w) = (buffer(1.0), buffer(0.0), buffer(1.0 + 3e-4));
        let (decay, updates) = (0.9999_f64, 200_000);
        for _ in 0..updates {
            device.average(1.0 - decay, vec![(&mut average, &mut rest, &w)]).unwrap();
        }
        let right = f64::from(w[0]) - (f64::from(w[0]) - 1.0) * decay.powi(updates);
        assert!((f64::from(average[0]) + f64::from(rest[0]) - right).abs() < 1e-7, "{} is not {right}", average[0]);
    }

    proptest::proptest! {
        /// The weighted sum, in f64, of weights that wander: the compensated average is within two roundings of it.
        #[test]
        fn the_average_in_f32_is_the_weighted_sum_to_two_roundings(
            steps in proptest::collection::vec(-1e-3..1e-3_f64, 1..400), decay in 0.9..0.9999_f64,
        ) {
            let device = Cpu::default();
            let buffer = |value: f32| device.upload(&[value]).unwrap();
            let (mut average, mut rest) = (buffer(0.0), buffer(0.0));
            let (mut w, mut sum, mut weight) = (1.0_f64, 0.0, 0.0);
            for (t, step) in steps.iter().enumerate() {
                w += step;
                let rounded = w as f32;
                (sum, weight) = (decay * sum + f64::from(rounded), decay * weight + 1.0);
                let rate = (1.0 - decay) / (1.0 - decay.powi(t as i32 + 1));
                device.average(rate, vec![(&mut average, &mut rest, &buffer(rounded))]).unwrap();
            }
            let right = sum / weight;
            // One rounding of the average itself, and of every update one, which are geometric in their weights.
            let bound = 2.0 * f64::from(f32::EPSILON) * right.abs();
            proptest::prop_assert!((f64::from(average[0]) - right).abs() <= bound, "{} is not {}", average[0], right);
        }
    }
}
