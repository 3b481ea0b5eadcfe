//! Layers and networks of a user's own, declared in RON.

use flowstone::backend::{Cpu, Initializer};
use flowstone::bijector::Kept;
use flowstone::bijectors::ActNorm;
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Model, Registry};
use flowstone::nets::{Net, ZeroConv};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::{Device, Element, Image, Parameter, ParameterGradients, Parameters, Result, laws};
use rand::Rng;

/// A network of one convolution, doubled.
struct Doubled<E: Element, D: Device<E>>(ZeroConv<E, D>);

impl<E: Element, D: Device<E>> Parameters<E, D> for Doubled<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.0.visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.0.visit_mut(path, visitor);
    }
}

fn doubled<E: Element, D: Device<E>>(x: Image<E, D>) -> Result<Image<E, D>> {
    let mut twice = x.clone();
    twice.add_assign(&x)?;
    Ok(twice)
}

impl<E: Element, D: Device<E>> Net<E, D> for Doubled<E, D> {
    fn channels(&self) -> (usize, usize) {
        self.0.channels()
    }
    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (h, kept) = self.0.forward_keeping(x)?;
        Ok((doubled(h)?, kept))
    }
    fn pull_back(&self, kept: Kept<E, D>, g: Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<Image<E, D>> {
        self.0.pull_back(kept, doubled(g)?, grads)
    }
    fn prepare(&mut self, device: &D) -> Result<()> {
        self.0.prepare(device)
    }
}

#[derive(serde::Deserialize)]
struct Options {
    factor: f64,
}

fn registry() -> Registry<f64, Cpu> {
    Registry::default()
        .net("doubled", |_, channels, initializer| {
            Ok(Box::new(Doubled(ZeroConv::new(initializer, channels, true, 3.0)?)))
        })
        .layer("norm", |settings, shape, initializer| {
            let Options { factor } = settings.read().map_err(|e| flowstone::Error::Usage(e.to_string()))?;
            Ok(Box::new(ActNorm::new(initializer, shape.channels, factor)?))
        })
}

