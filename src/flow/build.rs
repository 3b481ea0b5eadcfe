//! From a flow file to a flow: shapes are inferred layer by layer, and what does not fit is reported where it stands.

use super::context::Context;
use super::expand::{Expanded, expand};
use super::space::{Space, Standardization};
use super::spec::{ContextSpec, EncoderSpec, LayerSpec, Net as NetChoice, NetworkSpec, Prior, SampleSpec};
use super::{Flow, FlowFile, Level, NodeId, Registry, Split};
use crate::backend::{Device, Element, ImageShape, Initializer, Parameters};
use crate::bijector::Bijector;
use crate::bijectors::{
    ActNorm, Autoregressive, Chain, Coupling, Haar, Householder, InvertibleConv, Logit, Mask, Masked, MixtureLogistic,
    Permutation, Spline, Squeeze, Transform,
};
use crate::nets::{
    ConvNet, ConvNetOptions, Dense, DenseEncoder, DenseOptions, Gated, GatedOptions, Made, MadeOptions, Net, Residual,
    ResidualOptions,
};
use crate::notation::suggestion;
use crate::priors::{Classifier, SplitOptions, TopOptions, TopPrior, split_with};
use crate::{Error, Result};

/// More parameters than any flow has: beyond it a file is taken for a mistake, before anything is allocated. A product of
/// so many at every pixel of the largest image can still be counted.
const MOST_PARAMETERS: usize = 1 << 32;

/// Either kind of thing a layer of a file becomes.
enum Built<E: Element, D: Device<E>> {
    Bijector(Box<dyn Bijector<E, D>>),
    Split(Coupling<E, D>),
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// Builds the flow that a file declares, its parameters as the initializer makes them. With a blank one it has
    /// shapes but no values, and costs nothing.
    ///
    /// # Errors
    /// [`Error::FlowFile`] with the line of the first layer that does not fit, or with which the flow is too large.
    pub fn build(file: &FlowFile, registry: &Registry<E, D>, initializer: &Initializer<D>) -> Result<Self> {
        if !initializer.is_blank() {
            // What does not fit or is too large is refused before any memory is taken.
            Self::build(file, registry, &Initializer::blank(initializer.device()))?;
        }
        let (image_shape, space) = match file.spec.samples() {
            SampleSpec::Image(image) => {
                (ImageShape::new(image.height, image.width, image.channels), Space::Levels(image.bins()))
            }
            SampleSpec::Vector(vector) => {
                let Some(features) = vector.features else {
                    let node = file.spec.vector.as_ref().map_or(NodeId::NOWHERE, |vector| vector.node);
                    let help = "say it, `vector: (features: 6)`, or name the data: --data csv:FILE".to_owned();
                    return Err(file.error_at(node, "how many features a vector has is not said", Some(help)));
                };
                let standardization = Standardization::new(&initializer.at("standardize"), features)?;
                (ImageShape::new(1, 1, features), Space::Reals(standardization))
            }
        };
        let context = encoder(file, &initializer.at("context"))?;
        let seen = context.as_ref().map(Context::encoded);
        let layers = initializer.at("layers");
        let mut shape = image_shape;
        let mut levels = Vec::new();
        let mut level = Level { input: shape, chain: Chain::default(), split: None };
        let mut parameters = 0;
        for Expanded { path, node, layer } in expand(file)? {
            let at = Place { file, node, path: &path, context: seen };
            match at.build(&layer, shape, registry, &layers.at(&path))? {
                Built::Bijector(bijector) => {
                    at.count(&mut parameters, bijector.trained_count())?;
                    shape = bijector.output_shape(shape).map_err(|error| at.explain(error))?;
                    level.chain.push_boxed(path, bijector);
                }
                Built::Split(prior) => {
                    at.count(&mut parameters, prior.trained_count())?;
                    shape = shape.with_channels(shape.channels / 2);
                    level.split = Some(Split { path, prior });
                    levels.push(level);
                    level = Level { input: shape, chain: Chain::default(), split: None };
                }
            }
        }
        levels.push(level);

        let Prior::Gaussian(prior) = file.spec.prior.value;
        let at = Place { file, node: file.spec.prior.node, path: "prior", context: seen };
        let options = TopOptions {
            learned: prior.learned,
            classes: prior.classes,
            context: seen,
            edge_channel: prior.edge_channel,
            log_scale_factor: prior.log_scale_factor,
            gain: prior.gain,
        };
        let top = TopPrior::new(&initializer.at("prior"), shape, options).map_err(|error| at.explain(error))?;
        let classifier = match prior.classes.filter(|_| prior.classifier) {
            Some(classes) => {
                let initializer = initializer.at("classifier");
                let (factor, weight) = (prior.log_scale_factor, prior.weight_y);
                let classifier = Classifier::new(&initializer, shape.channels, classes, factor, weight)?;
                Some(if prior.gain { classifier } else { classifier.without_gain(initializer.device())? })
            }
            None => None,
        };
        let of_classifier = classifier.as_ref().map_or(0, Parameters::trained_count);
        at.count(&mut parameters, top.trained_count().saturating_add(of_classifier))?;
        if let Some(context) = &context {
            let at = Place { file, node: file.spec.encoder.node, path: "context", context: seen };
            at.count(&mut parameters, context.trained_count())?;
        }
        Ok(Self { image: image_shape, space, levels, top, top_shape: shape, classifier, context })
    }
}

