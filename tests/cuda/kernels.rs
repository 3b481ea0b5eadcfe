//! Every kernel gives on `Cuda` what it gives on `Cpu`, in both precisions, for shapes of less and of more than a block.

use crate::device::{self, Both, close};
use crate::emulator;
use flowstone::Element;
use flowstone::backend::kernels::{
    Activation, AdamStep, AdamaxStep, AttentionForm, CouplingForm, CouplingLayout, CouplingMap, HiddenGradients,
    HiddenLayers, MemoryKernel, MixtureLogistic, Moving, Operand, Spline, Transform,
};
use flowstone::backend::{Buffer, Device, ImageShape};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::{Error, Result};
use proptest::prelude::*;
use std::process::Command;

#[derive(Clone, Copy, Debug)]
struct Case {
    shape: ImageShape,
    batch: usize,
    seed: u64,
}

impl Case {
    fn rows(&self) -> usize {
        self.batch * self.shape.pixels()
    }

    fn dims(&self) -> usize {
        self.batch * self.shape.dims()
    }
}

/// Even sides and channels; up to 2 × 16 × 12 × 8 elements an image, several blocks.
fn cases() -> impl Strategy<Value = Case> {
    (1..=8_usize, 1..=6_usize, 1..=4_usize, 1..=3_usize, any::<u64>()).prop_map(|(height, width, half, batch, seed)| {
        Case { shape: ImageShape::new(2 * height, 2 * width, 2 * half), batch, seed }
    })
}

/// What kernels gave, each under its name.
type Results = Vec<(&'static str, Vec<f64>)>;

/// A device with random buffers, and what its kernels gave so far.
struct Bench<'a, D> {
    device: &'a D,
    seed: u64,
    drawn: u64,
    results: Results,
}

impl<'a, D> Bench<'a, D> {
    fn new(device: &'a D, case: Case) -> Self {
        Self { device, seed: case.seed, drawn: 0, results: Vec::new() }
    }

    fn normals(&mut self, len: usize) -> Vec<f64> {
        let mut values = vec![0.0; len];
        self.drawn += 1;
        NoiseKey::new(self.seed, Purpose::Check).normal(self.drawn, &mut values);
        values
    }

    /// Standard normal numbers.
    fn random<E: Element>(&mut self, len: usize) -> Result<Buffer<E, D>>
    where
        D: Device<E>,
    {
        let values: Vec<E> = self.normals(len).into_iter().map(E::of).collect();
        self.device.upload(&values)
    }

