//! Every bijector and every prior, for the laws to walk.

use super::{Given, Shrunk};
use crate::backend::{Device, Element, ImageShape, Initializer};
use crate::bijectors::{
    ActNorm, Autoregressive, Chain, Coupling, Direction, ElementMap, Haar, Householder, InvertibleConv, Logit, Mask,
    Masked, MixtureLogistic, Parity, Permutation, ScaleMap, Spline, Squeeze, Transform, Weight,
};
use crate::nets::{
    Activation, ConvNet, ConvNetOptions, Dense, DenseOptions, Gated, GatedOptions, Made, MadeOptions, Net, Order,
    Residual, ResidualOptions,
};
use crate::priors::{LabelledTop, SplitOptions, TopOptions, TopPrior, split, split_with, split_without_gain};
use crate::{Bijector, Result};

/// Builds a bijector for a batch of images of one shape.
pub type Build<E, D> = fn(&Initializer<D>, ImageShape, usize) -> Result<Box<dyn Bijector<E, D>>>;

/// A bijector, and what images it can take.
pub struct Registered<E: Element, D: Device<E>> {
    /// What it is.
    pub name: &'static str,
    /// Height and width are multiples of this.
    pub side: usize,
    /// The number of channels is a multiple of this.
    pub channels: usize,
    /// Builds it.
    pub build: Build<E, D>,
}

