//! The top prior: plain, learned, or conditional on a class or a context.
//!
//! ```text
//! μ, ln σ = [zero conv 3×3 (zeros)] + [(onehot(class)·W + b) · exp(factor · logs)] + [zero conv 3×3 (context)]
//! y = (z − μ)/σ
//! ladj = −Σ ln σ
//! ```
//!
//! μ is the first half of the channels, ln σ the second. The first convolution is there when the prior is learned, the
//! second term when it is class-conditional, the third when images carry a context; with none of them it is the standard
//! normal. The first convolution's input has 2c channels and is zero everywhere, so only its bias and its edge
//! channel act: the prior depends on position at the borders. Its other weights are kept, as in the reference code, and
//! counted. Mean and log standard deviation are the first and the last c channels, not interleaved as in couplings.
//!
//! ```
//! use flowstone::{backend::{Cpu, Initializer}, Image, ImageShape, priors::{TopOptions, TopPrior}};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let prior = TopPrior::new(&Initializer::new(&device, 0), ImageShape::new(1, 1, 2), TopOptions::default())?;
//! let z = Image::from_host(&device, 1, ImageShape::new(1, 1, 2), &[0.3_f64, -0.7])?;
//! let (y, ladj) = prior.standardize(z, None)?;
//! // The convolution starts at zero: μ = 0 and σ = 1.
//! assert_eq!((y.to_host()?, ladj.to_host()?), (vec![0.3, -0.7], vec![0.0]));
//! # Ok(())
//! # }
//! ```

use crate::backend::kernels::{CouplingForm, CouplingLayout, CouplingMap};
use crate::backend::{
    Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, Parameters, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept, larger, ones, range, triangular_inverse_pull_back};
use crate::bijectors::ContextView;
use crate::nets::{Linear, Net, ZeroConv};
use crate::{Error, Result};

/// What can be chosen about a [`TopPrior`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopOptions {
    /// Whether mean and standard deviation are learned.
    pub learned: bool,
    /// How many classes it is conditioned on, if it is.
    pub classes: Option<usize>,
    /// The shape of the context it is conditioned on, if it is.
    pub context: Option<ImageShape>,
    /// Whether the convolutions have the edge-indicator channel.
    pub edge_channel: bool,
    /// The factor of every `logs` in it.
    pub log_scale_factor: f64,
    /// Whether its layers have a learned gain; the paper has none.
    pub gain: bool,
}

impl Default for TopOptions {
    fn default() -> Self {
        Self { learned: true, classes: None, context: None, edge_channel: true, log_scale_factor: 3.0, gain: true }
    }
}

/// The Gaussian of the last latent.
#[derive(Debug)]
pub struct TopPrior<E: Element, D: Device<E>> {
    shape: ImageShape,
    conv: Option<ZeroConv<E, D>>,
    classes: Option<(usize, Linear<E, D>)>,
    context: Option<(ContextView, ZeroConv<E, D>)>,
}

/// The network's output, and what its parts kept.
struct Moments<E: Element, D: Device<E>> {
    /// `[1 or batch, h, w, 2c]`
    h: Image<E, D>,
    conv: Option<Kept<E, D>>,
    class: Option<Kept<E, D>>,
    context: Option<Kept<E, D>>,
}

impl<E: Element, D: Device<E>> TopPrior<E, D> {
    /// The prior of latents of this shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if it is conditioned on a context that does not fit them.
    pub fn new(initializer: &Initializer<D>, shape: ImageShape, options: TopOptions) -> Result<Self> {
        let (doubled, factor) = (2 * shape.channels, options.log_scale_factor);
        let conv = options
            .learned
            .then(|| ZeroConv::new(&initializer.at("conv"), (doubled, doubled), options.edge_channel, factor))
            .map(|conv| {
                conv.and_then(|conv| if options.gain { Ok(conv) } else { conv.without_gain(initializer.device()) })
            });
        let classes = options.classes.map(|classes| {
            let linear = Linear::new(&initializer.at("class"), (classes, doubled), factor);
            let linear = linear.and_then(|l| if options.gain { Ok(l) } else { l.without_gain(initializer.device()) });
            linear.map(|linear| (classes, linear))
        });
        let context = options.context.map(|context| -> Result<_> {
            let view = ContextView::of(context);
            view.expect_fit("prior", shape)?;
            let channels = (context.channels, doubled);
            let conv = ZeroConv::new(&initializer.at("context"), channels, options.edge_channel, factor)?;
            Ok((view, if options.gain { conv } else { conv.without_gain(initializer.device())? }))
        });
        Ok(Self { shape, conv: conv.transpose()?, classes: classes.transpose()?, context: context.transpose()? })
    }

    /// How many classes it is conditioned on, if it is.
    pub fn classes(&self) -> Option<usize> {
        self.classes.as_ref().map(|(classes, _)| *classes)
    }