    fn give<E: Element>(&mut self, name: &'static str, buffer: &Buffer<E, D>) -> Result<()>
    where
        D: MemoryKernel<E>,
    {
        let values = self.device.download(buffer)?.into_iter().map(E::as_f64).collect();
        self.results.push((name, values));
        Ok(())
    }
}

/// Tries kernels on both devices, in both precisions.
macro_rules! agree {
    ($($(#[$meta:meta])* $test:ident: $kernels:ident;)*) => {$(
        #[test]
        $(#[$meta])*
        fn $test() {
            let Some(both) = Both::open() else { return };
            let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
            proptest!(config, |(case in cases())| {
                let compare = |cpu: Result<Results>, cuda: Result<Results>, tolerance| -> std::result::Result<(), TestCaseError> {
                    let (cpu, cuda) = (cpu.map_err(failed)?, cuda.map_err(failed)?);
                    prop_assert_eq!(cpu.len(), cuda.len());
                    for ((name, cpu), (_, cuda)) in cpu.iter().zip(&cuda) {
                        prop_assert!(close(cpu, cuda, tolerance).is_ok(), "{}: {}", name, close(cpu, cuda, tolerance).unwrap_err());
                    }
                    Ok(())
                };
                compare($kernels::<f64, _>(&both.cpu, case), $kernels::<f64, _>(&both.cuda, case), 1e-12)?;
                compare($kernels::<f32, _>(&both.cpu, case), $kernels::<f32, _>(&both.cuda, case), 2e-5)?;
            });
        }
    )*};
}

fn failed(error: Error) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

agree! {
    buffers_are_filled_added_and_measured_alike: memory;
    channels_are_mapped_alike: channel;
    pictures_are_squeezed_alike: squeeze;
    pictures_are_resized_alike: resize;
    logits_are_taken_alike: logit;
    neighbours_are_gathered_alike: convolution;
    couplings_and_gaussians_are_alike: coupling;
    transforms_and_checkerboards_are_alike: transforms;
    networks_are_alike: networks;
    densities_are_alike: density;
    small_matrices_are_added_alike: matrix;
    optimizers_step_alike: optimizer;
    grey_levels_and_random_numbers_are_alike: pixel;
    products_are_alike: product;
    hidden_layers_are_alike: network;
}

fn memory<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (mut a, b) = (bench.random::<E>(case.dims())?, bench.random::<E>(case.dims())?);
    let (mut c, d) = (bench.random::<E>(case.dims())?, bench.random::<E>(case.dims())?);
    let (a, b, c, d) = (&mut a, &b, &mut c, &d);
    let (difference, size) = MemoryKernel::<E>::max_difference(device, a, b)?;
    let squares = MemoryKernel::<E>::sum_of_squares(device, vec![a, b, c])?;
    bench.results.push(("max_difference, sum_of_squares", vec![difference, size, squares]));
    MemoryKernel::<E>::add_assign(device, a, b)?;
    MemoryKernel::<E>::scale(device, a, -0.7)?;
    MemoryKernel::<E>::add_scalar(device, a, 0.3)?;
    MemoryKernel::<E>::accumulate(device, vec![(a, d), (c, b)])?;
    bench.give::<E>("add, scale, accumulate", a)?;
    bench.give::<E>("accumulate", c)?;
    let mut filled = MemoryKernel::<E>::copy(device, c)?;
    MemoryKernel::<E>::fill(device, &mut filled, E::of(2.5))?;
    bench.give::<E>("fill", &filled)?;
    bench.give::<E>("copy leaves the original", c)?;
    let short = bench.random::<E>(3)?;
    let none = bench.random::<E>(0)?;
    let all = MemoryKernel::<E>::download_all(device, vec![&short, a, &none, c])?;
    bench.results.push(("download_all", all.concat().into_iter().map(E::as_f64).collect()));
    // A number that is none is not lost among others.
    let mut broken: Vec<E> = device.download(a)?;
    broken[case.dims() / 2] = E::nan();
    let (difference, _) = MemoryKernel::<E>::max_difference(device, &device.upload(&broken)?, a)?;
    bench.results.push(("max_difference of NaN is NaN", vec![f64::from(u8::from(difference.is_nan()))]));
    Ok(bench.results)
}

fn channel<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let channels = case.shape.channels;
    let (mut x, mut g) = (bench.random::<E>(case.dims())?, bench.random::<E>(case.dims())?);
    let (bias, logs) = (bench.random::<E>(channels)?, bench.random::<E>(channels)?);
    let scale = device.exp_scaled(&logs, 0.3)?;
    bench.give::<E>("exp_scaled", &scale)?;
    device.affine(&mut x, &bias, &scale)?;
    bench.give::<E>("affine", &x)?;
    let (mut d_bias, mut d_logs) = (bench.random::<E>(channels)?, bench.random::<E>(channels)?);
    device.affine_gradient(&x, &mut g, &scale, 3.0, &mut d_bias, &mut d_logs)?;
    for (name, buffer) in [("g", &g), ("d_bias", &d_bias), ("d_logs", &d_logs)] {
        bench.give::<E>(name, buffer)?;
    }
    let (mean, variance) = device.channel_statistics(&x, channels)?;
    bench.results.push(("channel_statistics", [mean, variance].concat()));
    let order: Vec<E> = (0..channels).map(|k| E::of(((k + 1) % channels) as f64)).collect();
    let order = device.upload(&order)?;
    bench.give::<E>("permute_channels", &device.permute_channels(&x, &order, false)?)?;
    bench.give::<E>("permute_channels back", &device.permute_channels(&x, &order, true)?)?;
    let part = device.slice_channels(&x, case.rows(), channels, 1, channels - 1)?;
    bench.give::<E>("slice_channels", &part)?;
    device.add_channels(&mut x, channels, 0, &part, channels - 1)?;
    bench.give::<E>("add_channels", &x)?;
    device.place_channels(&mut x, case.rows(), channels, 0, &part, channels - 1)?;
    bench.give::<E>("place_channels", &x)?;
    let per_image = device.sum_over_pixels(&x, case.shape.pixels(), channels)?;
    bench.give::<E>("sum_over_pixels", &per_image)?;
    let base = device.sum_over_batch(&x, case.shape.dims())?;
    bench.give::<E>("sum_over_batch", &base)?;
    bench.give::<E>("add_per_image", &device.add_per_image(&base, &per_image, channels)?)?;
    device.affine_inverse(&mut x, &bias, &scale)?;
    bench.give::<E>("affine_inverse", &x)?;
    device.affine_relu(&mut x, &bias, &scale)?;
    bench.give::<E>("affine_relu", &x)?;
    Ok(bench.results)
}

fn squeeze<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let x = bench.random::<E>(case.dims())?;
    let y = device.squeeze(&x, case.shape)?;
    bench.give::<E>("squeeze", &y)?;
    bench.give::<E>("unsqueeze", &device.unsqueeze(&x, case.shape)?)?;
    Ok(bench.results)
}

