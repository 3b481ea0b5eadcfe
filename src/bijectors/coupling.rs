//! Couplings: some elements of an image move the others (NICE; RealNVP; Glow, § 3.3).
//!
//! ```text
//! x1, x2 = the elements that stay, and those that move         by the mask
//! y1 = x1
//! y2 = transform(x2; h),   h = net(x1)                         element by element, with numbers of its own for each
//! ladj = Σ ln slope
//! ```
//!
//! A coupling is a [`Mask`], a transform and a network. Under [`Mask::given`] the network sees the context that the image
//! carries beside x1: `h = net(x1, c)`, a bijector of x for every c.
//!
//!
//! | transform | numbers an element | y2 |
//! |---|---|---|
//! | additive | 1 | `x2 + h` |
//! | affine | 2 | `(x2 + a) · scale`, a and b interleaved in h; scale from b by the [`ScaleMap`] |
//! | [`Spline`] | 3·bins − 1 | a monotone rational-quadratic spline |
//! | [`MixtureLogistic`] | 3·components + 2 | the logit of a mixture's distribution function, then an affine map |
//!
//! Since `y1 = x1`, the network can be run again from the output: pulling back costs one forward and one backward pass of
//! it, and keeps nothing. Only where the transform's inverse is dear, the elements that moved are kept as they were.
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

use super::moves::{Move, affine_form};
use super::{Mask, Masked};
use crate::backend::kernels::{CouplingForm, CouplingMap};
use crate::backend::{Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept, ones, triangular_inverse_pull_back};
use crate::nets::Net;
use crate::{Error, Result};

pub use crate::backend::kernels::{MixtureLogistic, ScaleMap, Spline, Transform};

/// Some elements move the others.
pub struct Coupling<E: Element, D: Device<E>> {
    kind: &'static str,
    channels: usize,
    mask: Masked,
    by: Move,
    net: Box<dyn Net<E, D>>,
}

impl<E: Element, D: Device<E>> Coupling<E, D> {
    /// `y2 = (x2 + shift) · scale`; the network has `channels / 2` inputs and `channels` outputs.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of channels is odd or does not fit the network.
    pub fn affine(channels: usize, scale: ScaleMap, net: Box<dyn Net<E, D>>) -> Result<Self> {
        Self::affine_masked(channels, Mask::Halves, scale, net)
    }

    /// `y2 = x2 + shift`; the network has `channels / 2` inputs and outputs.
    ///
    /// # Errors
    /// As [`Coupling::affine`].
    pub fn additive(channels: usize, net: Box<dyn Net<E, D>>) -> Result<Self> {
        Self::additive_masked(channels, Mask::Halves, net)
    }

    /// [`Coupling::affine`] under a mask, which says how many channels the network has: see [`Mask::network`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of channels does not fit the mask or the network.
    pub fn affine_masked(
        channels: usize,
        mask: impl Into<Masked>,
        scale: ScaleMap,
        net: Box<dyn Net<E, D>>,
    ) -> Result<Self> {
        Self::new("AffineCoupling", channels, mask, Move::Affine(scale.into()), net)
    }

    /// [`Coupling::additive`] under a mask.
    ///
    /// # Errors
    /// As [`Coupling::affine_masked`].
    pub fn additive_masked(channels: usize, mask: impl Into<Masked>, net: Box<dyn Net<E, D>>) -> Result<Self> {
        Self::new("AdditiveCoupling", channels, mask, Move::Affine(CouplingMap::Additive), net)
    }

    /// `y2 = transform(x2; h)`.
    ///
    /// # Errors
    /// As [`Coupling::affine_masked`].
    pub fn transforming(
        channels: usize,
        mask: impl Into<Masked>,
        transform: Transform,
        net: Box<dyn Net<E, D>>,
    ) -> Result<Self> {
        Self::new(transform.coupling_kind(), channels, mask, Move::Other(transform), net)
    }

