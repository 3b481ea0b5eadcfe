//! What a flow is conditioned on, and the network that encodes it.
//!
//! ```text
//! p(x | c):    c' = encoder(c)        every coupling, split and top prior sees c'
//! ```
//!
//! An image brings its context along ([`Image::giving`]): the context as the data have it. The flow encodes it once for
//! the images in work and gives them c' instead; layers add to the gradient of c' as they do to their parameters', and when
//! all have, it goes back through the encoder.

use super::Flow;
use super::spec::ContextSpec;
use crate::backend::{Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters};
use crate::bijector::Kept;
use crate::nets::Net;
use crate::priors::one_hot;
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// What each image is given: its class, or numbers of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    /// The class of each image.
    pub labels: Option<&'a [usize]>,
    /// The context of each image, `[n, height, width, channels]` or `[n, features]`.
    pub context: Option<&'a [f32]>,
}

impl<'a> From<Option<&'a [usize]>> for Conditions<'a> {
    fn from(labels: Option<&'a [usize]>) -> Self {
        Self { labels, context: None }
    }
}

impl Conditions<'_> {
    /// Those of a part of the images, where each has so many numbers of context.
    pub(crate) fn part(&self, range: &Range<usize>, numbers: usize) -> Self {
        let labels = self.labels.map(|labels| labels.get(range.clone()).unwrap_or(&[]));
        let numbers = range.start * numbers..range.end * numbers;
        Self { labels, context: self.context.map(|context| context.get(numbers).unwrap_or(&[])) }
    }
}

/// A flow's context: its shape, and the encoder if there is one.
pub(super) struct Context<E: Element, D: Device<E>> {
    spec: ContextSpec,
    encoder: Option<Box<dyn Net<E, D>>>,
}

/// What the encoder kept for its gradient, if the flow has one.
pub(super) type KeptContext<E, D> = Option<Kept<E, D>>;

impl<E: Element, D: Device<E>> std::fmt::Debug for Context<E, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("spec", &self.spec).field("encoded", &self.encoded()).finish()
    }
}

impl<E: Element, D: Device<E>> Context<E, D> {
    /// A context with its encoder; without one layers see it as it is.
    pub fn new(spec: ContextSpec, encoder: Option<Box<dyn Net<E, D>>>) -> Self {
        Self { spec, encoder }
    }

    /// What it is.
    pub fn spec(&self) -> ContextSpec {
        self.spec
    }

    /// The shape of one context, as the data have it.
    pub fn shape(&self) -> ImageShape {
        self.spec.shape()
    }

    /// The shape of one encoded context.
    pub fn encoded(&self) -> ImageShape {
        let shape = self.shape();
        self.encoder.as_ref().map_or(shape, |net| shape.with_channels(net.channels().1))
    }

