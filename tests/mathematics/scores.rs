//! What is said of a batch is what is said of its images, and what is said of an image without its class is the mean over
//! classes.

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry, dequantize};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::{Image, laws};
use std::f64::consts::LN_2;

const IMAGES: usize = 5;
const BINS: u32 = 16;
const LABELS: [usize; IMAGES] = [2, 0, 1, 1, 2];
const NUMBERS: [u64; IMAGES] = [4, 0, 7, 1, 9];

/// Two levels under a prior of three classes, with a classifier.
fn flow() -> Flow<f64, Cpu> {
    let layers = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4), Split(), Squeeze(), ActNorm()";
    let text = format!(
        "Flow(image: (height: 4, width: 4, channels: 1, bins: {BINS}), layers: [{layers}],
              prior: Gaussian(learned: true, classes: 3, classifier: true))"
    );
    let (device, file) = (Cpu::default(), FlowFile::parse("scores", text).unwrap());
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 3)).unwrap();
    laws::randomize(&mut flow, &device, 5, 0.2).unwrap();
    flow.prepare(&device).unwrap();
    flow
}

fn levels() -> Vec<u8> {
    (0..IMAGES * 16).map(|i| (i * 7 % BINS as usize) as u8).collect()
}

fn noise() -> Dequantize {
    Dequantize::Uniform(NoiseKey::new(1, Purpose::Dequantize))
}

/// One image of the batch, as the flow sees it.
fn image(flow: &Flow<f64, Cpu>, i: usize) -> Image<f64, Cpu> {
    let own = &levels()[16 * i..16 * (i + 1)];
    dequantize(&Cpu::default(), flow.image_shape(), BINS, own, [NUMBERS[i]].into_iter(), noise()).unwrap()
}

fn assert_near(a: &[f64], b: &[f64]) {
    let near = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10 * (1.0 + b.abs()));
    assert!(near, "{a:?}, not {b:?}");
}

#[test]
fn a_batch_is_scored_as_its_images_are() {
    let (flow, device, levels) = (flow(), Cpu::default(), levels());
    for labels in [Some(LABELS), None] {
        let one = |i: usize| flow.log_prob(image(&flow, i), labels.as_ref().map(|labels| &labels[i..=i])).unwrap()[0];
        let apart: Vec<f64> = (0..IMAGES).map(one).collect();
        let labels = labels.as_ref().map(<[usize; IMAGES]>::as_slice);
        let batch = Batch { values: (&levels).into(), labels, context: None, numbers: &NUMBERS, dequantize: noise() };
        assert_near(&flow.log_prob_of(&device, &batch).unwrap(), &apart);
        if labels.is_some() {
            assert_near(&flow.gradient(&device, &batch, Memory::Invert).unwrap().log_prob, &apart);
        }
    }
}

#[test]
fn without_its_class_an_image_has_the_mean_probability_over_classes() {
    let flow = flow();
    for i in 0..IMAGES {
        let given = |class: usize| flow.log_prob(image(&flow, i), Some(&[class])).unwrap()[0];
        let largest = (0..3).map(given).fold(f64::NEG_INFINITY, f64::max);
        let mean = (0..3).map(|class| (given(class) - largest).exp()).sum::<f64>() / 3.0;
        assert_near(&flow.log_prob(image(&flow, i), None).unwrap(), &[largest + mean.ln()]);
    }
}

#[test]
fn the_classifiers_probabilities_sum_to_1_and_its_loss_is_the_own_classs_information() {
    let (flow, device, levels) = (flow(), Cpu::default(), levels());
    let (labels, numbers) = (Some(&LABELS[..]), &NUMBERS);
    let batch = Batch { values: (&levels).into(), labels, context: None, numbers, dequantize: noise() };
    let bits = flow.gradient(&device, &batch, Memory::Invert).unwrap().cross_entropy;
    for i in 0..IMAGES {
        let of_classes = flow.classify(image(&flow, i)).unwrap().remove(0);
        assert_near(&[of_classes.iter().map(|log_p| log_p.exp()).sum()], &[1.0]);
        assert_near(&[-of_classes[LABELS[i]] / LN_2], &bits[i..=i]);
    }
}

#[test]
fn bits_per_dim_are_those_of_a_uniform_density() {
    let flow = flow();
    // A uniform probability over the grey levels of 16 pixels: 4 bits each.
    assert_near(&[flow.bits_per_dim(-16.0 * f64::from(BINS).ln())], &[4.0]);
}
