//! Agreement with log-probabilities computed elsewhere: an independent NumPy program, in f64, with random parameters.
//!
//! `tests/mathematics/parity/*.safetensors` hold parameters, pixels, noise and log p of three small flows. Meeting log p
//! shows every channel order, transpose and factor right, which learning curves cannot. Transforms of single elements and
//! autoregressive layers are held to other libraries in [`transforms`] and [`autoregressive`].

mod autoregressive;
mod transforms;

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::{Flow, FlowFile, Registry};
use flowstone::{Device, Element, Image, ImageShape, Parameters};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;

/// Shape and values of every tensor of a file.
type Tensors = HashMap<String, (Vec<usize>, Vec<f64>)>;

fn read(name: &str) -> Tensors {
    let path = format!("{}/tests/mathematics/parity/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(path).unwrap();
    let values = |view: &TensorView| -> Vec<f64> {
        let words = view.data().as_chunks().0.iter();
        match view.dtype() {
            Dtype::F64 => words.map(|b| f64::from_le_bytes(*b)).collect(),
            Dtype::I64 => words.map(|b| i64::from_le_bytes(*b) as f64).collect(),
            other => panic!("{other:?}"),
        }
    };
    let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    tensors.into_iter().map(|(name, view)| (name, (view.shape().to_vec(), values(&view)))).collect()
}

/// The same three flows as the files hold: two levels of two steps, width 8.
fn flow<E: Element>(channels: usize, bins: u32, permutation: &str, coupling: &str) -> Flow<E, Cpu>
where
    Cpu: Device<E>,
{
    let step = format!("ActNorm(), {permutation}(), {coupling}(width: 8),");
    let text = format!(
        "Flow(image: (height: 8, width: 12, channels: {channels}, bins: {bins}),
              layers: [Squeeze(), {step} {step} Split(), Squeeze(), {step} {step}])"
    );
    let file = FlowFile::parse("parity", text).unwrap();
    Flow::build(&file, &Registry::default(), &Initializer::new(&Cpu::default(), 0)).unwrap()
}

/// The parity file's name for one of ours: `layers.3.conv1.weight` is `03.affine.conv1`.
fn theirs(ours: &str) -> (Option<String>, String) {
    let Some(rest) = ours.strip_prefix("layers.") else { return (None, ours.replace("prior.conv", "top")) };
    let (index, name) = rest.split_once('.').unwrap();
    let name = match name {
        "conv1.weight" => "conv1",
        "conv2.weight" => "conv2",
        "norm1.bias" => "bias1",
        "norm1.logs" => "logs1",
        "norm2.bias" => "bias2",
        "norm2.logs" => "logs2",
        other => other,
    };
    (Some(format!("{index:0>2}.")), format!(".{name}"))
}

/// `[3, 3, in, out]` to the `[in, 3, 3, out]` of convolutions that start at zero.
fn taps_last((shape, values): (&[usize], &[f64])) -> Vec<f64> {
    let (input, output) = (shape[2], shape[3]);
    let at = |i: usize| {
        let (channel, tap, out) = (i / (9 * output), i / output % 9, i % output);
        values[(tap * input + channel) * output + out]
    };
    (0..values.len()).map(at).collect()
}

fn load<E: Element>(flow: &mut Flow<E, Cpu>, tensors: &Tensors)
where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    flow.visit_mut("", &mut |ours, parameter| {
        let (prefix, name) = theirs(ours);
        let found = tensors.iter().find(|(key, _)| match &prefix {
            Some(prefix) => key.starts_with(prefix.as_str()) && key.ends_with(&name),
            None => **key == name,
        });
        let (_, (shape, values)) = found.unwrap_or_else(|| panic!("no tensor for {ours}"));
        let zero_conv = shape.len() == 4 && !ours.ends_with("conv1.weight");
        let values = if zero_conv { taps_last((shape, values)) } else { values.clone() };
        parameter.set(&device, &values.into_iter().map(E::of).collect::<Vec<_>>()).unwrap();
    });
    flow.prepare(&device).unwrap();
}

/// The largest relative difference of log p.
fn difference<E: Element>(name: &str, permutation: &str, coupling: &str) -> f64
where
    Cpu: Device<E>,
{
    let tensors = read(name);
    let (shape, pixels) = &tensors["pixels"];
    let bins = tensors["bins"].1[0];
    let mut flow = flow::<E>(shape[3], bins as u32, permutation, coupling);
    load(&mut flow, &tensors);
    let noise = &tensors["noise"].1;
    let x: Vec<E> = pixels.iter().zip(noise).map(|(p, u)| E::of((p + u) / bins - 0.5)).collect();
    let x = Image::from_host(&Cpu::default(), shape[0], ImageShape::new(shape[1], shape[2], shape[3]), &x).unwrap();
    let log_prob = flow.log_prob(x, None).unwrap();
    let expected = &tensors["log_prob"].1;
    log_prob.iter().zip(expected).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max)
}

const FLOWS: [(&str, &str, &str); 3] = [
    ("affine-conv", "InvertibleConv", "AffineCoupling"),
    ("additive-reverse", "Reverse", "AdditiveCoupling"),
    ("affine-shuffle-grey", "Shuffle", "AffineCoupling"),
];

#[test]
fn log_prob_agrees_in_f64() {
    for (name, permutation, coupling) in FLOWS {
        let difference = difference::<f64>(name, permutation, coupling);
        assert!(difference < 1e-9, "{name}: {difference:e}");
    }
}

#[test]
fn log_prob_agrees_in_f32() {
    for (name, permutation, coupling) in FLOWS {
        let difference = difference::<f32>(name, permutation, coupling);
        assert!(difference < 1e-4, "{name}: {difference:e}");
    }
}
