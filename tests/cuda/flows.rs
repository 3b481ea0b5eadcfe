//! A flow is the same on `Cuda` as on `Cpu`: its density, its gradients both ways, its inverse, its samples, how it learns.

use crate::device::{Both, close};
use crate::emulator;
use dfdx::tensor::Cache;
use flowstone::backend::kernels::MemoryKernel;
use flowstone::backend::{Device, Initializer, Parameters};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Model, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::train::OptimizerState;
use flowstone::{Element, Result};

const IMAGES: usize = 6;

/// Each has two levels; together they have every layer, every parametrisation and every prior.
fn flows() -> Vec<FlowFile> {
    let glow = "ActNorm(), InvertibleConv(), AffineCoupling(width: 8)";
    let lu = "ActNorm(), InvertibleConv(weight: LU), AffineCoupling(width: 8, scale: Exp, edge_channel: false)";
    let additive = "ActNorm(), Reverse(), AdditiveCoupling(width: 8)";
    let shuffle =
        "ActNorm(), Shuffle(), AffineCoupling(width: 8, scale: ClampedTanh(bound: 1.5), inner_actnorm: false)";
    let spline = "ActNorm(), InvertibleConv(), SplineCoupling(width: 8, bins: 4)";
    let mixture = "ActNorm(), InvertibleConv(), MixtureCoupling(width: 8, components: 3)";
    let networks = "ActNorm(), AffineCoupling(net: Dense(hidden: [6, 5])), Shuffle(), AffineCoupling(width: 4, net: \
                    Residual(blocks: 1)), Reverse(), AdditiveCoupling(width: 4, net: Gated(blocks: 1, heads: 2))";
    let autoregressive = "ActNorm(), Autoregressive(hidden: [16], order: Shuffle), Autoregressive(hidden: [16], direction: Sampling, \
                          transform: Spline(bins: 3))";
    // On the picture itself, as RealNVP has them.
    let checkerboards = "SplineCoupling(width: 8, bins: 3, mask: Checkerboard(0)), MixtureCoupling(width: 8, components: 2, mask: \
                         Checkerboard(1)), AdditiveCoupling(width: 8, mask: Checkerboard(0)), AffineCoupling(width: 8, mask: \
                         Checkerboard(1))";
    let flow = |name: &str, steps: &str, prior: &str| {
        let level = format!("Squeeze(), Repeat(2, [{steps}])");
        let first = if name == "mixture" { format!("{checkerboards}, {level}") } else { level.clone() };
        let text = format!(
            "Flow(image: (height: 8, width: 4, channels: 3, bits: 5), layers: [{first}, Split(), {level}], prior: {prior})"
        );
        FlowFile::parse(name, text).unwrap()
    };
    vec![
        flow("glow", glow, "Gaussian()"),
        flow("lu", lu, "Gaussian(learned: false)"),
        flow("additive", additive, "Gaussian(classes: 3)"),
        flow("shuffle", shuffle, "Gaussian(classes: 3, classifier: true)"),
        flow("spline", spline, "Gaussian()"),
        flow("mixture", mixture, "Gaussian()"),
        flow("networks", networks, "Gaussian()"),
        flow("autoregressive", autoregressive, "Gaussian()"),
        flow("given", glow, "Gaussian(), context: Classes(3), encoder: Dense(hidden: [4], features: 2)"),
    ]
}

fn levels(dims: usize) -> Vec<u8> {
    (0..IMAGES * dims).map(|i| (i * 37 % 29) as u8).collect()
}

const LABELS: [usize; IMAGES] = [0, 2, 1, 1, 0, 2];
const NUMBERS: [u64; IMAGES] = [4, 9, 16, 25, 36, 49];

fn batch(levels: &[u8], step: u64) -> Batch<'_> {
    let dequantize = Dequantize::Uniform(NoiseKey::new(1, Purpose::Dequantize).at(step));
    Batch { values: levels.into(), labels: Some(&LABELS), context: None, numbers: &NUMBERS, dequantize }
}

/// A flow in training, on a device.
struct Learner<E: Element, D: Device<E>> {
    device: D,
    flow: Flow<E, D>,
    optimizer: OptimizerState<E, D>,
    levels: Vec<u8>,
}

impl<E: Element, D: Device<E>> Learner<E, D> {
    /// Initialised by its images.
    fn new(file: &FlowFile, device: &D) -> Result<Self> {
        let mut flow = Flow::build(file, &Registry::default(), &Initializer::new(device, 0))?;
        let shape = flow.image_shape();
        let levels = levels(shape.dims());
        let how = batch(&levels, 0).dequantize;
        let given = flow.given(device, IMAGES, Some(&LABELS[..]).into())?;
        let x = flowstone::flow::dequantize(device, shape, 32, &levels, NUMBERS.into_iter(), how)?;
        flow.initialize(x.giving(given))?;
        flow.prepare(device)?;
        let optimizer = OptimizerState::new(device, &flow, file.spec.train.optimizer, 100.0)?;
        Ok(Self { device: device.clone(), flow, optimizer, levels })
    }

