//! dfdx's CUDA device, opened and described.

use super::Cuda;
use crate::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The card with this number.
///
/// # Errors
/// [`Error::NotYet`]: its kernels are not written in this version.
pub fn open(_: usize) -> Result<Cuda> {
    Err(Error::NotYet { device: "cuda", what: "its kernels are not written in this version; use --device cpu" })
}

/// What a card is called.
pub fn description(_: &Cuda) -> String {
    "cuda".into()
}

static TF32: AtomicBool = AtomicBool::new(false);

/// Lets matrix products of f32 round their factors to TF32 (10 bits of mantissa, sums in f32) from now on, which tensor
/// cores multiply faster; for all of this process. Off at first: products are then of f32 throughout.
pub fn use_tf32(on: bool) {
    TF32.store(on, Relaxed);
}

/// Whether matrix products may round their factors to TF32.
pub fn uses_tf32() -> bool {
    TF32.load(Relaxed)
}
