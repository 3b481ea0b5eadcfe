//! Couplings on the CPU.

use super::{CouplingForm, CouplingKernel, CouplingLayout, CouplingMap};
use crate::Result;
use crate::backend::kernels::vectorised::vectorised;
use crate::backend::{Buffer, Cpu, Element};

/// Scale, ln scale and d(ln scale)/db of a run of elements, from their b.
struct Scales<E> {
    b: Vec<E>,
    scale: Vec<E>,
    log_scale: Vec<E>,
    slope: Vec<E>,
}

impl<E: Element> Scales<E> {
    fn of_length(len: usize) -> Self {
        let zeros = || vec![E::zero(); len];
        Self { b: zeros(), scale: zeros(), log_scale: zeros(), slope: zeros() }
    }

    /// Fills the first elements, one row of `h` after another; ln scale only if `LOG`.
    fn fill<const LOG: bool>(&mut self, form: CouplingForm, h: &[E]) {
        let changed = form.changed();
        let rows = self.b.chunks_exact_mut(changed).zip(h.chunks_exact(form.network_channels()));
        for (b, h) in rows.take_while(|_| form.map != CouplingMap::Additive) {
            match form.layout {
                CouplingLayout::Interleaved => b.iter_mut().zip(h.chunks_exact(2)).for_each(|(b, h)| *b = h[1]),
                CouplingLayout::Halves => b.copy_from_slice(&h[changed..]),
            }
        }
        let len = h.len() / form.network_channels() * changed;
        let (scale, log_scale, slope) = (&mut self.scale[..len], &mut self.log_scale[..len], &mut self.slope[..len]);
        scales::<E, LOG>(form.map, &self.b[..len], scale, log_scale, slope);
    }
}

vectorised! {
    fn scales<E: Element, const LOG: bool>(map: CouplingMap, b: &[E], scale: &mut [E], log_scale: &mut [E], slope: &mut [E]) {
        let one = E::one();
        let elements = b.iter().zip(scale.iter_mut().zip(log_scale.iter_mut().zip(slope.iter_mut())));
        match map {
            CouplingMap::Additive => {
                scale.fill(one);
                log_scale.fill(E::zero());
                slope.fill(E::zero());
            }
            CouplingMap::Sigmoid => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                let b = b + E::of(2.0);
                // With e = exp(−|b|) ≤ 1 nothing overflows and nothing cancels.
                let e = (-b.abs()).exp_in_lanes();
                let (large, small) = (one / (one + e), e / (one + e));
                let positive = b >= E::zero();
                *scale = if positive { large } else { small };
                *slope = if positive { small } else { large };
                if LOG {
                    *log_scale = (if positive { E::zero() } else { b }) - e.ln_1p_in_lanes();
                }
            }),
            CouplingMap::Exp => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                (*scale, *log_scale, *slope) = (b.exp_in_lanes(), b, one);
            }),
            CouplingMap::ClampedTanh { bound } => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                let tanh = (b / E::of(bound)).tanh();
                *log_scale = E::of(bound) * tanh;
                *scale = (*log_scale).exp_in_lanes();
                *slope = one - tanh * tanh;
            }),
            CouplingMap::Standardize => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                (*scale, *log_scale, *slope) = ((-b).exp_in_lanes(), -b, -one);
            }),
        }
        // What is left of a product with a subnormal scale has too few digits to be divided back.
        let smallest = E::min_positive_value();
        scale.iter_mut().for_each(|scale| *scale = if *scale < smallest { E::zero() } else { *scale });
    }
}

