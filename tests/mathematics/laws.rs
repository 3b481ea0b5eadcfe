//! Every bijector and every prior keeps every law, for random shapes, parameters and images.
//!
//! `PROPTEST_CASES` sets how many: a quarter of it for each, so 64 by default.

use crate::outcome;
use flowstone::backend::{Cpu, Device, Initializer};
use flowstone::bijector::Kept;
use flowstone::bijectors::{Autoregressive, Direction, ElementMap, InvertibleConv, Permutation, ScaleMap, Weight};
use flowstone::laws::{self, Condition, Registered, Violation, registry};
use flowstone::nets::{
    Activation, ConvNet, ConvNetOptions, Dense, DenseOptions, Gated, GatedOptions, Linear, Made, MadeOptions, Net,
    Order, Residual, ResidualOptions, ZeroConv,
};
use flowstone::priors::{Classifier, split};
use flowstone::{Bijector, Element, Image, ImageShape, Parameters};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

type Outcome = Result<(), Violation>;

/// How far parameters are moved from where they start.
const MOVE: f64 = 0.2;
/// The most dimensions of an image: a numerical Jacobian has its square.
const DIMS: usize = 36;

#[derive(Clone, Copy, Debug)]
struct Case {
    shape: ImageShape,
    batch: usize,
    seed: u64,
}

impl Case {
    fn image<E: Element>(&self) -> Image<E, Cpu>
    where
        Cpu: Device<E>,
    {
        laws::normal_image(&Cpu::default(), self.batch, self.shape, self.seed).unwrap()
    }

    /// With its first parameters.
    fn fresh<E: Element>(&self, registered: &Registered<E, Cpu>) -> Box<dyn Bijector<E, Cpu>>
    where
        Cpu: Device<E>,
    {
        let initializer = Initializer::new(&Cpu::default(), self.seed);
        (registered.build)(&initializer, self.shape, self.batch).unwrap()
    }

    /// With random ones.
    fn bijector<E: Element>(&self, registered: &Registered<E, Cpu>) -> Box<dyn Bijector<E, Cpu>>
    where
        Cpu: Device<E>,
    {
        let mut bijector = self.fresh(registered);
        laws::randomize(bijector.as_mut(), &Cpu::default(), self.seed, MOVE).unwrap();
        bijector.prepare(&Cpu::default()).unwrap();
        bijector
    }
}

/// Small shapes, most of them not square.
fn cases(side: usize, channels: usize) -> impl Strategy<Value = Case> {
    (1..=4 / side, 1..=4 / side, 1..=6 / channels, 1..=3_usize, any::<u64>())
        .prop_map(move |(height, width, count, batch, seed)| {
            let shape = ImageShape::new(side * height, side * width, channels * count);
            Case { shape, batch, seed }
        })
        .prop_filter("a small Jacobian", |case| case.shape.dims() <= DIMS)
}

/// Holds random cases to a law. Those that decide nothing must be few.
fn check<S: Strategy>(name: &str, cases: S, law: impl Fn(S::Value) -> Outcome) {
    let all = ProptestConfig::default();
    let (cases_each, undecided) = (all.cases.div_ceil(4), all.cases.div_ceil(32));
    let few = ProptestConfig { cases: cases_each, max_global_rejects: undecided, failure_persistence: None, ..all };
    if let Err(error) = TestRunner::new(few).run(&cases, |case| outcome(law(case))) {
        panic!("{name}: {error}");
    }
}

/// Holds everything that is registered, in f64, to one law.
fn every_bijector(law: impl Fn(&mut dyn Bijector<f64, Cpu>, &Image<f64, Cpu>) -> Outcome) {
    for registered in registry::<f64, Cpu>() {
        check(registered.name, cases(registered.side, registered.channels), |case| {
            law(case.bijector(&registered).as_mut(), &case.image())
        });
    }
}

#[test]
fn shapes_are_as_told_or_refused() {
    every_bijector(|bijector, x| laws::keeps_shapes(bijector, x));
}