/// One line for each bijector and prior, with its options.
#[rustfmt::skip]
pub fn registry<E: Element, D: Device<E>>() -> Vec<Registered<E, D>> {
    use ScaleMap::{ClampedTanh, Exp, Sigmoid};
    let entry = |name, side, channels, build: Build<E, D>| Registered { name, side, channels, build };
    vec![
        entry("ActNorm, factor 3", 1, 1, |init, shape, _| Ok(Box::new(ActNorm::new(init, shape.channels, 3.0)?))),
        entry("ActNorm, factor 1", 1, 1, |init, shape, _| Ok(Box::new(ActNorm::new(init, shape.channels, 1.0)?))),
        entry("InvertibleConv, plain", 1, 1, |init, shape, _| Ok(Box::new(InvertibleConv::new(init, shape.channels, Weight::Plain)?))),
        entry("InvertibleConv, LU", 1, 1, |init, shape, _| Ok(Box::new(InvertibleConv::new(init, shape.channels, Weight::LU)?))),
        entry("Reverse", 1, 1, |init, shape, _| Ok(Box::new(Permutation::reverse(init, shape.channels)?))),
        entry("Shuffle", 1, 1, |init, shape, _| Ok(Box::new(Permutation::shuffle(init, shape.channels)?))),
        entry("Squeeze", 2, 1, |_, _, _| Ok(Box::new(Squeeze))),
        entry("Permute", 1, 1, |init, shape, _| Ok(Box::new(Permutation::given(init, shape.channels, &(0..shape.channels).map(|k| (k + 1) % shape.channels).collect::<Vec<_>>())?))),
        entry("Haar", 2, 1, |init, shape, _| Ok(Box::new(Haar::new(init.device(), shape.channels)?))),
        entry("Householder", 1, 1, |init, shape, _| Ok(Box::new(Householder::new(init, 3, shape.channels)?))),
        entry("Logit", 1, 1, |_, _, _| Ok(Box::new(Shrunk::new(Box::new(Logit { alpha: 0.05 }))))),
        entry("AdditiveCoupling", 1, 2, |init, shape, _| additive(init, shape.channels, true, true)),
        entry("AdditiveCoupling, no edge channel", 1, 2, |init, shape, _| additive(init, shape.channels, false, true)),
        entry("AffineCoupling, sigmoid", 1, 2, |init, shape, _| affine(init, shape.channels, Sigmoid, true, true)),
        entry("AffineCoupling, exp", 1, 2, |init, shape, _| affine(init, shape.channels, Exp, true, true)),
        entry("AffineCoupling, clamped tanh", 1, 2, |init, shape, _| affine(init, shape.channels, ClampedTanh { bound: 0.8 }, true, true)),
        entry("AffineCoupling, no edge channel", 1, 2, |init, shape, _| affine(init, shape.channels, Sigmoid, false, true)),
        entry("AffineCoupling, biases", 1, 2, |init, shape, _| affine(init, shape.channels, Exp, true, false)),
        entry("AdditiveCoupling, checkerboard", 2, 1, |init, shape, _| masked(init, shape, Mask::Checkerboard(Parity::Odd), 1, |c, mask, net| Coupling::additive_masked(c, mask, net))),
        entry("AffineCoupling, checkerboard", 2, 1, |init, shape, _| masked(init, shape, Mask::Checkerboard(Parity::Even), 2, |c, mask, net| Coupling::affine_masked(c, mask, Sigmoid, net))),
        entry("SplineCoupling", 1, 2, |init, shape, _| transforming(init, shape, Mask::Halves, spline(5))),
        entry("SplineCoupling, checkerboard", 2, 1, |init, shape, _| transforming(init, shape, Mask::Checkerboard(Parity::Even), spline(3))),
        entry("MixtureCoupling", 1, 2, |init, shape, _| transforming(init, shape, Mask::Halves, mixture(3))),
        entry("MixtureCoupling, checkerboard", 2, 1, |init, shape, _| transforming(init, shape, Mask::Checkerboard(Parity::Odd), mixture(2))),
        entry("AffineCoupling, dense", 1, 2, |init, shape, _| networked(shape, Mask::Halves, &|channels| dense(init, channels, Activation::Relu))),
        entry("AffineCoupling, dense, checkerboard", 2, 1, |init, shape, _| networked(shape, Mask::Checkerboard(Parity::Even), &|channels| dense(init, channels, Activation::Tanh))),
        entry("AffineCoupling, residual", 1, 2, |init, shape, _| networked(shape, Mask::Halves, &|channels| residual(init, channels, true))),
        entry("AdditiveCoupling, residual, biases", 1, 2, |init, shape, _| {
            let half = shape.channels / 2;
            Ok(Box::new(Coupling::additive(shape.channels, residual(init, (half, half), false)?)?))
        }),
        entry("AffineCoupling, gated", 1, 2, |init, shape, _| networked(shape, Mask::Halves, &|channels| gated(init, channels, false))),
        entry("AffineCoupling, gated, attention, checkerboard", 2, 1, |init, shape, _| networked(shape, Mask::Checkerboard(Parity::Odd), &|channels| gated(init, channels, true))),
        entry("Autoregressive, additive", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Additive, Direction::Density, Order::Reverse)),
        entry("Autoregressive, affine", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Affine(ClampedTanh { bound: 0.8 }), Direction::Density, Order::Forward)),
        entry("Autoregressive, affine, sampling", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Affine(Sigmoid), Direction::Sampling, Order::Shuffle)),
        entry("Autoregressive, spline", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Transform(spline(3)), Direction::Density, Order::Shuffle)),
        entry("Autoregressive, spline, sampling", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Transform(spline(2)), Direction::Sampling, Order::Reverse)),
        entry("Autoregressive, mixture", 1, 1, |init, shape, _| autoregressive(init, shape, ElementMap::Transform(mixture(2)), Direction::Density, Order::Forward)),
        entry("a step of Glow", 2, 1, |init, shape, _| glow(init, shape.channels, Weight::Plain)),
        entry("a step of Glow, LU", 2, 1, |init, shape, _| glow(init, shape.channels, Weight::LU)),
        entry("AffineCoupling, no gain", 1, 2, |init, shape, _| masked_without_gain(init, shape)),
        entry("split prior, no gain", 1, 2, |init, shape, _| Ok(Box::new(split_without_gain(init, shape.channels, true)?))),
        entry("top prior, learned, of a class, no gain", 1, 1, |init, shape, batch| top_without_gain(init, shape, batch)),
        entry("split prior", 1, 2, |init, shape, _| Ok(Box::new(split(init, shape.channels, true, 3.0)?))),
        entry("split prior, no edge channel", 1, 2, |init, shape, _| Ok(Box::new(split(init, shape.channels, false, 3.0)?))),
        entry("top prior, standard normal", 1, 1, |init, shape, batch| top(init, shape, batch, false, None)),
        entry("top prior, learned", 1, 1, |init, shape, batch| top(init, shape, batch, true, None)),
        entry("top prior, of a class", 1, 1, |init, shape, batch| top(init, shape, batch, false, Some(3))),
        entry("top prior, learned, of a class", 1, 1, |init, shape, batch| top(init, shape, batch, true, Some(3))),
        entry("AdditiveCoupling, given a vector", 1, 2, |init, shape, batch| given(init, batch, VECTOR, |init| masked(init, shape, Mask::Halves.given(VECTOR), 1, |c, mask, net| Coupling::additive_masked(c, mask, net)))),
        entry("AffineCoupling, given an image of its size", 1, 2, |init, shape, batch| given(init, batch, shape, |init| masked(init, shape, Mask::Halves.given(shape), 2, |c, mask, net| Coupling::affine_masked(c, mask, Exp, net)))),
        entry("AffineCoupling, checkerboard, given a larger image", 2, 1, |init, shape, batch| given(init, batch, larger(shape), |init| masked(init, shape, Mask::Checkerboard(Parity::Odd).given(larger(shape)), 2, |c, mask, net| Coupling::affine_masked(c, mask, Sigmoid, net)))),
        entry("SplineCoupling, given a smaller image", 2, 2, |init, shape, batch| given(init, batch, smaller(shape), |init| transforming(init, shape, Mask::Halves.given(smaller(shape)), spline(3)))),
        entry("MixtureCoupling, given a vector", 1, 2, |init, shape, batch| given(init, batch, VECTOR, |init| transforming(init, shape, Mask::Halves.given(VECTOR), mixture(2)))),
        entry("Autoregressive, affine, given a vector", 1, 1, |init, shape, batch| given(init, batch, VECTOR, |init| autoregressive_given(init, shape, ElementMap::Affine(ClampedTanh { bound: 0.8 }), (Direction::Density, Order::Reverse), Some(VECTOR)))),
        entry("Autoregressive, spline, sampling, given a larger image", 1, 1, |init, shape, batch| given(init, batch, larger(shape), |init| autoregressive_given(init, shape, ElementMap::Transform(spline(2)), (Direction::Sampling, Order::Forward), Some(larger(shape))))),
        entry("split prior, given a smaller image", 2, 2, |init, shape, batch| given(init, batch, smaller(shape), |init| Ok(Box::new(split_with(init, shape.channels, SplitOptions { context: Some(smaller(shape)), ..Default::default() })?)))),
        entry("top prior, given a vector", 1, 1, |init, shape, batch| given(init, batch, VECTOR, |init| top_given(init, shape, VECTOR, false))),
        entry("top prior, learned, given a larger image", 1, 1, |init, shape, batch| given(init, batch, larger(shape), |init| top_given(init, shape, larger(shape), true))),
        entry("a step of Glow, given a vector", 2, 1, |init, shape, batch| given(init, batch, VECTOR, |init| glow_given(init, shape, VECTOR))),
    ]
}

