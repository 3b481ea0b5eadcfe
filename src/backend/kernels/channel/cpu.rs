//! Per-channel maps on the CPU.

use super::ChannelKernel;
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::kernels::vectorised::vectorised;
use crate::backend::{Buffer, Cpu, Element};

impl<E: Element> ChannelKernel<E> for Cpu {
    fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
        debug_assert_eq!(bias.len(), scale.len(), "a bias and a scale for each channel");
        affine(x, bias, scale);
        Ok(())
    }

    fn affine_inverse(&self, y: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
        debug_assert_eq!(bias.len(), scale.len(), "a bias and a scale for each channel");
        affine_inverse(y, bias, scale);
        Ok(())
    }

    fn affine_gradient(
        &self,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        scale: &Buffer<E, Self>,
        factor: f64,
        d_bias: &mut Buffer<E, Self>,
        d_logs: &mut Buffer<E, Self>,
    ) -> Result<()> {
        gradient::<E, false>(y, g, scale, E::of(factor), d_bias, d_logs);
        Ok(())
    }

    fn affine_relu(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
        debug_assert_eq!(bias.len(), scale.len(), "a bias and a scale for each channel");
        affine_relu(x, bias, scale);
        Ok(())
    }

    fn exp_scaled(&self, logs: &Buffer<E, Self>, factor: f64) -> Result<Buffer<E, Self>> {
        let mut scale = logs.clone();
        scale.iter_mut().for_each(|s| *s = (E::of(factor) * *s).exp());
        Ok(scale)
    }

    fn channel_statistics(&self, x: &Buffer<E, Self>, channels: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let rows = (x.len() / channels).max(1) as f64;
        let mut mean = vec![0.0; channels];
        for x in x.chunks_exact(channels) {
            mean.iter_mut().zip(x).for_each(|(mean, x)| *mean += x.as_f64());
        }
        mean.iter_mut().for_each(|mean| *mean /= rows);
        let mut variance = vec![0.0; channels];
        for x in x.chunks_exact(channels) {
            for ((variance, mean), x) in variance.iter_mut().zip(&mean).zip(x) {
                *variance += (x.as_f64() - mean).powi(2);
            }
        }
        variance.iter_mut().for_each(|variance| *variance /= rows);
        Ok((mean, variance))
    }

    fn permute_channels(&self, x: &Buffer<E, Self>, order: &Buffer<E, Self>, back: bool) -> Result<Buffer<E, Self>> {
        let order: Vec<usize> = order.iter().map(|k| k.as_f64() as usize).collect();
        let mut y = MemoryKernel::<E>::zeros(self, x.len())?;
        for (y, x) in y.chunks_exact_mut(order.len()).zip(x.chunks_exact(order.len())) {
            match back {
                false => y.iter_mut().zip(&order).for_each(|(y, &k)| *y = x[k]),
                true => x.iter().zip(&order).for_each(|(&x, &k)| y[k] = x),
            }
        }
        Ok(y)
    }

    fn slice_channels(
        &self,
        x: &Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        count: usize,
    ) -> Result<Buffer<E, Self>> {
        let mut part = MemoryKernel::<E>::zeros(self, rows * count)?;
        if count > 0 {
            for (part, x) in part.chunks_exact_mut(count).zip(x.chunks_exact(channels)) {
                part.copy_from_slice(&x[start..start + count]);
            }
        }
        Ok(part)
    }

    fn place_channels(
        &self,
        x: &mut Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()> {
        debug_assert_eq!(part.len(), rows * count);
        if count > 0 {
            for (x, part) in x.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
                x[start..start + count].copy_from_slice(part);
            }
        }
        Ok(())
    }

    fn add_channels(
        &self,
        x: &mut Buffer<E, Self>,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()> {
        for (x, part) in x.chunks_exact_mut(channels).zip(part.chunks_exact(count)) {
            x[start..start + count].iter_mut().zip(part).for_each(|(x, &part)| *x += part);
        }
        Ok(())
    }

    fn add_per_image(
        &self,
        base: &Buffer<E, Self>,
        per_image: &Buffer<E, Self>,
        channels: usize,
    ) -> Result<Buffer<E, Self>> {
        let batch = per_image.len() / channels;
        let mut sum = MemoryKernel::<E>::zeros(self, batch * base.len())?;
        for (sum, row) in sum.chunks_exact_mut(base.len()).zip(per_image.chunks_exact(channels)) {
            for (sum, base) in sum.chunks_exact_mut(channels).zip(base.chunks_exact(channels)) {
                sum.iter_mut().zip(base.iter().zip(row)).for_each(|(sum, (&base, &row))| *sum = base + row);
            }
        }
        Ok(sum)
    }

    fn sum_over_pixels(&self, x: &Buffer<E, Self>, pixels: usize, channels: usize) -> Result<Buffer<E, Self>> {
        let mut sum = MemoryKernel::<E>::zeros(self, x.len() / pixels)?;
        for (sum, x) in sum.chunks_exact_mut(channels).zip(x.chunks_exact(pixels * channels)) {
            for x in x.chunks_exact(channels) {
                sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x);
            }
        }
        Ok(sum)
    }

    fn sum_over_batch(&self, x: &Buffer<E, Self>, len: usize) -> Result<Buffer<E, Self>> {
        let mut sum = MemoryKernel::<E>::zeros(self, len)?;
        for x in x.chunks_exact(len) {
            sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x);
        }
        Ok(sum)
    }
}