#[test]
fn only_what_has_no_channels_of_its_own_takes_any_number_of_them() {
    let shape = ImageShape::new(2, 4, 2);
    for registered in registry::<f64, Cpu>() {
        let bijector = Case { shape, batch: 1, seed: 0 }.fresh(&registered);
        let takes_more = bijector.output_shape(shape.with_channels(3)).is_ok();
        assert_eq!(takes_more, ["Squeeze", "Logit"].contains(&registered.name), "{}", registered.name);
    }
}

#[test]
fn images_of_a_batch_do_not_move_each_other() {
    every_bijector(|bijector, x| laws::keeps_samples_apart(bijector, x));
}

#[test]
fn forward_and_inverse_undo_each_other() {
    every_bijector(|bijector, x| laws::round_trips(bijector, x, &Condition::of(bijector, x)?));
}

#[test]
fn shortcuts_agree_with_the_long_way() {
    every_bijector(|bijector, x| laws::agrees_with_itself(bijector, x, &Condition::of(bijector, x)?));
}

#[test]
fn ladj_is_the_log_determinant_of_the_jacobian() {
    every_bijector(|bijector, x| laws::ladj_is_the_jacobians(bijector, x));
}

#[test]
fn the_inverse_has_the_negative_ladj() {
    every_bijector(|bijector, x| laws::inverse_has_the_negative_ladj(bijector, x));
}

#[test]
fn pulling_back_gives_the_gradient() {
    every_bijector(|bijector, x| {
        let condition = Condition::of(bijector, x)?;
        laws::pull_back_is_the_gradient(bijector, x, &condition)
    });
}

#[test]
fn pulling_back_gives_what_storing_gives() {
    every_bijector(|bijector, x| {
        let condition = Condition::of(bijector, x)?;
        laws::pull_back_agrees_with_kept(bijector, x, &condition)
    });
}

#[test]
fn f32_keeps_the_laws_and_agrees_with_f64() {
    for (single, double) in registry::<f32, Cpu>().into_iter().zip(registry::<f64, Cpu>()) {
        check(single.name, cases(single.side, single.channels), |case| {
            let (mut twin, x) = (case.fresh(&double), case.image());
            laws::hold_in_f32(case.bijector(&single).as_mut(), twin.as_mut(), &x)
        });
    }
}

#[test]
fn the_laws_hold_after_data_dependent_initialisation() {
    for registered in registry::<f64, Cpu>() {
        let sizes = cases(registered.side, registered.channels).prop_map(|case| Case { batch: 3, ..case });
        check(registered.name, sizes, |case| {
            let (mut bijector, x) = (case.fresh(&registered), case.image());
            bijector.initialize(&x).and_then(|()| bijector.prepare(x.device())).unwrap();
            laws::hold_as_is(bijector.as_mut(), &x)
        });
    }
}

#[test]
fn holding_a_bijector_to_its_laws_leaves_it_as_it_was() {
    for registered in registry::<f64, Cpu>() {
        // On a kink nothing is decided: then with other parameters and images.
        let decided = (3..7).any(|seed| {
            let case = Case { shape: ImageShape::new(2, 4, 2), batch: 2, seed };
            let (mut bijector, x) = (case.bijector(&registered), case.image());
            let before = bijector.forward(&x).unwrap().to_host().unwrap();
            let verdict = laws::hold(bijector.as_mut(), &x);
            assert_eq!(bijector.forward(&x).unwrap().to_host().unwrap(), before);
            match verdict {
                Err(Violation::Undecided { .. }) => false,
                other => other.map(|()| true).unwrap_or_else(|violation| panic!("{}: {violation}", registered.name)),
            }
        });
        assert!(decided, "{}", registered.name);
    }
}

#[test]
fn only_an_even_number_of_channels_is_halved() {
    let initializer = Initializer::new(&Cpu::default(), 0);
    for channels in [0, 1, 2, 3, 4, 5] {
        let built = split::<f64, _>(&initializer, channels, true, 3.0).is_ok();
        assert_eq!(built, channels > 0 && channels % 2 == 0, "{channels}");
    }
}

#[test]
fn a_permutation_that_is_none_is_refused() {
    let device = Cpu::default();
    let mut shuffle = Permutation::<f64, _>::shuffle(&Initializer::new(&device, 0), 3).unwrap();
    shuffle.visit_mut("", &mut |_, order| order.set(&device, &[0.0, 2.0, 2.0]).unwrap());
    assert!(matches!(shuffle.prepare(&device), Err(flowstone::Error::Shape { .. })));
}

