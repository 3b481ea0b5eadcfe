//! Autoregressive layers: every element is moved by numbers that follow from the elements before it.
//!
//! ```text
//! T(u)_i = transform(u_i; h_i),   h_i = net(the elements before i in an order)      i over the elements of an image
//! ∂T/∂u is triangular in that order, so ladj = Σ ln slope
//! ```
//!
//! | direction | forward | inverse | source |
//! |---|---|---|---|
//! | `Density` | `y = T(x)`, one pass | element by element | MAF: G. Papamakarios, T. Pavlakou and I. Murray (2017), § 3.1 |
//! | `Sampling` | element by element | `x = T(y)`, one pass | IAF: D. P. Kingma et al. (2016), § 4 |
//!
//! Under [`Autoregressive::given`] the network sees the context that the image carries too, for every element.
//!
//! The network is a [`Made`], the transforms are those of couplings. Elements of an image are counted row by row, the
//! channels of a pixel one after the other; a vector is an image of one pixel.
//!
//! With J = ∂T/∂u the gradient through T⁻¹ is `w = J⁻ᵀ g`, solved from the last element to the first: `w_i = g_i/slope_i`,
//! then what `w_i` gives the elements before i, through h_i, is taken from their g. So where one direction takes one pass,
//! the gradient of the other takes as many as there are elements. `Density` keeps its input rather than rebuild it.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}};
//! use flowstone::{bijectors::{Autoregressive, Direction, ElementMap, Spline, Transform}, nets::{Made, MadeOptions}};
//! # fn main() -> flowstone::Result<()> {
//! let (device, shape) = (Cpu::default(), ImageShape::new(1, 1, 3));
//! let spline = ElementMap::Transform(Transform::Spline(Spline { bins: 8, bound: 3.0 }));
//! let made = Made::new(&Initializer::new(&device, 0), shape.dims(), spline.numbers(), &MadeOptions::default())?;
//! let layer = Autoregressive::new(shape, spline, Direction::Density, made)?;
//! let x = Image::from_host(&device, 1, shape, &[0.5_f64, -1.0, 2.0])?;
//! // The network starts at zero, so the layer starts as the identity.
//! let y = layer.forward(&x)?.to_host()?;
//! assert!(y.iter().zip(x.to_host()?).all(|(y, x)| (y - x).abs() < 1e-14));
//! # Ok(())
//! # }
//! ```

use super::ContextView;
use super::moves::Move;
use crate::backend::kernels::{CouplingMap, MemoryKernel, ScaleMap, Transform};
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept, ones};
use crate::nets::{Made, Net};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which direction takes one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "direction")]
pub enum Direction {
    /// From the image to the latent: densities are cheap and samples dear.
    #[default]
    Density,
    /// From the latent to the image: samples are cheap, densities and training dear.
    Sampling,
}

/// An invertible map of one number by numbers of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ElementMap {
    /// `u + h`
    Additive,
    /// `(u + a) · scale`
    Affine(ScaleMap),
    /// One that is not affine.
    Transform(Transform),
}

impl ElementMap {
    /// How many numbers it wants for an element.
    pub fn numbers(self) -> usize {
        self.by().numbers()
    }

    fn by(self) -> Move {
        match self {
            Self::Additive => Move::Affine(CouplingMap::Additive),
            Self::Affine(scale) => Move::Affine(scale.into()),
            Self::Transform(transform) => Move::Other(transform),
        }
    }
}

/// Every element is moved by numbers that follow from the elements before it.
#[derive(Debug)]
pub struct Autoregressive<E: Element, D: Device<E>> {
    shape: ImageShape,
    by: Move,
    direction: Direction,
    context: Option<ContextView>,
    net: Made<E, D>,
}

/// Where T is differentiated: its input or its output, as the transform wants it, the numbers, and what the network kept.
struct Point<E: Element, D: Device<E>> {
    at: Image<E, D>,
    numbers: Image<E, D>,
    kept: Kept<E, D>,
}

