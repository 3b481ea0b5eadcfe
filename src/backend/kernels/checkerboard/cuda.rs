//! Checkerboards on CUDA.

use super::CheckerboardKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element, ImageShape};
use cudarc::driver::DeviceSlice;

impl<E: Element> CheckerboardKernel<E> for Cuda {
    fn take_pixels(&self, x: &Buffer<E, Self>, shape: ImageShape, parity: usize) -> Result<Buffer<E, Self>> {
        let mut taken = MemoryKernel::<E>::zeros(self, x.len() / 2)?;
        let (n, parity) = (index(taken.len())?, index(parity)?);
        let (height, width, channels) = (index(shape.height)?, index(shape.width)?, index(shape.channels)?);
        launch!(E, &x.device(), take_pixels, elements(n), (x, &mut taken, height, width, channels, parity, n))?;
        Ok(taken)
    }

    fn put_pixels(
        &self,
        y: &mut Buffer<E, Self>,
        shape: ImageShape,
        parity: usize,
        pixels: &Buffer<E, Self>,
    ) -> Result<()> {
        let (n, parity) = (index(pixels.len())?, index(parity)?);
        let (height, width, channels) = (index(shape.height)?, index(shape.width)?, index(shape.channels)?);
        launch!(E, &pixels.device(), put_pixels, elements(n), (y, pixels, height, width, channels, parity, n))
    }
}