/// A context of two features.
const VECTOR: ImageShape = ImageShape::new(1, 1, 2);

/// A context of one channel, half as high and as wide.
const fn smaller(shape: ImageShape) -> ImageShape {
    ImageShape::new(shape.height / 2, shape.width / 2, 1)
}

/// A context of one channel, twice as high and three times as wide.
const fn larger(shape: ImageShape) -> ImageShape {
    ImageShape::new(2 * shape.height, 3 * shape.width, 1)
}

/// A layer for contexts of a shape, with one for each image.
fn given<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    batch: usize,
    context: ImageShape,
    layer: impl FnOnce(&Initializer<D>) -> Result<Box<dyn Bijector<E, D>>>,
) -> Result<Box<dyn Bijector<E, D>>> {
    Ok(Box::new(Given::new(init, (context, batch), layer(init)?)?))
}

/// A network small enough for numerical derivatives of all that is in it.
fn net<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: (usize, usize),
    edge_channel: bool,
    inner_actnorm: bool,
) -> Result<Box<ConvNet<E, D>>> {
    let options =
        ConvNetOptions { width: 3 + channels.0 % 3, edge_channel, inner_actnorm, log_scale_factor: 3.0, gain: true };
    Ok(Box::new(ConvNet::new(init, channels, options)?))
}

