//! Squeezes on CUDA.

use super::SqueezeKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element, ImageShape};
use cudarc::driver::DeviceSlice;

impl<E: Element> SqueezeKernel<E> for Cuda {
    fn squeeze(&self, x: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, x.len())?;
        let (n, width, channels) = (index(x.len())?, index(shape.width)?, index(shape.channels)?);
        launch!(E, &x.device(), squeeze, elements(n), (x, &mut y, width, channels, n))?;
        Ok(y)
    }

    fn unsqueeze(&self, y: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut x = MemoryKernel::<E>::zeros(self, y.len())?;
        let (n, width, channels) = (index(y.len())?, index(shape.width)?, index(shape.channels)?);
        launch!(E, &y.device(), unsqueeze, elements(n), (y, &mut x, width, channels, n))?;
        Ok(x)
    }
}
