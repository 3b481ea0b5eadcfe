//! On the CPU.

use super::super::super::{Buffer, Cpu, Element};
use super::super::vectorised::vectorised;
use super::HadamardKernel;
use crate::Result;

impl<E: Element> HadamardKernel<E> for Cpu {
    fn multiply(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        multiply(y, x);
        Ok(())
    }

    fn divide(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        divide(y, x);
        Ok(())
    }
}

vectorised! {
    fn multiply<E: Element>(y: &mut [E], x: &[E]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y *= x);
    }
}

vectorised! {
    fn divide<E: Element>(y: &mut [E], x: &[E]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y /= x);
    }
}
