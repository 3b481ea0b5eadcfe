//! On the CPU.

use super::super::super::{Buffer, Cpu, Element};
use super::super::MemoryKernel;
use super::super::vectorised::vectorised;
use super::GatingKernel;
use crate::Result;

impl<E: Element> GatingKernel<E> for Cpu {
    fn concat_elu(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, 2 * x.len())?;
        concat_elu(x, &mut y, channels);
        Ok(y)
    }

    fn concat_elu_gradient(
        &self,
        x: &Buffer<E, Self>,
        g: &Buffer<E, Self>,
        channels: usize,
    ) -> Result<Buffer<E, Self>> {
        let mut d_x = MemoryKernel::<E>::zeros(self, x.len())?;
        concat_elu_gradient(x, g, &mut d_x, channels);
        Ok(d_x)
    }

    fn gate(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, x.len() / 2)?;
        gate(x, &mut y, channels);
        Ok(y)
    }

    fn gate_gradient(&self, x: &Buffer<E, Self>, g: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut d_x = MemoryKernel::<E>::zeros(self, x.len())?;
        gate_gradient(x, g, &mut d_x, channels);
        Ok(d_x)
    }
}

vectorised! {
    fn concat_elu<E: Element>(x: &[E], y: &mut [E], channels: usize) {
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(2 * channels)) {
            let (up, down) = y.split_at_mut(channels);
            for ((&x, up), down) in x.iter().zip(up).zip(down) {
                // One of the two is |x|, the other e^−|x| − 1.
                let (size, small) = (x.abs(), (-x.abs()).exp_in_lanes() - E::one());
                let positive = x > E::zero();
                *up = if positive { size } else { small };
                *down = if positive { small } else { size };
            }
        }
    }
}

vectorised! {
    fn concat_elu_gradient<E: Element>(x: &[E], g: &[E], d_x: &mut [E], channels: usize) {
        for ((x, g), d_x) in x.chunks_exact(channels).zip(g.chunks_exact(2 * channels)).zip(d_x.chunks_exact_mut(channels)) {
            let (up, down) = g.split_at(channels);
            for (((&x, &up), &down), d_x) in x.iter().zip(up).zip(down).zip(d_x) {
                let slope = (-x.abs()).exp_in_lanes();
                *d_x = if x > E::zero() { up - down * slope } else { up * slope - down };
            }
        }
    }
}

/// σ(b) and 1 − σ(b).
#[inline(always)]
fn sigmoid<E: Element>(b: E) -> (E, E) {
    let e = (-b.abs()).exp_in_lanes();
    let (large, small) = (E::one() / (E::one() + e), e / (E::one() + e));
    if b >= E::zero() { (large, small) } else { (small, large) }
}

vectorised! {
    fn gate<E: Element>(x: &[E], y: &mut [E], channels: usize) {
        for (x, y) in x.chunks_exact(2 * channels).zip(y.chunks_exact_mut(channels)) {
            let (a, b) = x.split_at(channels);
            y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = a * sigmoid(b).0);
        }
    }
}

vectorised! {
    fn gate_gradient<E: Element>(x: &[E], g: &[E], d_x: &mut [E], channels: usize) {
        for ((x, g), d_x) in x.chunks_exact(2 * channels).zip(g.chunks_exact(channels)).zip(d_x.chunks_exact_mut(2 * channels)) {
            let (a, b) = x.split_at(channels);
            let (d_a, d_b) = d_x.split_at_mut(channels);
            for ((((&a, &b), &g), d_a), d_b) in a.iter().zip(b).zip(g).zip(d_a).zip(d_b) {
                let (open, closed) = sigmoid(b);
                *d_a = g * open;
                *d_b = g * a * open * closed;
            }
        }
    }
}
