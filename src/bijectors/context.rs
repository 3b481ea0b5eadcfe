//! What a layer sees of the context that its images carry: the context at the layer's own height and width.
//!
//! ```text
//! c'[i, j] = c[i / f, j / f]                  where the layer is f times as large: pixels are repeated
//! c'[i, j] = mean of the block (i, j) of c    where it is smaller: the mean over whole blocks
//! ```
//!
//! Each axis goes by itself; a context of one pixel is the same everywhere. The map is linear, so the gradient of the
//! context is its transpose of that of c'. A flow is conditioned on c where its layers' numbers are functions of x and c':
//! each layer is then a bijector of x for every c, and its ladj is that of x alone.
//!
//! ```
//! use flowstone::{Image, ImageShape, backend::{Cpu, ParameterGradients}, bijectors::ContextView};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let context = Image::from_host(&device, 1, ImageShape::new(1, 2, 1), &[1.0_f64, 3.0])?;
//! let view = ContextView::of(context.shape());
//! let x = Image::zeros(&device, 1, ImageShape::new(1, 4, 2))?.giving(Some(context.into()));
//! assert_eq!(view.seen("a layer", &x)?.to_host()?, [1.0, 1.0, 3.0, 3.0]);
//! # Ok(())
//! # }
//! ```

use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients};
use crate::{Error, Result};

/// A context of a known shape, to be seen at other sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextView {
    context: ImageShape,
}

impl ContextView {
    /// Of contexts of this shape.
    pub const fn of(context: ImageShape) -> Self {
        Self { context }
    }

    /// How many channels it has.
    pub const fn channels(self) -> usize {
        self.context.channels
    }

    /// Refuses images at whose size the context cannot be seen.
    ///
    /// # Errors
    /// [`Error::Shape`] if height or width is neither a multiple nor a divisor of the context's; `kind` is the layer's.
    pub fn expect_fit(self, kind: &str, images: ImageShape) -> Result<()> {
        let fits = |a: usize, b: usize| a > 0 && b > 0 && (a.is_multiple_of(b) || b.is_multiple_of(a));
        if fits(self.context.height, images.height) && fits(self.context.width, images.width) {
            return Ok(());
        }
        let ImageShape { height, width, .. } = self.context;
        Err(Error::Shape {
            layer: kind.into(),
            expected: format!(
                "a height and a width that divide those of the context, {height}×{width}, or are divided by them"
            ),
            found: images.to_string(),
        })
    }

    /// The context that `x` carries, at the height and width of `x`.
    ///
    /// # Errors
    /// [`Error::Usage`] if it carries none, [`Error::Shape`] if it is another's or does not fit.
    pub fn seen<E: Element, D: Device<E>>(self, kind: &str, x: &Image<E, D>) -> Result<Image<E, D>> {
        let Some(context) = x.given() else {
            return Err(Error::Usage(format!(
                "{kind} is conditioned on a context of {}, and its images carry none",
                self.context
            )));
        };
        context.expect_shape(kind, self.context)?;
        if context.batch() != x.batch() {
            return Err(Error::Usage(format!("{} contexts for {} images", context.batch(), x.batch())));
        }
        self.expect_fit(kind, x.shape())?;
        let size = (x.shape().height, x.shape().width);
        if size == (self.context.height, self.context.width) {
            return Ok(context.copied()?.giving(None));
        }
        resized(context, size, self.factor(x.shape()))
    }

    /// Adds the gradient of the context, from that with respect to what was seen of it.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn pull_back<E: Element, D: Device<E>>(
        self,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<()> {
        let size = (self.context.height, self.context.width);
        if size == (g.shape().height, g.shape().width) {
            return grads.add_context(g);
        }
        let factor = self.factor(g.shape());
        grads.add_context(resized(&g, size, factor)?)
    }

    /// 1 over the pixels of a block that are seen as one.
    fn factor(self, at: ImageShape) -> f64 {
        let block = |context: usize, layer: usize| (context / layer).max(1) as f64;
        1.0 / (block(self.context.height, at.height) * block(self.context.width, at.width))
    }
}

fn resized<E: Element, D: Device<E>>(
    x: &Image<E, D>,
    (height, width): (usize, usize),
    factor: f64,
) -> Result<Image<E, D>> {
    let data = x.device().resize(x.data(), x.shape(), (height, width), factor)?;
    Ok(Image::from_buffer(x.device(), x.batch(), ImageShape::new(height, width, x.shape().channels), data))
}