impl<E: Element> CouplingKernel<E> for Cpu {
    fn couple(
        &self,
        form: CouplingForm,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let mut scales = Scales::of_length(block * changed);
        let images = x.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form));
        for ((x, h), ladj) in images.zip(ladj.iter_mut()) {
            for (x, h) in x.chunks_mut(block * channels).zip(h.chunks(block * width)) {
                scales.fill::<true>(form, h);
                let rows = x.chunks_exact_mut(channels).zip(h.chunks_exact(width));
                for (row, (x, h)) in rows.enumerate() {
                    let (a, scale) = (h.iter().step_by(stride), of_row(&scales.scale, row, changed));
                    for ((x, &a), &scale) in x[form.start..].iter_mut().zip(a).zip(scale) {
                        *x = (*x + sign * a) * scale;
                    }
                }
                let len = h.len() / width * form.changed();
                *ladj += scales.log_scale[..len].iter().map(|log_scale| log_scale.as_f64()).sum::<f64>();
            }
        }
        Ok(())
    }

    fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let mut scales = Scales::of_length(block * changed);
        for (y, h) in y.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form)) {
            for (y, h) in y.chunks_mut(block * channels).zip(h.chunks(block * width)) {
                scales.fill::<false>(form, h);
                let rows = y.chunks_exact_mut(channels).zip(h.chunks_exact(width));
                for (row, (y, h)) in rows.enumerate() {
                    let (a, scale) = (h.iter().step_by(stride), of_row(&scales.scale, row, changed));
                    for ((y, &a), &scale) in y[form.start..].iter_mut().zip(a).zip(scale) {
                        *y = *y / scale - sign * a;
                    }
                }
            }
        }
        Ok(())
    }

    fn couple_gradient(
        &self,
        form: CouplingForm,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()> {
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let network = form.shape.pixels() * width;
        let mut scales = Scales::of_length(block * changed);
        let images = y.chunks_exact(form.shape.dims()).zip(g.chunks_exact_mut(form.shape.dims())).zip(g_ladj.iter());
        for (image, ((y, g), &g_ladj)) in images.enumerate() {
            let offset = if h.len() == network { 0 } else { image * network };
            let g_ladj = E::of(g_ladj);
            let (h, d_h) = (&h[offset..][..network], &mut d_h[offset..][..network]);
            let pixels = y.chunks(block * channels).zip(g.chunks_mut(block * channels));
            for ((y, g), (h, d_h)) in pixels.zip(h.chunks(block * width).zip(d_h.chunks_mut(block * width))) {
                scales.fill::<false>(form, h);
                let rows = y.chunks_exact(channels).zip(g.chunks_exact_mut(channels)).zip(d_h.chunks_exact_mut(width));
                for (row, ((y, g), d_h)) in rows.enumerate() {
                    let (scale, slope) = (of_row(&scales.scale, row, changed), of_row(&scales.slope, row, changed));
                    let (y, g) = (&y[form.start..], &mut g[form.start..]);
                    if let Some(first) = form.first_b() {
                        let d_b = d_h[first..].iter_mut().step_by(stride);
                        for (((&y, &g), d_b), &slope) in y.iter().zip(&*g).zip(d_b).zip(slope) {
                            *d_b += (g * y + g_ladj) * slope;
                        }
                    }
                    for ((g, d_a), &scale) in g.iter_mut().zip(d_h.iter_mut().step_by(stride)).zip(scale) {
                        *g *= scale;
                        *d_a += *g * sign;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The numbers of one row among those of a block.
///
/// To zip their chunks with the rows would be shorter. But then LLVM 22 has the count of rows divided by the length of a chunk,
/// `channels − start`, supposes `channels` to be 1 in a version of the loop for that case, and divides by `1 − start`, 0,
/// before it asks.
#[inline(always)]
fn of_row<E>(block: &[E], row: usize, changed: usize) -> &[E] {
    &block[row * changed..(row + 1) * changed]
}

/// The network's output for image after image; for ever the same if there is only one.
fn rows_of_images<E>(h: &[E], form: CouplingForm) -> impl Iterator<Item = &[E]> {
    let network = form.shape.pixels() * form.network_channels();
    let shared = h.len() == network;
    (0..).map(move |image| if shared { h } else { &h[image * network..][..network] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{ImageShape, kernels::MemoryKernel};

    #[test]
    fn log_sigmoid_neither_cancels_nor_overflows() {
        for b in [-800.0, -40.0, -2.0, 0.0, 3.0, 40.0, 800.0] {
            let (mut scale, mut log_scale, mut slope) = ([0.0], [0.0], [0.0]);
            scales::<f64, true>(CouplingMap::Sigmoid, &[b - 2.0_f64], &mut scale, &mut log_scale, &mut slope);
            // ln sigmoid(b) = −ln(1 + e^−b), by its series where the direct form would lose it.
            let expected = if b > 30.0 {
                -(-b).exp()
            } else if b < -30.0 {
                b
            } else {
                -(1.0 + (-b).exp()).ln()
            };
            assert!((log_scale[0] - expected).abs() <= 1e-13 * expected.abs(), "{b}: {log_scale:?}");
            assert!((0.0..=1.0).contains(&scale[0]) && (0.0..=1.0).contains(&slope[0]));
        }
    }

    /// Two channels are the fewest, and one of them changes.
    #[test]
    fn one_channel_of_two_is_moved_and_moved_back() {
        let device = Cpu::default();
        for (map, width) in [(CouplingMap::Additive, 1), (CouplingMap::Exp, 2), (CouplingMap::Sigmoid, 2)] {
            let shape = ImageShape::new(3, 1, 2);
            let form = CouplingForm { shape, start: 1, map, layout: CouplingLayout::Interleaved };
            let h = device.upload(&vec![0.5_f32; 3 * width]).unwrap();
            let mut x = device.upload(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
            let mut ladj = MemoryKernel::<f64>::zeros(&device, 1).unwrap();
            device.couple(form, &mut x, &h, &mut ladj).unwrap();
            let scale = (ladj[0] / 3.0).exp();
            for (i, x) in x.iter().enumerate() {
                let before = (i + 1) as f64;
                let expected = if i % 2 == 0 { before } else { (before + 0.5) * scale };
                assert!((f64::from(*x) - expected).abs() < 1e-5, "{map:?}: {x}, not {expected}");
            }
            let (mut g, mut d_h) = (x.clone(), device.upload(&vec![0.0_f32; 3 * width]).unwrap());
            device.couple_gradient(form, &x, &mut g, &ladj, &h, &mut d_h).unwrap();
            assert!((0..3).all(|row| (f64::from(g[2 * row + 1]) - f64::from(x[2 * row + 1]) * scale).abs() < 1e-5));
            device.uncouple(form, &mut x, &h).unwrap();
            assert!(x.iter().enumerate().all(|(i, x)| (x - (i + 1) as f32).abs() < 1e-5), "{map:?}: {x:?}");
        }
    }
}
