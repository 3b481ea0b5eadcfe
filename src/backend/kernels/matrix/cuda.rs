//! Sums of small matrices on CUDA.

use super::MatrixKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::{Buffer, Cuda, Element};
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
