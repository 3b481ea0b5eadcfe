//! A stopwatch for the parts of the work, off unless a benchmark turns it on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
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

/// One kernel of a card, likewise; it ends when `synchronize` does.
#[cfg(feature = "cuda")]
pub(super) fn kernel<S, T>(_name: &'static str, _synchronize: impl Fn() -> S, work: impl FnOnce() -> T) -> T {
    work()
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
}
