//! The unfolding of convolutions on CUDA.

use super::ConvolutionKernel;
use crate::Result;
use crate::backend::cuda::{elements, index, launch, strips};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element, ImageShape};
use cudarc::driver::DeviceSlice;

/// Height, width and channels as the kernels count them.
fn sides(shape: ImageShape) -> Result<(u32, u32, u32)> {
    Ok((index(shape.height)?, index(shape.width)?, index(shape.channels)?))
}

impl<E: Element> ConvolutionKernel<E> for Cuda {
    fn unfold(&self, x: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let rows = x.len() / shape.channels;
        let mut u = MemoryKernel::<E>::zeros(self, rows * 9 * (shape.channels + usize::from(edge)))?;
        let ((height, width, channels), n) = (sides(shape)?, index(u.len())?);
        launch!(E, &x.device(), unfold, elements(n), (x, &mut u, height, width, channels, u32::from(edge), n))?;
        Ok(u)
    }

    fn fold(&self, u: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let rows = u.len() / (9 * (shape.channels + usize::from(edge)));
        let mut x = MemoryKernel::<E>::zeros(self, rows * shape.channels)?;
        let ((height, width, channels), n) = (sides(shape)?, index(x.len())?);
        launch!(E, &u.device(), fold, elements(n), (u, &mut x, height, width, channels, u32::from(edge), n))?;
        Ok(x)
    }

    fn sum_taps(
        &self,
        taps: &Buffer<E, Self>,
        shape: ImageShape,
        edge: Option<(&Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, taps.len() / 9)?;
        let ((height, width, channels), n) = (sides(shape)?, index(y.len())?);
        let (card, grid) = (taps.device(), elements(n));
        match edge {
            Some((edge, offset)) => {
                let offset = index(offset)?;
                launch!(E, &card, sum_taps, grid, (taps, edge, offset, &mut y, height, width, channels, n))
            }
            // The address of no weights.
            None => launch!(E, &card, sum_taps, grid, (taps, 0u64, 0u32, &mut y, height, width, channels, n)),
        }?;
        Ok(y)
    }

    fn spread_taps(
        &self,
        g: &Buffer<E, Self>,
        shape: ImageShape,
        d_edge: Option<(&mut Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>> {
        let mut taps = MemoryKernel::<E>::zeros(self, 9 * g.len())?;
        let ((height, width, channels), n, card) = (sides(shape)?, index(taps.len())?, g.device());
        launch!(E, &card, spread_taps, elements(n), (g, &mut taps, height, width, channels, n))?;
        if let Some((weight, offset)) = d_edge {
            let (rows, columns) = (index(g.len() / shape.channels)?, 9 * channels);
            let strips = strips(rows, columns);
            let mut parts = MemoryKernel::<E>::zeros(self, (strips * columns) as usize)?;
            let (grid, offset) = (elements(strips * columns), index(offset)?);
            launch!(E, &card, spread_to_edge, grid, (g, &mut parts, height, width, channels, rows, strips))?;
            launch!(E, &card, add_column_sums, (columns, 1), (&parts, strips, columns, 1.0, weight, offset))?;
        }
        Ok(taps)
    }
}
