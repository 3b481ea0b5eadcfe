//! What moves an element by numbers of its own: an affine map, or a transform that is not.

use crate::Result;
use crate::backend::kernels::{CouplingForm, CouplingLayout, CouplingMap, Transform};
use crate::backend::{Buffer, Device, Element, Image, ImageShape, PerSample};

/// What moves an element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Move {
    /// With fused kernels, which on halves work in place.
    Affine(CouplingMap),
    Other(Transform),
}

impl Move {
    /// How many numbers it wants for an element.
    pub fn numbers(self) -> usize {
        match self {
            Self::Affine(CouplingMap::Additive) => 1,
            Self::Affine(_) => 2,
            Self::Other(transform) => transform.numbers(),
        }
    }

    /// Moves every element, and adds Σ ln slope per image.
    pub fn apply<E: Element, D: Device<E>>(
        self,
        x: &mut Image<E, D>,
        numbers: &Image<E, D>,
        ladj: &mut PerSample<D>,
    ) -> Result<()> {
        let (device, h) = (x.device().clone(), numbers.data());
        match self {
            Self::Affine(map) => device.couple(affine_form(x.shape(), 0, map), x.data_mut(), h, ladj.data_mut()?),
            Self::Other(transform) => device.transform(transform, x.data_mut(), h, ladj.data_mut()?),
        }
    }

    /// Moves every element back.
    pub fn undo<E: Element, D: Device<E>>(self, y: &mut Image<E, D>, numbers: &Image<E, D>) -> Result<()> {
        let (device, h) = (y.device().clone(), numbers.data());
        match self {
            Self::Affine(map) => device.uncouple(affine_form(y.shape(), 0, map), y.data_mut(), h),
            Self::Other(transform) => device.untransform(transform, y.data_mut(), h),
        }
    }

    /// Which of input and output [`Move::gradient`] is taken at.
    pub fn is_differentiated_at_output(self) -> bool {
        matches!(self, Self::Affine(_))
    }

    /// `g`, the gradient with respect to the output, becomes that with respect to the input; the gradient with respect to
    /// the numbers is added to `d_numbers`.
    pub fn gradient<E: Element, D: Device<E>>(
        self,
        at: &Image<E, D>,
        g: &mut Image<E, D>,
        g_ladj: &Buffer<f64, D>,
        numbers: &Image<E, D>,
        d_numbers: &mut Image<E, D>,
    ) -> Result<()> {
        let (device, h, d_h) = (at.device(), numbers.data(), d_numbers.data_mut());
        match self {
            Self::Affine(map) => {
                device.couple_gradient(affine_form(at.shape(), 0, map), at.data(), g.data_mut(), g_ladj, h, d_h)
            }
            Self::Other(transform) => device.transform_gradient(transform, at.data(), g.data_mut(), g_ladj, h, d_h),
        }
    }

    /// The largest `|ln slope|` at elements `x`; none where slopes are 1.
    pub fn largest_log_slope<E: Element, D: Device<E>>(
        self,
        x: &Image<E, D>,
        numbers: &Image<E, D>,
    ) -> Result<Option<f64>> {
        Ok(match self {
            Self::Affine(map) => affine_form(x.shape(), 0, map).largest_log_scale(&numbers.to_host()?),
            Self::Other(transform) => Some(transform.largest_log_slope(&x.to_host()?, &numbers.to_host()?)),
        })
    }
}

/// An affine map of the channels from `start` on, with the network's channels as couplings have them.
pub(super) fn affine_form(shape: ImageShape, start: usize, map: CouplingMap) -> CouplingForm {
    CouplingForm { shape, start, map, layout: CouplingLayout::Interleaved }
}
