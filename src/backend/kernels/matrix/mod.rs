//! What the gradient of a 1×1 convolution's small matrix needs beside products.

use super::super::{Buffer, Cpu, Element};
use crate::Result;
use dfdx::tensor::Storage;

/// Sums of `[n, n]` matrices that a 1×1 convolution's gradient is made of.
pub trait MatrixKernel<E: Element>: Storage<E> {
    /// `y += factor · aᵀ`.
    fn add_transposed(&self, y: &mut Buffer<E, Self>, a: &Buffer<E, Self>, n: usize, factor: f64) -> Result<()>;
    /// The gradient with respect to `L` below the diagonal, `U` above it and `log_s` on it, from those with respect to L
    /// and to `B = U + diag(s)`: `y += tril(d_lower, −1) + triu(d_upper, 1) + diag(s · diag(d_upper) + volume)`. `upper`
    /// is B.
    fn add_lu_gradient(
        &self,
        y: &mut Buffer<E, Self>,
        d_lower: &Buffer<E, Self>,
        d_upper: &Buffer<E, Self>,
        upper: &Buffer<E, Self>,
        n: usize,
        volume: f64,
    ) -> Result<()>;
}

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

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, index, launch};
    use cudarc::driver::DeviceSlice;

    impl<E: Element> MatrixKernel<E> for Cuda {
        fn add_transposed(&self, y: &mut Buffer<E, Self>, a: &Buffer<E, Self>, n: usize, factor: f64) -> Result<()> {
            let (n, count) = (index(n)?, index(y.len())?);
            launch!(E, &y.device(), add_transposed, elements(count), (y, a, n, E::of(factor), count))
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
            let (n, count, volume) = (index(n)?, index(y.len())?, E::of(volume));
            launch!(E, &y.device(), add_lu_gradient, elements(count), (y, d_lower, d_upper, upper, n, volume, count))
        }
    }
}
