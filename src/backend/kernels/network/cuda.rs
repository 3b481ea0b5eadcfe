//! The hidden layers on CUDA.

use super::{HiddenGradients, HiddenLayers, NetworkKernel, unfolded_columns};
use crate::Result;
use crate::backend::cuda::Rounding;
use crate::backend::kernels::channel::cuda::gradient;
use crate::backend::kernels::product::cuda::multiply;
use crate::backend::kernels::{ChannelKernel, ConvolutionKernel, MemoryKernel, Operand};
use crate::backend::{Buffer, Cuda, Element, ImageShape};
use cudarc::cublas::{CudaBlas, Gemm};
use cudarc::driver::DeviceSlice;

/// Layer by layer: the device's own products are at their best on all rows at once.
impl<E: Element> NetworkKernel<E> for Cuda
where
    CudaBlas: Gemm<E>,
{
    fn hidden(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>> {
        Ok(self.hidden_keeping(x, shape, layers)?.0)
    }

    fn hidden_keeping(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<(Buffer<E, Self>, [Buffer<E, Self>; 2])> {
        let (rows, width, columns) = (x.len() / shape.channels, layers.width, unfolded_columns(shape, layers.edge));
        let times = |input: &Buffer<E, Self>, size: (usize, usize, usize), weight: &Buffer<E, Self>| {
            let mut out = MemoryKernel::<E>::zeros(self, size.0 * size.2)?;
            multiply(size, (Operand::Plain(input), Operand::Plain(weight)), &mut out, false, Rounding::AsChosen)?;
            Result::Ok(out)
        };
        let mut h1 = times(&self.unfold(x, shape, layers.edge)?, (rows, columns, width), layers.conv1)?;
        self.affine_relu(&mut h1, layers.norm1.0, layers.norm1.1)?;
        let mut h2 = times(&h1, (rows, width, width), layers.conv2)?;
        self.affine_relu(&mut h2, layers.norm2.0, layers.norm2.1)?;
        Ok((times(&h2, (rows, width, layers.taps), layers.conv3)?, [h1, h2]))
    }

    fn hidden_gradient(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
        [h1, h2]: [&Buffer<E, Self>; 2],
        g_taps: &Buffer<E, Self>,
        grads: HiddenGradients<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>> {
        let (rows, width, taps) = (x.len() / shape.channels, layers.width, layers.taps);
        let (columns, factor) = (unfolded_columns(shape, layers.edge), grads.factor);
        // `d += inputᵀ·g`, and `g·weightᵀ`, for a layer from `from` to `to` channels.
        let back = |(from, to): (usize, usize),
                    input: &Buffer<E, Self>,
                    g: &Buffer<E, Self>,
                    weight: &Buffer<E, Self>,
                    d: &mut Buffer<E, Self>| {
            let by_weight = (Operand::Transposed(input), Operand::Plain(g));
            multiply((from, rows, to), by_weight, d, true, Rounding::AsChosen)?;
            let mut g_input = MemoryKernel::<E>::zeros(self, rows * from)?;
            let by_input = (Operand::Plain(g), Operand::Transposed(weight));
            multiply((rows, to, from), by_input, &mut g_input, false, Rounding::AsChosen)?;
            Result::Ok(g_input)
        };
        let mut g2 = back((width, taps), h2, g_taps, layers.conv3, grads.conv3)?;
        gradient(self, h2, &mut g2, layers.norm2.1, true, factor, grads.norm2)?;
        let mut g1 = back((width, width), h1, &g2, layers.conv2, grads.conv2)?;
        gradient(self, h1, &mut g1, layers.norm1.1, true, factor, grads.norm1)?;
        let unfolded = self.unfold(x, shape, layers.edge)?;
        let g_unfolded = back((columns, width), &unfolded, &g1, layers.conv1, grads.conv1)?;
        self.fold(&g_unfolded, shape, layers.edge)
    }
}
