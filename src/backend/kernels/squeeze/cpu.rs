//! Squeezes on the CPU.

use super::SqueezeKernel;
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cpu, Element, ImageShape};

impl<E: Element> SqueezeKernel<E> for Cpu {
    fn squeeze(&self, x: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, x.len())?;
        for_each_pair(shape, x.len() / shape.dims(), |large, small| y[small] = x[large]);
        Ok(y)
    }

    fn unsqueeze(&self, y: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut x = MemoryKernel::<E>::zeros(self, y.len())?;
        for_each_pair(shape, y.len() / shape.dims(), |large, small| x[large] = y[small]);
        Ok(x)
    }
}

/// Calls `f` with the index of every element in the large picture and in the squeezed one.
fn for_each_pair(shape: ImageShape, batch: usize, mut f: impl FnMut(usize, usize)) {
    let ImageShape { height, width, channels } = shape;
    for row in 0..batch * height {
        for column in 0..width {
            let large = (row * width + column) * channels;
            let small = ((row / 2) * (width / 2) + column / 2) * 4 * channels + (row % 2) * 2 + column % 2;
            for channel in 0..channels {
                f(large + channel, small + 4 * channel);
            }
        }
    }
}
