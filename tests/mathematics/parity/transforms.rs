//! Element-wise transforms agree with nflows, with zuko and with formulas written anew, both ways and in their gradients.
//!
//! The programs in `scripts/parity` made the files.

use super::{Tensors, read};
use flowstone::backend::Cpu;
use flowstone::backend::kernels::{MemoryKernel, MixtureLogistic, Spline, Transform, TransformKernel};

/// The largest difference, absolute or relative, whichever is smaller.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let off = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs().max(1.0);
    found.iter().zip(expected).map(off).fold(0.0, |most, off| if off > most || off.is_nan() { off } else { most })
}

fn agrees(transform: Transform, file: &Tensors, case: usize) {
    let device = Cpu::default();
    let values = |name: &str| file[&format!("{case}.{name}")].1.as_slice();
    let up = |name: &str| device.upload(values(name)).unwrap();
    let close = |what: &str, found: &[f64]| {
        let off = difference(found, values(what));
        assert!(off < 1e-9, "{transform:?}: {what} is off by {off:e}");
    };
    let numbers = up("numbers");

    let (mut y, mut log_slope) = (up("x"), device.upload(&vec![0.0; values("x").len()]).unwrap());
    device.transform(transform, &mut y, &numbers, &mut log_slope).unwrap();
    close("y", &y);
    close("log_slope", &log_slope);

    let mut x = up("inverse_of");
    device.untransform(transform, &mut x, &numbers).unwrap();
    close("inverse", &x);

    let (mut g, mut d_numbers) = (up("g"), device.upload(&vec![0.0; numbers.len()]).unwrap());
    device.transform_gradient(transform, &up("x"), &mut g, &up("g_log_slope"), &numbers, &mut d_numbers).unwrap();
    close("d_x", &g);
    // Where the numbers are another parametrisation's there is no gradient with respect to ours.
    if file.contains_key(&format!("{case}.d_numbers")) {
        close("d_numbers", &d_numbers);
    }
}

#[test]
fn splines_are_those_of_nflows_and_of_zuko() {
    for name in ["splines-nflows", "splines-zuko"] {
        let file = read(name);
        for bins in [3, 8, 16] {
            let bound = file[&format!("{bins}.bound")].1[0];
            agrees(Transform::Spline(Spline { bins, bound }), &file, bins);
        }
    }
}

#[test]
fn mixtures_of_logistics_are_what_their_formulas_say() {
    let file = read("mixtures");
    for components in [1, 2, 4, 8] {
        agrees(Transform::MixtureLogistic(MixtureLogistic { components }), &file, components);
    }
}
