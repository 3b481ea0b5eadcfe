//! Autoregressive layers agree with nflows', and with the map of MAF on nflows' masked network.
//!
//! `scripts/parity/autoregressive.py` made the files.

use super::{Tensors, read};
use flowstone::backend::kernels::Spline;
use flowstone::backend::{Cpu, Initializer, PerSample};
use flowstone::bijectors::{Autoregressive, Direction, ElementMap, ScaleMap, Transform};
use flowstone::nets::{Made, MadeOptions};
use flowstone::{Bijector, Image, ImageShape, Parameters};

/// A layer with the weights of a file.
fn layer(file: &Tensors, map: ElementMap, direction: Direction) -> Autoregressive<f64, Cpu> {
    let (device, features, width) = (Cpu::default(), file["x"].0[1], file["hidden.0.bias"].0[0]);
    let options = MadeOptions { hidden: vec![width, width], ..Default::default() };
    let made = Made::new(&Initializer::new(&device, 0), features, map.numbers(), &options).unwrap();
    let mut layer = Autoregressive::new(ImageShape::new(1, 1, features), map, direction, made).unwrap();
    layer.visit_mut("", &mut |name, parameter| {
        let theirs = [
            "order",
            "hidden.0.weight",
            "hidden.0.bias",
            "hidden.1.weight",
            "hidden.1.bias",
            "last.weight",
            "last.bias",
        ];
        let key = theirs.iter().find(|key| name.ends_with(**key)).unwrap_or_else(|| panic!("no tensor for {name}"));
        parameter.set(&device, &file[*key].1).unwrap();
    });
    layer.prepare(&device).unwrap();
    layer
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max);
    assert!(found.len() == expected.len() && off < 1e-9, "{what} is off by {off:e}");
}

#[test]
fn autoregressive_layers_are_those_of_nflows_both_ways() {
    for name in ["autoregressive-spline", "autoregressive-affine"] {
        let file = read(name);
        let map = match file.get("bins") {
            Some(bins) => {
                let (bins, bound) = (bins.1[0] as usize, file["bound"].1[0]);
                ElementMap::Transform(Transform::Spline(Spline { bins, bound }))
            }
            None => ElementMap::Affine(ScaleMap::Exp),
        };
        let (shape, x) = &file["x"];
        let image = |values: &[f64]| {
            Image::from_host(&Cpu::default(), shape[0], ImageShape::new(1, 1, shape[1]), values).unwrap()
        };
        let ladj_of = |ladj: PerSample<Cpu>| ladj.to_host().unwrap();

        let density = layer(&file, map, Direction::Density);
        let (y, ladj) = density.forward_and_ladj(image(x)).unwrap();
        let (y, ladj) = (y.to_host().unwrap(), ladj_of(ladj));
        assert_close("y", &y, &file["y"].1);
        assert_close("ladj", &ladj, &file["ladj"].1);
        let normal = |z: &[f64]| z.iter().map(|z| -0.5 * (z * z + (2.0 * std::f64::consts::PI).ln())).sum::<f64>();
        let log_prob: Vec<f64> = y.chunks(shape[1]).zip(&ladj).map(|(z, ladj)| normal(z) + ladj).collect();
        assert_close("ln p", &log_prob, &file["log_prob"].1);
        assert_close("x", &density.inverse(&image(&y)).unwrap().to_host().unwrap(), x);

        // The other direction is the inverse map.
        let sampling = layer(&file, map, Direction::Sampling);
        let (back, ladj) = sampling.forward_and_ladj(image(&y)).unwrap();
        assert_close("x by the inverse layer", &back.to_host().unwrap(), x);
        let less: Vec<f64> = file["ladj"].1.iter().map(|ladj| -ladj).collect();
        assert_close("ladj of the inverse layer", &ladj_of(ladj), &less);
    }
}
