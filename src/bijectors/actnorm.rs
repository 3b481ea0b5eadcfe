//! Activation normalisation: one affine map per channel (Glow, § 3.1).
//!
//! ```text
//! y = (x + bias) · s,   s = exp(factor · logs)        per channel
//! x = y / s − bias
//! ladj = h·w · Σ_c factor · logs_c
//! ```
//!
//! [`ActNorm::initialize`](crate::Bijector::initialize) sets `bias = −mean` and `s = 1 / (std + 1e-6)` from the first
//! batch, so that each channel of y starts with mean 0 and variance 1. The reference code's factor is 3, a
//! re-parametrisation that speeds learning; the paper's is 1.
//!
//! Gradients, with g = ∂L/∂y, from y alone:
//!
//! ```text
//! ∂L/∂x = g·s     ∂L/∂bias = Σ g·s     ∂L/∂logs = factor · (Σ g·y + h·w · Σ_n ∂L/∂ladj_n)
//! ```
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}, bijectors::ActNorm};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 2, 1), &[1.0_f64, 5.0])?;
//! let mut actnorm = ActNorm::new(&Initializer::new(&device, 0), 1, 3.0)?;
//! actnorm.initialize(&x)?; // mean 3, standard deviation 2
//! actnorm.prepare(&device)?;
//! let y = actnorm.forward(&x)?.to_host()?;
//! assert!((y[0] + 1.0).abs() < 1e-6 && (y[1] - 1.0).abs() < 1e-6);
//! # Ok(())
//! # }
//! ```

use crate::backend::kernels::MemoryKernel;
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept, range};
use crate::{Result, parameters};

/// One affine map per channel.
#[derive(Debug)]
pub struct ActNorm<E: Element, D: Device<E>> {
    /// `[channels]`
    bias: Parameter<E, D>,
    /// `[channels]`
    logs: Parameter<E, D>,
    factor: f64,
    channels: usize,
    /// `exp(factor · logs)`
    scale: Buffer<E, D>,
    /// `Σ factor · logs`; not there within a network, where nobody asks for it.
    log_scale_sum: Option<f64>,
}

parameters!(ActNorm { bias, logs });

impl<E: Element, D: Device<E>> ActNorm<E, D> {
    /// The identity on `channels` channels. `factor` multiplies `logs`.
    pub fn new(initializer: &Initializer<D>, channels: usize, factor: f64) -> Result<Self> {
        let actnorm = Self::within_network(initializer, channels, factor)?;
        let mut actnorm = Self { logs: actnorm.logs.mirrored(), log_scale_sum: Some(0.0), ..actnorm };
        actnorm.prepare(initializer.device())?;
        Ok(actnorm)
    }

    /// The same without a ladj: a layer of a network.
    pub(crate) fn within_network(initializer: &Initializer<D>, channels: usize, factor: f64) -> Result<Self> {
        let (bias, logs) = (initializer.zeros(&[channels])?, initializer.zeros(&[channels])?);
        let scale = initializer.device().exp_scaled(logs.data(), factor)?;
        Ok(Self { bias, logs, factor, channels, scale, log_scale_sum: None })
    }

    /// `x = (x + bias) · s` in place.
    pub(crate) fn apply(&self, x: &mut Image<E, D>) -> Result<()> {
        x.device().clone().affine(x.data_mut(), self.bias.data(), &self.scale)
    }

    /// The bias and s, for kernels that do more than this map at once.
    pub(crate) fn bias_and_scale(&self) -> (&Buffer<E, D>, &Buffer<E, D>) {
        (self.bias.data(), &self.scale)
    }

    /// Its parameters, likewise.
    pub(crate) fn bias_and_logs(&self) -> (&Parameter<E, D>, &Parameter<E, D>) {
        (&self.bias, &self.logs)
    }

    fn gradient(
        &self,
        y: &Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let volume = self.factor * y.shape().pixels() as f64 * cotangent.ladj_total();
        let mut g = cotangent.image;
        let [d_bias, d_logs] = grads.slots([&self.bias, &self.logs])?;
        y.device().affine_gradient(y.data(), g.data_mut(), &self.scale, self.factor, d_bias, d_logs)?;
        MemoryKernel::<E>::add_scalar(y.device(), d_logs, volume)?;
        Ok(g)
    }

    /// The smallest and the largest s.
    pub(crate) fn scales(&self, device: &D) -> Result<Option<(f64, f64)>> {
        Ok(range(device.download(&self.scale)?.into_iter().map(E::as_f64)))
    }

    fn ladj(&self, x: &Image<E, D>) -> PerSample<D> {
        let sum = self.log_scale_sum.unwrap_or(f64::NAN);
        PerSample::constant(x.device(), x.batch(), x.shape().pixels() as f64 * sum)
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for ActNorm<E, D> {
    fn kind(&self) -> &str {
        "ActNorm"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels("ActNorm", input, self.channels)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(x.shape())?;
        let mut y = x.copied()?;
        self.apply(&mut y)?;
        Ok(y)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn inverse_of(&self, mut y: Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(y.shape())?;
        y.device().clone().affine_inverse(y.data_mut(), self.bias.data(), &self.scale)?;
        Ok(y)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.ladj(x))
    }

    fn forward_and_ladj(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        self.output_shape(x.shape())?;
        self.apply(&mut x)?;
        let ladj = self.ladj(&x);
        Ok((x, ladj))
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let g = self.gradient(&y, cotangent, grads)?;
        Ok((self.inverse_of(y)?, g))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let (mean, variance) = x.device().channel_statistics(x.data(), self.channels)?;
        let bias: Vec<E> = mean.iter().map(|mean| E::of(-mean)).collect();
        let logs: Vec<E> = variance.iter().map(|v| E::of(-(v.sqrt() + 1e-6).ln() / self.factor)).collect();
        self.bias.set(x.device(), &bias)?;
        self.logs.set(x.device(), &logs)
    }

    fn normalizes(&self) -> bool {
        true
    }

    fn inverse_pull_back(&self, _: &Image<E, D>, mut g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        let no_bias = MemoryKernel::<E>::zeros(g.device(), self.channels)?;
        g.device().clone().affine_inverse(g.data_mut(), &no_bias, &self.scale)?;
        Ok(Some(g))
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        let scales = self.scales(x.device())?;
        let jacobian_condition = scales.map(|(smallest, largest)| largest / smallest);
        Ok(Health { scales, jacobian_condition, ..Default::default() })
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.scale = device.exp_scaled(self.logs.data(), self.factor)?;
        if let Some(sum) = &mut self.log_scale_sum {
            *sum = self.logs.to_host(device)?.iter().map(|logs| self.factor * logs.as_f64()).sum();
        }
        Ok(())
    }

    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (y, ladj) = self.forward_and_ladj(x)?;
        let kept = Kept::images([y.copied()?]);
        Ok((y, ladj, kept))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        self.gradient(&kept.pop()?, cotangent, grads)
    }
}
