//! How fast a flow trains, scores and samples on this machine, and where the time goes.

use crate::Result;
use crate::backend::kernels::{MemoryKernel, Operand};
use crate::backend::{Cpu, Device, Element, Initializer, fma_peak_gflops, time_work};
use crate::flow::spec::Memory;
use crate::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use crate::noise::{NoiseKey, Purpose};
use crate::train::{OptimizerState, peak_mib};
use dfdx::tensor::Cache;
use rand::Rng;
use serde::Serialize;
use std::time::Instant;

/// Images per second, the median over repetitions, and how the time is spent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    /// Images per second.
    pub images_per_second: f64,
    /// Share of the workers' time that is matrix products.
    pub in_products: f64,
    /// Share that is the rest of their work on images: element-wise passes and copies.
    pub in_passes: f64,
    /// Billions of floating-point operations per second that the mathematics needs: products only, each once.
    pub gflops: f64,
}

/// What `bench` measures.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The flow file.
    pub flow: String,
    /// Threads.
    pub threads: usize,
    /// Images a step.
    pub batch: usize,
    /// A training step that rebuilds activations by inverting.
    pub train_invert: Rate,
    /// A training step that keeps them.
    pub train_store: Rate,
    /// `ln p`, with fresh noise.
    pub score: Rate,
    /// Samples at temperature 1.
    pub sample: Rate,
    /// What the threads reach together on a product of 768×768 matrices, each on its own.
    pub product_peak_gflops: f64,
    /// What they reach on multiply-adds in registers.
    pub fma_peak_gflops: f64,
    /// The largest resident memory of this process so far, in MiB, where the system tells.
    pub peak_mib: Option<f64>,
}

/// Measures a flow, each figure for about `seconds`.
///
/// # Errors
/// Whatever computing with the flow reports.
pub fn bench(file: &FlowFile, batch: usize, seconds: f64) -> Result<Report> {
    let device = Cpu::default();
    device.enable_cache();
    let mut flow = Flow::<f32, Cpu>::build(file, &Registry::default(), &Initializer::new(&device, 0))?;
    let multiply_adds = flow.summary(&device, file)?.multiply_adds as f64;
    let data = random_images(&flow, batch);
    let numbers: Vec<u64> = (0..batch as u64).collect();
    let at = |step: u64| Batch {
        levels: &data,
        labels: None,
        numbers: &numbers,
        dequantize: Dequantize::Uniform(NoiseKey::new(0, Purpose::Check).at(step)),
    };
    flow.initialize(flow.images(&device, &at(0), &(0..batch))?)?;
    flow.prepare(&device)?;

    let mut optimizer = OptimizerState::new(&device, &flow, file.spec.train.optimizer, 1000.0)?;
    let mut train = |memory| {
        rate(batch, seconds, 6.0 * multiply_adds, |step| {
            let outcome = flow.gradient(&device, &at(step), memory)?;
            optimizer.step(&device, &mut flow, &outcome.gradients, 1e-5)?;
            flow.prepare(&device)
        })
    };
    let (train_invert, train_store) = (train(Memory::Invert)?, train(Memory::Store)?);
    let score = rate(batch, seconds, 2.0 * multiply_adds, |step| flow.log_prob_of(&device, &at(step)).map(drop))?;
    let sample = rate(batch, seconds, 2.0 * multiply_adds, |step| {
        let first = step * batch as u64;
        flow.sample(&device, first..first + batch as u64, 1.0, None, 0).map(drop)
    })?;
    Ok(Report {
        flow: file.name.clone(),
        threads: rayon::current_num_threads(),
        batch,
        train_invert,
        train_store,
        score,
        sample,
        product_peak_gflops: product_peak()?,
        fma_peak_gflops: fma_peak_gflops(),
        peak_mib: peak_mib(),
    })
}

fn random_images<E: Element, D: Device<E>>(flow: &Flow<E, D>, batch: usize) -> Vec<u8> {
    let mut rng = NoiseKey::new(1, Purpose::Check).rng(0);
    (0..batch * flow.image_shape().dims()).map(|_| rng.gen_range(0..flow.bins()) as u8).collect()
}

fn rate(images: usize, seconds: f64, flops: f64, mut step: impl FnMut(u64) -> Result<()>) -> Result<Rate> {
    (0..2).try_for_each(&mut step)?;
    let (mut times, begin) = (Vec::new(), Instant::now());
    let (outcome, time) = time_work(|| {
        while times.len() < 3 || begin.elapsed().as_secs_f64() < seconds {
            let start = Instant::now();
            step(2 + times.len() as u64)?;
            times.push(start.elapsed().as_secs_f64());
        }
        Result::Ok(())
    });
    outcome?;
    let worked = times.iter().sum::<f64>() * rayon::current_num_threads() as f64;
    times.sort_by(f64::total_cmp);
    let images_per_second = images as f64 / times[times.len() / 2];
    Ok(Rate {
        images_per_second,
        in_products: time.products.as_secs_f64() / worked,
        in_passes: (time.shards - time.products).as_secs_f64() / worked,
        gflops: images_per_second * flops / 1e9,
    })
}

/// All threads at once, each multiplying matrices of its own: the best of several.
fn product_peak() -> Result<f64> {
    const N: usize = 768;
    let once = |repetitions: usize| -> Result<f64> {
        let begin = Instant::now();
        let results = rayon::broadcast(|_| {
            let device = Cpu::default();
            let a = MemoryKernel::<f32>::upload(&device, &vec![0.5; N * N])?;
            let mut c = a.clone();
            (0..repetitions).try_for_each(|_| {
                crate::backend::kernels::ProductKernel::<f32>::product(
                    &device,
                    (N, N, N),
                    Operand::Plain(&a),
                    Operand::Plain(&a),
                    &mut c,
                    false,
                )
            })
        });
        results.into_iter().collect::<Result<()>>()?;
        let flops = 2.0 * (N * N * N * repetitions * rayon::current_num_threads()) as f64;
        Ok(flops / begin.elapsed().as_secs_f64() / 1e9)
    };
    once(2)?;
    (0..6).map(|_| once(10)).try_fold(0.0, |best, gflops| Ok(f64::max(best, gflops?)))
}