fn resize<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let x = bench.random::<E>(case.dims())?;
    let ImageShape { height, width, .. } = case.shape;
    bench.give::<E>("resize, repeating", &device.resize(&x, case.shape, (2 * height, 3 * width), 1.0)?)?;
    bench.give::<E>("resize, summing", &device.resize(&x, case.shape, (height / 2, 1), 0.25)?)?;
    bench.give::<E>("resize, both", &device.resize(&x, case.shape, (1, 2 * width), 0.5)?)?;
    Ok(bench.results)
}

fn logit<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (mut y, mut g) = (bench.random::<E>(case.dims())?, bench.random::<E>(case.dims())?);
    let g_ladj: Buffer<f64, D> = device.upload(&vec![-0.7; case.batch])?;
    device.logit_gradient(0.1, &y, &mut g, &g_ladj)?;
    bench.give::<E>("logit_gradient", &g)?;
    device.logit_inverse(0.1, &mut y)?;
    bench.give::<E>("logit_inverse", &y)?;
    // Well inside of the interval, where a logit has its digits.
    MemoryKernel::<E>::scale(device, &mut y, 0.5)?;
    let mut ladj: Buffer<f64, D> = device.upload(&vec![1.5; case.batch])?;
    device.logit(0.1, &mut y, &mut ladj)?;
    bench.give::<E>("logit", &y)?;
    bench.give::<f64>("logit's ladj", &ladj)?;
    Ok(bench.results)
}

fn convolution<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (shape, channels) = (case.shape, case.shape.channels);
    let x = bench.random::<E>(case.dims())?;
    for edge in [false, true] {
        bench.give::<E>("unfold", &device.unfold(&x, shape, edge)?)?;
        let u = bench.random::<E>(case.rows() * 9 * (channels + usize::from(edge)))?;
        bench.give::<E>("fold", &device.fold(&u, shape, edge)?)?;
    }
    let taps = bench.random::<E>(9 * case.dims())?;
    let weight = bench.random::<E>(9 * channels + 5)?;
    bench.give::<E>("sum_taps", &device.sum_taps(&taps, shape, None)?)?;
    bench.give::<E>("sum_taps with an edge", &device.sum_taps(&taps, shape, Some((&weight, 5)))?)?;
    bench.give::<E>("spread_taps", &device.spread_taps(&x, shape, None)?)?;
    let mut d_weight = bench.random::<E>(9 * channels + 5)?;
    bench.give::<E>("spread_taps with an edge", &device.spread_taps(&x, shape, Some((&mut d_weight, 5)))?)?;
    bench.give::<E>("the edge's gradient", &d_weight)?;
    Ok(bench.results)
}

