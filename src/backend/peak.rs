//! The most that this machine's cores can compute: multiply-adds in registers, without memory.

use super::{Element, kernels::vectorised};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

const STEPS: usize = 1 << 16;

vectorised! {
    /// Independent sums, enough of them to hide the latency of a multiply-add and few enough to stay in registers.
    fn multiply_adds<E: Element, const SUMS: usize>(sums: &mut [E; SUMS], factor: E, addend: E) {
        let mut local = *sums;
        for _ in 0..STEPS {
            local.iter_mut().for_each(|sum| *sum = num_traits::Float::mul_add(*sum, factor, addend));
        }
        *sums = local;
    }
}

/// Billions of f32 operations per second of all workers together, a multiply-add counting as two: the best of several
/// tries.
pub fn fma_peak_gflops() -> f64 {
    // For 16 registers of 8 lanes, and for 32 of 16.
    (0..6).map(|_| gflops::<96>().max(gflops::<192>())).fold(0.0, f64::max)
}

fn gflops<const SUMS: usize>() -> f64 {
    let workers = rayon::current_num_threads();
    let begin = Instant::now();
    (0..workers).into_par_iter().with_max_len(1).for_each(|_| {
        let mut sums = [1.0_f32; SUMS];
        multiply_adds::<f32, SUMS>(&mut sums, black_box(0.999), black_box(0.001));
        black_box(sums);
    });
    2.0 * (workers * SUMS * STEPS) as f64 / begin.elapsed().as_secs_f64() / 1e9
}