const FLOW: &str = "Flow(image: (height: 4, width: 4, channels: 1), layers: [
    Squeeze(), Custom(\"norm\", (factor: 2.0)), AffineCoupling(net: Custom(\"doubled\")), Reverse(),
    AdditiveCoupling(net: Custom(\"doubled\")),
])";

#[test]
fn a_users_network_and_layer_are_built_from_ron_and_have_gradients() -> Result<()> {
    let device = Cpu::default();
    let file = FlowFile::parse("custom", FLOW)?;
    let mut flow = Flow::build(&file, &registry(), &Initializer::new(&device, 0))?;
    laws::randomize(&mut flow, &device, 1, 0.1)?;
    flow.prepare(&device)?;
    let batch = Batch {
        values: (&[7; 32][..]).into(),
        labels: None,
        context: None,
        numbers: &[0, 1],
        dequantize: Dequantize::Midpoint,
    };
    let inverted = flow.gradient(&device, &batch, Memory::Invert)?;
    let stored = flow.gradient(&device, &batch, Memory::Store)?;
    flow.visit("", &mut |name, parameter| {
        let (a, b) = (inverted.gradients.get(parameter.id()), stored.gradients.get(parameter.id()));
        let (Some(a), Some(b)) = (a, b) else { return };
        assert!(b.iter().any(|b| *b != 0.0), "{name} has no gradient");
        assert!(a.iter().zip(b.iter()).all(|(a, b)| (a - b).abs() < 1e-9 * (1.0 + b.abs())), "{name}");
    });
    Ok(())
}

#[test]
fn a_users_network_keeps_the_law_of_gradients() {
    let device = Cpu::default();
    let mut net = Doubled(ZeroConv::new(&Initializer::new(&device, 0), (2, 4), true, 3.0).unwrap());
    let x = laws::normal_image(&device, 2, flowstone::ImageShape::new(3, 2, 2), 3).unwrap();
    laws::randomize(&mut net, &device, 2, 0.3).unwrap();
    net.prepare(&device).unwrap();
    laws::net_has_its_gradient(&mut net, &x).unwrap();
}

#[test]
fn a_name_that_is_not_registered_is_named_with_its_line() {
    let file = FlowFile::parse("custom.ron", FLOW.replace("\"norm\"", "\"nrom\"")).unwrap();
    let error = Flow::build(&file, &registry(), &Initializer::blank(&Cpu::default())).unwrap_err().to_string();
    assert!(error.starts_with("custom.ron:2:16:") && error.contains("nrom"), "{error}");
}

fn built(layers: &str) -> Result<Flow<f64, Cpu>> {
    let text = format!("Flow(image: (height: 4, width: 4, channels: 2), layers: [{layers}])");
    Flow::build(&FlowFile::parse("mine.ron", text)?, &Registry::default(), &Initializer::new(&Cpu::default(), 0))
}

/// A layer of each network and transform.
const LAYERS: [&str; 10] = [
    "AffineCoupling(net: Dense())",
    "SplineCoupling(net: Dense(hidden: [3], activation: Tanh))",
    "AdditiveCoupling(width: 4, net: Residual(blocks: 1))",
    "MixtureCoupling(width: 4, net: Gated(blocks: 1, heads: 2), mask: Checkerboard(0))",
    "AffineCoupling(width: 5, net: Gated(attention: false))",
    "Autoregressive()",
    "Autoregressive(transform: Additive, order: Reverse)",
    "Autoregressive(transform: Affine(scale: Exp), order: Shuffle, hidden: [])",
    "Autoregressive(transform: Spline(bins: 3), direction: Sampling, activation: Tanh)",
    "Autoregressive(transform: Mixture(), direction: Density)",
];

/// What is derived from parameters when a layer is made must not be missing where it is made without values.
#[test]
fn a_flow_that_was_saved_gives_the_same_bits_when_it_is_loaded() {
    let (device, folder) = (Cpu::default(), tempfile::tempdir().unwrap());
    let path = folder.path().join("model.safetensors");
    for layers in LAYERS {
        let text = format!("Flow(image: (height: 4, width: 4, channels: 2), layers: [ActNorm(), {layers}])");
        let file = FlowFile::parse("mine.ron", text).unwrap();
        let mut flow = built(&format!("ActNorm(), {layers}")).unwrap();
        let mut rng = NoiseKey::new(3, Purpose::Check).rng(0);
        flow.visit_mut("", &mut |_, parameter| {
            if parameter.is_trained() {
                let values: Vec<f64> = (0..parameter.count()).map(|_| rng.gen_range(-0.3..0.3)).collect();
                parameter.set(&device, &values).unwrap();
            }
        });
        flow.prepare(&device).unwrap();
        flow.save(&device, &path, &file, 0, None, &[]).unwrap();
        let loaded = Model::load(&path, &device, &Registry::default(), false).unwrap().flow;
        let levels: Vec<u8> = (0..64).map(|i| (i * 37 % 256) as u8).collect();
        let (labels, context, dequantize) = (None, None, Dequantize::Midpoint);
        let batch = Batch { values: (&levels).into(), labels, context, numbers: &[0, 1], dequantize };
        let score = |flow: &Flow<f64, Cpu>| flow.log_prob_of(&device, &batch).unwrap();
        assert_eq!(score(&flow), score(&loaded), "{layers}");
    }
}

#[test]
fn every_network_and_transform_is_built_from_ron_and_written_back() {
    for layers in LAYERS {
        let text = format!("Flow(image: (height: 4, width: 4, channels: 2), layers: [{layers}])");
        let file = FlowFile::parse("mine.ron", text).unwrap();
        let again = FlowFile::parse("again.ron", file.spec.to_ron().unwrap()).unwrap();
        assert_eq!(file.spec.to_ron().unwrap(), again.spec.to_ron().unwrap(), "{layers}");
        let flow = built(layers).unwrap();
        let summary = flow.summary(&Cpu::default(), &file).unwrap();
        assert!(summary.layers[0].parameters > 0, "{layers}");
        let sequential = layers.starts_with("Autoregressive");
        assert_eq!(
            summary.inverse_multiply_adds != summary.multiply_adds,
            sequential && !layers.contains("[]"),
            "{layers}"
        );
    }
}

#[test]
fn heads_that_do_not_divide_the_width_are_told_where_they_stand() {
    let error = built("ActNorm(), AffineCoupling(width: 6, net: Gated(heads: 4))").unwrap_err().to_string();
    assert!(error.starts_with("mine.ron:1:") && error.contains("4 heads") && error.contains("6 channels"), "{error}");
    let error = FlowFile::parse(
        "mine.ron",
        "Flow(image: (height: 4, width: 4, channels: 2), layers: [AffineCoupling(net: Dense(hidden: [0]))])",
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("at least 1, found 0"), "{error}");
}
