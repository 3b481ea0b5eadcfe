//! Affine and additive coupling: one half of the channels moves the other (Glow, § 3.3; NICE; RealNVP).
//!
//! ```text
//! x1, x2 = first and second half of the channels
//! y1 = x1
//! y2 = (x2 + shift) · scale          shift, scale from h = net(x1)
//! ladj = Σ ln scale
//! ```
//!
//! For the affine coupling shift is `h[.., 0::2]` and scale follows from `b = h[.., 1::2]` by the [`ScaleMap`]; for the
//! additive one scale is 1 and shift is h. Since `y1 = x1`, the network can be run again from the output: pulling back
//! costs one forward and one backward pass of it, and keeps nothing.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}};
//! use flowstone::{bijectors::{Coupling, ScaleMap}, nets::{ConvNet, ConvNetOptions}};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let initializer = Initializer::new(&device, 0);
//! let net = ConvNet::new(&initializer, (1, 2), ConvNetOptions { width: 8, ..Default::default() })?;
//! let coupling = Coupling::affine(2, ScaleMap::Sigmoid, Box::new(net))?;
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 1, 2), &[0.5_f64, 1.0])?;
//! // The network starts at zero, so the scale is sigmoid(2).
//! let y = coupling.forward(&x)?.to_host()?;
//! assert!((y[1] - 1.0 / (1.0 + (-2.0_f64).exp())).abs() < 1e-15);
//! # Ok(())
//! # }
//! ```

use crate::backend::kernels::{CouplingForm, CouplingLayout, CouplingMap};
use crate::backend::{Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept, ones, triangular_inverse_pull_back};
use crate::nets::Net;
use crate::{Error, Result};

pub use crate::backend::kernels::ScaleMap;

/// Half of the channels moves the other half.
pub struct Coupling<E: Element, D: Device<E>> {
    kind: &'static str,
    channels: usize,
    map: CouplingMap,
    net: Box<dyn Net<E, D>>,
}

impl<E: Element, D: Device<E>> Coupling<E, D> {
    /// `y2 = (x2 + shift) · scale`; the network has `channels / 2` inputs and `channels` outputs.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of channels is odd or does not fit the network.
    pub fn affine(channels: usize, scale: ScaleMap, net: Box<dyn Net<E, D>>) -> Result<Self> {
        Self::new("AffineCoupling", channels, scale.into(), net)
    }

    /// `y2 = x2 + shift`; the network has `channels / 2` inputs and outputs.
    ///
    /// # Errors
    /// As [`Coupling::affine`].
    pub fn additive(channels: usize, net: Box<dyn Net<E, D>>) -> Result<Self> {
        Self::new("AdditiveCoupling", channels, CouplingMap::Additive, net)
    }

    pub(crate) fn new(kind: &'static str, channels: usize, map: CouplingMap, net: Box<dyn Net<E, D>>) -> Result<Self> {
        let half = even_half(kind, channels)?;
        let expected = (half, if map == CouplingMap::Additive { half } else { channels });
        if net.channels() != expected {
            return Err(Error::Shape {
                layer: kind.into(),
                expected: format!("a network from {} to {} channels", expected.0, expected.1),
                found: format!("one from {} to {}", net.channels().0, net.channels().1),
            });
        }
        Ok(Self { kind, channels, map, net })
    }

    fn half(&self) -> usize {
        self.channels / 2
    }

    fn form(&self, shape: ImageShape) -> Result<CouplingForm> {
        super::expect_channels(self.kind, shape, self.channels)?;
        Ok(CouplingForm { shape, start: self.half(), map: self.map, layout: CouplingLayout::Interleaved })
    }