fn additive<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: usize,
    edge: bool,
    actnorm: bool,
) -> Result<Box<dyn Bijector<E, D>>> {
    Ok(Box::new(Coupling::additive(channels, net(init, (channels / 2, channels / 2), edge, actnorm)?)?))
}

fn affine<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: usize,
    map: ScaleMap,
    edge: bool,
    actnorm: bool,
) -> Result<Box<dyn Bijector<E, D>>> {
    Ok(Box::new(Coupling::affine(channels, map, net(init, (channels / 2, channels), edge, actnorm)?)?))
}

fn spline(bins: usize) -> Transform {
    Transform::Spline(Spline { bins, bound: 1.5 })
}

fn mixture(components: usize) -> Transform {
    Transform::MixtureLogistic(MixtureLogistic { components })
}

fn masked<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    mask: impl Into<Masked>,
    numbers: usize,
    coupling: impl FnOnce(usize, Masked, Box<dyn Net<E, D>>) -> Result<Coupling<E, D>>,
) -> Result<Box<dyn Bijector<E, D>>> {
    let mask = mask.into();
    // With biases, and gains that random parameters do not blow up: numbers of a few units, as trained networks give.
    let (channels, width) = (mask.network("a coupling", shape.channels, numbers)?, 3 + shape.channels % 3);
    let options = ConvNetOptions { width, edge_channel: true, inner_actnorm: false, log_scale_factor: 1.0, gain: true };
    Ok(Box::new(coupling(shape.channels, mask, Box::new(ConvNet::new(init, channels, options)?))?))
}

fn transforming<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    mask: impl Into<Masked>,
    transform: Transform,
) -> Result<Box<dyn Bijector<E, D>>> {
    masked(init, shape, mask, transform.numbers(), |channels, mask, net| {
        Coupling::transforming(channels, mask, transform, net)
    })
}

/// An affine coupling by a network of another kind.
fn networked<E: Element, D: Device<E>>(
    shape: ImageShape,
    mask: Mask,
    net: &dyn Fn((usize, usize)) -> Result<Box<dyn Net<E, D>>>,
) -> Result<Box<dyn Bijector<E, D>>> {
    let net = net(mask.network("a coupling", shape.channels, 2)?)?;
    Ok(Box::new(Coupling::affine_masked(shape.channels, mask, ScaleMap::ClampedTanh { bound: 1.0 }, net)?))
}

fn dense<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: (usize, usize),
    activation: Activation,
) -> Result<Box<dyn Net<E, D>>> {
    let options = DenseOptions { hidden: vec![5, 4], activation, log_scale_factor: 1.0, gain: true };
    Ok(Box::new(Dense::new(init, channels, &options)?))
}

fn residual<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: (usize, usize),
    inner_actnorm: bool,
) -> Result<Box<dyn Net<E, D>>> {
    let (blocks, log_scale_factor) = (if inner_actnorm { 1 } else { 2 }, 1.0);
    let (width, edge_channel) = (if inner_actnorm { 3 } else { 5 }, true);
    let options = ResidualOptions { blocks, width, edge_channel, inner_actnorm, log_scale_factor, gain: inner_actnorm };
    Ok(Box::new(Residual::new(init, channels, options)?))
}

