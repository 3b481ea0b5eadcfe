//! Space to channels: each 2×2 block of pixels becomes one pixel of four times the channels (RealNVP, § 3.6).
//!
//! ```text
//! y[i, j, c·4 + dy·2 + dx] = x[2i + dy, 2j + dx, c]
//! ladj = 0
//! ```
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::Cpu, bijectors::Squeeze};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let x = Image::from_host(&device, 1, ImageShape::new(2, 2, 1), &[1.0_f32, 2.0, 3.0, 4.0])?;
//! let y = Squeeze.forward(&x)?;
//! assert_eq!(y.shape(), ImageShape::new(1, 1, 4));
//! assert_eq!(y.to_host()?, [1.0, 2.0, 3.0, 4.0]);
//! # Ok(())
//! # }
//! ```

use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Result, no_parameters};

/// `[h, w, c] → [h/2, w/2, 4c]`.
#[derive(Clone, Copy, Debug)]
pub struct Squeeze;

no_parameters!(Squeeze);

impl<E: Element, D: Device<E>> Bijector<E, D> for Squeeze {
    fn kind(&self) -> &str {
        "Squeeze"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        if !input.height.is_multiple_of(2) || !input.width.is_multiple_of(2) || input.pixels() == 0 {
            return Err(Error::Shape {
                layer: "Squeeze".into(),
                expected: "an even height and width".into(),
                found: input.to_string(),
            });
        }
        Ok(ImageShape::new(input.height / 2, input.width / 2, 4 * input.channels))
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        let shape = Bijector::<E, D>::output_shape(self, x.shape())?;
        Ok(Image::from_buffer(x.device(), x.batch(), shape, x.device().squeeze(x.data(), x.shape())?))
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        let ImageShape { height, width, channels } = y.shape();
        if !channels.is_multiple_of(4) || channels == 0 {
            return Err(Error::Shape {
                layer: "Squeeze".into(),
                expected: "channels divisible by 4, to be undone".into(),
                found: y.shape().to_string(),
            });
        }
        let shape = ImageShape::new(2 * height, 2 * width, channels / 4);
        Ok(Image::from_buffer(y.device(), y.batch(), shape, y.device().unsqueeze(y.data(), shape)?))
    }

    orthogonal!();
}
