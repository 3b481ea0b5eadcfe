//! The logit on CUDA.

use super::LogitKernel;
use crate::Result;
use crate::backend::cuda::{each, elements, index, launch, sums};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

impl<E: Element> LogitKernel<E> for Cuda {
    fn logit(&self, alpha: f64, x: &mut Buffer<E, Self>, ladj: &mut Buffer<f64, Self>) -> Result<()> {
        let (card, batch) = (x.device(), ladj.len());
        let dims = index(x.len() / batch.max(1))?;
        let grid = each(index(batch)?, dims);
        let mut sums = sums(&card, (grid.0 * grid.1) as usize)?;
        launch!(E, &card, logit, grid, (alpha, x, &mut sums, dims))?;
        launch!(E, &card, add_row_sums, elements(grid.1), (&sums, grid.0, 1.0, 0.0, ladj, grid.1))
    }

    fn logit_inverse(&self, alpha: f64, y: &mut Buffer<E, Self>) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &y.device(), logit_inverse, elements(n), (alpha, y, n))
    }

    fn logit_gradient(
        &self,
        alpha: f64,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
    ) -> Result<()> {
        let (n, dims) = (index(y.len())?, index(y.len() / g_ladj.len().max(1))?);
        launch!(E, &y.device(), logit_gradient, elements(n), (alpha, y, g, g_ladj, dims, n))
    }
}