    fn is_standard_normal(&self) -> bool {
        self.conv.is_none() && self.classes.is_none() && self.context.is_none()
    }

    fn form(&self, x: &Image<E, D>) -> Result<CouplingForm> {
        x.expect_shape("prior", self.shape)?;
        let (map, layout) = (CouplingMap::Standardize, CouplingLayout::Halves);
        Ok(CouplingForm { shape: self.shape, start: 0, map, layout })
    }

    /// Mean and log standard deviation, for each image's class and context.
    ///
    /// # Errors
    /// [`Error::Usage`] if the prior is class-conditional and labels are missing, too many or out of range.
    fn moments(&self, x: &Image<E, D>, labels: Option<&[usize]>) -> Result<Moments<E, D>> {
        let (device, batch) = (x.device(), x.batch());
        let doubled = self.shape.with_channels(2 * self.shape.channels);
        let zeros = Image::zeros(device, 1, doubled)?;
        let (base, conv) = match &self.conv {
            Some(conv) => {
                let (h, kept) = conv.forward_keeping(&zeros)?;
                (h, Some(kept))
            }
            None => (zeros, None),
        };
        let mut moments = Moments { h: base, conv, class: None, context: None };
        let row = match &self.classes {
            Some((classes, linear)) => {
                let (row, class) = linear.forward_keeping(&one_hot(device, *classes, batch, labels)?)?;
                moments.class = Some(class);
                row
            }
            None if self.context.is_none() => return Ok(moments),
            None => Image::zeros(device, batch, ImageShape::new(1, 1, doubled.channels))?,
        };
        let h = device.add_per_image(moments.h.data(), row.data(), doubled.channels)?;
        moments.h = Image::from_buffer(device, batch, doubled, h);
        if let Some((view, conv)) = &self.context {
            let (h, kept) = conv.forward_keeping(&view.seen("prior", x)?)?;
            moments.h.add_assign(&h)?;
            moments.context = Some(kept);
        }
        Ok(moments)
    }

    /// To the standard normal, given each image's class where the prior is class-conditional. Ladj in nats per sample.
    ///
    /// # Errors
    /// [`Error::Shape`] for latents it cannot take, [`Error::Usage`] if it needs labels and they do not fit.
    pub fn standardize(&self, mut x: Image<E, D>, labels: Option<&[usize]>) -> Result<(Image<E, D>, PerSample<D>)> {
        let form = self.form(&x)?;
        let mut ladj = PerSample::zeros(x.device(), x.batch());
        if !self.is_standard_normal() {
            let moments = self.moments(&x, labels)?;
            x.device().clone().couple(form, x.data_mut(), moments.h.data(), ladj.data_mut()?)?;
        }
        Ok((x, ladj))
    }

    /// The inverse of [`TopPrior::standardize`].
    ///
    /// # Errors
    /// As [`TopPrior::standardize`].
    pub fn unstandardize(&self, mut y: Image<E, D>, labels: Option<&[usize]>) -> Result<Image<E, D>> {
        let form = self.form(&y)?;
        if !self.is_standard_normal() {
            let moments = self.moments(&y, labels)?;
            y.device().clone().uncouple(form, y.data_mut(), moments.h.data())?;
        }
        Ok(y)
    }

    /// [`Bijector::pull_back`], given each image's class where the prior is class-conditional.
    ///
    /// # Errors
    /// As [`TopPrior::standardize`].
    pub fn pull_back_given(
        &self,
        mut y: Image<E, D>,
        labels: Option<&[usize]>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let (form, device) = (self.form(&y)?, y.device().clone());
        if self.is_standard_normal() {
            return Ok((y, cotangent.image));
        }
        let Moments { h, conv, class, context } = self.moments(&y, labels)?;
        let g_ladj = cotangent.shared_ladj();
        let mut g = cotangent.image;
        let mut d_h = Image::zeros(&device, h.batch(), h.shape())?;
        let per_sample = g_ladj.data();
        device.couple_gradient(form, y.data(), g.data_mut(), per_sample, h.data(), d_h.data_mut())?;
        if let (Some((_, linear)), Some(kept)) = (&self.classes, class) {
            let row = device.sum_over_pixels(d_h.data(), h.shape().pixels(), h.shape().channels)?;
            let row = Image::from_buffer(&device, h.batch(), ImageShape::new(1, 1, h.shape().channels), row);
            linear.pull_back(kept, row, grads)?;
        }
        if let (Some((view, conv)), Some(kept)) = (&self.context, context) {
            view.pull_back(conv.pull_back(kept, d_h.copied()?, grads)?, grads)?;
        }
        if h.batch() != 1 {
            let base = device.sum_over_batch(d_h.data(), h.shape().dims())?;
            d_h = Image::from_buffer(&device, 1, h.shape(), base);
        }
        if let (Some(net), Some(kept)) = (&self.conv, conv) {
            net.pull_back(kept, d_h, grads)?;
        }
        device.uncouple(form, y.data_mut(), h.data())?;
        Ok((y, g))
    }

