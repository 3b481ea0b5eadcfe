//! The hidden layers on the CPU.

use super::{HiddenGradients, HiddenLayers, NetworkKernel, unfolded_columns};
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::kernels::channel::cpu::{affine_relu, gradient};
use crate::backend::kernels::convolution::cpu::{fold_rows, unfold_rows};
use crate::backend::kernels::product::cpu::{matrix, multiply};
use crate::backend::{Buffer, Cpu, Element, ImageShape};

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
