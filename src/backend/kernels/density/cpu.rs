//! The standard normal's log-density on the CPU.

use super::DensityKernel;
use crate::Result;
use crate::backend::{Buffer, Cpu, Element};
use std::f64::consts::PI;

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
