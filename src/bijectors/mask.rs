//! Which elements of an image a coupling moves, and what its network sees of the others.
//!
//! | mask | moves | the network sees |
//! |---|---|---|
//! | `Halves` | the second half of the channels | the first half |
//! | `Checkerboard(parity)` | the pixels whose row + column is even (0) or odd (1) | the image, with these pixels 0 |
//!
//! Both are RealNVP's (L. Dinh, J. Sohl-Dickstein and S. Bengio, 2017, § 3.4). The mask takes the elements that move out of
//! the image and puts them back, for every transform.
//!
//! Where a coupling is conditioned on a context, [`Mask::given`], its network sees the context behind these channels.

use super::ContextView;
use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients};
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

/// A mask, and the context that the network sees beside the elements that stay, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    pub(super) mask: Mask,
    context: Option<ContextView>,
}

impl From<Mask> for Masked {
    fn from(mask: Mask) -> Self {
        Self { mask, context: None }
    }
}

impl Masked {
    /// As [`Mask::moved`], and refuses images that the context does not fit.
    ///
    /// # Errors
    /// [`Error::Shape`] for what the mask or the context cannot take.
    pub fn moved(self, kind: &str, shape: ImageShape) -> Result<ImageShape> {
        self.context.map_or(Ok(()), |context| context.expect_fit(kind, shape))?;
        self.mask.moved(kind, shape)
    }

    /// As [`Mask::network`]; the network's input has the context's channels too.
    ///
    /// # Errors
    /// As [`Mask::moved`].
    pub fn network(self, kind: &str, channels: usize, numbers: usize) -> Result<(usize, usize)> {
        let (input, output) = self.mask.network(kind, channels, numbers)?;
        Ok((input + self.context_channels(), output))
    }

    /// Channels of the context; 0 without one.
    pub fn context_channels(self) -> usize {
        self.context.map_or(0, ContextView::channels)
    }

    /// What the network sees of an image and of its context.
    pub(super) fn condition<E: Element, D: Device<E>>(self, kind: &str, x: &Image<E, D>) -> Result<Image<E, D>> {
        let condition = self.mask.condition(x)?;
        match self.context {
            Some(context) => condition.concat_channels(&context.seen(kind, x)?),
            None => Ok(condition),
        }
    }

    /// Adds the gradient with respect to what the network saw to those with respect to the image and to the context.
    pub(super) fn add_condition_gradient<E: Element, D: Device<E>>(
        self,
        g: &mut Image<E, D>,
        by_network: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<()> {
        let Some(context) = self.context else { return self.mask.add_condition_gradient(g, by_network) };
        let own = by_network.shape().channels - context.channels();
        context.pull_back(by_network.channels(own, context.channels())?, grads)?;
        self.mask.add_condition_gradient(g, by_network.channels(0, own)?)
    }
}

impl Mask {
    /// The same mask in a coupling whose network sees a context of this shape as well.
    pub const fn given(self, context: ImageShape) -> Masked {
        Masked { mask: self, context: Some(ContextView::of(context)) }
    }

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
    fn condition<E: Element, D: Device<E>>(self, x: &Image<E, D>) -> Result<Image<E, D>> {
        match self {
            Self::Halves => x.channels(0, x.shape().channels / 2),
            Self::Checkerboard(_) => self.without(x.copied()?),
        }
    }

    /// Adds the gradient with respect to what the network saw to that with respect to the image.
    fn add_condition_gradient<E: Element, D: Device<E>>(
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
