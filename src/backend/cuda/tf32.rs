//! Whether matrix products on CUDA may be faster than f32 is exact.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static TF32: AtomicBool = AtomicBool::new(false);

/// Lets matrix products of f32 round their factors to TF32 (10 bits of mantissa; sums stay in f32) from now on, in all
/// of this process. Off at first: products are then of f32 throughout.
pub fn use_tf32(on: bool) {
    TF32.store(on, Relaxed);
}

/// Whether they may.
pub fn uses_tf32() -> bool {
    TF32.load(Relaxed)
}
