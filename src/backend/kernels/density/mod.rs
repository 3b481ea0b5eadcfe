//! The standard normal's log-density of latents, per image.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// `ln N(z; 0, 1) = −(z² + ln 2π) / 2`, summed over an image.
pub trait DensityKernel<E: Element>: Storage<E> + Storage<f64> {
    /// Adds each image's log-density in nats, summed in f64.
    fn normal_log_density(&self, z: &Buffer<E, Self>, log_density: &mut Buffer<f64, Self>) -> Result<()>;
    /// The gradient with respect to `z`, from that with respect to each image's log-density: `−z · g`.
    fn normal_log_density_gradient(&self, z: &Buffer<E, Self>, g: &Buffer<f64, Self>) -> Result<Buffer<E, Self>>;
}
