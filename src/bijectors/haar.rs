//! The Haar wavelet: each 2×2 block of pixels becomes its mean and its differences (A. Haar, 1910; as a layer of flows L.
//! Ardizzone et al., *Guided image generation with conditional invertible neural networks*, 2019, § 3.1).
//!
//! ```text
//! a b         mean      = (a + b + c + d)/2        horizontal = (a − b + c − d)/2
//! c d         vertical  = (a + b − c − d)/2        diagonal   = (a − b − c + d)/2
//! ladj = 0
//! ```
//!
//! The map is orthonormal: its inverse is its transpose. All means come first, then the horizontal differences of all channels,
//! the vertical and the diagonal ones, so that a coupling of halves or a split keeps the coarse image with the first of them.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::Cpu, bijectors::Haar};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let x = Image::from_host(&device, 1, ImageShape::new(2, 2, 1), &[1.0_f64, 2.0, 3.0, 6.0])?;
//! let y = Haar::new(&device, 1)?.forward(&x)?;
//! assert_eq!(y.to_host()?, [6.0, -2.0, -3.0, 1.0]);
//! # Ok(())
//! # }
//! ```

use super::Squeeze;
use crate::backend::kernels::Operand;
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Result};

/// `[h, w, c] → [h/2, w/2, 4c]`.
#[derive(Debug)]
pub struct Haar<E: Element, D: Device<E>> {
    channels: usize,
    /// `[4c, 4c]`: from a squeezed pixel to its wavelets.
    matrix: Buffer<E, D>,
}

impl<E: Element, D: Device<E>> Haar<E, D> {
    /// Of images of so many channels.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn new(device: &D, channels: usize) -> Result<Self> {
        let side = 4 * channels;
        let mut matrix = vec![E::zero(); side * side];
        for (channel, pixel, wavelet) in (0..channels).flat_map(|c| (0..16_usize).map(move |i| (c, i / 4, i % 4))) {
            // A bit of the wavelet says along which axes signs change, one of the pixel on which side it is.
            let sign: f64 = if (pixel & wavelet).count_ones() % 2 == 0 { 0.5 } else { -0.5 };
            matrix[(4 * channel + pixel) * side + wavelet * channels + channel] = E::of(sign);
        }
        Ok(Self { channels, matrix: device.upload(&matrix)? })
    }

    fn multiplied(&self, x: &Image<E, D>, matrix: Operand<'_, Buffer<E, D>>) -> Result<Image<E, D>> {
        let mut y = Image::zeros(x.device(), x.batch(), x.shape())?;
        let size = (x.rows(), 4 * self.channels, 4 * self.channels);
        x.device().product(size, Operand::Plain(x.data()), matrix, y.data_mut(), false)?;
        Ok(y)
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Haar<E, D> {
    fn visit<'a>(&'a self, _: &str, _: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {}
    fn visit_mut<'a>(&'a mut self, _: &str, _: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {}
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Haar<E, D> {
    fn kind(&self) -> &str {
        "Haar"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels("Haar", input, self.channels)?;
        match Bijector::<E, D>::output_shape(&Squeeze, input) {
            Err(Error::Shape { expected, found, .. }) => Err(Error::Shape { layer: "Haar".into(), expected, found }),
            other => other,
        }
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(x.shape())?;
        self.multiplied(&Squeeze.forward(x)?, Operand::Plain(&self.matrix))
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        y.expect_channels("Haar", 4 * self.channels)?;
        Squeeze.inverse(&self.multiplied(y, Operand::Transposed(&self.matrix))?)
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        4 * input.dims() as u64 * self.channels as u64
    }

    orthogonal!();
}
