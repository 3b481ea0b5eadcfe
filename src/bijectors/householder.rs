//! Reflections of the channels: an orthogonal matrix for every pixel (J. M. Tomczak and M. Welling, *Improving variational
//! auto-encoders using Householder flow*, 2016, eq. 8).
//!
//! ```text
//! x_0 = x        x_i = x_{i−1} − 2·(x_{i−1}·u_i)·u_i,    u_i = v_i/‖v_i‖,   i = 1 … n        y = x_n
//! ladj = 0
//! ```
//!
//! Each reflection is its own inverse. With g the gradient of its output and s = x·u, r = g·u at every pixel, that of u is
//! `−2·Σ (s·g + r·x)`, of which v gets the part across u, over ‖v‖. n = c reflections reach every orthogonal matrix of
//! determinant (−1)ⁿ.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}, bijectors::Householder};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let layer = Householder::new(&Initializer::new(&device, 0), 2, 3)?;
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 1, 3), &[1.0_f64, 2.0, 2.0])?;
//! let y = layer.forward(&x)?.to_host()?;
//! assert!((y.iter().map(|y| y * y).sum::<f64>() - 9.0).abs() < 1e-12, "no length changes");
//! # Ok(())
//! # }
//! ```

use crate::backend::kernels::{MemoryKernel, Operand};
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Result, parameters};

/// A product of reflections of the channels.
#[derive(Debug)]
pub struct Householder<E: Element, D: Device<E>> {
    channels: usize,
    /// `[n, channels]`: v, a row a reflection.
    vectors: Parameter<E, D>,
    reflections: Vec<Reflection<E, D>>,
}

/// What follows from a v.
#[derive(Debug)]
struct Reflection<E: Element, D: Device<E>> {
    /// u, `[c]`.
    unit: Buffer<E, D>,
    /// −2u.
    twice_back: Buffer<E, D>,
    /// `(I − u·uᵀ)/‖v‖`, `[c, c]`.
    across: Buffer<E, D>,
}

parameters!(Householder { vectors });

