//! Pictures made larger by repeating pixels, and smaller by summing blocks of them.
//!
//! Along each axis by itself: where the result is as long or longer, a pixel is repeated; where it is shorter, the pixels of
//! a block are summed. All of it times a factor. The transposed map is the same one the other way round, with the same
//! factor.

use super::super::{Buffer, Cpu, Element, ImageShape};
use crate::Result;
use dfdx::tensor::Storage;
use std::ops::Range;

/// `[h, w, c] → [height, width, c]`, where on each axis one length is a multiple of the other.
pub trait ResizeKernel<E: Element>: Storage<E> {
    /// From images of shape `from`.
    fn resize(&self, x: &Buffer<E, Self>, from: ImageShape, to: (usize, usize), factor: f64)
    -> Result<Buffer<E, Self>>;
}

/// The places of an axis of length `from` that place `i` of one of length `to` is made of.
fn span(i: usize, from: usize, to: usize) -> Range<usize> {
    if to >= from {
        let place = i / (to / from);
        return place..place + 1;
    }
    let block = from / to;
    i * block..(i + 1) * block
}

impl<E: Element> ResizeKernel<E> for Cpu {
    fn resize(
        &self,
        x: &Buffer<E, Self>,
        from: ImageShape,
        (height, width): (usize, usize),
        factor: f64,
    ) -> Result<Buffer<E, Self>> {
        let (channels, factor) = (from.channels, E::of(factor));
        let images = x.len() / from.dims();
        let mut y = super::MemoryKernel::<E>::zeros(self, images * height * width * channels)?;
        for (place, pixel) in y.chunks_exact_mut(channels).enumerate() {
            let (image, row, column) = (place / (height * width), place / width % height, place % width);
            for source_row in span(row, from.height, height) {
                for source_column in span(column, from.width, width) {
                    let start = ((image * from.height + source_row) * from.width + source_column) * channels;
                    pixel.iter_mut().zip(&x[start..start + channels]).for_each(|(sum, &value)| *sum += value);
                }
            }
            pixel.iter_mut().for_each(|sum| *sum *= factor);
        }
        Ok(y)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
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
}