    /// The gradient through the element-wise half and the network, from the output.
    fn gradient(
        &self,
        y: &Image<E, D>,
        (h, kept): (&Image<E, D>, Kept<E, D>),
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (form, device) = (self.form(y.shape())?, y.device());
        let g_ladj = cotangent.shared_ladj();
        let mut g = cotangent.image;
        let mut d_h = Image::zeros(device, h.batch(), h.shape())?;
        device.couple_gradient(form, y.data(), g.data_mut(), g_ladj.data(), h.data(), d_h.data_mut())?;
        g.add_channels(0, &self.net.pull_back(kept, d_h, grads)?)?;
        Ok(g)
    }
}

/// Half of an even number of channels.
pub(crate) fn even_half(kind: &str, channels: usize) -> Result<usize> {
    if channels < 2 || !channels.is_multiple_of(2) {
        return Err(Error::Shape {
            layer: kind.into(),
            expected: "an even number of channels, to halve them".into(),
            found: channels.to_string(),
        });
    }
    Ok(channels / 2)
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Coupling<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.net.visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.net.visit_mut(path, visitor);
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Coupling<E, D> {
    fn kind(&self) -> &str {
        self.kind
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels(self.kind, input, self.channels)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn inverse_of(&self, mut y: Image<E, D>) -> Result<Image<E, D>> {
        let form = self.form(y.shape())?;
        let h = self.net.forward(&y.channels(0, self.half())?)?;
        y.device().clone().uncouple(form, y.data_mut(), h.data())?;
        Ok(y)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.1)
    }

    fn forward_and_ladj(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let form = self.form(x.shape())?;
        let h = self.net.forward(&x.channels(0, self.half())?)?;
        let mut ladj = PerSample::zeros(x.device(), x.batch());
        x.device().clone().couple(form, x.data_mut(), h.data(), ladj.data_mut()?)?;
        Ok((x, ladj))
    }

    fn pull_back(
        &self,
        mut y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let form = self.form(y.shape())?;
        let (h, kept) = self.net.forward_keeping(&y.channels(0, self.half())?)?;
        let g = self.gradient(&y, (&h, kept), cotangent, grads)?;
        y.device().clone().uncouple(form, y.data_mut(), h.data())?;
        Ok((y, g))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        self.net.initialize(&x.channels(0, self.half())?)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.net.prepare(device)
    }

    fn forward_keeping(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let form = self.form(x.shape())?;
        let (h, kept) = self.net.forward_keeping(&x.channels(0, self.half())?)?;
        let mut ladj = PerSample::zeros(x.device(), x.batch());
        x.device().clone().couple(form, x.data_mut(), h.data(), ladj.data_mut()?)?;
        let kept = Kept { images: vec![x.copied()?, h], parts: vec![kept] };
        Ok((x, ladj, kept))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (h, y) = (kept.pop()?, kept.pop()?);
        self.gradient(&y, (&h, kept.pop_part()?), cotangent, grads)
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        let (mut moves, half) = (Image::zeros(x.device(), x.batch(), x.shape())?, x.shape().with_channels(self.half()));
        moves.set_channels(self.half(), &ones(x, half)?)?;
        triangular_inverse_pull_back(self, x, &g, moves).map(Some)
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        let form = self.form(x.shape())?;
        let h = self.net.forward(&x.channels(0, self.half())?)?.to_host()?;
        let log_scale = form.largest_log_scale(&h);
        Ok(Health { log_scale, gains: self.net.gains(x.device())?, ..Default::default() })
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        input.pixels() as u64 * self.net.multiply_adds_per_pixel()
    }

    fn kept(&self, input: ImageShape) -> usize {
        input.pixels() * (self.channels + self.net.channels().1 + self.net.kept_channels())
    }

    /// The network's, output and gradient, half of each for the network's input, and the network's output, kept twice,
    /// with its gradient.
    fn working_set(&self, input: ImageShape) -> usize {
        input.pixels() * (self.net.working_channels() + 4 * self.channels + 3 * self.net.channels().1)
    }

    fn activation(&self, input: ImageShape) -> usize {
        input.pixels() * self.net.width().max(self.channels)
    }
}