impl<E: Element, D: Device<E>> Householder<E, D> {
    /// `n` reflections at random.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn new(initializer: &Initializer<D>, n: usize, channels: usize) -> Result<Self> {
        let vectors = initializer.normal("vectors", &[n, channels], 1.0)?.mirrored();
        let mut layer = Self { channels, vectors, reflections: Vec::new() };
        layer.prepare(initializer.device())?;
        Ok(layer)
    }

    /// One of them, in place.
    fn reflect(&self, x: &mut Image<E, D>, reflection: &Reflection<E, D>) -> Result<()> {
        let along = self.along(x, reflection)?;
        let (device, size) = (x.device().clone(), (x.rows(), 1, self.channels));
        let (along, back) = (Operand::Plain(along.data()), Operand::Plain(&reflection.twice_back));
        device.product(size, along, back, x.data_mut(), true)
    }

    /// `x·u` at every pixel.
    fn along(&self, x: &Image<E, D>, reflection: &Reflection<E, D>) -> Result<Image<E, D>> {
        let mut along = Image::zeros(x.device(), x.batch(), x.shape().with_channels(1))?;
        let (x_, unit) = (Operand::Plain(x.data()), Operand::Plain(&reflection.unit));
        x.device().product((x.rows(), self.channels, 1), x_, unit, along.data_mut(), false)?;
        Ok(along)
    }

    /// Adds a reflection's gradient, `[c]`, from its input and the gradient of its output.
    fn add_gradient(
        &self,
        reflection: &Reflection<E, D>,
        (x, g): (&Image<E, D>, &Image<E, D>),
        d_vector: &mut Buffer<E, D>,
    ) -> Result<()> {
        let (device, c) = (x.device(), self.channels);
        let mut d_unit = Image::zeros(device, 1, ImageShape::new(1, 1, c))?;
        for (of, with) in [(g, self.along(x, reflection)?), (x, self.along(g, reflection)?)] {
            let (of, with) = (Operand::Transposed(of.data()), Operand::Plain(with.data()));
            device.product((c, x.rows(), 1), of, with, d_unit.data_mut(), true)?;
        }
        MemoryKernel::<E>::scale(device, d_unit.data_mut(), -2.0)?;
        let (d_unit, across) = (Operand::Plain(d_unit.data()), Operand::Plain(&reflection.across));
        device.product((1, c, c), d_unit, across, d_vector, true)
    }

    /// Through all reflections from the last to the first: of x and its gradient, in place.
    fn pulled(&self, x: &mut Image<E, D>, g: &mut Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<()> {
        let device = x.device().clone();
        for (i, reflection) in self.reflections.iter().enumerate().rev() {
            self.reflect(x, reflection)?;
            let mut d_vector = MemoryKernel::<E>::zeros(&device, self.channels)?;
            self.add_gradient(reflection, (x, g), &mut d_vector)?;
            let (slot, n) = (grads.slot(&self.vectors)?, self.channels * self.reflections.len());
            device.add_channels(slot, n, i * self.channels, &d_vector, self.channels)?;
            self.reflect(g, reflection)?;
        }
        Ok(())
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Householder<E, D> {
    fn kind(&self) -> &str {
        "Householder"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels("Householder", input, self.channels)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(PerSample::zeros(x.device(), x.batch()))
    }

    fn forward_and_ladj(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        Bijector::<E, D>::output_shape(self, x.shape())?;
        self.reflections.iter().try_for_each(|reflection| self.reflect(&mut x, reflection))?;
        let ladj = PerSample::zeros(x.device(), x.batch());
        Ok((x, ladj))
    }

    fn inverse_of(&self, mut y: Image<E, D>) -> Result<Image<E, D>> {
        Bijector::<E, D>::output_shape(self, y.shape())?;
        self.reflections.iter().rev().try_for_each(|reflection| self.reflect(&mut y, reflection))?;
        Ok(y)
    }

    fn pull_back(
        &self,
        mut y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        Bijector::<E, D>::output_shape(self, y.shape())?;
        let mut g = cotangent.image;
        self.pulled(&mut y, &mut g, grads)?;
        Ok((y, g))
    }

    /// The units of the vectors.
    ///
    /// # Errors
    /// [`Error::Singular`] for a vector of no length.
    fn prepare(&mut self, device: &D) -> Result<()> {
        let (c, values) = (self.channels, self.vectors.to_host(device)?);
        self.reflections.clear();
        for vector in values.chunks_exact(c.max(1)) {
            let vector: Vec<f64> = vector.iter().map(|v| v.as_f64()).collect();
            let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
            if length.is_nan() || length == 0.0 {
                return Err(Error::Singular { layer: "Householder".into(), log_abs_det: length.ln() });
            }
            let unit: Vec<f64> = vector.iter().map(|v| v / length).collect();
            let across = |i: usize| (f64::from(i / c == i % c) - unit[i / c] * unit[i % c]) / length;
            let upload = |values: Vec<f64>| device.upload(&values.into_iter().map(E::of).collect::<Vec<E>>());
            self.reflections.push(Reflection {
                twice_back: upload(unit.iter().map(|u| -2.0 * u).collect())?,
                across: upload((0..c * c).map(across).collect())?,
                unit: upload(unit)?,
            });
        }
        Ok(())
    }

    fn forward_keeping(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (y, ladj) = self.forward_and_ladj(x)?;
        let kept = y.copied()?;
        Ok((y, ladj, Kept::images([kept])))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (mut y, mut g) = (kept.pop()?, cotangent.image);
        self.pulled(&mut y, &mut g, grads)?;
        Ok(g)
    }

    fn inverse_pull_back(&self, _: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        Ok(Some(self.forward_and_ladj(g)?.0))
    }

    /// It changes no length.
    fn health(&self, _: &Image<E, D>) -> Result<Health> {
        Ok(Health { jacobian_condition: Some(1.0), ..Default::default() })
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        2 * input.dims() as u64 * self.vectors.shape()[0] as u64
    }
}
