//! The rectifier by itself, for networks without fused kernels.

use super::super::{Buffer, Cpu, Element};
use crate::Result;
use dfdx::tensor::Storage;

/// `y = max(x, 0)` and its gradient.
pub trait ReluKernel<E: Element>: Storage<E> {
    /// `x = max(x, 0)`.
    fn relu(&self, x: &mut Buffer<E, Self>) -> Result<()>;
    /// `g = 0` where `y = 0`: the gradient, from the output.
    fn relu_gradient(&self, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()>;
}

impl<E: Element> ReluKernel<E> for Cpu {
    fn relu(&self, x: &mut Buffer<E, Self>) -> Result<()> {
        // A number that is lost stays lost.
        x.iter_mut().filter(|x| **x < E::zero()).for_each(|x| *x = E::zero());
        Ok(())
    }

    fn relu_gradient(&self, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()> {
        g.iter_mut().zip(y.iter()).filter(|(_, y)| **y == E::zero()).for_each(|(g, _)| *g = E::zero());
        Ok(())
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, index, launch};
    use cudarc::driver::DeviceSlice;

    impl<E: Element> ReluKernel<E> for Cuda {
        fn relu(&self, x: &mut Buffer<E, Self>) -> Result<()> {
            let n = index(x.len())?;
            launch!(E, &x.device(), relu, elements(n), (x, n))
        }

        fn relu_gradient(&self, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()> {
            let n = index(y.len())?;
            launch!(E, &y.device(), relu_gradient, elements(n), (y, g, n))
        }
    }
}
