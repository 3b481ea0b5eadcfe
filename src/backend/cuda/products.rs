//! cuBLAS: a handle for each card, and whether it may round the factors of products.

use super::failed_blas;
use crate::Result;
use cudarc::cublas::{CudaBlas, sys};
use cudarc::driver::CudaDevice;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

static ROUNDED: AtomicBool = AtomicBool::new(false);

/// Lets the products within coupling networks round their factors to TF32's 10 bits (and add in f32) from now on, which
/// tensor cores are many times faster at. The flow's own layers stay in full f32: an inverse would not survive it.
pub fn use_tf32(on: bool) {
    ROUNDED.store(on, Relaxed);
}

/// Runs `work` without TF32.
pub(in crate::backend) fn exactly<T>(work: impl FnOnce() -> T) -> T {
    let before = ROUNDED.swap(false, Relaxed);
    let result = work();
    ROUNDED.store(before, Relaxed);
    result
}

/// How a product may round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend) enum Rounding {
    /// As f32 and f64 do.
    Exact,
    /// As [`use_tf32`] says.
    AsChosen,
}

/// A card's handle, and what it was last told.
struct Handle {
    /// The card's number.
    card: usize,
    blas: CudaBlas,
    tf32: bool,
}

static HANDLES: Mutex<Vec<Handle>> = Mutex::new(Vec::new());

/// Calls `work` with the card's handle.
pub(in crate::backend) fn with_blas<T>(
    card: &Arc<CudaDevice>,
    rounding: Rounding,
    work: impl FnOnce(&CudaBlas) -> T,
) -> Result<T> {
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let place = match handles.iter().position(|handle| handle.card == card.ordinal()) {
        Some(place) => place,
        None => {
            let blas = CudaBlas::new(card.clone()).map_err(failed_blas)?;
            handles.push(Handle { card: card.ordinal(), blas, tf32: false });
            handles.len() - 1
        }
    };
    let handle = &mut handles[place];
    let tf32 = rounding == Rounding::AsChosen && ROUNDED.load(Relaxed);
    if handle.tf32 != tf32 {
        let mode = match tf32 {
            true => sys::cublasMath_t::CUBLAS_TF32_TENSOR_OP_MATH,
            false => sys::cublasMath_t::CUBLAS_DEFAULT_MATH,
        };
        // SAFETY: the handle is one that cuBLAS gave and nobody has destroyed.
        unsafe { sys::cublasSetMathMode(*handle.blas.handle(), mode) }.result().map_err(failed_blas)?;
        handle.tf32 = tf32;
    }
    Ok(work(&handle.blas))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_exactly_is_without_tf32_and_leaves_the_choice_as_it_was() {
        use_tf32(true);
        assert!(!exactly(|| ROUNDED.load(Relaxed)));
        assert!(ROUNDED.load(Relaxed));
        use_tf32(false);
    }
}
