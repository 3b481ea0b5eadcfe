//! On a card.

use super::{Activation, ActivationKernel};
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

/// The activation's number in the kernels' text.
fn code(activation: Activation) -> i32 {
    match activation {
        Activation::Relu => 0,
        Activation::Tanh => 1,
    }
}

impl<E: Element> ActivationKernel<E> for Cuda {
    fn activate(&self, activation: Activation, x: &mut Buffer<E, Self>) -> Result<()> {
        let n = index(x.len())?;
        launch!(E, &x.device(), activate, elements(n), (x, code(activation), n))
    }

    fn activate_gradient(&self, activation: Activation, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()> {
        let n = index(g.len())?;
        launch!(E, &y.device(), activate_gradient, elements(n), (y, g, code(activation), n))
    }
}
