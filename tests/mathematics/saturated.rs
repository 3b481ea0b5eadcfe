//! Couplings whose network is driven far out: ln scale stays right, and the inverse is right or says that it is lost.

use crate::outcome;
use flowstone::backend::kernels::MemoryKernel;
use flowstone::backend::{Cpu, Device, Initializer};
use flowstone::bijectors::{Coupling, ScaleMap};
use flowstone::laws;
use flowstone::nets::{ConvNet, ConvNetOptions, Net};
use flowstone::{Bijector, Cotangent, Element, Image, ImageShape, ParameterGradients, Parameters};
use proptest::prelude::*;

const SHAPE: ImageShape = ImageShape::new(1, 2, 4);
const MAPS: [ScaleMap; 3] = [ScaleMap::Sigmoid, ScaleMap::Exp, ScaleMap::ClampedTanh { bound: 1.5 }];

/// A network whose every b is near the one given.
fn network<E: Element>(b: f64, seed: u64) -> ConvNet<E, Cpu>
where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    let options = ConvNetOptions { width: 4, ..Default::default() };
    let mut net = ConvNet::new(&Initializer::new(&device, seed), (2, 4), options).unwrap();
    laws::randomize(&mut net, &device, seed, 0.05).unwrap();
    net.visit_mut("", &mut |name, parameter| {
        if name == "conv3.bias" {
            let bias = parameter.to_host(&device).unwrap();
            let moved: Vec<E> = bias.iter().enumerate().map(|(i, &w)| if i % 2 == 1 { E::of(b) } else { w }).collect();
            parameter.set(&device, &moved).unwrap();
        }
    });
    Net::prepare(&mut net, &device).unwrap();
    net
}

/// ln scale, from its definition.
fn log_scale(map: ScaleMap, b: f64) -> f64 {
    match map {
        ScaleMap::Sigmoid if b > -2.0 => -(-b - 2.0).exp().ln_1p(),
        ScaleMap::Sigmoid => b + 2.0 - (b + 2.0).exp().ln_1p(),
        ScaleMap::Exp => b,
        ScaleMap::ClampedTanh { bound } => bound * (b / bound).tanh(),
    }
}

