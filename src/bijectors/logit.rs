//! The logit of pixels: from an interval to all real numbers (RealNVP, § 4.1).
//!
//! ```text
//! p = α/2 + (1 − α)·(x + ½)          x in [−½, ½), so p in [α/2, 1 − α/2)
//! y = ln p − ln(1 − p)
//! ladj = Σ ln(1 − α) − ln p − ln(1 − p)
//! ```
//!
//! The paper has `α + (1 − α)·x` with x from 0 to 1, whose upper end is infinite: in f32 dequantised white can round to it. Its
//! code has `0.05 + 0.9·x`, which is α = 0.1 here. What lies outside of the interval is no image, and becomes a number that is not finite.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::Cpu, bijectors::Logit};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 1, 2), &[0.0_f64, 0.4])?;
//! let y = Logit { alpha: 0.05 }.forward(&x)?.to_host()?;
//! assert!(y[0].abs() < 1e-15 && (y[1] - (0.88_f64 / 0.12).ln()).abs() < 1e-14);
//! # Ok(())
//! # }
//! ```

use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent, ones, triangular_inverse_pull_back};
use crate::{Result, no_parameters};

/// The logit of `α/2 + (1 − α)·(x + ½)`.
#[derive(Clone, Copy, Debug)]
pub struct Logit {
    /// How far the ends are kept from 0 and 1, together.
    pub alpha: f64,
}

no_parameters!(Logit);

impl<E: Element, D: Device<E>> Bijector<E, D> for Logit {
    fn kind(&self) -> &str {
        "Logit"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        Ok(input)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.1)
    }

    fn forward_and_ladj(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let mut ladj = PerSample::zeros(x.device(), x.batch());
        x.device().clone().logit(self.alpha, x.data_mut(), ladj.data_mut()?)?;
        Ok((x, ladj))
    }

    fn inverse_of(&self, mut y: Image<E, D>) -> Result<Image<E, D>> {
        y.device().clone().logit_inverse(self.alpha, y.data_mut())?;
        Ok(y)
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        _: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let g_ladj = cotangent.shared_ladj();
        let mut g = cotangent.image;
        y.device().logit_gradient(self.alpha, y.data(), g.data_mut(), g_ladj.data())?;
        Ok((self.inverse_of(y)?, g))
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        triangular_inverse_pull_back(self, x, &g, ones(x, x.shape())?).map(Some)
    }
}