/// Elements of all images that were kept, of a layer and its parts.
fn elements(kept: &Kept<f64, Cpu>) -> usize {
    let own: usize = kept.images.iter().map(|image| image.batch() * image.shape().dims()).sum();
    own + kept.parts.iter().map(elements).sum::<usize>()
}

#[test]
fn as_much_is_kept_as_is_told() {
    for registered in registry::<f64, Cpu>() {
        let case = Case { shape: ImageShape::new(2, 4, 4), batch: 3, seed: 3 };
        let (bijector, x) = (case.bijector(&registered), case.image());
        let kept = bijector.forward_keeping(x).unwrap().2;
        assert_eq!(elements(&kept), 3 * bijector.kept(case.shape), "{}", registered.name);
    }
}

/// Random parameters for a network, prepared.
fn randomized<N: Parameters<f64, Cpu>>(mut net: N, seed: u64, prepare: fn(&mut N, &Cpu) -> flowstone::Result<()>) -> N {
    let device = Cpu::default();
    laws::randomize(&mut net, &device, seed, MOVE).unwrap();
    prepare(&mut net, &device).unwrap();
    net
}

#[test]
fn networks_have_their_gradients() {
    for (edge_channel, inner_actnorm) in [(true, true), (false, true), (true, false), (false, false)] {
        check("ConvNet", cases(1, 1), |case| {
            let options =
                ConvNetOptions { width: 5, edge_channel, inner_actnorm, log_scale_factor: 3.0, gain: edge_channel };
            let initializer = Initializer::new(&Cpu::default(), case.seed);
            let net = ConvNet::new(&initializer, (case.shape.channels, 3), options).unwrap();
            laws::net_has_its_gradient(&mut randomized(net, case.seed, Net::prepare), &case.image())
        });
        check("ZeroConv", cases(1, 1), |case| {
            let initializer = Initializer::new(&Cpu::default(), case.seed);
            let conv = ZeroConv::new(&initializer, (case.shape.channels, 3), edge_channel, 3.0).unwrap();
            laws::net_has_its_gradient(&mut randomized(conv, case.seed, Net::prepare), &case.image())
        });
    }
    check("Linear", cases(1, 1), |case| {
        let initializer = Initializer::new(&Cpu::default(), case.seed);
        let linear = Linear::new(&initializer, (case.shape.channels, 3), 3.0).unwrap();
        laws::net_has_its_gradient(&mut randomized(linear, case.seed, Net::prepare), &case.image())
    });
    for activation in [Activation::Relu, Activation::Tanh] {
        check("Dense", cases(1, 1), |case| {
            let initializer = Initializer::new(&Cpu::default(), case.seed);
            let options = DenseOptions { hidden: vec![5, 3], activation, ..Default::default() };
            let dense = Dense::new(&initializer, (case.shape.channels, 3), &options).unwrap();
            laws::net_has_its_gradient(&mut randomized(dense, case.seed, Net::prepare), &case.image())
        });
    }
    for (inner_actnorm, edge_channel) in [(true, true), (false, false)] {
        check("Residual", cases(1, 1), |case| {
            let initializer = Initializer::new(&Cpu::default(), case.seed);
            let options = ResidualOptions { blocks: 2, width: 3, inner_actnorm, edge_channel, ..Default::default() };
            let net = Residual::new(&initializer, (case.shape.channels, 2), options).unwrap();
            laws::net_has_its_gradient(&mut randomized(net, case.seed, Net::prepare), &case.image())
        });
    }
    for attention in [true, false] {
        check("Gated", cases(1, 1), |case| {
            let initializer = Initializer::new(&Cpu::default(), case.seed);
            let options = GatedOptions { width: 6, heads: 3, attention, edge_channel: attention, ..Default::default() };
            let net = Gated::new(&initializer, (case.shape.channels, 2), options).unwrap();
            laws::net_has_its_gradient(&mut randomized(net, case.seed, Net::prepare), &case.image())
        });
    }
    let vectors = cases(1, 1).prop_map(|case| Case { shape: ImageShape::new(1, 1, case.shape.dims() + 2), ..case });
    check("MADE with a context of 2", vectors, |case| {
        let initializer = Initializer::new(&Cpu::default(), case.seed);
        let options = MadeOptions { hidden: vec![5, 8], order: Order::Shuffle, context: 2, ..Default::default() };
        let made = Made::new(&initializer, case.shape.channels - 2, 2, &options).unwrap();
        laws::net_has_its_gradient(&mut randomized(made, case.seed, Net::prepare), &case.image())
    });
}

