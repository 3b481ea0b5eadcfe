//! The first batch sets every actnorm so that what leaves it has mean 0 and variance 1 in each channel.

use flowstone::backend::{Cpu, Initializer};
use flowstone::bijectors::{ActNorm, Chain, Coupling, InvertibleConv, Squeeze, Weight};
use flowstone::flow::{Flow, FlowFile, Registry};
use flowstone::nets::{ConvNet, ConvNetOptions, Net};
use flowstone::{Bijector, Image, ImageShape, Parameters, laws};

/// Refuses channels whose mean is not 0 or whose variance is not 1.
fn assert_standardised(name: &str, image: &Image<f64, Cpu>) {
    let (channels, values) = (image.shape().channels, image.to_host().unwrap());
    let rows = (values.len() / channels) as f64;
    for channel in 0..channels {
        let of = || values.iter().skip(channel).step_by(channels);
        let mean = of().sum::<f64>() / rows;
        let variance = of().map(|y| (y - mean).powi(2)).sum::<f64>() / rows;
        // Standard deviations are 10⁻⁶ larger to an actnorm than they are.
        assert!(mean.abs() < 1e-9 && (variance - 1.0).abs() < 1e-4, "{name}, channel {channel}: {mean}, {variance}");
    }
}

/// Images whose channels differ in mean and scale.
fn uneven(batch: usize, shape: ImageShape) -> Image<f64, Cpu> {
    let device = Cpu::default();
    let values = laws::normal_image::<f64, _>(&device, batch, shape, 7).unwrap().to_host().unwrap();
    let moved = |(i, x): (usize, f64)| (1.0 + (i % shape.channels) as f64) * (0.3 * x + 2.0);
    let values: Vec<f64> = values.into_iter().enumerate().map(moved).collect();
    Image::from_host(&device, batch, shape, &values).unwrap()
}

#[test]
fn an_actnorms_first_batch_leaves_it_with_mean_0_and_variance_1() {
    let (device, x) = (Cpu::default(), uneven(3, ImageShape::new(4, 2, 3)));
    for factor in [1.0, 3.0] {
        let mut actnorm = ActNorm::new(&Initializer::new(&device, 0), 3, factor).unwrap();
        actnorm.initialize(&x).and_then(|()| actnorm.prepare(&device)).unwrap();
        assert_standardised("ActNorm", &actnorm.forward(&x).unwrap());
    }
}

#[test]
fn a_channel_without_variance_is_scaled_by_a_million() {
    let (device, shape) = (Cpu::default(), ImageShape::new(1, 2, 1));
    let image = |value: f64| Image::from_host(&device, 1, shape, &[value; 2]).unwrap();
    let mut actnorm = ActNorm::new(&Initializer::new(&device, 0), 1, 3.0).unwrap();
    actnorm.initialize(&image(0.25)).and_then(|()| actnorm.prepare(&device)).unwrap();
    let y = actnorm.forward(&image(1.25)).unwrap().to_host().unwrap();
    assert!(y.iter().all(|y| (y / 1e6 - 1.0).abs() < 1e-9), "{y:?}");
}

#[test]
fn a_chains_first_batch_reaches_its_last_layer() {
    let (device, x) = (Cpu::default(), uneven(3, ImageShape::new(4, 2, 1)));
    let init = Initializer::new(&device, 0);
    let mut chain = Chain::default();
    chain.push("0", Squeeze);
    chain.push("1", InvertibleConv::new(&init, 4, Weight::Plain).unwrap());
    chain.push("2", ActNorm::new(&init, 4, 3.0).unwrap());
    chain.initialize(&x).and_then(|()| chain.prepare(&device)).unwrap();
    assert_standardised("Chain", &chain.forward(&x).unwrap());
}

/// All parameters, one after another.
fn values(of: &dyn Parameters<f64, Cpu>) -> Vec<f64> {
    let mut values = Vec::new();
    of.visit("", &mut |_, parameter| values.extend(parameter.to_host(&Cpu::default()).unwrap()));
    values
}

#[test]
fn a_couplings_first_batch_gives_its_network_the_first_half() {
    let (device, x) = (Cpu::default(), uneven(3, ImageShape::new(4, 2, 6)));
    let net = || {
        let options = ConvNetOptions { width: 5, ..Default::default() };
        ConvNet::new(&Initializer::new(&device, 0), (3, 3), options).unwrap()
    };
    let (mut alone, before) = (net(), values(&net()));
    alone.initialize(&x.channels(0, 3).unwrap()).unwrap();
    let mut coupling = Coupling::additive(6, Box::new(net())).unwrap();
    coupling.initialize(&x).unwrap();
    assert_eq!(values(&coupling), values(&alone));
    assert_ne!(values(&coupling), before);
}

#[test]
fn a_flows_first_batch_reaches_every_level() {
    let text = "Flow(image: (height: 8, width: 8, channels: 2), layers: [
        Squeeze(), InvertibleConv(), AffineCoupling(width: 4), ActNorm(), Split(),
        Squeeze(), InvertibleConv(), AffineCoupling(width: 4), ActNorm(), Split(),
        Squeeze(), InvertibleConv(), AffineCoupling(width: 4), ActNorm(),
    ])";
    let (device, file) = (Cpu::default(), FlowFile::parse("levels", text).unwrap());
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 1)).unwrap();
    let x = uneven(5, flow.image_shape());
    flow.initialize(x.clone()).and_then(|()| flow.prepare(&device)).unwrap();
    // Priors start as standard normals, so latents are what the actnorms made.
    let latents = flow.encode(x, None).unwrap().latents;
    assert_eq!(latents.len(), 3);
    latents.iter().for_each(|(name, latent)| assert_standardised(name, latent));
}
