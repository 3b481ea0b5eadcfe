//! On a card.

use super::HadamardKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

impl<E: Element> HadamardKernel<E> for Cuda {
    fn multiply(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &x.device(), multiply_elements, elements(n), (y, x, n))
    }

    fn divide(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &x.device(), divide_elements, elements(n), (y, x, n))
    }
}