impl<E: Element, D: Device<E>> Autoregressive<E, D> {
    /// On images of `shape`, whose elements are the network's.
    ///
    /// # Errors
    /// [`Error::Shape`] if the network is not one from the image's elements to the map's numbers for each.
    pub fn new(shape: ImageShape, map: ElementMap, direction: Direction, net: Made<E, D>) -> Result<Self> {
        Self::given(shape, map, direction, None, net)
    }

    /// The same, conditioned on the context of this shape that images carry: its mean over pixels is seen by the network
    /// after the elements, as so many more inputs.
    ///
    /// # Errors
    /// As [`Autoregressive::new`].
    pub fn given(
        shape: ImageShape,
        map: ElementMap,
        direction: Direction,
        context: Option<ImageShape>,
        net: Made<E, D>,
    ) -> Result<Self> {
        let inputs = shape.dims() + context.map_or(0, |context| context.channels);
        let (found, expected) = (net.channels(), (inputs, shape.dims() * map.numbers()));
        if found != expected {
            return Err(Error::Shape {
                layer: "Autoregressive".into(),
                expected: format!("a network from {} to {} channels", expected.0, expected.1),
                found: format!("one from {} to {}", found.0, found.1),
            });
        }
        Ok(Self { shape, by: map.by(), direction, context: context.map(ContextView::of), net })
    }

    /// The elements in their order.
    pub fn order(&self) -> &[usize] {
        self.net.order()
    }

    /// All elements of an image as one vector.
    fn vector(&self, x: Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(x.shape())?;
        let (device, batch, given) = (x.device().clone(), x.batch(), x.shared_given());
        let vector = ImageShape::new(1, 1, self.shape.dims());
        Ok(Image::from_buffer(&device, batch, vector, x.into_data()).giving(given))
    }

    /// What the network sees: a vector, and after it the context.
    fn input(&self, u: &Image<E, D>) -> Result<Image<E, D>> {
        match self.context {
            Some(view) => u.concat_channels(&view.seen("Autoregressive", u)?),
            None => u.copied(),
        }
    }

