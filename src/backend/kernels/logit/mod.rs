//! The logit of pixels, and its inverse, in f64 whatever the flow computes in.
//!
//! ```text
//! p = α/2 + (1 − α)·(x + ½)        y = ln p − ln(1 − p)        ln slope = ln(1 − α) − ln p − ln(1 − p)
//! ```

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// Element by element.
pub trait LogitKernel<E: Element>: Storage<E> + Storage<f64> {
    /// `x` becomes `y`, and `ladj += Σ ln slope` per image.
    fn logit(&self, alpha: f64, x: &mut Buffer<E, Self>, ladj: &mut Buffer<f64, Self>) -> Result<()>;
    /// `y` becomes `x`.
    fn logit_inverse(&self, alpha: f64, y: &mut Buffer<E, Self>) -> Result<()>;
    /// From the output `y`: `g` becomes the gradient with respect to `x`, from those with respect to `y` and each ladj.
    fn logit_gradient(
        &self,
        alpha: f64,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
    ) -> Result<()>;
}
