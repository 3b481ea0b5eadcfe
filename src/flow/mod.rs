//! From a flow file to a flow: read, checked, built, and computed with.
//!
//! [`FlowFile`] reads RON and says where it is wrong. [`Flow::build`] infers every shape and makes the layers. A
//! [`Flow`] scores images ([`Flow::log_prob`]), maps them to named latents and back ([`Flow::encode`],
//! [`Flow::decode`]), samples ([`Flow::sample`]) and gives the gradient of its loss ([`Flow::gradient`]) in memory that
//! does not grow with depth.

mod bounds;
mod build;
mod class_names;
mod context;
mod context_spec;
mod expand;
mod file;
mod fingerprint;
mod gradient;
mod health;
mod latents;
mod layer_spec;
mod model_file;
mod pixels;
mod rates;
mod recipe;
mod registry;
mod remarks;
mod space;
pub mod spec;
mod summary;
mod temperature;
mod tensor_file;
mod unit;

pub use class_names::class_words;
pub use context::Conditions;
pub use expand::{Expanded, expand};
pub(crate) use file::find;
pub use file::{BUILT_IN, FlowFile};
pub use gradient::{Batch, GradientOutcome};
pub(crate) use health::default_drift_bound;
pub use health::{Condition, LayerHealth, RoundTrip, Strain, Verdict};
pub use latents::Latents;
pub(crate) use model_file::unusable;
pub use model_file::{Model, ModelMetadata};
pub use pixels::{Dequantize, Quantized, dequantize, not_finite_words, quantize};
pub use rates::Rates;
pub use registry::Registry;
pub use space::Values;
pub use summary::{LayerSummary, Summary};
pub use temperature::Temperatures;
pub use tensor_file::{FORMAT_VERSION, HostTensor, TensorKind, read_tensors, write_tensors};
pub use unit::{Loss, Unit};
pub(crate) use unit::{TrainingLoss, null_as_nan};

pub use crate::notation::{FlowFileError, Located, NodeId};

use crate::backend::{Device, Element, Image, ImageShape, Parameter, Parameters, PerSample, mirror};
use crate::bijector::Bijector;
use crate::bijectors::{Chain, Coupling};
use crate::priors::{Classifier, TopPrior, log_sum_exp};
use crate::{Error, Result};
use context::Context;
use space::Space;

/// A flow: levels of bijectors, each but the last ending in a split, and a prior on top.
#[derive(Debug)]
pub struct Flow<E: Element, D: Device<E>> {
    image: ImageShape,
    space: Space<E, D>,
    levels: Vec<Level<E, D>>,
    top: TopPrior<E, D>,
    top_shape: ImageShape,
    classifier: Option<Classifier<E, D>>,
    context: Option<Context<E, D>>,
}

/// Bijectors up to a split or to the top.
struct Level<E: Element, D: Device<E>> {
    /// The shape that enters.
    input: ImageShape,
    chain: Chain<E, D>,
    split: Option<Split<E, D>>,
}

/// A split prior; its output's second half is a latent.
struct Split<E: Element, D: Device<E>> {
    /// Its path among the layers.
    path: String,
    prior: Coupling<E, D>,
}

impl<E: Element, D: Device<E>> std::fmt::Debug for Level<E, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Level").field("input", &self.input).field("chain", &self.chain).finish()
    }
}

/// What the levels make of an image.
struct Encoded<E: Element, D: Device<E>> {
    /// The standardised latents of the splits, first to last.
    factored: Vec<Image<E, D>>,
    /// The last latent, before it is standardised.
    top: Image<E, D>,
    /// Ladj of all layers and the log-densities of the splits' latents, nats per sample.
    log_density: PerSample<D>,
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// The shape of its images.
    pub fn image_shape(&self) -> ImageShape {
        self.image
    }

    /// Grey levels of its images; 0 of a flow of vectors, which has none.
    pub fn bins(&self) -> u32 {
        match self.space {
            Space::Levels(bins) => bins,
            Space::Reals(_) => 0,
        }
    }

    /// What its likelihood is told in.
    pub fn unit(&self) -> Unit {
        match self.space {
            Space::Levels(_) => Unit::BitsPerDim { dims: self.image.dims() },
            Space::Reals(_) => Unit::Nats,
        }
    }

    /// Classes it is conditioned on, if it is: by its context, or in its prior alone.
    pub fn classes(&self) -> Option<usize> {
        self.context.as_ref().map_or_else(|| self.top.classes(), Context::classes)
    }

    /// Whether it has a classifier head.
    pub fn classifier(&self) -> Option<&Classifier<E, D>> {
        self.classifier.as_ref()
    }

