//! On CUDA.

use super::super::super::{Buffer, Element, ImageShape};
use super::ResizeKernel;
use crate::Result;
use crate::backend::Cuda;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::kernels::MemoryKernel;
use cudarc::driver::DeviceSlice;

impl<E: Element> ResizeKernel<E> for Cuda {
    fn resize(
        &self,
        x: &Buffer<E, Self>,
        from: ImageShape,
        (height, width): (usize, usize),
        factor: f64,
    ) -> Result<Buffer<E, Self>> {
        let len = x.len() / from.dims() * height * width * from.channels;
        let mut y = MemoryKernel::<E>::zeros(self, len)?;
        let (n, channels) = (index(len)?, index(from.channels)?);
        let (from_height, from_width) = (index(from.height)?, index(from.width)?);
        let (height, width) = (index(height)?, index(width)?);
        let card = x.device();
        launch!(
            E,
            &card,
            resize,
            elements(n),
            (x, &mut y, from_height, from_width, height, width, channels, factor, n)
        )?;
        Ok(y)
    }
}
