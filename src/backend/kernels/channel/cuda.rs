//! Per-channel maps on CUDA.

use super::ChannelKernel;
use crate::Result;
use crate::backend::cuda::{elements, failed, index, launch, strips, sums, upload};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

impl<E: Element> ChannelKernel<E> for Cuda {
    fn affine(&self, x: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
        let (n, channels) = (index(x.len())?, index(bias.len())?);
        launch!(E, &x.device(), affine, elements(n), (x, bias, scale, n, channels))
    }

    fn affine_inverse(&self, y: &mut Buffer<E, Self>, bias: &Buffer<E, Self>, scale: &Buffer<E, Self>) -> Result<()> {
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

    fn permute_channels(&self, x: &Buffer<E, Self>, order: &Buffer<E, Self>, back: bool) -> Result<Buffer<E, Self>> {
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
pub(in crate::backend::kernels) fn gradient<E: Element>(
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