fn coupling<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    use CouplingLayout::{Halves, Interleaved};
    use CouplingMap::{Additive, ClampedTanh, Exp, Sigmoid, Standardize};
    let mut bench = Bench::new(device, case);
    let half = case.shape.channels / 2;
    let forms = [
        (half, Additive, Interleaved),
        (half, Sigmoid, Interleaved),
        (half, Exp, Interleaved),
        (half, ClampedTanh { bound: 2.0 }, Interleaved),
        (half, Standardize, Interleaved),
        (0, Standardize, Halves),
    ];
    for (start, map, layout) in forms {
        let form = CouplingForm { shape: case.shape, start, map, layout };
        // The network's output of each image, and of one for all.
        for images in [case.batch, 1] {
            let mut x = bench.random::<E>(case.dims())?;
            let h = bench.random::<E>(images * case.shape.pixels() * form.network_channels())?;
            let mut ladj: Buffer<f64, D> = device.upload(&vec![0.25; case.batch])?;
            device.couple(form, &mut x, &h, &mut ladj)?;
            bench.give::<E>("couple", &x)?;
            bench.give::<f64>("ladj", &ladj)?;
            let mut g = bench.random::<E>(case.dims())?;
            let mut d_h = bench.random::<E>(images * case.shape.pixels() * form.network_channels())?;
            let g_ladj: Buffer<f64, D> = device.upload(&vec![-0.6; case.batch])?;
            device.couple_gradient(form, &x, &mut g, &g_ladj, &h, &mut d_h)?;
            bench.give::<E>("the gradient of x", &g)?;
            bench.give::<E>("the gradient of h", &d_h)?;
            device.uncouple(form, &mut x, &h)?;
            bench.give::<E>("uncouple", &x)?;
        }
    }
    Ok(bench.results)
}

fn transforms<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    for parity in [0, 1] {
        let (mut x, y) = (bench.random::<E>(case.dims())?, bench.random::<E>(case.dims() / 2)?);
        bench.give::<E>("take_pixels", &device.take_pixels(&x, case.shape, parity)?)?;
        device.put_pixels(&mut x, case.shape, parity, &y)?;
        bench.give::<E>("put_pixels", &x)?;
    }
    let forms = [
        Transform::Spline(Spline { bins: 1, bound: 2.0 }),
        Transform::Spline(Spline { bins: 5, bound: 1.5 }),
        Transform::MixtureLogistic(MixtureLogistic { components: 1 }),
        Transform::MixtureLogistic(MixtureLogistic { components: 4 }),
    ];
    for transform in forms {
        let mut x = bench.random::<E>(case.dims())?;
        let h = bench.random::<E>(case.dims() * transform.numbers())?;
        let mut g = bench.random::<E>(case.dims())?;
        let mut d_h = bench.random::<E>(case.dims() * transform.numbers())?;
        let g_ladj: Buffer<f64, D> = device.upload(&vec![-0.6; case.batch])?;
        device.transform_gradient(transform, &x, &mut g, &g_ladj, &h, &mut d_h)?;
        bench.give::<E>("the gradient of x", &g)?;
        bench.give::<E>("the gradient of h", &d_h)?;
        let mut ladj: Buffer<f64, D> = device.upload(&vec![0.25; case.batch])?;
        device.transform(transform, &mut x, &h, &mut ladj)?;
        bench.give::<E>("transform", &x)?;
        bench.give::<f64>("ladj", &ladj)?;
        device.untransform(transform, &mut x, &h)?;
        bench.give::<E>("untransform", &x)?;
    }
    Ok(bench.results)
}

fn networks<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (channels, dims) = (case.shape.channels, case.dims());
    for activation in [Activation::Relu, Activation::Tanh] {
        let (mut x, mut g) = (bench.random::<E>(dims)?, bench.random::<E>(dims)?);
        device.activate(activation, &mut x)?;
        bench.give::<E>("activate", &x)?;
        device.activate_gradient(activation, &x, &mut g)?;
        bench.give::<E>("activate_gradient", &g)?;
    }
    let (mut y, x) = (bench.random::<E>(dims)?, bench.random::<E>(dims)?);
    device.multiply(&mut y, &x)?;
    bench.give::<E>("multiply", &y)?;
    device.divide(&mut y, &x)?;
    bench.give::<E>("divide", &y)?;

    let (x, wide) = (bench.random::<E>(dims)?, bench.random::<E>(2 * dims)?);
    bench.give::<E>("concat_elu", &device.concat_elu(&x, channels)?)?;
    bench.give::<E>("concat_elu_gradient", &device.concat_elu_gradient(&x, &wide, channels)?)?;
    bench.give::<E>("gate", &device.gate(&wide, channels)?)?;
    bench.give::<E>("gate_gradient", &device.gate_gradient(&wide, &x, channels)?)?;

    let (mut y, mut g) = (bench.random::<E>(dims)?, bench.random::<E>(dims)?);
    device.normalise_gradient(&y, &mut g, channels)?;
    bench.give::<E>("normalise_gradient", &g)?;
    device.normalise(&mut y, channels)?;
    bench.give::<E>("normalise", &y)?;

    let (qkv, g) = (bench.random::<E>(3 * dims)?, bench.random::<E>(dims)?);
    for heads in [1, 2] {
        let form = AttentionForm { pixels: case.shape.pixels(), channels, heads };
        let (out, normalisers) = device.attend(form, &qkv)?;
        bench.give::<E>("attend", &out)?;
        bench.give::<E>("the normalisers of attend", &normalisers)?;
        bench.give::<E>("attend_gradient", &device.attend_gradient(form, &qkv, (&out, &normalisers), &g)?)?;
    }
    let mut x = bench.random::<E>(dims)?;
    device.add_places(&mut x, case.shape)?;
    bench.give::<E>("add_places", &x)?;
    Ok(bench.results)
}