    pub(crate) fn new(
        kind: &'static str,
        channels: usize,
        mask: impl Into<Masked>,
        by: Move,
        net: Box<dyn Net<E, D>>,
    ) -> Result<Self> {
        let mask = mask.into();
        let expected = mask.network(kind, channels, by.numbers())?;
        if net.channels() != expected {
            return Err(Error::Shape {
                layer: kind.into(),
                expected: format!("a network from {} to {} channels", expected.0, expected.1),
                found: format!("one from {} to {}", net.channels().0, net.channels().1),
            });
        }
        Ok(Self { kind, channels, mask, by, net })
    }

    /// Where affine maps work in place, on the image itself: half of the channels is a run in every pixel.
    fn in_place(&self, shape: ImageShape) -> Option<CouplingForm> {
        match (self.mask.mask, self.by) {
            (Mask::Halves, Move::Affine(map)) => Some(affine_form(shape, self.channels / 2, map)),
            _ => None,
        }
    }

    /// The network's numbers for the elements that move, from those that stay.
    fn numbers(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.mask.mask.numbers(self.net.forward(&self.mask.condition(self.kind, x)?)?)
    }

    /// The same, and what the network's gradient needs.
    fn numbers_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (h, kept) = self.net.forward_keeping(&self.mask.condition(self.kind, x)?)?;
        Ok((self.mask.mask.numbers(h)?, kept))
    }

    /// The gradient through the transform and the network. Affine maps take theirs at their output, others at their input:
    /// `at` is the whole image where they work in place, else the elements that move.
    fn gradient(
        &self,
        at: &Image<E, D>,
        (numbers, kept): (&Image<E, D>, Kept<E, D>),
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (device, g_ladj) = (at.device(), cotangent.shared_ladj());
        let mut g = cotangent.image;
        let mut d_numbers = Image::zeros(device, numbers.batch(), numbers.shape())?;
        if let Some(form) = self.in_place(g.shape()) {
            device.couple_gradient(
                form,
                at.data(),
                g.data_mut(),
                g_ladj.data(),
                numbers.data(),
                d_numbers.data_mut(),
            )?;
        } else {
            let mut g_moved = self.mask.mask.take(&g)?;
            self.by.gradient(at, &mut g_moved, g_ladj.data(), numbers, &mut d_numbers)?;
            self.mask.mask.put(&mut g, &g_moved)?;
        }
        let d_h = self.mask.mask.numbers_gradient(d_numbers)?;
        let by_network = self.net.pull_back(kept, d_h, grads)?;
        self.mask.add_condition_gradient(&mut g, by_network, grads)?;
        Ok(g)
    }

    /// Whether elements that moved are kept as they were, since to move them back is dear.
    fn keeps(&self) -> bool {
        matches!(self.by, Move::Other(transform) if transform.inverse_is_dear())
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
        super::expect_channels(self.kind, input, self.channels)?;
        self.mask.moved(self.kind, input)?;
        Ok(input)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn inverse_of(&self, mut y: Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(y.shape())?;
        let numbers = self.numbers(&y)?;
        if let Some(form) = self.in_place(y.shape()) {
            y.device().clone().uncouple(form, y.data_mut(), numbers.data())?;
            return Ok(y);
        }
        let mut moved = self.mask.mask.take(&y)?;
        self.by.undo(&mut moved, &numbers)?;
        self.mask.mask.put(&mut y, &moved)?;
        Ok(y)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.1)
    }

    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        self.output_shape(x.shape())?;
        let numbers = self.numbers(&x)?;
        let (y, ladj, _) = self.moved_up(x, &numbers, false)?;
        Ok((y, ladj))
    }

    fn pull_back(
        &self,
        mut y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        self.output_shape(y.shape())?;
        let (numbers, kept) = self.numbers_keeping(&y)?;
        if let Some(form) = self.in_place(y.shape()) {
            let g = self.gradient(&y, (&numbers, kept), cotangent, grads)?;
            y.device().clone().uncouple(form, y.data_mut(), numbers.data())?;
            return Ok((y, g));
        }
        let mut moved = self.mask.mask.take(&y)?;
        let g = if let Move::Affine(_) = self.by {
            let g = self.gradient(&moved, (&numbers, kept), cotangent, grads)?;
            self.by.undo(&mut moved, &numbers)?;
            g
        } else {
            self.by.undo(&mut moved, &numbers)?;
            self.gradient(&moved, (&numbers, kept), cotangent, grads)?
        };
        self.mask.mask.put(&mut y, &moved)?;
        Ok((y, g))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        self.net.initialize(&self.mask.condition(self.kind, x)?)
    }

    fn normalizes(&self) -> bool {
        self.net.normalizes()
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.net.prepare(device)
    }

    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        self.output_shape(x.shape())?;
        let (numbers, kept) = self.numbers_keeping(&x)?;
        let (y, ladj, at) = self.moved_up(x, &numbers, true)?;
        Ok((y, ladj, Kept { images: at.into_iter().chain([numbers]).collect(), parts: vec![kept] }))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (numbers, at) = (kept.pop()?, kept.pop()?);
        self.gradient(&at, (&numbers, kept.pop_part()?), cotangent, grads)
    }

    fn forward_sparing(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        self.output_shape(x.shape())?;
        let numbers = self.numbers(&x)?;
        let (y, ladj, at) = self.moved_up(x, &numbers, self.keeps())?;
        Ok((y, ladj, Kept::images(Vec::from_iter(at))))
    }

    fn pull_back_spared(
        &self,
        mut y: Image<E, D>,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        if !self.keeps() {
            return self.pull_back(y, cotangent, grads);
        }
        let moved = kept.pop()?;
        let (numbers, kept) = self.numbers_keeping(&y)?;
        let g = self.gradient(&moved, (&numbers, kept), cotangent, grads)?;
        self.mask.mask.put(&mut y, &moved)?;
        Ok((y, g))
    }

    fn spared(&self, input: ImageShape) -> usize {
        if self.keeps() { input.dims() / 2 } else { 0 }
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        let mut moves = Image::zeros(x.device(), x.batch(), x.shape())?;
        self.mask.mask.put(&mut moves, &ones(x, self.mask.moved(self.kind, x.shape())?)?)?;
        triangular_inverse_pull_back(self, x, &g, moves).map(Some)
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        self.output_shape(x.shape())?;
        let numbers = self.numbers(x)?;
        let log_scale = self.by.largest_log_slope(&self.mask.mask.take(x)?, &numbers)?;
        Ok(Health { log_scale, gains: self.net.gains(x.device())?, ..Default::default() })
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        self.net.multiply_adds(input)
    }

    fn kept(&self, input: ImageShape) -> usize {
        let (all, moved) = (input.dims(), input.dims() / 2);
        let at = if self.in_place(input).is_some() { all } else { moved };
        at + moved * self.by.numbers() + input.pixels() * self.net.kept_channels()
    }

    /// The network's, output and gradient, half of each for the network's input, and the network's output, kept twice,
    /// with its gradient; of a context what is seen, what the network gets, and the gradient.
    fn working_set(&self, input: ImageShape) -> usize {
        let own = 4 * self.channels + 3 * self.mask.context_channels() + 3 * self.net.channels().1;
        input.pixels() * (self.net.working_channels() + own)
    }

    fn activation(&self, input: ImageShape) -> usize {
        input.pixels() * self.net.width().max(self.channels)
    }
}

impl<E: Element, D: Device<E>> Coupling<E, D> {
    /// Output and ladj, and, if it is to be kept, where [`Coupling::gradient`] is taken.
    fn moved_up(
        &self,
        mut x: Image<E, D>,
        numbers: &Image<E, D>,
        keep: bool,
    ) -> Result<(Image<E, D>, PerSample<D>, Option<Image<E, D>>)> {
        let mut ladj = PerSample::zeros(x.device(), x.batch());
        if let Some(form) = self.in_place(x.shape()) {
            x.device().clone().couple(form, x.data_mut(), numbers.data(), ladj.data_mut()?)?;
            let at = keep.then(|| x.copied()).transpose()?;
            return Ok((x, ladj, at));
        }
        let mut moved = self.mask.mask.take(&x)?;
        let before = (keep && matches!(self.by, Move::Other(_))).then(|| moved.copied()).transpose()?;
        self.by.apply(&mut moved, numbers, &mut ladj)?;
        self.mask.mask.put(&mut x, &moved)?;
        Ok((x, ladj, before.or(Some(moved).filter(|_| keep))))
    }
}
