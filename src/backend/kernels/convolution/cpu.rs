//! The unfolding of convolutions on the CPU.

use super::ConvolutionKernel;
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::kernels::vectorised::vectorised;
use crate::backend::{Buffer, Cpu, Element, ImageShape};
use std::ops::Range;

impl<E: Element> ConvolutionKernel<E> for Cpu {
    fn unfold(&self, x: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let channels = shape.channels;
        let block = channels + usize::from(edge);
        let rows = x.len() / channels;
        let mut u = MemoryKernel::<E>::zeros(self, rows * 9 * block)?;
        unfold_rows(x, shape, edge, 0, &mut u);
        Ok(u)
    }

    fn fold(&self, u: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let channels = shape.channels;
        let block = channels + usize::from(edge);
        let rows = u.len() / (9 * block);
        let mut x = MemoryKernel::<E>::zeros(self, rows * channels)?;
        fold_rows(u, shape, edge, 0, &mut x);
        Ok(x)
    }

    fn sum_taps(
        &self,
        taps: &Buffer<E, Self>,
        shape: ImageShape,
        edge: Option<(&Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>> {
        let mut y = MemoryKernel::<E>::zeros(self, taps.len() / 9)?;
        sum_taps(taps, shape, edge.map_or(&[], |(weight, offset)| &weight[offset..]), &mut y);
        Ok(y)
    }

    fn spread_taps(
        &self,
        g: &Buffer<E, Self>,
        shape: ImageShape,
        mut d_edge: Option<(&mut Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>> {
        let channels = shape.channels;
        let rows = g.len() / channels;
        let mut taps = MemoryKernel::<E>::zeros(self, rows * 9 * channels)?;
        for_each_tap(0..rows, shape, |row, tap, neighbour| {
            let g = &g[row * channels..][..channels];
            match (neighbour, &mut d_edge) {
                (Some(to), _) => taps[(to * 9 + tap) * channels..][..channels].copy_from_slice(g),
                (None, Some((weight, offset))) => {
                    let d = &mut weight[tap_range(*offset, tap, channels)];
                    d.iter_mut().zip(g).for_each(|(d, &g)| *d += g);
                }
                (None, None) => {}
            }
        });
        Ok(taps)
    }
}

/// The neighbours of the pixels from `first` on, which is the first of a line, as many as `u` has rows for.
pub(in crate::backend::kernels) fn unfold_rows<E: Element>(
    x: &[E],
    shape: ImageShape,
    edge: bool,
    first: usize,
    u: &mut [E],
) {
    let channels = shape.channels;
    let block = channels + usize::from(edge);
    for_each_tap(first..first + u.len() / (9 * block), shape, |row, tap, neighbour| {
        let out = &mut u[((row - first) * 9 + tap) * block..][..block];
        match neighbour {
            Some(from) => out[..channels].copy_from_slice(&x[from * channels..][..channels]),
            None => out[..channels].fill(E::zero()),
        }
        if edge {
            out[channels] = if neighbour.is_none() { E::one() } else { E::zero() };
        }
    });
}

/// Adds what the neighbours of the pixels from `first` on have, which is the first of a line, to `x`.
pub(in crate::backend::kernels) fn fold_rows<E: Element>(
    u: &[E],
    shape: ImageShape,
    edge: bool,
    first: usize,
    x: &mut [E],
) {
    let channels = shape.channels;
    let block = channels + usize::from(edge);
    for_each_tap(first..first + u.len() / (9 * block), shape, |row, tap, neighbour| {
        if let Some(to) = neighbour {
            let from = &u[((row - first) * 9 + tap) * block..][..channels];
            x[to * channels..][..channels].iter_mut().zip(from).for_each(|(x, &u)| *x += u);
        }
    });
}

vectorised! {
    /// `edge` begins with the edge's weights, or is empty.
    fn sum_taps<E: Element>(taps: &[E], shape: ImageShape, edge: &[E], y: &mut [E]) {
        let channels = shape.channels;
        for_each_tap(0..y.len() / channels, shape, |row, tap, neighbour| {
            let addend = match neighbour {
                Some(from) => &taps[(from * 9 + tap) * channels..][..channels],
                None if !edge.is_empty() => &edge[tap_range(0, tap, channels)],
                None => return,
            };
            y[row * channels..][..channels].iter_mut().zip(addend).for_each(|(y, &a)| *y += a);
        });
    }
}

fn tap_range(offset: usize, tap: usize, channels: usize) -> Range<usize> {
    offset + tap * channels..offset + (tap + 1) * channels
}

/// Calls `f` with each of these rows, which begin with a line, every tap, and the row that the tap looks at, if that is
/// inside the picture.
#[inline(always)]
fn for_each_tap(rows: Range<usize>, shape: ImageShape, mut f: impl FnMut(usize, usize, Option<usize>)) {
    let ImageShape { height, width, .. } = shape;
    let line = rows.start / width % height;
    for (line, first) in (0..height).cycle().skip(line).zip(rows.step_by(width)) {
        for column in 0..width {
            let row = first + column;
            for down in 0..3 {
                let inside = line + down > 0 && line + down <= height;
                for right in 0..3 {
                    let inside = inside && column + right > 0 && column + right <= width;
                    // Up a line and left a column, then down and right.
                    let neighbour = (row + down * width + right).wrapping_sub(width + 1);
                    f(row, 3 * down + right, inside.then_some(neighbour));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wave(len: usize, frequency: f64) -> Vec<f64> {
        (0..len).map(|i| (i as f64 * frequency).sin()).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    proptest! {
        /// ⟨unfold x, u⟩ = ⟨x, fold u⟩, and the edge indicator is constant.
        #[test]
        fn fold_is_the_adjoint_of_unfold(h in 1usize..5, w in 1usize..5, c in 1usize..4, n in 1usize..3, edge: bool) {
            let (device, shape) = (Cpu::default(), ImageShape::new(h, w, c));
            let x = device.upload(&wave(n * shape.dims(), 0.7)).unwrap();
            let zero = device.upload(&vec![0.0; n * shape.dims()]).unwrap();
            let unfolded = device.unfold(&x, shape, edge).unwrap();
            let constant = device.unfold(&zero, shape, edge).unwrap();
            let u = device.upload(&wave(unfolded.len(), 1.3)).unwrap();
            let folded = device.fold(&u, shape, edge).unwrap();
            prop_assert!((dot(&unfolded, &u) - dot(&constant, &u) - dot(&x, &folded)).abs() < 1e-10);
        }

        /// ⟨sum_taps a, g⟩ = ⟨a, spread_taps g⟩ + ⟨edge, d_edge⟩.
        #[test]
        fn spread_is_the_adjoint_of_sum(h in 1usize..5, w in 1usize..5, c in 1usize..4, n in 1usize..3) {
            let (device, shape) = (Cpu::default(), ImageShape::new(h, w, c));
            let rows = n * h * w;
            let taps = device.upload(&wave(rows * 9 * c, 0.7)).unwrap();
            let edge = device.upload(&wave(9 * c + 2, 1.1)).unwrap();
            let g = device.upload(&wave(rows * c, 1.7)).unwrap();
            let summed = device.sum_taps(&taps, shape, Some((&edge, 2))).unwrap();
            let mut d_edge = device.upload(&vec![0.0; 9 * c + 2]).unwrap();
            let spread = device.spread_taps(&g, shape, Some((&mut d_edge, 2))).unwrap();
            prop_assert!((dot(&summed, &g) - dot(&taps, &spread) - dot(&edge, &d_edge)).abs() < 1e-10);
        }
    }
}
