//! Which library multiplies best at a flow's shapes: `cargo bench --bench products`.
//!
//! One thread, f32, the best of many repetitions in GFLOP/s: the best is what a product takes when nothing else
//! disturbs it. Row-major matrices; `T` marks the one that is read transposed.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A product `[m, k] · [k, n]`, and which side is transposed.
struct Case {
    name: &'static str,
    m: usize,
    k: usize,
    n: usize,
    left_transposed: bool,
    right_transposed: bool,
}

/// What a network of so many channels and hidden width multiplies, forward and backward, for so many pixels.
fn cases(channels: usize, width: usize, rows: usize) -> Vec<Case> {
    let (thin, taps) = (9 * (channels / 2 + 1), 9 * channels);
    let case =
        |name, m, k, n, left_transposed, right_transposed| Case { name, m, k, n, left_transposed, right_transposed };
    vec![
        case("1×1 conv", rows, channels, channels, false, false),
        case("conv1", rows, thin, width, false, false),
        case("conv2", rows, width, width, false, false),
        case("conv3", rows, width, taps, false, false),
        case("conv3, T right", rows, taps, width, false, true),
        case("conv2, T right", rows, width, width, false, true),
        case("conv1, T right", rows, width, thin, false, true),
        case("conv1, T left", thin, rows, width, true, false),
        case("conv2, T left", width, rows, width, true, false),
        case("conv3, T left", width, rows, taps, true, false),
    ]
}

/// Row and column strides of a row-major `[rows, columns]`, or of the transpose of a row-major `[columns, rows]`.
fn strides(rows: usize, columns: usize, transposed: bool) -> (isize, isize) {
    if transposed { (1, rows as isize) } else { (columns as isize, 1) }
}

fn gemm_crate(case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
    let (m, k, n) = (case.m, case.k, case.n);
    let ((ar, ac), (br, bc)) = (strides(m, k, case.left_transposed), strides(k, n, case.right_transposed));
    // SAFETY: the slices hold m·k, k·n and m·n elements, which is what the strides reach.
    unsafe {
        let (c, a, b) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
        let none = gemm::Parallelism::None;
        gemm::gemm(m, n, k, c, 1, n as isize, false, a, ac, ar, b, bc, br, 1.0, 1.0, false, false, false, none);
    }
}

fn faer_crate(case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
    let view = |x, rows, columns, transposed: bool| {
        if transposed {
            MatRef::from_column_major_slice(x, rows, columns)
        } else {
            MatRef::from_row_major_slice(x, rows, columns)
        }
    };
    let a = view(a, case.m, case.k, case.left_transposed);
    let b = view(b, case.k, case.n, case.right_transposed);
    matmul(MatMut::from_row_major_slice_mut(c, case.m, case.n), Accum::Replace, a, b, 1.0, Par::Seq);
}

fn matrixmultiply_crate(case: &Case, a: &[f32], b: &[f32], c: &mut [f32]) {
    let (m, k, n) = (case.m, case.k, case.n);
    let ((ar, ac), (br, bc)) = (strides(m, k, case.left_transposed), strides(k, n, case.right_transposed));
    // SAFETY: as in `gemm_crate`.
    unsafe {
        let (c, a, b) = (c.as_mut_ptr(), a.as_ptr(), b.as_ptr());
        matrixmultiply::sgemm(m, k, n, 1.0, a, ar, ac, b, br, bc, 0.0, c, n as isize, 1);
    }
}

type Product = fn(&Case, &[f32], &[f32], &mut [f32]);

/// The best of repetitions for a while, in GFLOP/s.
fn best(case: &Case, product: Product) -> f64 {
    let a = vec![0.5; case.m * case.k];
    let b = vec![0.25; case.k * case.n];
    let mut c = vec![0.0; case.m * case.n];
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed() < Duration::from_millis(60) {
        let start = Instant::now();
        product(case, black_box(&a), black_box(&b), black_box(&mut c));
        best = best.min(start.elapsed().as_secs_f64());
    }
    (2 * case.m * case.k * case.n) as f64 / best / 1e9
}

fn main() {
    let libraries: [(&str, Product); 3] =
        [("gemm", gemm_crate), ("faer", faer_crate), ("matrixmultiply", matrixmultiply_crate)];
    for (flow, channels, width, rows) in [
        ("S, level 1", 12, 64, 64 * 32),
        ("S, level 2", 24, 64, 16 * 32),
        ("M, level 1", 12, 128, 256 * 8),
        ("M, level 3", 48, 128, 16 * 8),
        ("P, level 1", 12, 512, 256 * 4),
        ("P, level 3", 48, 512, 16 * 4),
    ] {
        println!("{flow}: {channels} channels, width {width}, {rows} pixels");
        println!("{:<18}{:>20}{}", "", "m × k × n", libraries.map(|(name, _)| format!("{name:>16}")).concat());
        for case in cases(channels, width, rows) {
            let size = format!("{} × {} × {}", case.m, case.k, case.n);
            let rates = libraries.map(|(_, product)| format!("{:>16.1}", best(&case, product)));
            println!("{:<18}{size:>20}{}", case.name, rates.concat());
        }
    }
}
