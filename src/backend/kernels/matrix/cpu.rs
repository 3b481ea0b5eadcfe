//! Sums of small matrices on the CPU.

use super::MatrixKernel;
use crate::Result;
use crate::backend::{Buffer, Cpu, Element};

impl<E: Element> MatrixKernel<E> for Cpu {
    fn add_transposed(&self, y: &mut Buffer<E, Self>, a: &Buffer<E, Self>, n: usize, factor: f64) -> Result<()> {
        let factor = E::of(factor);
        y.iter_mut().enumerate().for_each(|(i, y)| *y += factor * a[(i % n) * n + i / n]);
        Ok(())
    }

    fn add_lu_gradient(
        &self,
        y: &mut Buffer<E, Self>,
        d_lower: &Buffer<E, Self>,
        d_upper: &Buffer<E, Self>,
        upper: &Buffer<E, Self>,
        n: usize,
        volume: f64,
    ) -> Result<()> {
        for (i, y) in y.iter_mut().enumerate() {
            *y += match (i / n).cmp(&(i % n)) {
                std::cmp::Ordering::Greater => d_lower[i],
                std::cmp::Ordering::Less => d_upper[i],
                std::cmp::Ordering::Equal => d_upper[i] * upper[i] + E::of(volume),
            };
        }
        Ok(())
    }
}
