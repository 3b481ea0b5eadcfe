//! The hidden layers of a coupling network, as one kernel.
//!
//! ```text
//! h1 = max((u·W1 + b1)·s1, 0)     u: the neighbours of each pixel of x, see `unfold`
//! h2 = max((h1·W2 + b2)·s2, 0)
//! taps = h2·W3                    what each pixel sends to its neighbours, see `sum_taps`
//! ```
//!
//! Rows depend on each other in `u` alone. So on the CPU a block of rows goes through all of it before the next does, in
//! buffers that stay in a core's cache and are not cleared in between; only what is asked for is written out whole. The
//! gradient goes back the same way: with `g` the gradient with respect to what stands behind it,
//!
//! ```text
//! dW3 += h2ᵀ·g_taps     g2 = (g_taps·W3ᵀ)·[h2 > 0]·s2     db2 += Σ g2     dlogs2 += f·Σ (g_taps·W3ᵀ)·h2
//! dW2 += h1ᵀ·g2         g1 = (g2·W2ᵀ)·[h1 > 0]·s1         db1 += Σ g1     dlogs1 += f·Σ (g2·W2ᵀ)·h1
//! dW1 += uᵀ·g1          g_x = fold (g1·W1ᵀ)
//! ```

use super::super::{Buffer, Cpu, Element, ImageShape};
use super::MemoryKernel;
use super::channel::{affine_relu, gradient};
use super::convolution::{fold_rows, unfold_rows};
use super::product::{matrix, multiply};
use crate::Result;
use dfdx::tensor::Storage;

/// The hidden layers: what they multiply and add.
#[derive(Debug)]
pub struct HiddenLayers<'a, B> {
    /// `[9 · (channels + 1), width]`, or `[9 · channels, width]` without an edge indicator.
    pub conv1: &'a B,
    /// `b1` and `s1`, `[width]` each.
    pub norm1: (&'a B, &'a B),
    /// `[width, width]`
    pub conv2: &'a B,
    /// `b2` and `s2`, `[width]` each.
    pub norm2: (&'a B, &'a B),
    /// `[width, taps]`; rows beyond `width` are not read.
    pub conv3: &'a B,
    /// Hidden channels.
    pub width: usize,
    /// Columns of `conv3`.
    pub taps: usize,
    /// Whether the neighbours have an edge indicator.
    pub edge: bool,
}

/// Where the gradients of the hidden layers' parameters are added.
#[derive(Debug)]
pub struct HiddenGradients<'a, B> {
    /// With respect to `conv1`.
    pub conv1: &'a mut B,
    /// With respect to `b1` and to the logarithms of `s1`.
    pub norm1: (&'a mut B, &'a mut B),
    /// With respect to `conv2`.
    pub conv2: &'a mut B,
    /// With respect to `b2` and to the logarithms of `s2`.
    pub norm2: (&'a mut B, &'a mut B),
    /// With respect to `conv3`.
    pub conv3: &'a mut B,
    /// `f` of `s = exp(f · logs)`.
    pub factor: f64,
}

