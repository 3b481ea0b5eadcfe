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

/// Elements of the largest activation of a shard on a card, 128 MiB of f32: enough rows for its products to be at their
/// best, and a few such activations at a time do not exhaust its memory.
const CARD_ELEMENTS: usize = 1 << 25;

/// Images of a shard on a card at most: a launch counts them in 16 bits.
const CARD_IMAGES: usize = 1 << 15;

/// How many images at a time suit a card, when the largest activation of one image holds `elements`.
pub(crate) fn images_on_card(elements: usize) -> usize {
    (CARD_ELEMENTS / elements.max(1)).clamp(1, CARD_IMAGES)
}

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

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::Error;
    use crate::backend::Cuda;

    /// How often shards were halved, for want of memory.
    static HALVINGS: AtomicUsize = AtomicUsize::new(0);

    impl Shards for Cuda {
        /// One worker has all shards. If the card is out of memory the work begins anew with shards half as large, and they
        /// stay so.
        fn over_shards<T: Send>(
            &self,
            count: usize,
            shard: usize,
            work: impl Fn(&Self, &[Range<usize>]) -> Result<T> + Sync,
        ) -> Result<Vec<T>> {
            let mut shard = shard.clamp(1, count.max(1));
            loop {
                let ranges: Vec<Range<usize>> =
                    (0..count).step_by(shard).map(|start| start..(start + shard).min(count)).collect();
                match work(self, &ranges) {
                    Err(Error::OutOfMemory { .. }) if shard > 1 => {
                        HALVINGS.fetch_add(1, Relaxed);
                        shard = shard.div_ceil(2);
                    }
                    result => return Ok(vec![result?]),
                }
            }
        }

        fn exactly<T>(&self, work: impl FnOnce() -> T) -> T {
            crate::backend::cuda::exactly(work)
        }

        fn shard_images(&self, elements: usize) -> usize {
            let halvings = HALVINGS.load(Relaxed).min(usize::BITS as usize - 1);
            (images_on_card(elements) >> halvings).max(1)
        }
    }
}
