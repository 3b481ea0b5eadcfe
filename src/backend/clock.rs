//! A stopwatch for matrix products, off unless a benchmark turns it on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

static RUNNING: AtomicBool = AtomicBool::new(false);
static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// Time in products on the CPU while `f` runs, summed over threads.
pub fn time_in_products<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    NANOSECONDS.store(0, Relaxed);
    RUNNING.store(true, Relaxed);
    let result = f();
    RUNNING.store(false, Relaxed);
    (result, Duration::from_nanos(NANOSECONDS.load(Relaxed)))
}

/// Runs one product, counting its time if the stopwatch runs.
pub(super) fn count<T>(product: impl FnOnce() -> T) -> T {
    let begin = RUNNING.load(Relaxed).then(Instant::now);
    let result = product();
    if let Some(begin) = begin {
        NANOSECONDS.fetch_add(begin.elapsed().as_nanos() as u64, Relaxed);
    }
    result
}
