//! The standard normal's log-density on CUDA.

use super::DensityKernel;
use crate::Result;
use crate::backend::cuda::{each, elements, index, launch, sums};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;
use std::f64::consts::PI;

impl<E: Element> DensityKernel<E> for Cuda {
    fn normal_log_density(&self, z: &Buffer<E, Self>, log_density: &mut Buffer<f64, Self>) -> Result<()> {
        let batch = log_density.len();
        let dims = z.len() / batch.max(1);
        if dims == 0 {
            return Ok(());
        }
        let (card, grid, constant) =
            (z.device(), each(index(batch)?, index(dims)?), -0.5 * dims as f64 * (2.0 * PI).ln());
        let mut sums = sums(&card, (grid.0 * grid.1) as usize)?;
        launch!(E, &card, squares_of_images, grid, (z, index(dims)?, &mut sums))?;
        launch!(E, &card, add_row_sums, elements(grid.1), (&sums, grid.0, -0.5, constant, log_density, grid.1))
    }

    fn normal_log_density_gradient(&self, z: &Buffer<E, Self>, g: &Buffer<f64, Self>) -> Result<Buffer<E, Self>> {
        let (n, dims) = (index(z.len())?, index(z.len() / g.len().max(1))?);
        let mut gradient = MemoryKernel::<E>::zeros(self, z.len())?;
        launch!(E, &z.device(), normal_log_density_gradient, elements(n), (z, g, &mut gradient, dims, n))?;
        Ok(gradient)
    }
}
