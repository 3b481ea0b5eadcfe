//! dfdx's `Cuda` device: CUDA's libraries found at run time, and a card opened only where there is one.

mod driver;
pub(in crate::backend) mod launch;
mod libraries;
mod products;
mod source;

pub(in crate::backend) use launch::{Grid, each, elements, failed, index, launch, strips, sums, upload};
pub use libraries::{FOLDER_VARIABLE, look_in};
pub use products::use_tf32;
pub(in crate::backend) use products::{Rounding, exactly, with_blas};
pub use source::SOURCE;

use crate::{Error, Result};
use cudarc::cublas::result::CublasError;
use cudarc::driver::{CudaDevice, DriverError, result, sys};
use dfdx::tensor::{Cache, Cuda, Storage};
use libraries::{CUBLAS, CUDA, NVRTC};
use std::ffi::CStr;
use std::sync::Arc;

/// The CUDA device of this number, which keeps the memory that it frees for later use.
///
/// Everything that can be missing is asked for first: dfdx panics where there is no CUDA.
pub fn open(ordinal: usize) -> Result<Cuda> {
    let count = count()?;
    if ordinal >= count {
        return Err(Error::Usage(format!(
            "there is no CUDA device {ordinal}: this machine has {count}, numbered from 0"
        )));
    }
    for library in [&CUBLAS, &NVRTC] {
        library.find().map_err(|reason| {
            Error::Usage(format!(
                "CUDA's driver is here but {} is not ({reason}): install it, or name its folder in {FOLDER_VARIABLE}",
                library.name
            ))
        })?;
    }
    let failed = |error| Error::Device(format!("CUDA device {ordinal} cannot be opened: {error}"));
    let device = Cuda::try_build(ordinal, 0).map_err(failed)?;
    device.try_enable_cache().map_err(failed)?;
    Ok(device)
}

/// How many CUDA devices this machine has: at least one.
fn count() -> Result<usize> {
    let none = |reason: String| Error::Usage(format!("this machine has no CUDA: {reason}; use --device cpu"));
    CUDA.find().map_err(|reason| none(format!("{} cannot be loaded ({reason})", CUDA.name)))?;
    let count = result::init().and_then(|()| result::device::get_count()).map_err(|error| none(text(error)))?;
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(none("its driver finds no device".into())),
    }
}

/// The device's name and memory, for reports: `NVIDIA H100 80GB HBM3, 79.1 GiB`.
pub fn description(device: &Cuda) -> Result<String> {
    let card = card(device)?;
    let mut name = [0; 256];
    // SAFETY: `name` is as long as is said, and the device is one that CUDA gave.
    unsafe { sys::cuDeviceGetName(name.as_mut_ptr(), name.len() as i32, *card.cu_device()) }
        .result()
        .map_err(|error| Error::Device(text(error)))?;
    // SAFETY: CUDA ends the name with a zero within `name`.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy();
    // SAFETY: the device is one that CUDA gave.
    let bytes = unsafe { result::device::total_mem(*card.cu_device()) }.map_err(|error| Error::Device(text(error)))?;
    Ok(format!("{name}, {:.1} GiB", bytes as f64 / f64::from(1 << 30)))
}

/// cudarc's half of dfdx's device, which dfdx gives only with memory.
pub(crate) fn card(device: &Cuda) -> Result<Arc<CudaDevice>> {
    let one: <Cuda as Storage<f32>>::Vec = device.try_alloc_len(1).map_err(|error| Error::Device(error.to_string()))?;
    Ok(one.device())
}

/// What cuBLAS says is wrong.
pub(in crate::backend) fn failed_blas(error: CublasError) -> Error {
    Error::Device(format!("cuBLAS: {:?}", error.0))
}

/// A driver's error in its own words: `CUDA_ERROR_NO_DEVICE, no CUDA-capable device is detected`.
fn text(error: DriverError) -> String {
    match error.error_string() {
        Ok(text) => format!("{:?}, {}", error.0, text.to_string_lossy()),
        Err(_) => format!("{:?}", error.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_cuda_it_says_so_and_what_to_do() {
        let error = match open(0) {
            Ok(device) => return println!("skipped: here is {}", description(&device).unwrap()),
            Err(error) => error,
        };
        assert!(error.is_input(), "{error}");
        if CUDA.find().is_err() {
            let sentence = error.to_string();
            assert!(sentence.starts_with("this machine has no CUDA: libcuda cannot be loaded ("), "{sentence}");
            assert!(sentence.ends_with("); use --device cpu"), "{sentence}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_told_from_no_cuda() {
        match count() {
            Ok(count) => assert_eq!(
                open(count + 2).unwrap_err().to_string(),
                format!("there is no CUDA device {}: this machine has {count}, numbered from 0", count + 2)
            ),
            Err(error) => println!("skipped: {error}"),
        }
    }
}