    /// How near it is to where its inverse loses digits; the largest `|ln σ|` is that of the images' classes.
    ///
    /// # Errors
    /// As [`TopPrior::standardize`].
    pub fn health(&self, x: &Image<E, D>, labels: Option<&[usize]>) -> Result<Health> {
        let form = self.form(x)?;
        if self.is_standard_normal() {
            return Ok(Health { jacobian_condition: Some(1.0), ..Default::default() });
        }
        let h = self.moments(x, labels)?.h.to_host()?;
        let gains = |net: Option<&dyn Net<E, D>>| net.map_or(Ok(None), |net| net.gains(x.device()));
        let of_conv = Health { gains: gains(self.conv.as_ref().map(|conv| conv as _))?, ..Default::default() };
        let of_class = Health { gains: gains(self.classes.as_ref().map(|(_, net)| net as _))?, ..Default::default() };
        let of_context = Health { gains: gains(self.context.as_ref().map(|(_, net)| net as _))?, ..Default::default() };
        // The Jacobian is diagonal.
        let ratio = |h| range(form.log_scales(h)).map(|(low, high)| (high - low).exp());
        let jacobian_condition = h.chunks_exact(2 * self.shape.dims()).filter_map(ratio).reduce(larger);
        Ok(Health {
            log_scale: form.largest_log_scale(&h),
            jacobian_condition,
            ..of_conv.and(of_class).and(of_context)
        })
    }

    /// Called after parameters change and before anything else is.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        if let Some(conv) = &mut self.conv {
            conv.prepare(device)?;
        }
        if let Some((_, linear)) = &mut self.classes {
            linear.prepare(device)?;
        }
        if let Some((_, conv)) = &mut self.context {
            conv.prepare(device)?;
        }
        Ok(())
    }
}

/// `[batch, 1, 1, classes]`
pub(crate) fn one_hot<E: Element, D: Device<E>>(
    device: &D,
    classes: usize,
    batch: usize,
    labels: Option<&[usize]>,
) -> Result<Image<E, D>> {
    let labels =
        labels.ok_or_else(|| Error::Usage("this flow is class-conditional: it needs a class for each image".into()))?;
    if labels.len() != batch {
        return Err(Error::Usage(format!("{} labels for {batch} images", labels.len())));
    }
    let mut values = vec![E::zero(); batch * classes];
    for (row, &label) in values.chunks_exact_mut(classes).zip(labels) {
        let place = row.get_mut(label);
        *place
            .ok_or_else(|| Error::Usage(format!("class {label} of a flow with {classes} classes, counted from 0")))? =
            E::one();
    }
    Image::from_host(device, batch, ImageShape::new(1, 1, classes), &values)
}

impl<E: Element, D: Device<E>> Parameters<E, D> for TopPrior<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        if let Some(conv) = &self.conv {
            conv.visit(&crate::backend::join(path, "conv"), visitor);
        }
        if let Some((_, linear)) = &self.classes {
            linear.visit(&crate::backend::join(path, "class"), visitor);
        }
        if let Some((_, conv)) = &self.context {
            conv.visit(&crate::backend::join(path, "context"), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        if let Some(conv) = &mut self.conv {
            conv.visit_mut(&crate::backend::join(path, "conv"), visitor);
        }
        if let Some((_, linear)) = &mut self.classes {
            linear.visit_mut(&crate::backend::join(path, "class"), visitor);
        }
        if let Some((_, conv)) = &mut self.context {
            conv.visit_mut(&crate::backend::join(path, "context"), visitor);
        }
    }
}

/// A class-conditional prior is a bijector once every image's class is fixed.
#[derive(Debug)]
pub struct LabelledTop<E: Element, D: Device<E>> {
    /// The prior.
    pub prior: TopPrior<E, D>,
    /// The class of each image; none for a prior without classes.
    pub labels: Option<Vec<usize>>,
}

crate::parameters!(LabelledTop {} parts { prior });

impl<E: Element, D: Device<E>> Bijector<E, D> for LabelledTop<E, D> {
    fn kind(&self) -> &str {
        "Gaussian"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        if input == self.prior.shape {
            return Ok(input);
        }
        Err(Error::Shape { layer: "prior".into(), expected: self.prior.shape.to_string(), found: input.to_string() })
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.prior.unstandardize(y.copied()?, self.labels.as_deref())
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.1)
    }

    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        self.prior.standardize(x, self.labels.as_deref())
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        self.prior.pull_back_given(y, self.labels.as_deref(), cotangent, grads)
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        triangular_inverse_pull_back(self, x, &g, ones(x, x.shape())?).map(Some)
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        self.prior.health(x, self.labels.as_deref())
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.prior.prepare(device)
    }
}