/// Where a layer stands in the file.
struct Place<'a> {
    file: &'a FlowFile,
    node: NodeId,
    path: &'a str,
    /// The shape of what layers see of the context, if there is one.
    context: Option<ImageShape>,
}

impl Place<'_> {
    fn build<E: Element, D: Device<E>>(
        &self,
        layer: &LayerSpec,
        shape: ImageShape,
        registry: &Registry<E, D>,
        initializer: &Initializer<D>,
    ) -> Result<Built<E, D>> {
        let channels = shape.channels;
        let bijector: Result<Box<dyn Bijector<E, D>>> = match layer {
            LayerSpec::ActNorm(o) => ActNorm::new(initializer, channels, o.log_scale_factor).map(boxed),
            LayerSpec::InvertibleConv(o) => InvertibleConv::new(initializer, channels, o.weight).map(boxed),
            LayerSpec::Reverse {} => Permutation::reverse(initializer, channels).map(boxed),
            LayerSpec::Shuffle {} => Permutation::shuffle(initializer, channels).map(boxed),
            LayerSpec::Permute(order) => Permutation::given(initializer, channels, order).map(boxed),
            LayerSpec::Squeeze {} => Ok(boxed(Squeeze)),
            LayerSpec::Haar {} => Haar::new(initializer.device(), channels).map(boxed),
            LayerSpec::Logit(o) => Ok(boxed(Logit { alpha: o.alpha })),
            LayerSpec::Householder(o) => Householder::new(initializer, o.n, channels).map(boxed),
            LayerSpec::AdditiveCoupling(o) => {
                let net = |channels| self.net(&o.network(), channels, registry, initializer);
                self.network(layer, shape, o.mask, 1, net)
                    .and_then(|net| Coupling::additive_masked(channels, self.masked(o.mask), net).map(boxed))
            }
            LayerSpec::AffineCoupling(o) => {
                let net = |channels| self.net(&o.network(), channels, registry, initializer);
                self.network(layer, shape, o.mask, 2, net)
                    .and_then(|net| Coupling::affine_masked(channels, self.masked(o.mask), o.scale, net).map(boxed))
            }
            LayerSpec::SplineCoupling(o) => {
                let transform = Transform::Spline(Spline { bins: o.bins, bound: o.bound });
                let net = |channels| self.net(&o.network(), channels, registry, initializer);
                self.network(layer, shape, o.mask, transform.numbers(), net)
                    .and_then(|net| Coupling::transforming(channels, self.masked(o.mask), transform, net).map(boxed))
            }
            LayerSpec::MixtureCoupling(o) => {
                let transform = Transform::MixtureLogistic(MixtureLogistic { components: o.components });
                let net = |channels| self.net(&o.network(), channels, registry, initializer);
                self.network(layer, shape, o.mask, transform.numbers(), net)
                    .and_then(|net| Coupling::transforming(channels, self.masked(o.mask), transform, net).map(boxed))
            }
            LayerSpec::Autoregressive(o) => {
                let (map, hidden) = (o.transform.map(), o.hidden.clone());
                let context = self.context.map_or(0, |context| context.channels);
                let options = MadeOptions { hidden, activation: o.activation, order: o.order, context };
                Made::new(initializer, shape.dims(), map.numbers(), &options)
                    .and_then(|made| Autoregressive::given(shape, map, o.direction, self.context, made).map(boxed))
            }
            LayerSpec::Split(o) => {
                self.half("Split", channels)?;
                let (edge_channel, log_scale_factor, gain) = (o.edge_channel, o.log_scale_factor, o.gain);
                let options = SplitOptions { edge_channel, log_scale_factor, gain, context: self.context };
                let prior = split_with(initializer, channels, options).and_then(|prior| {
                    prior.output_shape(shape)?;
                    Ok(prior)
                });
                return prior.map(Built::Split).map_err(|error| self.explain(error));
            }
            LayerSpec::Custom(name, settings) => match registry.find_layer(name) {
                Some(build) => build(settings, shape, initializer),
                None => return Err(self.unregistered("layer", name, registry.layer_names())),
            },
            LayerSpec::Repeat(..) | LayerSpec::Use(_) => {
                return Err(self.file.error_at(self.node, "a list of layers where one was expected", None));
            }
        };
        bijector.map(Built::Bijector).map_err(|error| self.explain(error))
    }

    /// A coupling's mask, with the context that its network sees.
    fn masked(&self, mask: Mask) -> Masked {
        self.context.map_or(mask.into(), |context| mask.given(context))
    }

    /// A coupling's network, once its mask fits the images.
    fn network<T>(
        &self,
        layer: &LayerSpec,
        shape: ImageShape,
        mask: Mask,
        numbers: usize,
        net: impl FnOnce((usize, usize)) -> Result<T>,
    ) -> Result<T> {
        let mask = self.masked(mask);
        mask.moved(layer.kind(), shape)?;
        net(mask.network(layer.kind(), shape.channels, numbers)?)
    }

    fn net<E: Element, D: Device<E>>(
        &self,
        spec: &NetworkSpec,
        channels: (usize, usize),
        registry: &Registry<E, D>,
        initializer: &Initializer<D>,
    ) -> Result<Box<dyn Net<E, D>>> {
        let net = match &spec.net {
            NetChoice::Convolutional => {
                let options = ConvNetOptions {
                    width: spec.width,
                    edge_channel: spec.edge_channel,
                    inner_actnorm: spec.inner_actnorm,
                    log_scale_factor: spec.log_scale_factor,
                    gain: spec.gain,
                };
                ConvNet::new(initializer, channels, options).map(|net| Box::new(net) as Box<dyn Net<E, D>>)
            }
            NetChoice::Dense(dense) => {
                let (hidden, activation) = (dense.hidden.clone(), dense.activation);
                let (log_scale_factor, gain) = (spec.log_scale_factor, spec.gain);
                let options = DenseOptions { hidden, activation, log_scale_factor, gain };
                Dense::new(initializer, channels, &options).map(|net| Box::new(net) as Box<dyn Net<E, D>>)
            }
            NetChoice::Residual(residual) => {
                let options = ResidualOptions {
                    blocks: residual.blocks,
                    width: spec.width,
                    edge_channel: spec.edge_channel,
                    inner_actnorm: spec.inner_actnorm,
                    log_scale_factor: spec.log_scale_factor,
                    gain: spec.gain,
                };
                Residual::new(initializer, channels, options).map(|net| Box::new(net) as Box<dyn Net<E, D>>)
            }
            NetChoice::Gated(gated) => {
                let options = GatedOptions {
                    blocks: gated.blocks,
                    attention: gated.attention,
                    heads: gated.heads,
                    width: spec.width,
                    edge_channel: spec.edge_channel,
                    log_scale_factor: spec.log_scale_factor,
                    gain: spec.gain,
                };
                Gated::new(initializer, channels, options).map(|net| Box::new(net) as Box<dyn Net<E, D>>)
            }
            NetChoice::Custom(name, settings) => match registry.find_net(name) {
                Some(build) => build(settings, channels, initializer),
                None => return Err(self.unregistered("network", name, registry.net_names())),
            },
        };
        net.map_err(|error| self.explain(error))
    }

    /// Adds a layer's parameters to those before it.
    fn count(&self, parameters: &mut usize, more: usize) -> Result<()> {
        *parameters = parameters.saturating_add(more);
        if *parameters <= MOST_PARAMETERS {
            return Ok(());
        }
        let message = format!("with this ({}) the flow has more than {MOST_PARAMETERS} parameters", self.path);
        let help = "squeeze or split before it, or narrow its networks (`width`)";
        Err(self.file.error_at(self.node, message, Some(help.to_owned())))
    }

    fn half(&self, kind: &str, channels: usize) -> Result<usize> {
        crate::bijectors::even_half(kind, channels).map_err(|error| self.explain(error))
    }

    fn unregistered<'n>(&self, what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> Error {
        let known: Vec<&str> = known.collect();
        let help = if known.is_empty() {
            format!(
                "register it in a program of your own: `Registry::default().{}(\"{name}\", …)`",
                match what {
                    "layer" => "layer",
                    _ => "net",
                }
            )
        } else {
            suggestion(name, known.iter().copied())
        };
        self.file.error_at(self.node, format!("no {what} called `{name}` is registered"), Some(help))
    }

    /// A shape that does not fit, as an error of the file.
    fn explain(&self, error: Error) -> Error {
        let Error::Shape { layer, expected, found } = error else { return error };
        let help = match layer.as_str() {
            _ if expected.contains("context") => {
                Some("shrink or pad the context, so that one size divides the other at every layer")
            }
            _ if expected.ends_with("checkerboard") => Some("pad or crop the images, or use `mask: Halves` here"),
            "Gated" => Some("choose `heads` that divide the coupling's `width`, or `attention: false`"),
            "Squeeze" | "Haar" => {
                Some("an image must divide by 2 once for every Squeeze or Haar: pad it, crop it or use fewer levels")
            }
            "AdditiveCoupling" | "AffineCoupling" | "Split" => {
                Some("put a Squeeze() before it, to have 4 times the channels")
            }
            _ => None,
        };
        let message = format!("{layer} expected {expected}, but {found} reach it (layer {})", self.path);
        self.file.error_at(self.node, message, help.map(str::to_owned))
    }
}

/// The context that a file declares, with its encoder.
fn encoder<E: Element, D: Device<E>>(file: &FlowFile, initializer: &Initializer<D>) -> Result<Option<Context<E, D>>> {
    let context = file.spec.context.value;
    let channels = context.shape().channels;
    let net: Option<Box<dyn Net<E, D>>> = match &file.spec.encoder.value {
        EncoderSpec::None => None,
        EncoderSpec::Convolutional { width, channels: output } => {
            Some(Box::new(ConvNet::encoder(initializer, (channels, *output), *width)?))
        }
        EncoderSpec::Dense { hidden, features } => {
            let sizes: Vec<usize> = [&[channels], &hidden[..], &[*features]].concat();
            let one_hot = matches!(context, ContextSpec::Classes(_));
            Some(Box::new(DenseEncoder::new(initializer, &sizes, one_hot)?))
        }
    };
    Ok((context != ContextSpec::None).then(|| Context::new(context, net)))
}

fn boxed<E: Element, D: Device<E>>(bijector: impl Bijector<E, D> + 'static) -> Box<dyn Bijector<E, D>> {
    Box::new(bijector)
}