    /// Bits per dimension before the step.
    fn step(&mut self, number: u64, memory: Memory) -> Result<f64> {
        let outcome = self.flow.gradient(&self.device, &batch(&self.levels, number), memory)?;
        self.optimizer.step(&self.device, &mut self.flow, &outcome.gradients, 2e-3)?;
        self.flow.prepare(&self.device)?;
        Ok(self.flow.bits_per_dim(outcome.log_prob.iter().sum::<f64>() / IMAGES as f64))
    }

    /// Whatever a user may ask of a flow, each under its name.
    fn answers(&self) -> Result<Vec<(String, Vec<f64>)>> {
        let (device, batch) = (&self.device, batch(&self.levels, 7));
        let mut answers = vec![("log p".to_string(), self.flow.log_prob_of(device, &batch)?)];
        for memory in [Memory::Invert, Memory::Store] {
            let outcome = self.flow.gradient(device, &batch, memory)?;
            assert!(outcome.drift < 1e-3, "drift {}", outcome.drift);
            answers.push((format!("cross-entropy, {memory:?}"), outcome.cross_entropy));
            self.flow.visit("", &mut |name, parameter| {
                if let Some(gradient) = outcome.gradients.get(parameter.id()) {
                    let gradient = device.download(gradient).unwrap().into_iter().map(E::as_f64).collect();
                    answers.push((format!("the gradient of {name}, {memory:?}"), gradient));
                }
            });
        }
        let labels = self.flow.classes().map(|_| &LABELS[..]);
        let (shape, how) = (self.flow.image_shape(), Dequantize::Midpoint);
        let x = flowstone::flow::dequantize(device, shape, 32, &self.levels, NUMBERS.into_iter(), how)?;
        let latents = self.flow.encode(x, labels)?;
        for (name, z) in &latents.latents {
            answers.push((format!("the latent {name}"), z.to_host()?.into_iter().map(E::as_f64).collect()));
        }
        let decoded = flowstone::flow::quantize(&self.flow.decode(latents, labels)?, 32)?.levels;
        assert_eq!(decoded, self.levels, "encoded images come back");
        let drawn = self.flow.draw_latents(device, 3..9, 0.8, 5)?;
        let sample = self.flow.decode(drawn, labels)?;
        answers.push(("samples".into(), sample.to_host()?.into_iter().map(E::as_f64).collect()));
        Ok(answers)
    }
}

fn agree<E: Element>(both: &Both, tolerance: f64)
where
    flowstone::backend::Cpu: Device<E>,
    flowstone::backend::Cuda: Device<E>,
{
    for file in flows() {
        // Away from the start, where couplings do nothing; and the same parameters on both.
        let mut cpu = Learner::<E, _>::new(&file, &both.cpu).unwrap();
        (0..3).for_each(|number| drop(cpu.step(number, Memory::Invert)));
        let model = tempfile::NamedTempFile::new().unwrap();
        cpu.flow.save(&both.cpu, model.path(), &file, 3, None, &[]).unwrap();
        let flow = Model::load(model.path(), &both.cuda, &Registry::default(), false).unwrap().flow;
        let cuda = Learner { flow, ..Learner::<E, _>::new(&file, &both.cuda).unwrap() };
        let (cpu, cuda) = (cpu.answers().unwrap(), cuda.answers().unwrap());
        assert_eq!(cpu.len(), cuda.len());
        for ((name, cpu), (_, cuda)) in cpu.iter().zip(&cuda) {
            close(cpu, cuda, tolerance).unwrap_or_else(|why| panic!("{}, {}: {name}: {why}", file.name, E::NAME));
        }
    }
}

#[test]
fn in_f64_all_that_a_flow_gives_agrees_to_a_billionth() {
    if let Some(both) = Both::open() {
        agree::<f64>(&both, 1e-9);
    }
}

#[test]
fn in_f32_all_that_a_flow_gives_agrees_to_a_ten_thousandth() {
    if let Some(both) = Both::open() {
        agree::<f32>(&both, 1e-4);
    }
}

#[test]
fn fifty_steps_of_learning_are_the_same_curve() {
    let Some(both) = Both::open() else { return };
    let file = &flows()[0];
    let (mut cpu, mut cuda) =
        (Learner::<f32, _>::new(file, &both.cpu).unwrap(), Learner::<f32, _>::new(file, &both.cuda).unwrap());
    let (mut first, mut last) = (0.0, 0.0);
    for number in 0..50 {
        last = cpu.step(number, Memory::Invert).unwrap();
        first = if number == 0 { last } else { first };
        let found = cuda.step(number, Memory::Invert).unwrap();
        assert!((last - found).abs() < 2e-3, "step {number}: {last} bits/dim on the CPU, {found} on CUDA");
    }
    assert!(last < first - 0.2, "nothing was learnt: {first} to {last} bits/dim");
}