/// The hidden layers of a network, for images of a shape.
pub trait NetworkKernel<E: Element>: Storage<E> {
    /// `taps` `[rows, taps]`.
    fn hidden(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>>;
    /// `taps`, and `h1` and `h2` `[rows, width]` each.
    fn hidden_keeping(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<(Buffer<E, Self>, [Buffer<E, Self>; 2])>;
    /// The gradient with respect to `x`, from that with respect to `taps` and from `[h1, h2]`.
    fn hidden_gradient(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
        hidden: [&Buffer<E, Self>; 2],
        g_taps: &Buffer<E, Self>,
        grads: HiddenGradients<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>>;
}

/// About how many rows go through the layers together.
const BLOCK: usize = 256;

impl<E: Element> NetworkKernel<E> for Cpu {
    fn hidden(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<Buffer<E, Self>> {
        let rows = x.len() / shape.channels;
        let block = whole_lines(BLOCK, shape).min(rows);
        let mut taps = MemoryKernel::<E>::zeros(self, rows * layers.taps)?;
        let mut unfolded = MemoryKernel::<E>::zeros(self, block * unfolded_columns(shape, layers.edge))?;
        let mut h1 = MemoryKernel::<E>::zeros(self, block * layers.width)?;
        let mut h2 = h1.clone();
        for (taps, first) in taps.chunks_mut(block * layers.taps).zip((0..rows).step_by(block)) {
            pass_block(layers, x, shape, first, [&mut unfolded, &mut h1, &mut h2, taps]);
        }
        Ok(taps)
    }

    fn hidden_keeping(
        &self,
        x: &Buffer<E, Self>,
        shape: ImageShape,
        layers: &HiddenLayers<Buffer<E, Self>>,
    ) -> Result<(Buffer<E, Self>, [Buffer<E, Self>; 2])> {
        let rows = x.len() / shape.channels;
        let block = whole_lines(BLOCK, shape).min(rows);
        let mut taps = MemoryKernel::<E>::zeros(self, rows * layers.taps)?;
        let mut unfolded = MemoryKernel::<E>::zeros(self, block * unfolded_columns(shape, layers.edge))?;
        let mut h1 = MemoryKernel::<E>::zeros(self, rows * layers.width)?;
        let mut h2 = MemoryKernel::<E>::zeros(self, rows * layers.width)?;
        let hidden = h1.chunks_mut(block * layers.width).zip(h2.chunks_mut(block * layers.width));
        for ((taps, first), (h1, h2)) in taps.chunks_mut(block * layers.taps).zip((0..rows).step_by(block)).zip(hidden)
        {
            pass_block(layers, x, shape, first, [&mut unfolded, h1, h2, taps]);
        }
        Ok((taps, [h1, h2]))
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
        let (width, taps, columns) = (layers.width, layers.taps, unfolded_columns(shape, layers.edge));
        let all = x.len() / shape.channels;
        // A weight's gradient is read and written once a block, which its products must outweigh.
        let block = whole_lines(BLOCK.max(2 * width), shape).min(all);
        let mut g_x = MemoryKernel::<E>::zeros(self, x.len())?;
        let mut unfolded = MemoryKernel::<E>::zeros(self, block * columns)?;
        let mut g1 = MemoryKernel::<E>::zeros(self, block * width)?;
        let mut g2 = g1.clone();
        let factor = E::of(grads.factor);
        for first in (0..all).step_by(block) {
            let rows = block.min(all - first);
            let (h1, h2) = (&h1[first * width..][..rows * width], &h2[first * width..][..rows * width]);
            let (g1, g2, unfolded) =
                (&mut g1[..rows * width], &mut g2[..rows * width], &mut unfolded[..rows * columns]);
            let g_taps = matrix(&g_taps[first * taps..], rows, taps);

            multiply(matrix(h2, rows, width).transpose(), g_taps, &mut grads.conv3[..width * taps], true);
            multiply(g_taps, matrix(layers.conv3, width, taps).transpose(), g2, false);
            gradient::<E, true>(h2, g2, layers.norm2.1, factor, grads.norm2.0, grads.norm2.1);

            multiply(matrix(h1, rows, width).transpose(), matrix(g2, rows, width), grads.conv2, true);
            multiply(matrix(g2, rows, width), matrix(layers.conv2, width, width).transpose(), g1, false);
            gradient::<E, true>(h1, g1, layers.norm1.1, factor, grads.norm1.0, grads.norm1.1);

            unfold_rows(x, shape, layers.edge, first, unfolded);
            multiply(matrix(unfolded, rows, columns).transpose(), matrix(g1, rows, width), grads.conv1, true);
            multiply(matrix(g1, rows, width), matrix(layers.conv1, columns, width).transpose(), unfolded, false);
            fold_rows(unfolded, shape, layers.edge, first, &mut g_x);
        }
        Ok(g_x)
    }
}

/// At least one line, for a block begins at the first pixel of one.
fn whole_lines(rows: usize, shape: ImageShape) -> usize {
    (rows / shape.width).max(1) * shape.width
}

fn unfolded_columns(shape: ImageShape, edge: bool) -> usize {
    9 * (shape.channels + usize::from(edge))
}

/// The rows from `first` on, as many as `taps` has, through all layers. The buffers may be longer than that.
fn pass_block<E: Element>(
    layers: &HiddenLayers<Buffer<E, Cpu>>,
    x: &[E],
    shape: ImageShape,
    first: usize,
    [unfolded, h1, h2, taps]: [&mut [E]; 4],
) {
    let (width, columns) = (layers.width, unfolded_columns(shape, layers.edge));
    let rows = taps.len() / layers.taps;
    let (unfolded, h1, h2) = (&mut unfolded[..rows * columns], &mut h1[..rows * width], &mut h2[..rows * width]);
    unfold_rows(x, shape, layers.edge, first, unfolded);
    multiply(matrix(unfolded, rows, columns), matrix(layers.conv1, columns, width), h1, false);
    affine_relu(h1, layers.norm1.0, layers.norm1.1);
    multiply(matrix(h1, rows, width), matrix(layers.conv2, width, width), h2, false);
    affine_relu(h2, layers.norm2.0, layers.norm2.1);
    multiply(matrix(h2, rows, width), matrix(layers.conv3, width, layers.taps), taps, false);
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::Rounding;
    use crate::backend::kernels::channel::cuda::gradient;
    use crate::backend::kernels::product::cuda::multiply;
    use crate::backend::kernels::{ChannelKernel, ConvolutionKernel, Operand};
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::{ChannelKernel, ConvolutionKernel, Operand, ProductKernel};
    use proptest::prelude::*;

    fn wave(device: &Cpu, len: usize, frequency: f64) -> Buffer<f64, Cpu> {
        device.upload(&(0..len).map(|i| (i as f64 * frequency).sin()).collect::<Vec<_>>()).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Block by block is the same as layer by layer, for pictures of less and of more than a block.
        #[test]
        fn blocks_are_the_layers(h in 1usize..40, w in 1usize..24, c in 1usize..4, n in 1usize..4, edge: bool) {
            let (device, shape, width, taps) = (Cpu::default(), ImageShape::new(h, w, c), 5, 7);
            let (rows, columns) = (n * h * w, unfolded_columns(shape, edge));
            let x = wave(&device, n * shape.dims(), 0.7);
            let [w1, w2, w3] = [columns * width, width * width, (width + 1) * taps].map(|len| wave(&device, len, 1.3));
            let [b1, s1, b2, s2] = [0.3, 0.5, 0.9, 1.1].map(|frequency| wave(&device, width, frequency));
            let layers = HiddenLayers {
                conv1: &w1, norm1: (&b1, &s1), conv2: &w2, norm2: (&b2, &s2), conv3: &w3, width, taps, edge,
            };

            let layer = |input: &Buffer<f64, Cpu>, size: (usize, usize, usize), weight| {
                let mut out = wave(&device, size.0 * size.2, 0.0);
                device.product(size, Operand::Plain(input), Operand::Plain(weight), &mut out, false).unwrap();
                out
            };
            let mut h1 = layer(&device.unfold(&x, shape, edge).unwrap(), (rows, columns, width), &w1);
            device.affine_relu(&mut h1, &b1, &s1).unwrap();
            let mut h2 = layer(&h1, (rows, width, width), &w2);
            device.affine_relu(&mut h2, &b2, &s2).unwrap();
            let expected = layer(&h2, (rows, width, taps), &w3);

            let close = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
            let (kept, [kept1, kept2]) = device.hidden_keeping(&x, shape, &layers).unwrap();
            prop_assert!(close(&device.hidden(&x, shape, &layers).unwrap(), &expected));
            prop_assert!(close(&kept, &expected) && close(&kept1, &h1) && close(&kept2, &h2));
        }
    }
}