fn density<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let z = bench.random::<E>(case.dims())?;
    let mut log_density: Buffer<f64, D> = device.upload(&vec![1.5; case.batch])?;
    device.normal_log_density(&z, &mut log_density)?;
    bench.give::<f64>("normal_log_density", &log_density)?;
    bench.give::<E>("normal_log_density_gradient", &device.normal_log_density_gradient(&z, &log_density)?)?;
    Ok(bench.results)
}

fn matrix<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let n = case.shape.channels;
    let (mut y, a) = (bench.random::<E>(n * n)?, bench.random::<E>(n * n)?);
    let (b, c) = (bench.random::<E>(n * n)?, bench.random::<E>(n * n)?);
    device.add_transposed(&mut y, &a, n, 0.7)?;
    bench.give::<E>("add_transposed", &y)?;
    device.add_lu_gradient(&mut y, &a, &b, &c, n, 1.3)?;
    bench.give::<E>("add_lu_gradient", &y)?;
    Ok(bench.results)
}

fn optimizer<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    // A large parameter and a small one, at once.
    let lengths = [case.dims(), 3];
    let mut buffers = || -> Result<_> { Ok((bench.random::<E>(lengths[0])?, bench.random::<E>(lengths[1])?)) };
    let ((mut w1, mut w2), (g1, g2), (mut m1, mut m2), (mut v1, mut v2)) =
        (buffers()?, buffers()?, buffers()?, buffers()?);
    // Running means of squares are not negative.
    for v in [&mut v1, &mut v2] {
        let squares: Vec<E> = device.download(v)?.into_iter().map(|v: E| v * v).collect();
        *v = device.upload(&squares)?;
    }
    let adam = AdamStep { beta1: 0.9, beta2: 0.99, epsilon: 1e-3, step_size: 0.1, second_correction: 1.2 };
    let adamax = AdamaxStep { beta1: 0.9, beta2: 0.99, epsilon: 1e-3, step_size: 0.1 };
    for rule in ["adam", "adamax"] {
        let parameters = vec![
            Moving { weights: &mut w1, gradient: &g1, first: &mut m1, second: &mut v1 },
            Moving { weights: &mut w2, gradient: &g2, first: &mut m2, second: &mut v2 },
        ];
        if rule == "adam" { device.adam(adam, parameters) } else { device.adamax(adamax, parameters) }?;
    }
    let (mut rest1, mut rest2) = (bench.random::<E>(lengths[0])?, bench.random::<E>(lengths[1])?);
    device.average(0.3, vec![(&mut m1, &mut rest1, &w1), (&mut m2, &mut rest2, &w2)])?;
    let moved =
        [("w", &w1), ("w", &w2), ("m", &m1), ("m", &m2), ("v", &v1), ("v", &v2), ("rest", &rest1), ("rest", &rest2)];
    for (name, buffer) in moved {
        bench.give::<E>(name, buffer)?;
    }
    Ok(bench.results)
}

