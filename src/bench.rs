//! How fast a flow trains, scores and samples on a device, and where the time goes.

use crate::Result;
use crate::backend::{Device, Element, Initializer, Machine, time_kernels, time_work};
use crate::flow::spec::Memory;
use crate::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use crate::noise::{NoiseKey, Purpose};
use crate::train::{OptimizerState, peak_mib};
use rand::Rng;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Images per second, the median over repetitions.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Rate {
    /// Images per second.
    pub images_per_second: f64,
    /// Billions of floating-point operations per second that the mathematics needs: products only, each once.
    pub gflops: f64,
    /// How the CPU's workers spend their time; none on another device.
    #[serde(flatten)]
    pub workers: Option<Shares>,
}

/// Shares of the workers' time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Shares {
    /// Matrix products.
    pub in_products: f64,
    /// The rest of their work on images: element-wise passes and copies.
    pub in_passes: f64,
}

/// What a kernel takes of a training step.
#[derive(Clone, Debug, Serialize)]
pub struct KernelShare {
    /// Its name.
    pub name: String,
    /// How often it is launched.
    pub launches: u64,
    /// Milliseconds of all launches, each waited for.
    pub milliseconds: f64,
    /// Share of the time of all kernels.
    pub share: f64,
}

/// What `bench` measures.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The flow file.
    pub flow: String,
    /// What computes: `cpu`, or the name of a card.
    pub device: String,
    /// The CPU's threads; none on another device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
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
    /// What the device reaches on products of large matrices.
    pub product_peak_gflops: f64,
    /// What the CPU's threads reach on multiply-adds in registers; none on another device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fma_peak_gflops: Option<f64>,
    /// The kernels of a training step that rebuilds activations, the one that takes longest first; none on the CPU.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelShare>,
    /// The largest resident memory of this process so far, in MiB, where the system tells; a card's own memory is not in
    /// it.
    pub peak_mib: Option<f64>,
}

/// Measures a flow in f32, each figure for about `seconds`.
///
/// # Errors
/// Whatever computing with the flow reports.
pub fn bench<D: Device<f32> + Machine>(file: &FlowFile, device: &D, batch: usize, seconds: f64) -> Result<Report> {
    let mut flow = Flow::<f32, D>::build(file, &Registry::default(), &Initializer::new(device, 0))?;
    let multiply_adds = flow.summary(device, file)?.multiply_adds as f64;
    let data = random_images(&flow, batch);
    let numbers: Vec<u64> = (0..batch as u64).collect();
    let labels: Option<Vec<usize>> = flow.classes().map(|_| vec![0; batch]);
    let mut rng = NoiseKey::new(2, Purpose::Check).rng(0);
    let context: Vec<f32> = (0..batch * flow.context_numbers()).map(|_| rng.r#gen()).collect();
    let at = |step: u64| Batch {
        values: (&data).into(),
        labels: labels.as_deref(),
        context: Some(&context),
        numbers: &numbers,
        dequantize: Dequantize::Uniform(NoiseKey::new(0, Purpose::Check).at(step)),
    };
    flow.initialize(flow.images(device, &at(0), &(0..batch))?)?;
    flow.prepare(device)?;

    let mut optimizer = OptimizerState::new(device, &flow, file.spec.train.optimizer, 1000.0)?;
    let mut train = |memory, step| {
        let outcome = flow.gradient(device, &at(step), memory)?;
        optimizer.step(device, &mut flow, &outcome.gradients, 1e-5)?;
        flow.prepare(device)
    };
    let timing = Timing { device, images: batch, seconds };
    let train_invert = timing.rate(6.0 * multiply_adds, |step| train(Memory::Invert, step))?;
    let train_store = timing.rate(6.0 * multiply_adds, |step| train(Memory::Store, step))?;
    let kernels = match device.threads() {
        Some(_) => Vec::new(),
        None => {
            let (step, kernels) = time_kernels(|| train(Memory::Invert, 0));
            step.map(|()| kernels)?
        }
    };
    let score = timing.rate(2.0 * multiply_adds, |step| flow.log_prob_of(device, &at(step)).map(drop))?;
    let sample = timing.rate(2.0 * multiply_adds, |step| {
        let first = step * batch as u64;
        flow.sample(device, first..first + batch as u64, 1.0, None, 0).map(drop)
    })?;
    Ok(Report {
        flow: file.name.clone(),
        device: device.name()?,
        threads: device.threads(),
        batch,
        train_invert,
        train_store,
        score,
        sample,
        product_peak_gflops: device.product_peak_gflops()?,
        fma_peak_gflops: device.fma_peak_gflops(),
        kernels: shares(kernels),
        peak_mib: peak_mib(),
    })
}

/// Kernels with their shares of the time of all.
fn shares(kernels: Vec<(String, u64, Duration)>) -> Vec<KernelShare> {
    let all: f64 = kernels.iter().map(|(.., time)| time.as_secs_f64()).sum();
    let share = |(name, launches, time): (String, u64, Duration)| {
        let seconds = time.as_secs_f64();
        KernelShare { name, launches, milliseconds: 1e3 * seconds, share: seconds / all }
    };
    kernels.into_iter().map(share).collect()
}

fn random_images<E: Element, D: Device<E>>(flow: &Flow<E, D>, batch: usize) -> Vec<u8> {
    let mut rng = NoiseKey::new(1, Purpose::Check).rng(0);
    (0..batch * flow.image_shape().dims()).map(|_| rng.gen_range(0..flow.bins()) as u8).collect()
}

/// How steps are timed.
struct Timing<'a, D> {
    device: &'a D,
    images: usize,
    seconds: f64,
}

impl<D: Machine> Timing<'_, D> {
    /// Times a step that needs so many floating-point operations an image. It ends when the device is done.
    fn rate(&self, flops: f64, mut step: impl FnMut(u64) -> Result<()>) -> Result<Rate> {
        let mut step = |number| step(number).and_then(|()| self.device.wait());
        (0..2).try_for_each(&mut step)?;
        let (mut times, begin) = (Vec::new(), Instant::now());
        let (outcome, time) = time_work(|| {
            while times.len() < 3 || begin.elapsed().as_secs_f64() < self.seconds {
                let start = Instant::now();
                step(2 + times.len() as u64)?;
                times.push(start.elapsed().as_secs_f64());
            }
            Result::Ok(())
        });
        outcome?;
        let workers = self.device.threads().map(|threads| {
            let worked = times.iter().sum::<f64>() * threads as f64;
            let share = |time: Duration| time.as_secs_f64() / worked;
            Shares { in_products: share(time.products), in_passes: share(time.shards - time.products) }
        });
        times.sort_by(f64::total_cmp);
        let images_per_second = self.images as f64 / times[times.len() / 2];
        Ok(Rate { images_per_second, gflops: images_per_second * flops / 1e9, workers })
    }
}
