//! On the CPU.

use super::super::super::{Buffer, Cpu, Element};
use super::{EPSILON, NormalisationKernel};
use crate::Result;

impl<E: Element> NormalisationKernel<E> for Cpu {
    fn normalise(&self, x: &mut Buffer<E, Self>, channels: usize) -> Result<()> {
        for x in x.chunks_exact_mut(channels) {
            let (mean, rate) = statistics(x);
            x.iter_mut().for_each(|x| *x = (*x - mean) * rate);
        }
        Ok(())
    }

    fn normalise_gradient(&self, x: &Buffer<E, Self>, g: &mut Buffer<E, Self>, channels: usize) -> Result<()> {
        let share = E::one() / E::of(channels as f64);
        for (x, g) in x.chunks_exact(channels).zip(g.chunks_exact_mut(channels)) {
            let (mean, rate) = statistics(x);
            let by_mean = g.iter().copied().sum::<E>() * share;
            let by_rate = g.iter().zip(x).map(|(&g, &x)| g * (x - mean) * rate).sum::<E>() * share;
            g.iter_mut().zip(x).for_each(|(g, &x)| *g = (*g - by_mean - (x - mean) * rate * by_rate) * rate);
        }
        Ok(())
    }
}

/// The mean, and 1/s.
fn statistics<E: Element>(x: &[E]) -> (E, E) {
    let share = E::one() / E::of(x.len() as f64);
    let mean = x.iter().copied().sum::<E>() * share;
    let variance = x.iter().map(|&x| (x - mean) * (x - mean)).sum::<E>() * share;
    (mean, E::one() / (variance + E::of(EPSILON)).sqrt())
}
