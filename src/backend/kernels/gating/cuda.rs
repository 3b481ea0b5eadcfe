//! On a card.

use super::GatingKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

impl<E: Element> GatingKernel<E> for Cuda {
    fn concat_elu(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, 2 * x.len())?;
        let (n, channels) = (index(x.len())?, index(channels)?);
        launch!(E, &x.device(), concat_elu, elements(n), (x, &mut y, channels, n))?;
        Ok(y)
    }

    fn concat_elu_gradient(
        &self,
        x: &Buffer<E, Self>,
        g: &Buffer<E, Self>,
        channels: usize,
    ) -> Result<Buffer<E, Self>> {
        let mut d_x = MemoryKernel::<E>::zeros(self, x.len())?;
        let (n, channels) = (index(x.len())?, index(channels)?);
        launch!(E, &x.device(), concat_elu_gradient, elements(n), (x, g, &mut d_x, channels, n))?;
        Ok(d_x)
    }

    fn gate(&self, x: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, x.len() / 2)?;
        let (n, channels) = (index(y.len())?, index(channels)?);
        launch!(E, &x.device(), gate, elements(n), (x, &mut y, channels, n))?;
        Ok(y)
    }

    fn gate_gradient(&self, x: &Buffer<E, Self>, g: &Buffer<E, Self>, channels: usize) -> Result<Buffer<E, Self>> {
        let mut d_x = MemoryKernel::<E>::zeros(self, x.len())?;
        let (n, channels) = (index(g.len())?, index(channels)?);
        launch!(E, &x.device(), gate_gradient, elements(n), (x, g, &mut d_x, channels, n))?;
        Ok(d_x)
    }
}