    /// Log-probability in nats per image as bits per dimension: `−log p / (ln 2 · dims)`.
    pub fn bits_per_dim(&self, log_prob: f64) -> f64 {
        Unit::BitsPerDim { dims: self.image.dims() }.of(log_prob)
    }

    /// Called after parameters change and before anything else is.
    ///
    /// # Errors
    /// [`Error::Singular`] with the layer's path if a matrix has no inverse.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        mirror(device, self)?;
        for level in &mut self.levels {
            level.chain.prepare(device)?;
            if let Some(split) = &mut level.split {
                split.prior.prepare(device)?;
            }
        }
        self.top.prepare(device)?;
        self.context.iter_mut().try_for_each(|context| context.prepare(device))?;
        self.classifier.iter_mut().try_for_each(|classifier| classifier.prepare(device))
    }

    /// Initialises every layer from the first images that reach it. Those of a conditional flow carry their context.
    ///
    /// # Errors
    /// [`Error::Shape`] for images it cannot take, [`Error::Usage`] if they carry no context that it needs.
    pub fn initialize(&mut self, x: Image<E, D>) -> Result<()> {
        x.expect_shape("flow", self.image)?;
        let device = x.device().clone();
        if let Some(context) = &mut self.context {
            context.initialize(&x)?;
        }
        let mut x = self.conditioned(x, None)?;
        for level in &mut self.levels {
            x = level.chain.initialize_through(x)?;
            if let Some(split) = &mut level.split {
                split.prior.initialize(&x)?;
                split.prior.prepare(&device)?;
                x = x.channels(0, x.shape().channels / 2)?;
            }
        }
        Ok(())
    }

    /// `ln p` of dequantised images in nats per image: the density of grey levels, `ln p(x) − dims · ln bins`, so that
    /// its expectation over uniform noise bounds the log-probability of the discrete image from below. Of standardised
    /// vectors, the density of the vectors themselves, `ln p(x) − Σ ln deviation`.
    ///
    /// A class-conditional flow gives `ln p(x | class)` where labels are given, and where they are not the mixture
    /// `ln mean_class p(x | class)`. The images of another conditional flow carry their context, see [`Flow::given`].
    ///
    /// # Errors
    /// [`Error::Shape`] for images it cannot take, [`Error::Usage`] for labels or a context that do not fit.
    pub fn log_prob(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<Vec<f64>> {
        let of = |x: Image<E, D>, labels: Option<&[usize]>| {
            let encoded = self.to_top(self.conditioned(x, labels)?)?;
            self.top_log_prob(&encoded, labels)
        };
        match (self.context.as_ref().and_then(Context::classes), labels, x.given()) {
            (Some(classes), None, None) => {
                let by_class = (0..classes).map(|class| of(x.copied()?, Some(&vec![class; x.batch()])));
                Ok(mixture(&by_class.collect::<Result<Vec<_>>>()?))
            }
            _ => of(x, labels),
        }
    }

    /// [`Flow::log_prob`] from what the levels made of the image.
    fn top_log_prob(&self, encoded: &Encoded<E, D>, labels: Option<&[usize]>) -> Result<Vec<f64>> {
        let given = |labels: Option<&[usize]>| -> Result<Vec<f64>> {
            let (z, ladj) = self.top.standardize(encoded.top.copied()?, labels)?;
            let mut log_density = encoded.log_density.copied()?;
            log_density.add_assign(&ladj)?;
            z.device().normal_log_density(z.data(), log_density.data_mut()?)?;
            let volume = self.log_volume(z.device())?;
            Ok(log_density.to_host()?.into_iter().map(|l| l - volume).collect())
        };
        let (Some(classes), None) = (self.top.classes(), labels) else {
            return given(labels.filter(|_| self.top.classes().is_some()));
        };
        let batch = encoded.top.batch();
        let by_class: Vec<Vec<f64>> =
            (0..classes).map(|class| given(Some(&vec![class; batch]))).collect::<Result<_>>()?;
        Ok(mixture(&by_class))
    }

    /// `ln p(class | x)` of the classifier head for every class, `[batch][classes]`, in nats.
    ///
    /// # Errors
    /// [`Error::Usage`] if the flow has no classifier.
    pub fn classify(&self, x: Image<E, D>) -> Result<Vec<Vec<f64>>> {
        let Some(classifier) = &self.classifier else {
            return Err(Error::Usage("this flow has no classifier head (`classifier: true` in its prior)".into()));
        };
        classifier.log_probabilities(&self.to_top(self.conditioned(x, None)?)?.top)
    }

    /// From images that carry what layers see of their context.
    fn to_top(&self, x: Image<E, D>) -> Result<Encoded<E, D>> {
        x.expect_shape("flow", self.image)?;
        let mut log_density = PerSample::zeros(x.device(), x.batch());
        let (mut factored, mut x) = (Vec::new(), x);
        for level in &self.levels {
            let (y, ladj) = level.chain.forward_and_ladj(x)?;
            log_density.add_assign(&ladj)?;
            x = y;
            if let Some(split) = &level.split {
                let (y, ladj) = split.prior.forward_and_ladj(x)?;
                log_density.add_assign(&ladj)?;
                let half = y.shape().channels / 2;
                let z = y.channels(half, half)?;
                z.device().normal_log_density(z.data(), log_density.data_mut()?)?;
                factored.push(z);
                x = y.channels(0, half)?;
            }
        }
        Ok(Encoded { factored, top: x, log_density })
    }

    /// The path of the first layer whose output or ladj for `x` is not finite, if there is one.
    ///
    /// # Errors
    /// [`Error::Shape`] for images it cannot take.
    pub fn first_non_finite(&self, x: Image<E, D>) -> Result<Option<String>> {
        let mut x = self.conditioned(x, None)?;
        for level in &self.levels {
            x = match level.chain.first_non_finite(x)? {
                Ok(x) => x,
                Err(path) => return Ok(Some(format!("layers.{path}"))),
            };
            if let Some(split) = &level.split {
                let (y, ladj) = split.prior.forward_and_ladj(x)?;
                if !ladj.to_host()?.iter().all(|l| l.is_finite()) || !y.to_host()?.iter().all(|y| y.is_finite()) {
                    return Ok(Some(format!("layers.{}", split.path)));
                }
                x = y.channels(0, y.shape().channels / 2)?;
            }
        }
        Ok(None)
    }

    /// Bytes that a training step by inversion needs for each image in work, beside the parameters: at every level its
    /// border and the largest working set of its layers (buffers of one level do not serve another), and the latents.
    /// It does not depend on depth but for what layers of a dear inverse [keep](Flow::spared_bytes_per_image).
    pub fn training_bytes_per_image(&self) -> usize {
        let level = |level: &Level<E, D>| level.input.dims() + level.chain.working_set(level.input);
        let of_context = self.context.as_ref().map_or(0, Context::working_set);
        let elements = self.image.dims() + of_context + self.levels.iter().map(level).sum::<usize>();
        size_of::<E>() * elements + self.spared_bytes_per_image()
    }

    /// Bytes of what a training step by inversion keeps of each image in work, since the layers' inverses are too dear.
    pub fn spared_bytes_per_image(&self) -> usize {
        size_of::<E>() * self.levels.iter().map(|level| level.chain.spared(level.input)).sum::<usize>()
    }

    /// Images in work at a time in each worker.
    pub fn images_in_work(&self, device: &D) -> usize {
        device.shard_images(self.activation())
    }

    /// Elements of the largest activation of one image.
    pub fn activation(&self) -> usize {
        self.levels.iter().map(|level| level.chain.activation(level.input)).max().unwrap_or(self.image.dims())
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Flow<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.space.visit(&crate::backend::join(path, "standardize"), visitor);
        let layers = crate::backend::join(path, "layers");
        for level in &self.levels {
            level.chain.visit(&layers, visitor);
            if let Some(split) = &level.split {
                split.prior.visit(&crate::backend::join(&layers, &split.path), visitor);
            }
        }
        self.top.visit(&crate::backend::join(path, "prior"), visitor);
        if let Some(classifier) = &self.classifier {
            classifier.visit(&crate::backend::join(path, "classifier"), visitor);
        }
        if let Some(context) = &self.context {
            context.visit(&crate::backend::join(path, "context"), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.space.visit_mut(&crate::backend::join(path, "standardize"), visitor);
        let layers = crate::backend::join(path, "layers");
        for level in &mut self.levels {
            level.chain.visit_mut(&layers, visitor);
            if let Some(split) = &mut level.split {
                split.prior.visit_mut(&crate::backend::join(&layers, &split.path), visitor);
            }
        }
        self.top.visit_mut(&crate::backend::join(path, "prior"), visitor);
        if let Some(classifier) = &mut self.classifier {
            classifier.visit_mut(&crate::backend::join(path, "classifier"), visitor);
        }
        if let Some(context) = &mut self.context {
            context.visit_mut(&crate::backend::join(path, "context"), visitor);
        }
    }
}

/// `ln mean_class p(x | class)` of each image, from `[class][image]`.
fn mixture(by_class: &[Vec<f64>]) -> Vec<f64> {
    let images = by_class.first().map_or(0, Vec::len);
    let of = |i: usize| by_class.iter().map(|l| l[i]).collect::<Vec<_>>();
    (0..images).map(|i| log_sum_exp(&of(i)) - (by_class.len() as f64).ln()).collect()
}
