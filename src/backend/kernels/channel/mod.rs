//! One affine map per channel, and channels in another order: actnorm and permutations.

use super::super::{Buffer, Cpu, Element};
use super::vectorised::vectorised;
use crate::Result;
use dfdx::tensor::Storage;

/// Maps that act on each channel of the matrix `[rows, channels]`.
pub trait ChannelKernel<E: Element>: Storage<E> {
    /// `x = (x + bias) · scale`.
    fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// `y = y / scale − bias`.
    fn affine_inverse(&self, y: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// The gradient through `y = (x + bias) · exp(factor · logs)`, from the output: `g` becomes `g · scale`,
    /// `d_bias += Σ g · scale`, `d_logs += factor · Σ g · y`, sums over rows.
    fn affine_gradient(
        &self,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        scale: &Buffer<E, Self>,
        factor: f64,
        d_bias: &mut Buffer<E, Self>,
        d_logs: &mut Buffer<E, Self>,
    ) -> Result<()>;
    /// `x = max((x + bias) · scale, 0)`.
    fn affine_relu(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()>;
    /// `exp(factor · logs)`.
    fn exp_scaled(&self, logs: &Buffer<E, Self>, factor: f64) -> Result<Buffer<E, Self>>;
    /// Mean and (biased) variance of each channel, in f64.
    fn channel_statistics(&self, x: &Buffer<E, Self>, channels: usize) -> Result<(Vec<f64>, Vec<f64>)>;
    /// `y[.., k] = x[.., order[k]]`, or `y[.., order[k]] = x[.., k]` when `back`; `order` holds whole numbers.
    fn permute_channels(&self, x: &Buffer<E, Self>, order: &Buffer<E, Self>, back: bool) -> Result<Buffer<E, Self>>;
    /// A copy of `count` channels from `start` of the matrix `[rows, channels]`.
    fn slice_channels(
        &self,
        x: &Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        count: usize,
    ) -> Result<Buffer<E, Self>>;
    /// Writes `part` `[rows, count]` over the channels from `start` of `x` `[rows, channels]`.
    fn place_channels(
        &self,
        x: &mut Buffer<E, Self>,
        rows: usize,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()>;
    /// Adds `part` `[rows, count]` to the channels from `start` of `x` `[rows, channels]`.
    fn add_channels(
        &self,
        x: &mut Buffer<E, Self>,
        channels: usize,
        start: usize,
        part: &Buffer<E, Self>,
        count: usize,
    ) -> Result<()>;
    /// `[batch, pixels, channels]` from one image `base` `[pixels, channels]` and one row per image `[batch,
    /// channels]`: their sum at every pixel.
    fn add_per_image(
        &self,
        base: &Buffer<E, Self>,
        per_image: &Buffer<E, Self>,
        channels: usize,
    ) -> Result<Buffer<E, Self>>;
    /// `[batch, pixels, channels]` to `[batch, channels]`: the sum over an image's pixels.
    fn sum_over_pixels(&self, x: &Buffer<E, Self>, pixels: usize, channels: usize) -> Result<Buffer<E, Self>>;
    /// `[batch, len]` to `[len]`: the sum over images.
    fn sum_over_batch(&self, x: &Buffer<E, Self>, len: usize) -> Result<Buffer<E, Self>>;
}

impl<E: Element> ChannelKernel<E> for Cpu {
    fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
        affine(x, bias, scale);
        Ok(())
    }

    fn affine_inverse(&self, y: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
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
        let mut y = super::MemoryKernel::<E>::zeros(self, x.len())?;
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
        let mut part = super::MemoryKernel::<E>::zeros(self, rows * count)?;
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
        let mut sum = super::MemoryKernel::<E>::zeros(self, batch * base.len())?;
        for (sum, row) in sum.chunks_exact_mut(base.len()).zip(per_image.chunks_exact(channels)) {
            for (sum, base) in sum.chunks_exact_mut(channels).zip(base.chunks_exact(channels)) {
                sum.iter_mut().zip(base.iter().zip(row)).for_each(|(sum, (&base, &row))| *sum = base + row);
            }
        }
        Ok(sum)
    }

    fn sum_over_pixels(&self, x: &Buffer<E, Self>, pixels: usize, channels: usize) -> Result<Buffer<E, Self>> {
        let mut sum = super::MemoryKernel::<E>::zeros(self, x.len() / pixels)?;
        for (sum, x) in sum.chunks_exact_mut(channels).zip(x.chunks_exact(pixels * channels)) {
            for x in x.chunks_exact(channels) {
                sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += x);
            }
        }
        Ok(sum)
    }

    fn sum_over_batch(&self, x: &Buffer<E, Self>, len: usize) -> Result<Buffer<E, Self>> {
        let mut sum = super::MemoryKernel::<E>::zeros(self, len)?;
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
    pub(super) fn affine_relu<E: Element>(x: &mut [E], bias: &[E], scale: &[E]) {
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
    pub(super) fn gradient<E: Element, const RELU: bool>(
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

#[cfg(feature = "cuda")]
pub(super) mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, failed, index, launch, strips, sums, upload};
    use crate::backend::kernels::MemoryKernel;
    use cudarc::driver::DeviceSlice;

    impl<E: Element> ChannelKernel<E> for Cuda {
        fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
            let (n, channels) = (index(x.len())?, index(bias.len())?);
            launch!(E, &x.device(), affine, elements(n), (x, bias, scale, n, channels))
        }

        fn affine_inverse(
            &self,
            y: &mut Buffer<E, Self>,
            bias: &Buffer<E, Self>,
            scale: &Buffer<E, Self>,
        ) -> Result<()> {
            let (n, channels) = (index(y.len())?, index(bias.len())?);
            launch!(E, &y.device(), affine_inverse, elements(n), (y, bias, scale, n, channels))
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
            gradient(self, y, g, scale, false, factor, (d_bias, d_logs))
        }

        fn affine_relu(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
            let (n, channels) = (index(x.len())?, index(bias.len())?);
            launch!(E, &x.device(), affine_relu, elements(n), (x, bias, scale, n, channels))
        }

        fn exp_scaled(&self, logs: &Buffer<E, Self>, factor: f64) -> Result<Buffer<E, Self>> {
            let n = index(logs.len())?;
            let mut scale = MemoryKernel::<E>::zeros(self, logs.len())?;
            launch!(E, &logs.device(), exp_scaled, elements(n), (logs, E::of(factor), &mut scale, n))?;
            Ok(scale)
        }

        fn channel_statistics(&self, x: &Buffer<E, Self>, channels: usize) -> Result<(Vec<f64>, Vec<f64>)> {
            let (card, n, rows) = (x.device(), index(x.len())?, x.len() / channels);
            let (columns, strips) = (index(channels)?, strips(index(rows)?, index(channels)?));
            // The mean of `(x − shift)^power` of each channel.
            let moment = |shift: Vec<f64>, squared: i32| -> Result<Vec<f64>> {
                let mut parts = sums(&card, (strips * columns) as usize)?;
                let grid = elements(strips * columns);
                let shift = upload(&card, shift)?;
                launch!(E, &card, moments, grid, (x, &shift, squared, n, columns, strips, &mut parts))?;
                let parts = card.dtoh_sync_copy(&parts).map_err(|error| failed(error, 0))?;
                let sum = |channel| parts.iter().skip(channel).step_by(channels).sum::<f64>();
                Ok((0..channels).map(|channel| sum(channel) / rows.max(1) as f64).collect())
            };
            let mean = moment(vec![0.0; channels], 0)?;
            let variance = moment(mean.clone(), 1)?;
            Ok((mean, variance))
        }

        fn permute_channels(
            &self,
            x: &Buffer<E, Self>,
            order: &Buffer<E, Self>,
            back: bool,
        ) -> Result<Buffer<E, Self>> {
            let (n, channels) = (index(x.len())?, index(order.len())?);
            let mut y = MemoryKernel::<E>::zeros(self, x.len())?;
            launch!(E, &x.device(), permute_channels, elements(n), (x, order, i32::from(back), &mut y, n, channels))?;
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
            let (n, channels, start, count) = (index(rows * count)?, index(channels)?, index(start)?, index(count)?);
            launch!(E, &x.device(), slice_channels, elements(n), (x, channels, start, &mut part, count, n))?;
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
            let (n, channels, start, count) = (index(rows * count)?, index(channels)?, index(start)?, index(count)?);
            launch!(E, &x.device(), place_channels, elements(n), (x, channels, start, part, count, n))
        }

        fn add_channels(
            &self,
            x: &mut Buffer<E, Self>,
            channels: usize,
            start: usize,
            part: &Buffer<E, Self>,
            count: usize,
        ) -> Result<()> {
            let (n, channels, start, count) = (index(part.len())?, index(channels)?, index(start)?, index(count)?);
            launch!(E, &x.device(), add_channels, elements(n), (x, channels, start, part, count, n))
        }

        fn add_per_image(
            &self,
            base: &Buffer<E, Self>,
            per_image: &Buffer<E, Self>,
            channels: usize,
        ) -> Result<Buffer<E, Self>> {
            let mut sum = MemoryKernel::<E>::zeros(self, per_image.len() / channels * base.len())?;
            let (n, dims, channels) = (index(sum.len())?, index(base.len())?, index(channels)?);
            launch!(E, &base.device(), add_per_image, elements(n), (base, per_image, &mut sum, dims, channels, n))?;
            Ok(sum)
        }

        fn sum_over_pixels(&self, x: &Buffer<E, Self>, pixels: usize, channels: usize) -> Result<Buffer<E, Self>> {
            let mut sum = MemoryKernel::<E>::zeros(self, x.len() / pixels)?;
            let (n, pixels, channels) = (index(sum.len())?, index(pixels)?, index(channels)?);
            launch!(E, &x.device(), sum_over_pixels, elements(n), (x, &mut sum, pixels, channels, n))?;
            Ok(sum)
        }

        fn sum_over_batch(&self, x: &Buffer<E, Self>, len: usize) -> Result<Buffer<E, Self>> {
            let mut sum = MemoryKernel::<E>::zeros(self, len)?;
            let (batch, len) = (index(x.len() / len)?, index(len)?);
            launch!(E, &x.device(), sum_over_batch, elements(len), (x, &mut sum, batch, len))?;
            Ok(sum)
        }
    }

    /// As [`ChannelKernel::affine_gradient`]; through `y = max((x + bias) · scale, 0)` if `relu`.
    pub(in super::super) fn gradient<E: Element>(
        device: &Cuda,
        y: &Buffer<E, Cuda>,
        g: &mut Buffer<E, Cuda>,
        scale: &Buffer<E, Cuda>,
        relu: bool,
        factor: f64,
        (d_bias, d_logs): (&mut Buffer<E, Cuda>, &mut Buffer<E, Cuda>),
    ) -> Result<()> {
        let (card, n, channels) = (y.device(), index(y.len())?, index(scale.len())?);
        let strips = strips(n / channels.max(1), channels);
        let parts = || MemoryKernel::<E>::zeros(device, (strips * channels) as usize);
        let (mut by_bias, mut by_logs) = (parts()?, parts()?);
        let grid = elements(strips * channels);
        let relu = i32::from(relu);
        launch!(E, &card, affine_gradient, grid, (y, g, scale, n, channels, strips, relu, &mut by_bias, &mut by_logs))?;
        launch!(E, &card, add_column_sums, (channels, 1), (&by_bias, strips, channels, 1.0, d_bias, 0u32))?;
        launch!(E, &card, add_column_sums, (channels, 1), (&by_logs, strips, channels, factor, d_logs, 0u32))
    }
}