vectorised! {
    fn affine<E: Element>(x: &mut [E], bias: &[E], scale: &[E]) {
        for x in x.chunks_exact_mut(bias.len()) {
            for ((x, &bias), &scale) in x.iter_mut().zip(bias).zip(scale) {
                *x = (*x + bias) * scale;
            }
        }
    }
}

vectorised! {
    fn affine_inverse<E: Element>(y: &mut [E], bias: &[E], scale: &[E]) {
        for y in y.chunks_exact_mut(bias.len()) {
            for ((y, &bias), &scale) in y.iter_mut().zip(bias).zip(scale) {
                *y = *y / scale - bias;
            }
        }
    }
}

vectorised! {
    pub(in crate::backend::kernels) fn affine_relu<E: Element>(x: &mut [E], bias: &[E], scale: &[E]) {
        for x in x.chunks_exact_mut(bias.len()) {
            for ((x, &bias), &scale) in x.iter_mut().zip(bias).zip(scale) {
                let y = (*x + bias) * scale;
                // A comparison, not `max`, so that NaN is passed on and seen.
                *x = if y < E::zero() { E::zero() } else { y };
            }
        }
    }
}

vectorised! {
    /// As [`ChannelKernel::affine_gradient`]; with `RELU`, through `y = max((x + bias) · scale, 0)`: where `y = 0`,
    /// nothing passes.
    pub(in crate::backend::kernels) fn gradient<E: Element, const RELU: bool>(
        y: &[E],
        g: &mut [E],
        scale: &[E],
        factor: E,
        d_bias: &mut [E],
        d_logs: &mut [E],
    ) {
        let channels = scale.len();
        // Sums of this call are kept apart and added once, so that they do not depend on what was there.
        let mut bias_sum = vec![E::zero(); channels];
        let mut logs_sum = vec![E::zero(); channels];
        for (y, g) in y.chunks_exact(channels).zip(g.chunks_exact_mut(channels)) {
            let sums = bias_sum.iter_mut().zip(logs_sum.iter_mut());
            for (((&y, g), &scale), (bias_sum, logs_sum)) in y.iter().zip(g).zip(scale).zip(sums) {
                let g_y = if RELU && y == E::zero() { E::zero() } else { *g };
                *logs_sum += g_y * y;
                *g = g_y * scale;
                *bias_sum += *g;
            }
        }
        d_bias.iter_mut().zip(&bias_sum).for_each(|(d, &sum)| *d += sum);
        d_logs.iter_mut().zip(&logs_sum).for_each(|(d, &sum)| *d += factor * sum);
    }
}
