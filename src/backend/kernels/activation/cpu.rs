//! On the CPU.

use super::super::super::{Buffer, Cpu, Element};
use super::super::vectorised::vectorised;
use super::{Activation, ActivationKernel};
use crate::Result;

impl<E: Element> ActivationKernel<E> for Cpu {
    fn activate(&self, activation: Activation, x: &mut Buffer<E, Self>) -> Result<()> {
        match activation {
            Activation::Relu => relu(x),
            Activation::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
        }
        Ok(())
    }

    fn activate_gradient(&self, activation: Activation, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()> {
        match activation {
            Activation::Relu => relu_gradient(y, g),
            Activation::Tanh => tanh_gradient(y, g),
        }
        Ok(())
    }
}

vectorised! {
    fn relu<E: Element>(x: &mut [E]) {
        x.iter_mut().for_each(|x| *x = if *x < E::zero() { E::zero() } else { *x });
    }
}

vectorised! {
    fn relu_gradient<E: Element>(y: &[E], g: &mut [E]) {
        g.iter_mut().zip(y).for_each(|(g, &y)| *g = if y == E::zero() { E::zero() } else { *g });
    }
}

vectorised! {
    fn tanh_gradient<E: Element>(y: &[E], g: &mut [E]) {
        g.iter_mut().zip(y).for_each(|(g, &y)| *g *= E::one() - y * y);
    }
}
