//! A stopwatch for the parts of the work, off unless a benchmark turns it on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

static RUNNING: AtomicBool = AtomicBool::new(false);
static IN_SHARDS: AtomicU64 = AtomicU64::new(0);
static IN_PRODUCTS: AtomicU64 = AtomicU64::new(0);

/// Time that the CPU's workers spent on shards of a batch, summed over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkTime {
    /// All of it.
    pub shards: Duration,
    /// That in matrix products.
    pub products: Duration,
}

/// Runs `f`, and says what its workers spent their time on.
pub fn time_work<T>(f: impl FnOnce() -> T) -> (T, WorkTime) {
    IN_SHARDS.store(0, Relaxed);
    IN_PRODUCTS.store(0, Relaxed);
    RUNNING.store(true, Relaxed);
    let result = f();
    RUNNING.store(false, Relaxed);
    let read = |part: &AtomicU64| Duration::from_nanos(part.load(Relaxed));
    (result, WorkTime { shards: read(&IN_SHARDS), products: read(&IN_PRODUCTS) })
}

/// A worker's share of a batch, counted if the stopwatch runs.
pub(super) fn shards<T>(work: impl FnOnce() -> T) -> T {
    count(&IN_SHARDS, work)
}

/// One matrix product, likewise.
pub(super) fn product<T>(work: impl FnOnce() -> T) -> T {
    count(&IN_PRODUCTS, work)
}

static TIMES_KERNELS: AtomicBool = AtomicBool::new(false);
static KERNELS: Mutex<BTreeMap<String, (u64, Duration)>> = Mutex::new(BTreeMap::new());

fn kernels() -> MutexGuard<'static, BTreeMap<String, (u64, Duration)>> {
    KERNELS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `f`, and says which kernels it launched on CUDA, how often, and how long they took: those that took longest come
/// first. Each is waited for, so all together takes longer than without.
pub fn time_kernels<T>(f: impl FnOnce() -> T) -> (T, Vec<(String, u64, Duration)>) {
    kernels().clear();
    TIMES_KERNELS.store(true, Relaxed);
    let result = f();
    TIMES_KERNELS.store(false, Relaxed);
    let times = std::mem::take(&mut *kernels());
    let mut times: Vec<_> = times.into_iter().map(|(name, (launches, time))| (name, launches, time)).collect();
    times.sort_by_key(|(_, _, time)| Reverse(*time));
    (result, times)
}

/// The launch of a kernel, counted if kernels are timed: then `wait` lets the device finish what came before it, and it.
#[cfg(any(feature = "cuda", test))]
pub(super) fn kernel<S, T>(name: &str, wait: impl Fn() -> S, work: impl FnOnce() -> T) -> T {
    if !TIMES_KERNELS.load(Relaxed) {
        return work();
    }
    wait();
    let begin = Instant::now();
    let result = work();
    wait();
    let time = begin.elapsed();
    let mut kernels = kernels();
    let (launches, total) = kernels.entry(name.to_owned()).or_default();
    *launches += 1;
    *total += time;
    result
}

fn count<T>(part: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let begin = RUNNING.load(Relaxed).then(Instant::now);
    let result = work();
    if let Some(begin) = begin {
        part.fetch_add(begin.elapsed().as_nanos() as u64, Relaxed);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_a_part_of_the_shards_work() {
        let nap = || std::thread::sleep(Duration::from_millis(5));
        let ((), time) = time_work(|| shards(|| (nap(), product(nap), nap())).1);
        assert!(time.products >= Duration::from_millis(5) && time.shards >= 2 * time.products, "{time:?}");
    }

    #[test]
    fn kernels_are_counted_only_while_they_are_timed_and_the_longest_comes_first() {
        let nap = |milliseconds| std::thread::sleep(Duration::from_millis(milliseconds));
        kernel("before", || (), || nap(1));
        let (result, times) = time_kernels(|| {
            kernel("short", || (), || nap(1));
            kernel("long", || (), || nap(20));
            kernel("short", || (), || 7)
        });
        let seen: Vec<_> = times.iter().map(|(name, launches, _)| (name.as_str(), *launches)).collect();
        assert_eq!((result, seen), (7, vec![("long", 1), ("short", 2)]));
        assert!(times[0].2 >= Duration::from_millis(20));
    }
}