/// Holds a coupling to what numerics.md says of it, element by element, given what its network says.
fn hold<E: Element>(map: ScaleMap, b: f64, seed: u64) -> Result<(), TestCaseError>
where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    let (u, smallest) = (E::epsilon().as_f64() / 2.0, E::min_positive_value().as_f64());
    let coupling = Coupling::affine(4, map, Box::new(network::<E>(b, seed))).unwrap();
    let image = laws::normal_image::<E, Cpu>(&device, 2, SHAPE, seed).unwrap();
    let h = network::<E>(b, seed).forward(&image.channels(0, 2).unwrap()).unwrap();
    let (y, ladj) = coupling.forward_and_ladj(image.clone()).unwrap();
    let back = coupling.inverse(&y).unwrap();
    let g = laws::normal_image::<E, Cpu>(&device, 2, SHAPE, !seed).unwrap();
    let mut gradients = ParameterGradients::zeros(&device, &coupling).unwrap();
    let cotangent = Cotangent::new(g.clone(), &[0.5, -1.0]).unwrap();
    let (rebuilt, d_x) = coupling.pull_back(y.clone(), cotangent, &mut gradients).unwrap();

    let numbers = |image: &Image<E, Cpu>| -> Vec<f64> { image.to_host().unwrap().iter().map(|x| x.as_f64()).collect() };
    let bits = |image: &Image<E, Cpu>| -> Vec<u64> { numbers(image).into_iter().map(f64::to_bits).collect() };
    prop_assert_eq!(bits(&back), bits(&rebuilt), "both inverses are one");
    let [x, y, back, g, d_x] = [&image, &y, &back, &g, &d_x].map(numbers);
    let (mut sums, mut sizes) = ([0.0; 2], [0.0; 2]);
    for (place, h) in numbers(&h).chunks_exact(2).enumerate() {
        let (pixel, i, image) = (place / 2, place / 2 * 4 + 2 + place % 2, place / 4);
        let (ln, shifted) = (log_scale(map, h[1]), x[i] + h[0]);
        // The sum v = b + 2 is rounded before its sigmoid is taken, and ln σ(v) has the slope 1 − σ(v).
        let v = h[1] + 2.0;
        let of_sum = if map == ScaleMap::Sigmoid { v.abs() / (1.0 + v.exp()) } else { 0.0 };
        (sums[image], sizes[image]) = (sums[image] + ln, sizes[image] + ln.abs() + of_sum / 4.0);
        // b + 2 and β·tanh are rounded before they are exponents.
        let relative = u * (8.0 + 2.0 * h[1].abs().max(ln.abs()));
        let scale = ln.exp();
        let here =
            format!("{map:?}, b = {}, pixel {pixel}, scale {scale:e}: x {} y {} back {}", h[1], x[i], y[i], back[i]);
        let largest = E::max_value().as_f64();
        if scale > largest * (1.0 - relative) || (shifted * scale).abs() > largest * (1.0 - relative) {
            prop_assert!(!y[i].is_finite() && !back[i].is_finite(), "{}", here);
            continue;
        }
        prop_assert!(
            (y[i] - shifted * scale).abs() <= relative * (shifted * scale).abs() + smallest * shifted.abs() + smallest,
            "{}",
            here
        );
        prop_assert!(
            (d_x[i] - g[i] * scale).abs() <= relative * (g[i] * scale).abs() + smallest * g[i].abs() + smallest,
            "{}",
            here
        );
        if scale < smallest * (1.0 - relative) {
            prop_assert!(!back[i].is_finite(), "{}", here);
        } else if scale > smallest * (1.0 + relative) {
            // The last u is for a y that is subnormal.
            prop_assert!((back[i] - x[i]).abs() <= u * (3.0 * shifted.abs() + x[i].abs() + 1.0), "{}", here);
        }
    }
    for (image, &ladj) in ladj.to_host().unwrap().iter().enumerate() {
        let bound = 4.0 * u * sizes[image] + f64::EPSILON;
        prop_assert!((ladj - sums[image]).abs() <= bound, "{:?}, {}: {} instead of {}", map, b, ladj, sums[image]);
    }
    let mut all_finite = true;
    coupling.visit("", &mut |_, parameter| {
        let slot = gradients.get(parameter.id()).unwrap();
        all_finite &= MemoryKernel::<E>::download(&device, slot).unwrap().iter().all(|g| g.is_finite());
    });
    let moderate = y.iter().all(|y| y.abs() < E::max_value().as_f64().sqrt());
    prop_assert!(all_finite || !moderate, "gradients of a moderate output are finite");
    Ok(())
}

/// Where b goes: past where the scale has all of its digits in f32, or in f64, last.
const DRIVEN: [f64; 7] = [10.0, 30.0, 80.0, 100.0, 120.0, 735.0, 900.0];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn couplings_are_right_or_say_that_they_are_lost(
        map in prop::sample::select(&MAPS[..]), size in prop::sample::select(&DRIVEN[..]), up: bool, seed: u64,
    ) {
        let b = if up { size } else { -size };
        hold::<f64>(map, b, seed)?;
        hold::<f32>(map, b, seed)?;
    }

    #[test]
    fn couplings_with_saturated_scales_keep_the_laws(
        map in prop::sample::select(&MAPS[..]), b in prop::sample::select(&[-10.0, -4.0, 4.0, 10.0][..]), seed: u64,
    ) {
        let device = Cpu::default();
        let mut coupling = Coupling::affine(4, map, Box::new(network::<f64>(b, seed))).unwrap();
        let x = laws::normal_image(&device, 2, SHAPE, seed).unwrap();
        outcome(laws::hold_as_is(&mut coupling, &x))?;
        // What it says of itself is the largest |ln scale|: ladj is their sum.
        let told = coupling.health(&x).unwrap().log_scale.unwrap();
        let ladj = coupling.forward_and_ladj(x).unwrap().1.to_host().unwrap();
        prop_assert!(ladj.iter().all(|ladj| ladj.abs() <= 4.0 * told + 1e-12 && ladj.abs() > 0.5 * told), "{told}: {ladj:?}");
    }
}
