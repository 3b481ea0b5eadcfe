//! Space to channels and back.

use super::super::{Buffer, Cpu, Element, ImageShape};
use crate::Result;
use dfdx::tensor::Storage;

/// `[h, w, c] ↔ [h/2, w/2, 4c]`, output channel `c·4 + dy·2 + dx`.
pub trait SqueezeKernel<E: Element>: Storage<E> {
    /// From images of `shape`, whose height and width are even.
    fn squeeze(&self, x: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>>;
    /// Back to images of `shape`.
    fn unsqueeze(&self, y: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>>;
}

impl<E: Element> SqueezeKernel<E> for Cpu {
    fn squeeze(&self, x: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut y = super::MemoryKernel::<E>::zeros(self, x.len())?;
        for_each_pair(shape, x.len() / shape.dims(), |large, small| y[small] = x[large]);
        Ok(y)
    }

    fn unsqueeze(&self, y: &Buffer<E, Self>, shape: ImageShape) -> Result<Buffer<E, Self>> {
        let mut x = super::MemoryKernel::<E>::zeros(self, y.len())?;
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

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, index, launch};
    use crate::backend::kernels::MemoryKernel;
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
}