fn autoregressive(case: Case, direction: Direction, order: Order) -> Autoregressive<f64, Cpu> {
    let initializer = Initializer::new(&Cpu::default(), case.seed);
    let options = MadeOptions { hidden: vec![9, 8], activation: Activation::Tanh, order, context: 0 };
    let made = Made::new(&initializer, case.shape.dims(), 2, &options).unwrap();
    Autoregressive::new(case.shape, ElementMap::Affine(ScaleMap::Exp), direction, made).unwrap()
}

#[test]
fn no_element_of_an_autoregressive_layer_depends_on_a_later_one() {
    for direction in [Direction::Density, Direction::Sampling] {
        for order in [Order::Forward, Order::Reverse, Order::Shuffle] {
            check("Autoregressive", cases(1, 1), |case| {
                let layer = randomized(autoregressive(case, direction, order), case.seed, Bijector::prepare);
                laws::jacobian_is_triangular(&layer, &case.image(), layer.order())
            });
        }
    }
}

#[test]
fn autoregressive_layers_start_as_the_identity() {
    for direction in [Direction::Density, Direction::Sampling] {
        let case = Case { shape: ImageShape::new(2, 1, 3), batch: 2, seed: 4 };
        let (layer, x) = (autoregressive(case, direction, Order::Shuffle), case.image());
        assert_eq!(layer.forward(&x).unwrap().to_host().unwrap(), x.to_host().unwrap());
    }
}

#[test]
fn an_order_that_a_file_brings_is_the_order_of_the_masks() {
    let (device, shape) = (Cpu::default(), ImageShape::new(1, 1, 4));
    let case = Case { shape, batch: 2, seed: 1 };
    let mut layer = autoregressive(case, Direction::Density, Order::Forward);
    layer.visit_mut("", &mut |name, parameter| {
        if name == "order" {
            parameter.set(&device, &[2.0, 0.0, 3.0, 1.0]).unwrap();
        }
    });
    let layer = randomized(layer, 0, Bijector::prepare);
    assert_eq!(layer.order(), [2, 0, 3, 1]);
    laws::jacobian_is_triangular(&layer, &case.image(), &[2, 0, 3, 1]).unwrap();
}

#[test]
fn heads_of_attention_divide_the_width() {
    let initializer = Initializer::new(&Cpu::default(), 0);
    let built = |heads, attention| {
        let options = GatedOptions { width: 6, heads, attention, ..Default::default() };
        Gated::<f64, _>::new(&initializer, (2, 2), options)
    };
    assert!(built(3, true).is_ok() && built(4, false).is_ok());
    for heads in [0, 4] {
        assert!(matches!(built(heads, true), Err(flowstone::Error::Shape { .. })));
    }
}

#[test]
fn the_cost_of_attention_grows_with_the_pixels() {
    let options = GatedOptions { blocks: 1, width: 4, heads: 2, ..Default::default() };
    let net = Gated::<f64, _>::new(&Initializer::new(&Cpu::default(), 0), (2, 2), options).unwrap();
    let per_pixel = |side: usize| net.multiply_adds(ImageShape::new(side, side, 2)) / (side * side) as u64;
    // A score and a sum of 4 channels with each of the other pixels.
    assert_eq!(per_pixel(4) - per_pixel(1), 15 * 2 * 4);
}