fn gated<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: (usize, usize),
    attention: bool,
) -> Result<Box<dyn Net<E, D>>> {
    let options = GatedOptions {
        blocks: 1,
        attention,
        heads: 2,
        width: 4,
        edge_channel: attention,
        log_scale_factor: 1.0,
        gain: attention,
    };
    Ok(Box::new(Gated::new(init, channels, options)?))
}

fn autoregressive<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    map: ElementMap,
    direction: Direction,
    order: Order,
) -> Result<Box<dyn Bijector<E, D>>> {
    autoregressive_given(init, shape, map, (direction, order), None)
}

fn autoregressive_given<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    map: ElementMap,
    (direction, order): (Direction, Order),
    given: Option<ImageShape>,
) -> Result<Box<dyn Bijector<E, D>>> {
    let context = given.map_or(0, |context| context.channels);
    let options = MadeOptions { hidden: vec![7, 6], activation: Activation::Tanh, order, context };
    let made = Made::new(init, shape.dims(), map.numbers(), &options)?;
    Ok(Box::new(Autoregressive::given(shape, map, direction, given, made)?))
}

fn glow<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    channels: usize,
    weight: Weight,
) -> Result<Box<dyn Bijector<E, D>>> {
    let squeezed = 4 * channels;
    let mut chain = Chain::default();
    chain.push("squeeze", Squeeze);
    chain.push("actnorm", ActNorm::new(init, squeezed, 3.0)?);
    chain.push("conv", InvertibleConv::new(init, squeezed, weight)?);
    chain.push_boxed("coupling", affine(init, squeezed, ScaleMap::Sigmoid, true, true)?);
    Ok(Box::new(chain))
}

fn top<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    batch: usize,
    learned: bool,
    classes: Option<usize>,
) -> Result<Box<dyn Bijector<E, D>>> {
    let prior = TopPrior::new(init, shape, TopOptions { learned, classes, ..Default::default() })?;
    let labels = classes.map(|classes| (0..batch).map(|image| (2 * image + 1) % classes).collect());
    Ok(Box::new(LabelledTop { prior, labels }))
}

fn top_given<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    context: ImageShape,
    learned: bool,
) -> Result<Box<dyn Bijector<E, D>>> {
    let prior = TopPrior::new(init, shape, TopOptions { learned, context: Some(context), ..Default::default() })?;
    Ok(Box::new(LabelledTop { prior, labels: None }))
}

fn glow_given<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    context: ImageShape,
) -> Result<Box<dyn Bijector<E, D>>> {
    let squeezed = ImageShape::new(shape.height / 2, shape.width / 2, 4 * shape.channels);
    let mut chain = Chain::default();
    chain.push("squeeze", Squeeze);
    chain.push("actnorm", ActNorm::new(init, squeezed.channels, 3.0)?);
    chain.push("conv", InvertibleConv::new(init, squeezed.channels, Weight::Plain)?);
    let mask = Mask::Halves.given(context);
    let coupling = |c, mask, net| Coupling::affine_masked(c, mask, ScaleMap::Sigmoid, net);
    chain.push_boxed("coupling", masked(init, squeezed, mask, 2, coupling)?);
    Ok(Box::new(chain))
}

fn top_without_gain<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
    batch: usize,
) -> Result<Box<dyn Bijector<E, D>>> {
    let prior = TopPrior::new(init, shape, TopOptions { classes: Some(3), gain: false, ..Default::default() })?;
    Ok(Box::new(LabelledTop { prior, labels: Some((0..batch).map(|image| (2 * image + 1) % 3).collect()) }))
}

fn masked_without_gain<E: Element, D: Device<E>>(
    init: &Initializer<D>,
    shape: ImageShape,
) -> Result<Box<dyn Bijector<E, D>>> {
    let half = shape.channels / 2;
    let options = ConvNetOptions { width: 3 + half % 3, gain: false, ..Default::default() };
    let net = ConvNet::new(init, (half, shape.channels), options)?;
    Ok(Box::new(Coupling::affine(shape.channels, ScaleMap::Exp, Box::new(net))?))
}
