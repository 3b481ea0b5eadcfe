//! The parts of a coupling, at configuration M's first level: `cargo bench`.

use criterion::{Criterion, criterion_group, criterion_main};
use dfdx::tensor::Cache;
use flowstone::backend::{Cpu, Initializer};
use flowstone::bijector::Cotangent;
use flowstone::bijectors::{ActNorm, Coupling, InvertibleConv, ScaleMap, Weight};
use flowstone::nets::{ConvNet, ConvNetOptions, Net};
use flowstone::{Bijector, ImageShape, ParameterGradients, laws};
use std::hint::black_box;

const SHAPE: ImageShape = ImageShape::new(16, 16, 12);

fn bijectors(criterion: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    let initializer = Initializer::new(&device, 0);
    let net = || {
        let options = ConvNetOptions { width: 128, ..Default::default() };
        Box::new(ConvNet::<f32, Cpu>::new(&initializer, (6, 12), options).unwrap())
    };
    let x = laws::normal_image::<f32, _>(&device, 4, SHAPE, 1).unwrap();
    let half = x.channels(0, 6).unwrap();
    let network = net();
    criterion.bench_function("network, forward", |b| b.iter(|| black_box(network.forward(&half).unwrap())));

    let all: [(&str, Box<dyn Bijector<f32, Cpu>>); 3] = [
        ("actnorm", Box::new(ActNorm::new(&initializer, 12, 3.0).unwrap())),
        ("invertible conv", Box::new(InvertibleConv::new(&initializer, 12, Weight::Plain).unwrap())),
        ("affine coupling", Box::new(Coupling::affine(12, ScaleMap::Sigmoid, net()).unwrap())),
    ];
    for (name, mut bijector) in all {
        laws::randomize(bijector.as_mut(), &device, 3, 0.05).unwrap();
        bijector.prepare(&device).unwrap();
        let y = bijector.forward(&x).unwrap();
        criterion.bench_function(&format!("{name}, forward"), |b| {
            b.iter(|| black_box(bijector.forward_and_ladj(x.clone()).unwrap()));
        });
        criterion.bench_function(&format!("{name}, inverse"), |b| {
            b.iter(|| black_box(bijector.inverse_of(y.clone()).unwrap()));
        });
        let mut grads = ParameterGradients::zeros(&device, bijector.as_ref()).unwrap();
        criterion.bench_function(&format!("{name}, pull back"), |b| {
            b.iter(|| {
                let cotangent = Cotangent::new(y.clone(), &[0.1; 4]).unwrap();
                black_box(bijector.pull_back(y.clone(), cotangent, &mut grads).unwrap())
            });
        });
    }
}

criterion_group!(benches, bijectors);
criterion_main!(benches);