#[test]
fn a_residual_network_starts_from_standardised_channels() {
    let device = Cpu::default();
    let x = laws::normal_image(&device, 4, ImageShape::new(4, 4, 2), 3).unwrap();
    let options = ResidualOptions { width: 5, ..Default::default() };
    let mut net = Residual::<f64, _>::new(&Initializer::new(&device, 0), (2, 2), options).unwrap();
    net.initialize(&x).unwrap();
    // Before its ReLU the input of the last layer has mean 0 and variance 1, so what the ReLU leaves has half of it.
    let kept = net.forward_keeping(&x).unwrap().1;
    let values = kept.images.last().unwrap().to_host().unwrap();
    for channel in 0..5 {
        let own: Vec<f64> = values.iter().skip(channel).step_by(5).copied().collect();
        let zeros = own.iter().filter(|value| **value == 0.0).count() as f64 / own.len() as f64;
        let mean = own.iter().sum::<f64>() / own.len() as f64;
        assert!((0.2..0.8).contains(&zeros) && (0.2..0.6).contains(&mean), "{zeros} zeros, {mean}");
    }
}

#[test]
fn networks_have_the_channels_that_they_tell() {
    let (device, shape) = (Cpu::default(), ImageShape::new(1, 1, 2));
    let (init, options) = (Initializer::new(&device, 0), ConvNetOptions { width: 4, ..Default::default() });
    let x = laws::normal_image(&device, 1, shape, 0).unwrap();
    let gated = GatedOptions { width: 4, ..Default::default() };
    let residual = ResidualOptions { width: 4, ..Default::default() };
    let nets: [Box<dyn Net<f64, Cpu>>; 6] = [
        Box::new(ConvNet::new(&init, (2, 3), options).unwrap()),
        Box::new(ZeroConv::new(&init, (2, 3), true, 3.0).unwrap()),
        Box::new(Linear::new(&init, (2, 3), 3.0).unwrap()),
        Box::new(Dense::new(&init, (2, 3), &DenseOptions::default()).unwrap()),
        Box::new(Residual::new(&init, (2, 3), residual).unwrap()),
        Box::new(Gated::new(&init, (2, 3), gated).unwrap()),
    ];
    for net in nets {
        assert_eq!(net.channels(), (2, 3));
        assert_eq!(net.forward(&x).unwrap().shape(), shape.with_channels(3));
    }
}

#[test]
fn a_classifier_has_its_gradient() {
    check("Classifier", cases(1, 1), |case| {
        let initializer = Initializer::new(&Cpu::default(), case.seed);
        let classifier = Classifier::new(&initializer, case.shape.channels, 4, 3.0, 0.3).unwrap();
        let labels: Vec<usize> = (0..case.batch).map(|image| (3 * image + 1) % 4).collect();
        let mut classifier = randomized(classifier, case.seed, Classifier::prepare);
        laws::classifier_has_its_gradient(&mut classifier, &case.image(), &labels)
    });
}

#[test]
fn plain_and_lu_convert_into_each_other() {
    for (from, to) in [(Weight::Plain, Weight::LU), (Weight::LU, Weight::Plain)] {
        check("InvertibleConv", cases(1, 1), |case| {
            let (device, x) = (Cpu::default(), case.image::<f64>());
            let initializer = Initializer::new(&device, case.seed);
            let conv = InvertibleConv::new(&initializer, case.shape.channels, from).unwrap();
            let conv = randomized(conv, case.seed, Bijector::prepare);
            let other = conv.converted(&device, to).unwrap();
            laws::are_the_same_map(&conv, &other, &x, &Condition::of(&conv, &x)?)
        });
    }
}

#[test]
fn a_stored_permutation_is_the_same_map() {
    check("Shuffle", cases(1, 1), |case| {
        let (device, x) = (Cpu::default(), case.image::<f64>());
        let shuffle = Permutation::shuffle(&Initializer::new(&device, case.seed), case.shape.channels).unwrap();
        let mut other = Permutation::reverse(&Initializer::new(&device, 0), case.shape.channels).unwrap();
        let mut order = Vec::new();
        shuffle.visit("", &mut |_, parameter| order = parameter.to_host(&device).unwrap());
        other.visit_mut("", &mut |_, parameter| parameter.set(&device, &order).unwrap());
        other.prepare(&device).unwrap();
        laws::are_the_same_map(&shuffle, &other, &x, &Condition::of(&shuffle, &x)?)
    });
}
