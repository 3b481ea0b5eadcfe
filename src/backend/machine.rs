//! What a device is called, and the most that it can compute: what measurements are compared with.

use super::kernels::{MemoryKernel, Operand, ProductKernel, vectorised};
use super::{Cpu, Element};
use crate::{Error, Result};
use dfdx::tensor::Synchronize;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// A device as a benchmark sees it. Peaks are in billions of f32 operations per second, a multiply-add counting as two.
pub trait Machine: Synchronize {
    /// What it is called: `cpu`, or the card's name.
    ///
    /// # Errors
    /// [`Error::Device`] where a card does not tell.
    fn name(&self) -> Result<String>;

    /// The threads that share its work, where there are any.
    fn threads(&self) -> Option<usize>;

    /// What it reaches on products of large matrices.
    ///
    /// # Errors
    /// Whatever computing a product reports.
    fn product_peak_gflops(&self) -> Result<f64>;

    /// What its cores reach on multiply-adds in registers, where this program can measure that.
    fn fma_peak_gflops(&self) -> Option<f64>;

    /// Waits until all that was asked of it is done.
    ///
    /// # Errors
    /// [`Error::Device`] where something of it failed.
    fn wait(&self) -> Result<()> {
        self.try_synchronize().map_err(|error| Error::Device(error.to_string()))
    }
}

impl Machine for Cpu {
    fn name(&self) -> Result<String> {
        Ok("cpu".into())
    }

    fn threads(&self) -> Option<usize> {
        Some(rayon::current_num_threads())
    }

    /// All threads at once, each multiplying matrices of its own: the best of several tries.
    fn product_peak_gflops(&self) -> Result<f64> {
        const SIDE: usize = 768;
        let values = without_pattern(SIDE * SIDE);
        let once = |repetitions: usize| -> Result<f64> {
            let begin = Instant::now();
            let results = rayon::broadcast(|_| multiply(&Cpu::default(), &values, SIDE, repetitions).map(drop));
            results.into_iter().collect::<Result<()>>()?;
            let products = repetitions * rayon::current_num_threads();
            Ok(billions(SIDE) * products as f64 / begin.elapsed().as_secs_f64())
        };
        once(2)?;
        (0..6).map(|_| once(10)).try_fold(0.0, |best, gflops| Ok(f64::max(best, gflops?)))
    }

    /// All threads together: the best of several tries.
    fn fma_peak_gflops(&self) -> Option<f64> {
        // For 16 registers of 8 lanes, and for 32 of 16.
        Some((0..6).map(|_| in_registers::<96>().max(in_registers::<192>())).fold(0.0, f64::max))
    }
}

/// Billions of operations of a product of square matrices.
fn billions(side: usize) -> f64 {
    2.0 * (side as f64).powi(3) / 1e9
}

/// Numbers that are not alike: hardware can be faster on equal ones.
fn without_pattern(count: usize) -> Vec<f32> {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    (0..count).map(|i| ((i as f64 * GOLDEN).fract() - 0.5) as f32).collect()
}

/// Seconds of products of two square matrices, one after the other.
fn multiply<D>(device: &D, values: &[f32], side: usize, repetitions: usize) -> Result<f64>
where
    D: Machine + MemoryKernel<f32> + ProductKernel<f32>,
{
    let a = device.upload(values)?;
    let mut c = device.zeros(values.len())?;
    device.wait()?;
    let begin = Instant::now();
    for _ in 0..repetitions {
        device.product((side, side, side), Operand::Plain(&a), Operand::Plain(&a), &mut c, false)?;
    }
    device.wait()?;
    Ok(begin.elapsed().as_secs_f64())
}

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

/// Billions of operations per second of all workers together on multiply-adds in registers.
fn in_registers<const SUMS: usize>() -> f64 {
    let workers = rayon::current_num_threads();
    let begin = Instant::now();
    (0..workers).into_par_iter().with_max_len(1).for_each(|_| {
        let mut sums = [1.0_f32; SUMS];
        multiply_adds::<f32, SUMS>(&mut sums, black_box(0.999), black_box(0.001));
        black_box(sums);
    });
    2.0 * (workers * SUMS * STEPS) as f64 / begin.elapsed().as_secs_f64() / 1e9
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::{Cuda, cuda};

    /// A product that takes so long, in seconds, is large enough to be judged by.
    const LONG: f64 = 0.005;

    impl Machine for Cuda {
        fn name(&self) -> Result<String> {
            cuda::description(self)
        }

        fn threads(&self) -> Option<usize> {
            None
        }

        /// The best of larger and larger matrices, until one product takes long enough.
        fn product_peak_gflops(&self) -> Result<f64> {
            let mut best: f64 = 0.0;
            for side in [512, 1024, 2048, 4096, 8192] {
                let values = without_pattern(side * side);
                // The first product of a size also loads what the later ones find.
                multiply(self, &values, side, 1)?;
                let seconds = multiply(self, &values, side, 10)? / 10.0;
                best = best.max(billions(side) / seconds);
                if seconds > LONG {
                    break;
                }
            }
            Ok(best)
        }

        fn fma_peak_gflops(&self) -> Option<f64> {
            None
        }
    }
}