    /// What `check` calls it: the encoder's kind, or none.
    pub fn kind(&self) -> &'static str {
        match (&self.encoder, self.spec) {
            (None, _) => "Context",
            (_, ContextSpec::Image { .. }) => "Convolutional",
            _ => "Dense",
        }
    }

    /// Multiplications with additions of the encoder, for one image.
    pub fn multiply_adds(&self) -> u64 {
        self.encoder.as_ref().map_or(0, |net| self.shape().pixels() as u64 * net.multiply_adds_per_pixel())
    }

    /// Elements in use for one image: the contexts, and at the peak of the encoder's gradient.
    pub fn working_set(&self) -> usize {
        let of_encoder = self.encoder.as_ref().map_or(0, |net| self.shape().pixels() * net.working_channels());
        self.shape().dims() + 2 * self.encoded().dims() + of_encoder
    }

    /// `classes`, where the context is a class.
    pub fn classes(&self) -> Option<usize> {
        if let ContextSpec::Classes(classes) = self.spec { Some(classes) } else { None }
    }

    /// The contexts of `batch` images, as the data have them, from what each is given.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are missing, too many, or not of its shape.
    fn raw(&self, device: &D, batch: usize, conditions: Conditions) -> Result<Image<E, D>> {
        if let ContextSpec::Classes(classes) = self.spec {
            let labels = conditions.labels.ok_or_else(|| self.missing())?;
            return one_hot(device, classes, batch, Some(labels));
        }
        let shape = self.shape();
        let values = conditions.context.ok_or_else(|| self.missing())?;
        if values.len() != batch * shape.dims() {
            let (found, one) = (values.len(), shape.dims());
            return Err(Error::Usage(format!(
                "{found} numbers of context for {batch} images: the flow's is {} each ({})",
                one, self.spec
            )));
        }
        let values: Vec<E> = values.iter().map(|&value| E::of(f64::from(value))).collect();
        Image::from_host(device, batch, shape, &values)
    }

    fn missing(&self) -> Error {
        let help = match self.spec {
            ContextSpec::Classes(_) => "give each image's class: data with labels, or --class",
            _ => {
                "give one for each: an .npz file of data with a second array `context`, columns of a table by `?context=A,B`, or --context FILE.npy for samples"
            }
        };
        Error::Usage(format!("this flow is conditioned on a context, {}; {help}", self.spec))
    }

    /// The images with the encoded context in place of that of the data, and what the encoder kept.
    fn encode(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<(Image<E, D>, KeptContext<E, D>)> {
        let raw = match x.given() {
            Some(raw) => {
                raw.expect_shape("context", self.shape())?;
                raw.copied()?
            }
            None => self.raw(x.device(), x.batch(), labels.into())?,
        };
        if raw.batch() != x.batch() {
            return Err(Error::Usage(format!("{} contexts for {} images", raw.batch(), x.batch())));
        }
        let (encoded, kept) = match &self.encoder {
            Some(net) => {
                let (encoded, kept) = net.forward_keeping(&raw)?;
                (encoded, Some(kept))
            }
            None => (raw, None),
        };
        Ok((x.giving(Some(Arc::new(encoded))), kept))
    }

    /// Sets the encoder's parameters from the first contexts that reach it.
    pub fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let Some(raw) = x.given() else { return Err(self.missing()) };
        raw.expect_shape("context", self.spec.shape())?;
        if let Some(net) = &mut self.encoder {
            net.initialize(raw)?;
            net.prepare(raw.device())?;
        }
        Ok(())
    }

    /// Called after parameters change and before anything else is.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        self.encoder.iter_mut().try_for_each(|net| net.prepare(device))
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Context<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.encoder.iter().for_each(|net| net.visit(path, visitor));
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.encoder.iter_mut().for_each(|net| net.visit_mut(path, visitor));
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// What it is conditioned on, if it is.
    pub fn context(&self) -> Option<ContextSpec> {
        self.context.as_ref().map(Context::spec)
    }

    /// Numbers of one context; 0 without one.
    pub fn context_numbers(&self) -> usize {
        self.context.as_ref().map_or(0, |context| context.shape().dims())
    }

    /// The context of `batch` images, for them to carry ([`Image::giving`]) to the flow's methods; `None` for a flow
    /// without one.
    ///
    /// # Errors
    /// [`Error::Usage`] if what they are given is not what it is conditioned on.
    pub fn given(&self, device: &D, batch: usize, conditions: Conditions) -> Result<Option<Arc<Image<E, D>>>> {
        self.context.as_ref().map(|context| context.raw(device, batch, conditions).map(Arc::new)).transpose()
    }

    /// The images with what layers see of their context, and what the encoder kept. From here on they carry it.
    pub(super) fn conditioned_keeping(
        &self,
        x: Image<E, D>,
        labels: Option<&[usize]>,
    ) -> Result<(Image<E, D>, KeptContext<E, D>)> {
        match &self.context {
            Some(context) => context.encode(x, labels),
            None => Ok((x.giving(None), None)),
        }
    }

    /// The same without what the encoder kept.
    pub(super) fn conditioned(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<Image<E, D>> {
        Ok(self.conditioned_keeping(x, labels)?.0)
    }

    /// Takes the gradient of the encoded context of the images in work, and adds the encoder's.
    pub(super) fn pull_context_back(
        &self,
        device: &D,
        kept: KeptContext<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<()> {
        let encoder = self.context.as_ref().and_then(|context| context.encoder.as_ref());
        // Taken out even if nobody wants it: the next images have contexts of their own.
        if let (Some(g), Some(net), Some(kept)) = (grads.take_context(device), encoder, kept) {
            net.pull_back(kept, g, grads)?;
        }
        Ok(())
    }
}
