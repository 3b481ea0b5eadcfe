//! Which elements of an image a coupling moves, and what its network sees of the others.
//!
//! | mask | moves | the network sees |
//! |---|---|---|
//! | `Halves` | the second half of the channels | the first half |
//! | `Checkerboard(parity)` | the pixels whose row + column is even (0) or odd (1) | the image, with these pixels 0 |
//!
//! Both are RealNVP's (L. Dinh, J. Sohl-Dickstein and S. Bengio, 2017, § 3.4). The mask takes the elements that move out of
//! the image and puts them back, for every transform.

use crate::backend::{Device, Element, Image, ImageShape};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which elements a coupling moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "mask")]
pub enum Mask {
    /// The second half of the channels, by the first.
    #[default]
    Halves,
    /// The pixels of one colour of a checkerboard, by those of the other.
    Checkerboard(Parity),
}

/// Whether row + column of the pixels that move is even or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "usize", into = "usize")]
pub enum Parity {
    /// 0: the first pixel moves.
    Even,
    /// 1: the second pixel of the first row moves.
    Odd,
}

impl TryFrom<usize> for Parity {
    type Error = String;

    fn try_from(parity: usize) -> std::result::Result<Self, String> {
        match parity {
            0 => Ok(Self::Even),
            1 => Ok(Self::Odd),
            other => Err(format!("expected the parity of row + column, 0 or 1, found {other}")),
        }
    }
}

impl From<Parity> for usize {
    fn from(parity: Parity) -> Self {
        match parity {
            Parity::Even => 0,
            Parity::Odd => 1,
        }
    }
}

impl Mask {
    /// The elements that move, as an image of their own.
    ///
    /// # Errors
    /// [`Error::Shape`] for an odd number of channels, or an odd width under a checkerboard; `kind` is the layer's.
    pub fn moved(self, kind: &str, shape: ImageShape) -> Result<ImageShape> {
        match self {
            Self::Halves => Ok(shape.with_channels(super::even_half(kind, shape.channels)?)),
            Self::Checkerboard(_) if shape.width.is_multiple_of(2) && shape.width > 0 => {
                Ok(ImageShape::new(shape.height, shape.width / 2, shape.channels))
            }
            Self::Checkerboard(_) => Err(Error::Shape {
                layer: kind.into(),
                expected: "images of an even width, for its checkerboard".into(),
                found: shape.to_string(),
            }),
        }
    }

    /// Channels of the network's input, and of its output for a transform that wants so many numbers an element.
    ///
    /// # Errors
    /// As [`Mask::moved`].
    pub fn network(self, kind: &str, channels: usize, numbers: usize) -> Result<(usize, usize)> {
        let moved = match self {
            Self::Halves => super::even_half(kind, channels)?,
            Self::Checkerboard(_) => channels,
        };
        Ok((if self == Self::Halves { channels - moved } else { channels }, moved * numbers))
    }

    /// What the network sees of an image.
    pub(super) fn condition<E: Element, D: Device<E>>(self, x: &Image<E, D>) -> Result<Image<E, D>> {
        match self {
            Self::Halves => x.channels(0, x.shape().channels / 2),
            Self::Checkerboard(_) => self.without(x.copied()?),
        }
    }

    /// Adds the gradient with respect to what the network saw to that with respect to the image.
    pub(super) fn add_condition_gradient<E: Element, D: Device<E>>(
        self,
        g: &mut Image<E, D>,
        by_network: Image<E, D>,
    ) -> Result<()> {
        match self {
            Self::Halves => g.add_channels(0, &by_network),
            Self::Checkerboard(_) => g.add_assign(&self.without(by_network)?),
        }
    }

    /// The image with zeros in the pixels that move.
    fn without<E: Element, D: Device<E>>(self, mut x: Image<E, D>) -> Result<Image<E, D>> {
        let zeros = Image::zeros(x.device(), x.batch(), self.moved("mask", x.shape())?)?;
        self.put(&mut x, &zeros)?;
        Ok(x)
    }

    /// The elements that move.
    pub(super) fn take<E: Element, D: Device<E>>(self, x: &Image<E, D>) -> Result<Image<E, D>> {
        let moved = self.moved("mask", x.shape())?;
        match self {
            Self::Halves => x.channels(moved.channels, moved.channels),
            Self::Checkerboard(parity) => {
                let taken = x.device().take_pixels(x.data(), x.shape(), parity.into())?;
                Ok(Image::from_buffer(x.device(), x.batch(), moved, taken))
            }
        }
    }

    /// Puts elements back in their places.
    pub(super) fn put<E: Element, D: Device<E>>(self, y: &mut Image<E, D>, moved: &Image<E, D>) -> Result<()> {
        match self {
            Self::Halves => y.set_channels(moved.shape().channels, moved),
            Self::Checkerboard(parity) => {
                let (shape, device) = (y.shape(), y.device().clone());
                device.put_pixels(y.data_mut(), shape, parity.into(), moved.data())
            }
        }
    }

    /// The network's numbers for the elements that move.
    pub(super) fn numbers<E: Element, D: Device<E>>(self, h: Image<E, D>) -> Result<Image<E, D>> {
        match self {
            Self::Halves => Ok(h),
            Self::Checkerboard(_) => self.take(&h),
        }
    }

    /// The gradient with respect to the network's output, from that with respect to these numbers.
    pub(super) fn numbers_gradient<E: Element, D: Device<E>>(self, d_numbers: Image<E, D>) -> Result<Image<E, D>> {
        match self {
            Self::Halves => Ok(d_numbers),
            Self::Checkerboard(_) => {
                let ImageShape { height, width, channels } = d_numbers.shape();
                let h = ImageShape::new(height, 2 * width, channels);
                let mut d_h = Image::zeros(d_numbers.device(), d_numbers.batch(), h)?;
                self.put(&mut d_h, &d_numbers)?;
                Ok(d_h)
            }
        }
    }
}