#[test]
fn the_same_run_twice_gives_the_same_bits() {
    let Some(Both { cuda, .. }) = Both::open() else { return };
    let run = || {
        let mut learner = Learner::<f32, _>::new(&flows()[3], &cuda).unwrap();
        (0..5).map(|number| learner.step(number, Memory::Invert).unwrap().to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}

#[test]
fn models_go_from_device_to_device_with_all_their_bits() {
    let Some(both) = Both::open() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (there, back) = (folder.path().join("there.safetensors"), folder.path().join("back.safetensors"));
    for file in flows() {
        let mut learner = Learner::<f32, _>::new(&file, &both.cuda).unwrap();
        learner.step(0, Memory::Invert).unwrap();
        learner.flow.save(&both.cuda, &there, &file, 1, None, &[]).unwrap();
        let on_cpu = Model::<f32, _>::load(&there, &both.cpu, &Registry::default(), false).unwrap();
        on_cpu.flow.save(&both.cpu, &back, &file, 1, None, &[]).unwrap();
        let on_cuda = Model::<f32, _>::load(&back, &both.cuda, &Registry::default(), false).unwrap();
        assert_eq!(std::fs::read(&there).unwrap(), std::fs::read(&back).unwrap(), "{}", file.name);
        assert_eq!(on_cuda.flow.tensors(&both.cuda).unwrap(), learner.flow.tensors(&both.cuda).unwrap());
    }
}

#[test]
fn what_is_mirrored_on_the_host_follows_the_device() {
    let Some(Both { cuda, .. }) = Both::open() else { return };
    let mut learner = Learner::<f32, _>::new(&flows()[1], &cuda).unwrap();
    for number in 0..2 {
        learner.step(number, Memory::Invert).unwrap();
        learner.flow.visit("", &mut |name, parameter| {
            let there = MemoryKernel::download(&cuda, parameter.data()).unwrap();
            assert_eq!(parameter.to_host(&cuda).unwrap(), there, "{name} after step {number}");
        });
    }
}

/// A flow of two levels, for square pictures.
fn of_depth(depth: usize, side: usize, width: usize) -> FlowFile {
    let level = format!("Squeeze(), Repeat({depth}, [ActNorm(), InvertibleConv(), AffineCoupling(width: {width})])");
    let image = format!("(height: {side}, width: {side}, channels: 3, bits: 5)");
    FlowFile::parse("deep", format!("Flow(image: {image}, layers: [{level}, Split(), {level}])")).unwrap()
}

/// In the steady state the minibatch goes in, with tables of addresses and the inverses of small matrices; the loss, the
/// drift and the small matrices come out. However deep the flow is, it is as often.
#[test]
fn what_crosses_from_the_device_does_not_depend_on_depth() {
    let Some(Both { cuda, .. }) = Both::open() else { return };
    if crate::device::has_card() {
        return println!("copies are counted by the emulator only");
    }
    let crossings = |depth: usize| {
        let mut learner = Learner::<f32, _>::new(&of_depth(depth, 4, 8), &cuda).unwrap();
        (0..2).for_each(|number| drop(learner.step(number, Memory::Invert)));
        let folder = emulator::folder().unwrap();
        let before = emulator::counts(folder);
        learner.step(2, Memory::Invert).unwrap();
        let after = emulator::counts(folder);
        (after.copies_out - before.copies_out, after.bytes_out - before.bytes_out)
    };
    let ((few, small), (many, large)) = (crossings(1), crossings(4));
    assert_eq!(few, many, "copies to the host at K = 1 and K = 4");
    // A drift and a size for each level, a density for each image; for each step of the flow W and the logarithms of its scales.
    let matrices = |depth: u64| 4 * depth * (12 * 12 + 12 + 24 * 24 + 24);
    let rest = 2 * 16 + 8 * IMAGES as u64;
    assert_eq!((small - matrices(1), large - matrices(4)), (rest, rest), "bytes beside the small matrices");
}

/// By inversion a step needs on a card what `check` says, beside the parameters, their gradients and the optimizer's state.
#[test]
fn memory_on_a_card_is_as_told_and_does_not_grow_with_depth() {
    if crate::device::has_card() {
        return println!("memory is measured by the emulator only");
    }
    let working = |depth: usize| {
        let Both { cuda, .. } = Both::open()?;
        let folder = emulator::folder()?;
        // Large enough that sums of columns are small beside activations.
        let mut learner = Learner::<f32, _>::new(&of_depth(depth, 32, 128), &cuda).unwrap();
        // What initialised the flow is given back, so that what is held are weights, the optimizer's state and what
        // `prepare` makes; the peak is the step's, with as many gradients as weights.
        cuda.empty_cache();
        emulator::peak(folder);
        let held = emulator::peak(folder);
        (0..2).for_each(|number| drop(learner.step(number, Memory::Invert)));
        let gradients = 4 * learner.flow.trained_count() as u64;
        let told = IMAGES * learner.flow.training_bytes_per_image();
        Some(((emulator::peak(folder) - held - gradients) as usize, told))
    };
    let (Some((shallow, told)), Some((deep, _))) = (working(1), working(3)) else { return };
    println!("{shallow} bytes at K = 1, {deep} at K = 3, told {told}");
    assert!((deep as f64) < 1.2 * shallow as f64, "{shallow} bytes at K = 1, {deep} at K = 3");
    assert!((told / 2..told * 3 / 2).contains(&deep), "{deep} bytes, told {told}");
}
