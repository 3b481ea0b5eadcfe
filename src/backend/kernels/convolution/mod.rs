//! 3×3 convolutions as matrix products, unfolded on their thin side.
//!
//! In Glow's networks one side of each 3×3 convolution is thin. Where the input is thin, [`unfold`] gathers the nine
//! neighbours of each pixel before the product. Where the output is thin, one product makes the nine contributions
//! that each pixel sends, and [`sum_taps`] adds them where they arrive. Tap `t = 3·ky + kx` looks at the neighbour
//! `(ky − 1, kx − 1)` away. Outside the picture every channel is 0, but the *edge indicator*, which is 1 there and 0
//! inside.
//!
//! [`unfold`]: ConvolutionKernel::unfold
//! [`sum_taps`]: ConvolutionKernel::sum_taps

use super::super::{Buffer, Cpu, Element, ImageShape};
use super::vectorised::vectorised;
use crate::Result;
use dfdx::tensor::Storage;
use std::ops::Range;

/// The parts of a 3×3 convolution that are not products.
pub trait ConvolutionKernel<E: Element>: Storage<E> {
    /// Images of `shape` to rows of neighbours `[rows, 9 · (channels + 1)]`, tap by tap, the edge indicator last in
    /// each; `[rows, 9 · channels]` without `edge`.
    fn unfold(&self, x: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>>;
    /// The adjoint of [`ConvolutionKernel::unfold`]: `[rows, 9 · (channels + 1)]` to `[rows, channels]`.
    fn fold(&self, u: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>>;
    /// `y[p] = Σ_t taps[p + t, t]`, taps `[rows, 9, channels]`; a tap that looks outside adds `edge[t]` instead, the
    /// `9 · channels` numbers of the weight from the given offset on.
    fn sum_taps(
        &self,
        taps: &Buffer<E, Self>,
        shape: ImageShape,
        edge: Option<(&Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>>;
    /// The adjoint of [`ConvolutionKernel::sum_taps`]: `[rows, channels]` to `[rows, 9, channels]`, adding to the
    /// edge weights' gradient.
    fn spread_taps(
        &self,
        g: &Buffer<E, Self>,
        shape: ImageShape,
        d_edge: Option<(&mut Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>>;
}

impl<E: Element> ConvolutionKernel<E> for Cpu {
    fn unfold(&self, x: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let channels = shape.channels;
        let block = channels + usize::from(edge);
        let rows = x.len() / channels;
        let mut u = super::MemoryKernel::<E>::zeros(self, rows * 9 * block)?;
        unfold_rows(x, shape, edge, 0, &mut u);
        Ok(u)
    }

    fn fold(&self, u: &Buffer<E, Self>, shape: ImageShape, edge: bool) -> Result<Buffer<E, Self>> {
        let channels = shape.channels;
        let block = channels + usize::from(edge);
        let rows = u.len() / (9 * block);
        let mut x = super::MemoryKernel::<E>::zeros(self, rows * channels)?;
        fold_rows(u, shape, edge, 0, &mut x);
        Ok(x)
    }

    fn sum_taps(
        &self,
        taps: &Buffer<E, Self>,
        shape: ImageShape,
        edge: Option<(&Buffer<E, Self>, usize)>,
    ) -> Result<Buffer<E, Self>> {
        let mut y = super::MemoryKernel::<E>::zeros(self, taps.len() / 9)?;
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
        let mut taps = super::MemoryKernel::<E>::zeros(self, rows * 9 * channels)?;
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
pub(super) fn unfold_rows<E: Element>(x: &[E], shape: ImageShape, edge: bool, first: usize, u: &mut [E]) {
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
pub(super) fn fold_rows<E: Element>(u: &[E], shape: ImageShape, edge: bool, first: usize, x: &mut [E]) {
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

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, index, launch, strips};
    use crate::backend::kernels::MemoryKernel;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::MemoryKernel;
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