fn pixel<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let levels: Vec<u8> = (0..case.dims()).map(|i| (i * 37 % 17) as u8).collect();
    // Numbers of images and steps beyond 32 bits are heard.
    let numbers: Vec<u64> = (0..case.batch as u64).map(|i| (1 << 40) + 7 * i).collect();
    let key = NoiseKey::new(case.seed, Purpose::Dequantize).at((1 << 34) + 5);
    for key in [None, Some(key)] {
        let x = device.dequantize(&levels, &numbers, 17, key)?;
        // Not nearly: to the bit.
        let bits = device.download(&x)?.into_iter().map(|x: E| (x.as_f64().to_bits() >> 29) as f64).collect();
        bench.results.push(("dequantize", bits));
        let again = device.quantize(&x, case.shape.dims(), 17)?;
        assert_eq!(again, (levels.clone(), vec![false; case.batch]), "grey levels come back");
    }
    bench.give::<E>("normals", &device.normals(&numbers, case.shape.dims(), 0.7, key)?)?;
    let wild = [f64::NAN, -9.0, 9.0, f64::INFINITY, 0.2].map(E::of);
    let (wild, lost) = device.quantize(&device.upload(&wild)?, 2, 17)?;
    assert_eq!(lost, [true, true, false], "what is far away is not lost");
    bench.results.push(("quantize", wild.into_iter().map(f64::from).collect()));
    Ok(bench.results)
}

fn product<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (m, k, n) = (case.rows(), case.shape.channels, 2 * case.batch + 1);
    let (a, b) = (bench.random::<E>(m * k)?, bench.random::<E>(k * n)?);
    for which in 0..8 {
        let mut c = bench.random::<E>(m * n)?;
        let left = if which & 1 == 0 { Operand::Plain(&a) } else { Operand::Transposed(&a) };
        let right = if which & 2 == 0 { Operand::Plain(&b) } else { Operand::Transposed(&b) };
        device.product((m, k, n), left, right, &mut c, which & 4 != 0)?;
        bench.give::<E>("product", &c)?;
    }
    Ok(bench.results)
}

fn network<E: Element, D: Device<E>>(device: &D, case: Case) -> Result<Results> {
    let mut bench = Bench::new(device, case);
    let (width, taps) = (6, 4);
    for edge in [false, true] {
        let columns = 9 * (case.shape.channels + usize::from(edge));
        let x = bench.random::<E>(case.dims())?;
        let lengths = [columns * width, width * width, width * taps, width, width, width, width];
        let mut buffers =
            || -> Result<Vec<Buffer<E, D>>> { lengths.iter().map(|&len| bench.random::<E>(len)).collect() };
        let (parameters, mut gradients) = (buffers()?, buffers()?);
        let [w1, w2, w3, b1, s1, b2, s2] = &parameters[..] else { panic!("seven") };
        let (norm1, norm2) = ((b1, s1), (b2, s2));
        let layers = HiddenLayers { conv1: w1, norm1, conv2: w2, norm2, conv3: w3, width, taps, edge };
        bench.give::<E>("hidden", &device.hidden(&x, case.shape, &layers)?)?;
        let (out, [h1, h2]) = device.hidden_keeping(&x, case.shape, &layers)?;
        for (name, buffer) in [("taps", &out), ("h1", &h1), ("h2", &h2)] {
            bench.give::<E>(name, buffer)?;
        }
        let g_taps = bench.random::<E>(case.rows() * taps)?;
        let [conv1, conv2, conv3, d_b1, d_s1, d_b2, d_s2] = &mut gradients[..] else { panic!("seven") };
        let (norm1, norm2) = ((d_b1, d_s1), (d_b2, d_s2));
        let grads = HiddenGradients { conv1, norm1, conv2, norm2, conv3, factor: 3.0 };
        let g_x = device.hidden_gradient(&x, case.shape, &layers, [&h1, &h2], &g_taps, grads)?;
        bench.give::<E>("the gradient of x", &g_x)?;
        for gradient in &gradients {
            bench.give::<E>("a parameter's gradient", gradient)?;
        }
    }
    Ok(bench.results)
}

/// On a card threads run in any order.
#[test]
fn kernels_do_not_depend_on_the_order_of_their_threads() {
    if device::has_card() || emulator::folder().is_none() {
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.arg("alike").env("EMULATED_ORDER", "reversed").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("15 passed"));
}
