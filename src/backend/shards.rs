//! Splitting a batch over what computes it.

use super::{Cpu, clock};
use crate::Result;
use dfdx::tensor::Cache;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How a device computes the independent images of a batch.
pub trait Shards: Sized {
    /// Splits `count` images into shards of at most `shard` and gives every worker its share of them, decided
    /// beforehand; `work` is called once a worker with a device of the worker's own. The results come in the order of
    /// the images, so sums over them have a fixed order: the same number of workers gives the same bits.
    ///
    /// # Errors
    /// The first worker's error, in the order of the images.
    fn over_shards<T: Send>(
        &self,
        count: usize,
        shard: usize,
        work: impl Fn(&Self, &[Range<usize>]) -> Result<T> + Sync,
    ) -> Result<Vec<T>>;

    /// Runs `work` with exact products, whatever rounding was chosen to train with.
    fn exactly<T>(&self, work: impl FnOnce() -> T) -> T;

    /// How many images at a time suit this device, when the largest activation of one image holds `elements`.
    fn shard_images(&self, elements: usize) -> usize;
}

static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// Divides batches into so many shares from now on, whatever the number of threads that compute them; 0 for one share a
/// thread, as it is at first. Sums go by shares: the same number of them gives the same bits on any number of threads.
pub fn set_workers(count: usize) {
    WORKERS.store(count, Relaxed);
}

/// The number of shares.
pub fn workers() -> usize {
    match WORKERS.load(Relaxed) {
        0 => rayon::current_num_threads(),
        count => count,
    }
}

/// Elements of the largest activation of a shard, so that a layer's working set stays in a core's cache.
const CACHED_ELEMENTS: usize = 1 << 19;

thread_local! {
    // A device of the thread's own, whose buffers are reused from layer to layer and from step to step.
    static WORKER: Cpu = {
        let device = Cpu::default();
        device.enable_cache();
        device
    };
}

impl Shards for Cpu {
    fn over_shards<T: Send>(
        &self,
        count: usize,
        shard: usize,
        work: impl Fn(&Self, &[Range<usize>]) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let workers = workers();
        // An even share for every worker first, so that a small batch does not leave one idle.
        let shard = shard.clamp(1, count.div_ceil(workers).max(1));
        let ranges: Vec<Range<usize>> =
            (0..count).step_by(shard).map(|start| start..(start + shard).min(count)).collect();
        let share = ranges.len().div_ceil(workers).max(1);
        let work = |ranges| WORKER.with(|device| clock::shards(|| work(device, ranges)));
        ranges.par_chunks(share).map(work).collect()
    }

    fn exactly<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    fn shard_images(&self, elements: usize) -> usize {
        (CACHED_ELEMENTS / elements.max(1)).clamp(1, 64)
    }
}

/// Elements of the largest activation of a shard on a card: many images of a small picture fill it, and a few of a large
/// one do not exhaust its memory. 512 MiB of f32.
#[cfg(feature = "cuda")]
const LARGEST_ACTIVATION: usize = 1 << 27;

#[cfg(feature = "cuda")]
impl Shards for super::Cuda {
    fn over_shards<T: Send>(
        &self,
        count: usize,
        shard: usize,
        work: impl Fn(&Self, &[Range<usize>]) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let ranges: Vec<Range<usize>> =
            (0..count).step_by(shard.max(1)).map(|start| start..(start + shard).min(count)).collect();
        Ok(vec![work(self, &ranges)?])
    }

    fn exactly<T>(&self, work: impl FnOnce() -> T) -> T {
        super::cuda::exactly(work)
    }

    fn shard_images(&self, elements: usize) -> usize {
        (LARGEST_ACTIVATION / elements.max(1)).max(1)
    }
}
