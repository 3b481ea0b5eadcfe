//! The standard normal's log-density of latents, per image.

use super::super::{Buffer, Cpu, Element};
use crate::Result;
use dfdx::tensor::Storage;
use std::f64::consts::PI;

/// `ln N(z; 0, 1) = −(z² + ln 2π) / 2`, summed over an image.
pub trait DensityKernel<E: Element>: Storage<E> + Storage<f64> {
    /// Adds each image's log-density in nats, summed in f64.
    fn normal_log_density(&self, z: &Buffer<E, Self>, log_density: &mut Buffer<f64, Self>) -> Result<()>;
    /// The gradient with respect to `z`, from that with respect to each image's log-density: `−z · g`.
    fn normal_log_density_gradient(&self, z: &Buffer<E, Self>, g: &Buffer<f64, Self>) -> Result<Buffer<E, Self>>;
}

impl<E: Element> DensityKernel<E> for Cpu {
    fn normal_log_density(&self, z: &Buffer<E, Self>, log_density: &mut Buffer<f64, Self>) -> Result<()> {
        let dims = z.len() / log_density.len().max(1);
        if dims == 0 {
            return Ok(());
        }
        for (z, log_density) in z.chunks_exact(dims).zip(log_density.iter_mut()) {
            let squares: f64 = z.iter().map(|z| z.as_f64() * z.as_f64()).sum();
            *log_density -= 0.5 * (squares + dims as f64 * (2.0 * PI).ln());
        }
        Ok(())
    }

    fn normal_log_density_gradient(&self, z: &Buffer<E, Self>, g: &Buffer<f64, Self>) -> Result<Buffer<E, Self>> {
        let mut gradient = z.clone();
        let dims = z.len() / g.len().max(1);
        if dims > 0 {
            for (z, &g) in gradient.chunks_exact_mut(dims).zip(g.iter()) {
                z.iter_mut().for_each(|z| *z *= E::of(-g));
            }
        }
        Ok(gradient)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{each, elements, index, launch, sums};
    use crate::backend::kernels::MemoryKernel;
    use cudarc::driver::DeviceSlice;

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
}
