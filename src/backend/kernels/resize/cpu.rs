//! On the CPU.

use super::super::super::{Buffer, Cpu, Element, ImageShape};
use super::super::MemoryKernel;
use super::{ResizeKernel, span};
use crate::Result;

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
        let mut y = MemoryKernel::<E>::zeros(self, images * height * width * channels)?;
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
