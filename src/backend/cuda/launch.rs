//! Launching kernels: their text is compiled at the first launch on a device, once for each type of elements.

use super::source::{SOURCE, names};
use super::text;
use crate::backend::{Element, clock};
use crate::{Error, Result};
use cudarc::driver::{CudaDevice, CudaFunction, DeviceRepr, DriverError, LaunchAsync, LaunchConfig, sys};
use cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx_with_opts};
use std::sync::Arc;

/// Threads of a block; the kernels' text counts on it.
const BLOCK: u32 = 256;

/// Blocks that elements are divided over at most: enough to fill a card, and each thread has several.
const MOST_BLOCKS: u32 = 4096;

/// Threads that leave their own sums of columns, about.
const SUMMING_THREADS: u32 = 1 << 16;

/// Blocks, along x and y.
pub(in crate::backend) type Grid = (u32, u32);

/// Blocks for `n` elements.
pub(in crate::backend) fn elements(n: u32) -> Grid {
    (n.div_ceil(BLOCK).clamp(1, MOST_BLOCKS), 1)
}

/// For each of `count` images or buffers as many blocks as `n` elements are worth.
pub(in crate::backend) fn each(count: u32, n: u32) -> Grid {
    (n.div_ceil(16 * BLOCK).clamp(1, 64), count)
}

/// How many threads add the elements of one column.
pub(in crate::backend) fn strips(rows: u32, columns: u32) -> u32 {
    (SUMMING_THREADS / columns.max(1)).clamp(1, rows.max(1))
}

/// A count of elements as the kernels count them.
///
/// # Errors
/// [`Error::Device`] for more than they can.
pub(in crate::backend) fn index(n: usize) -> Result<u32> {
    match i32::try_from(n) {
        Ok(n) => Ok(n.unsigned_abs()),
        Err(_) => {
            Err(Error::Device(format!("{n} elements in one buffer are more than its kernels count; lower the batch")))
        }
    }
}

/// Launches the kernel of this name with the parameters that its text declares, in its order.
macro_rules! launch {
    ($E:ty, $card:expr, $name:ident, $grid:expr, ($($parameter:expr),* $(,)?)) => {
        // SAFETY: the parameters are those that the kernel's text declares, and its buffers are as long as the counts
        // among them say. `tests/cuda` runs every kernel where lengths and addresses are checked.
        unsafe { $crate::backend::cuda::launch::start::<$E, _>($card, stringify!($name), $grid, ($($parameter,)*)) }
    };
}

pub(in crate::backend) use launch;

/// What [`launch!`] does.
///
/// # Safety
/// The parameters must be those of the kernel.
pub(in crate::backend) unsafe fn start<E: Element, P>(
    card: &Arc<CudaDevice>,
    name: &'static str,
    grid: Grid,
    parameters: P,
) -> Result<()>
where
    CudaFunction: LaunchAsync<P>,
{
    let function = match card.get_func(E::NAME, name) {
        Some(function) => function,
        None => {
            load::<E>(card)?;
            let missing = || Error::Device(format!("there is no kernel {name}"));
            card.get_func(E::NAME, name).ok_or_else(missing)?
        }
    };
    let shape = LaunchConfig { grid_dim: (grid.0, grid.1, 1), block_dim: (BLOCK, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: as the caller promises.
    let launched = || unsafe { function.launch(shape, parameters) };
    clock::kernel(name, || card.synchronize(), launched).map_err(|error| failed(error, 0))
}

/// The text compiled for one type of elements.
fn compile<E: Element>() -> Result<Ptx> {
    let real = if size_of::<E>() == 4 {
        "#define REAL float\n#define REAL_IS_FLOAT\n"
    } else {
        "#define REAL double\n#define REAL_IS_DOUBLE\n"
    };
    // Without contraction into fused operations a kernel rounds as the same expression does on the CPU.
    let options = CompileOptions { fmad: Some(false), ..Default::default() };
    compile_ptx_with_opts(format!("{real}{SOURCE}"), options).map_err(|error| match error {
        CompileError::CompileError { log, .. } => {
            Error::Device(format!("libnvrtc does not compile the kernels: {}", log.to_string_lossy()))
        }
        other => Error::Device(format!("libnvrtc fails: {other}")),
    })
}

/// Gives the card all kernels for one type of elements.
fn load<E: Element>(card: &Arc<CudaDevice>) -> Result<()> {
    let ptx = compile::<E>()?;
    let names: Vec<&'static str> = names().collect();
    card.load_ptx(ptx, E::NAME, &names).map_err(|error| match error.0 {
        sys::CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => Error::Device(
            "CUDA's driver is older than libnvrtc and refuses what that compiles: update the driver, or name the folder \
             of a libnvrtc of the driver's version in FLOWSTONE_CUDA_LIBRARIES"
                .into(),
        ),
        _ => failed(error, 0),
    })
}

/// A driver's error, as this crate's; `bytes` is what was to be allocated.
pub(in crate::backend) fn failed(error: DriverError, bytes: usize) -> Error {
    match error.0 {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory { bytes },
        _ => Error::Device(text(error)),
    }
}

/// Values copied to the device for one launch: tables of addresses, grey levels.
pub(in crate::backend) fn upload<T: DeviceRepr + Unpin>(
    card: &Arc<CudaDevice>,
    values: Vec<T>,
) -> Result<cudarc::driver::CudaSlice<T>> {
    let bytes = size_of_val(values.as_slice());
    card.htod_copy(values).map_err(|error| failed(error, bytes))
}

/// Room for `f64` sums between two launches.
pub(in crate::backend) fn sums(card: &Arc<CudaDevice>, len: usize) -> Result<cudarc::driver::CudaSlice<f64>> {
    card.alloc_zeros(len).map_err(|error| failed(error, len * size_of::<f64>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiling needs no card.
    #[test]
    fn nvidias_compiler_takes_every_kernel() {
        if let Err(reason) = crate::backend::cuda::libraries::NVRTC.find() {
            return println!("skipped: {reason}");
        }
        for ptx in [compile::<f32>().unwrap(), compile::<f64>().unwrap()] {
            let text = ptx.to_src();
            for name in names() {
                assert!(text.contains(&format!(".entry {name}(")), "{name}");
            }
        }
    }

    #[test]
    fn strips_and_blocks_are_at_least_one_and_not_more_than_there_is_work() {
        assert_eq!(
            (elements(0), elements(256), elements(257), elements(u32::MAX)),
            ((1, 1), (1, 1), (2, 1), (4096, 1))
        );
        assert_eq!((each(3, 0), each(3, 1 << 30)), ((1, 3), (64, 3)));
        assert_eq!((strips(0, 12), strips(7, 12), strips(1 << 20, 512)), (1, 7, 128));
        assert!(index(1 << 31).is_err() && index((1 << 31) - 1).is_ok());
    }
}