    /// The gradient with respect to the vector, from that with respect to what the network saw; adds that of the context.
    fn of_vector(&self, g: Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<Image<E, D>> {
        let Some(view) = self.context else { return Ok(g) };
        let dims = self.shape.dims();
        view.pull_back(g.channels(dims, view.channels())?, grads)?;
        g.channels(0, dims)
    }

    fn image(&self, x: Image<E, D>) -> Image<E, D> {
        let (device, batch) = (x.device().clone(), x.batch());
        Image::from_buffer(&device, batch, self.shape, x.into_data())
    }

    /// `T(u)`, and Σ ln slope.
    fn moved(&self, u: &Image<E, D>, numbers: &Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let (mut v, mut ladj) = (u.copied()?, PerSample::zeros(u.device(), u.batch()));
        self.by.apply(&mut v, numbers, &mut ladj)?;
        Ok((v, ladj))
    }

    /// `T⁻¹(v)`, element by element.
    fn moved_back(&self, v: &Image<E, D>) -> Result<Image<E, D>> {
        let u = Image::zeros(v.device(), v.batch(), v.shape())?;
        let mut input = self.input(&u.giving(v.shared_given()))?;
        for &element in self.order() {
            let mut moved = v.channels(element, 1)?;
            self.by.undo(&mut moved, &self.net.numbers_of(element, &input)?)?;
            input.set_channels(element, &moved)?;
        }
        Ok(input.channels(0, v.shape().channels)?.giving(v.shared_given()))
    }

    /// `y` and ladj of the layer, of vectors.
    fn up(&self, x: &Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        match self.direction {
            Direction::Density => self.moved(x, &self.net.forward(&self.input(x)?)?),
            Direction::Sampling => {
                let y = self.moved_back(x)?;
                let mut ladj = self.moved(&y, &self.net.forward(&self.input(&y)?)?)?.1;
                MemoryKernel::<f64>::scale(x.device(), ladj.data_mut()?, -1.0)?;
                Ok((y, ladj))
            }
        }
    }

    /// `x`, of vectors.
    fn down(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        match self.direction {
            Direction::Density => self.moved_back(y),
            Direction::Sampling => Ok(self.moved(y, &self.net.forward(&self.input(y)?)?)?.0),
        }
    }

    /// Where T is differentiated, from the vectors that the layer takes and gives.
    fn point(&self, x: &Image<E, D>, y: &Image<E, D>) -> Result<Point<E, D>> {
        let (u, v) = match self.direction {
            Direction::Density => (x, y),
            Direction::Sampling => (y, x),
        };
        let (numbers, kept) = self.net.forward_keeping(&self.input(u)?)?;
        let at = if self.by.is_differentiated_at_output() { v } else { u };
        Ok(Point { at: at.copied()?, numbers, kept })
    }

    /// The gradient with respect to the layer's input, a vector; adds the parameters' gradients.
    fn gradient(
        &self,
        point: Point<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let ladj = cotangent.shared_ladj();
        let g = self.vector(cotangent.image)?;
        match self.direction {
            Direction::Density => self.pulled(point, g, ladj.data(), grads),
            Direction::Sampling => {
                let device = g.device().clone();
                let mut of_t = MemoryKernel::<f64>::copy(&device, ladj.data())?;
                MemoryKernel::<f64>::scale(&device, &mut of_t, -1.0)?;
                let (w, d_numbers) = self.solved(&point, g, &of_t)?;
                let by_network = self.net.pull_back(point.kept, d_numbers, grads)?;
                self.of_vector(by_network, grads)?;
                Ok(w)
            }
        }
    }

    /// Through T: the gradient with respect to u, from those with respect to v and to T's ladj.
    fn pulled(
        &self,
        point: Point<E, D>,
        mut g: Image<E, D>,
        g_ladj: &Buffer<f64, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let Point { at, numbers, kept } = point;
        let mut d_numbers = Image::zeros(g.device(), g.batch(), numbers.shape())?;
        self.by.gradient(&at, &mut g, g_ladj, &numbers, &mut d_numbers)?;
        let by_network = self.net.pull_back(kept, d_numbers, grads)?;
        g.add_assign(&self.of_vector(by_network, grads)?)?;
        Ok(g)
    }

    /// Through T⁻¹: w, the gradient with respect to v, from that with respect to u and to T's ladj; and the gradient with
    /// respect to the numbers. With −w at T's output, all that u is pulled by adds up to zero.
    fn solved(
        &self,
        point: &Point<E, D>,
        mut g: Image<E, D>,
        g_ladj: &Buffer<f64, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let Point { at, numbers, kept } = point;
        let (device, batch, many) = (g.device().clone(), g.batch(), self.net.numbers());
        let no_ladj = MemoryKernel::<f64>::zeros(&device, batch)?;
        let mut d_numbers = Image::zeros(&device, batch, numbers.shape())?;
        let mut slopes = ones(&g, g.shape())?;
        self.by.gradient(at, &mut slopes, &no_ladj, numbers, &mut d_numbers)?;
        // What ladj gives an element through its own slope.
        let mut by_slope = Image::zeros(&device, batch, g.shape())?;
        self.by.gradient(at, &mut by_slope, g_ladj, numbers, &mut d_numbers)?;
        g.add_assign(&by_slope)?;
        let mut w = Image::zeros(&device, batch, g.shape())?;
        for &element in self.order().iter().rev() {
            let mut own = g.channels(element, 1)?;
            device.divide(own.data_mut(), slopes.channels(element, 1)?.data())?;
            w.set_channels(element, &own)?;
            MemoryKernel::<E>::scale(&device, own.data_mut(), -1.0)?;
            let h = numbers.channels(element * many, many)?;
            let mut d_h = Image::zeros(&device, batch, h.shape())?;
            self.by.gradient(&at.channels(element, 1)?, &mut own, g_ladj, &h, &mut d_h)?;
            g.add_assign(&self.net.back_from(element, kept, &d_h)?.channels(0, g.shape().channels)?)?;
            d_numbers.set_channels(element * many, &d_h)?;
        }
        Ok((w, d_numbers))
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Autoregressive<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.net.visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.net.visit_mut(path, visitor);
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Autoregressive<E, D> {
    fn kind(&self) -> &str {
        "Autoregressive"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        if input == self.shape {
            return Ok(input);
        }
        let (expected, found) = (self.shape.to_string(), input.to_string());
        Err(Error::Shape { layer: "Autoregressive".into(), expected, found })
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        let x = self.vector(x.copied()?)?;
        let y = match self.direction {
            Direction::Density => self.moved(&x, &self.net.forward(&self.input(&x)?)?)?.0,
            Direction::Sampling => self.moved_back(&x)?,
        };
        Ok(self.image(y))
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.image(self.down(&self.vector(y.copied()?)?)?))
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.up(&self.vector(x.copied()?)?)?.1)
    }

    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let (y, ladj) = self.up(&self.vector(x)?)?;
        Ok((self.image(y), ladj))
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let y = self.vector(y)?;
        let x = self.down(&y)?;
        let g = self.gradient(self.point(&x, &y)?, cotangent, grads)?;
        Ok((self.image(x), self.image(g)))
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.net.prepare(device)
    }

    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let x = self.vector(x)?;
        let (y, ladj) = self.up(&x)?;
        let Point { at, numbers, kept } = self.point(&x, &y)?;
        Ok((self.image(y), ladj, Kept { images: vec![at, numbers], parts: vec![kept] }))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (numbers, at, kept) = (kept.pop()?, kept.pop()?, kept.pop_part()?);
        Ok(self.image(self.gradient(Point { at, numbers, kept }, cotangent, grads)?))
    }

    fn forward_sparing(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let x = self.vector(x)?;
        let (y, ladj) = self.up(&x)?;
        let kept = if self.direction == Direction::Density { Kept::images([x]) } else { Kept::images([]) };
        Ok((self.image(y), ladj, kept))
    }

    fn pull_back_spared(
        &self,
        y: Image<E, D>,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        if self.direction == Direction::Sampling {
            return self.pull_back(y, cotangent, grads);
        }
        let (x, y) = (kept.pop()?, self.vector(y)?);
        let g = self.gradient(self.point(&x, &y)?, cotangent, grads)?;
        Ok((self.image(x), self.image(g)))
    }

    fn spared(&self, input: ImageShape) -> usize {
        if self.direction == Direction::Density { input.dims() } else { 0 }
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        let (x, g) = (self.vector(x.copied()?)?, self.vector(g)?);
        let (point, no_ladj) = (self.point(&x, &self.up(&x)?.0)?, MemoryKernel::<f64>::zeros(x.device(), x.batch())?);
        let w = match self.direction {
            Direction::Density => self.solved(&point, g, &no_ladj)?.0,
            Direction::Sampling => {
                self.pulled(point, g, &no_ladj, &mut ParameterGradients::zeros(x.device(), self)?)?
            }
        };
        Ok(Some(self.image(w)))
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        let x = self.vector(x.copied()?)?;
        let u = if self.direction == Direction::Density { x } else { self.moved_back(&x)? };
        Ok(Health {
            log_scale: self.by.largest_log_slope(&u, &self.net.forward(&self.input(&u)?)?)?,
            ..Default::default()
        })
    }

    fn multiply_adds(&self, _: ImageShape) -> u64 {
        match self.direction {
            Direction::Density => self.net.multiply_adds_per_pixel(),
            Direction::Sampling => self.net.multiply_adds_in_turn() + self.net.multiply_adds_per_pixel(),
        }
    }

    fn inverse_multiply_adds(&self, _: ImageShape) -> u64 {
        match self.direction {
            Direction::Density => self.net.multiply_adds_in_turn(),
            Direction::Sampling => self.net.multiply_adds_per_pixel(),
        }
    }

    fn kept(&self, input: ImageShape) -> usize {
        input.dims() + self.net.channels().1 + self.net.kept_channels()
    }

    /// The network's, what it keeps included; output, input, their gradients and slopes; and the numbers with their
    /// gradient, kept twice.
    fn working_set(&self, input: ImageShape) -> usize {
        self.net.working_channels() + 7 * input.dims() + 3 * self.net.channels().1
    }

    fn activation(&self, _: ImageShape) -> usize {
        self.net.width()
    }
}
