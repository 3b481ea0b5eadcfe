//! Images to latents and back, and samples: what a picture is does not depend on what else is drawn.

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::{Dequantize, Flow, FlowFile, Registry, dequantize, quantize};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::{Error, Image, ImageShape, laws};

const BINS: u32 = 17;

fn flow(prior: &str) -> Flow<f64, Cpu> {
    let level = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)";
    let text = format!(
        "Flow(image: (height: 8, width: 8, channels: 1, bins: {BINS}),
              layers: [{level}, Split(), {level}, Split(), {level}], prior: Gaussian({prior}))"
    );
    let (device, file) = (Cpu::default(), FlowFile::parse("latents", text).unwrap());
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 3)).unwrap();
    laws::randomize(&mut flow, &device, 5, 0.1).unwrap();
    flow.prepare(&device).unwrap();
    flow
}

#[test]
fn decoding_undoes_encoding() {
    for (prior, labels) in [("learned: true", None), ("learned: true, classes: 2", Some([1, 0, 1].as_slice()))] {
        let flow = flow(prior);
        let x = laws::normal_image::<f64, _>(&Cpu::default(), 3, flow.image_shape(), 1).unwrap();
        let latents = flow.encode(x.clone(), labels).unwrap();
        let shapes: Vec<_> = latents.latents.iter().map(|(name, z)| (name.clone(), z.shape())).collect();
        assert_eq!(shapes, flow.latent_shapes());
        let back = flow.decode(latents, labels).unwrap().to_host().unwrap();
        assert!(back.iter().zip(x.to_host().unwrap()).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}

#[test]
fn latents_halve_twice_and_keep_the_rest() {
    let shape = |side, channels| ImageShape::new(side, side, channels);
    let expected = [("split.0", shape(4, 2)), ("split.1", shape(2, 4)), ("top", shape(1, 16))];
    assert_eq!(flow("learned: true").latent_shapes(), expected.map(|(name, shape)| (name.to_owned(), shape)));
}

#[test]
fn latents_of_other_names_or_shapes_are_refused() {
    let (flow, device) = (flow("learned: true"), Cpu::default());
    let drawn = || flow.draw_latents(&device, 0..2, 1.0, 0).unwrap();
    let (mut renamed, mut reshaped, mut fewer) = (drawn(), drawn(), drawn());
    renamed.latents[0].0 = "split.7".into();
    reshaped.latents[1].1 = Image::zeros(&device, 2, ImageShape::new(2, 2, 8)).unwrap();
    fewer.latents.pop();
    for latents in [renamed, reshaped, fewer] {
        assert!(matches!(flow.decode(latents, None), Err(Error::Shape { .. })));
    }
}

#[test]
fn a_sample_is_the_same_alone_and_among_others() {
    let (flow, device) = (flow("learned: true, classes: 3"), Cpu::default());
    let labels: Vec<usize> = (0..7).map(|i| i * 2 % 3).collect();
    let draw = |numbers: std::ops::Range<u64>| {
        let labels = &labels[numbers.start as usize..numbers.end as usize];
        flow.sample(&device, numbers, 0.7, Some(labels), 4).unwrap().levels
    };
    let (all, apart) = (draw(0..7), [draw(0..2), draw(2..3), draw(3..7)].concat());
    assert_eq!(all.len(), 7 * 64);
    assert_eq!(all, apart);
    assert_ne!(all[..64], all[64..128]);
}

#[test]
fn grey_levels_come_back_from_wherever_in_their_bins_they_are_put() {
    let (device, shape) = (Cpu::default(), ImageShape::new(1, BINS as usize, 1));
    let levels: Vec<u8> = (0..2 * BINS as u8).map(|i| i % BINS as u8).collect();
    for how in [Dequantize::Midpoint, Dequantize::Uniform(NoiseKey::new(0, Purpose::Dequantize))] {
        let x = dequantize::<f64, _>(&device, shape, BINS, &levels, 0..2, how).unwrap();
        assert_eq!(quantize(&x, BINS).unwrap().levels, levels);
        let other = dequantize::<f64, _>(&device, shape, BINS, &levels, 0..3, how);
        assert!(matches!(other, Err(Error::Shape { .. })), "two images are not three");
    }
}
