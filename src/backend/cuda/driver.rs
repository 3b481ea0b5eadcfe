//! The C functions of CUDA that cudarc calls, each forwarded to the library that is loaded when it is first called.
//!
//! cudarc, below dfdx, expects the linker to find them. Finding them here instead, the program needs no CUDA library
//! to start. Where a library or its function is missing, each gives an error code of its own kind.

use super::libraries::{CUBLAS, CUDA, Library, NVRTC};
use std::sync::OnceLock;

/// Defines functions that forward to `$library`'s; `$absent` is the value where it has none.
macro_rules! forward {
    ($library:expr, $absent:expr, $($name:ident($($argument:ident: $type:ty),* $(,)?);)+) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> Code {
            // cudarc's declaration comes from NVIDIA's headers; this line holds ours to it.
            const _: unsafe extern "C" fn($($type),*) -> sys::Status = sys::$name;
            static FUNCTION: OnceLock<Option<unsafe extern "C" fn($($type),*) -> Code>> = OnceLock::new();
            // SAFETY: the type is that of the library's function of this name, as checked above.
            match FUNCTION.get_or_init(|| unsafe { $library.function(stringify!($name)) }) {
                // SAFETY: the caller's promises are those that the library asks for.
                Some(function) => known(unsafe { function($($argument),*) }),
                None => $absent,
            }
        }
    )+};
}

/// What a function returns that the library does not have, or that has no library.
fn absent(library: &Library, without_library: Code, without_function: Code) -> Code {
    if library.find().is_err() { without_library } else { without_function }
}

/// A status of any of the libraries, as a number: newer libraries have values that cudarc's enums lack.
type Code = u32;

mod cuda {
    use super::*;
    use std::ffi::{c_char, c_int, c_uchar, c_uint, c_void};
    use sys::*;

    mod sys {
        pub use cudarc::driver::sys::{CUresult as Status, *};
    }

    /// The code as CUDA 11.8 has it, which cudarc knows.
    fn known(code: Code) -> Code {
        match code {
            36 | 225..300 | 402..500 | 721..800 | 811..900 | 913.. => Status::CUDA_ERROR_UNKNOWN as Code,
            code => code,
        }
    }

    fn missing() -> Code {
        absent(&CUDA, Status::CUDA_ERROR_NOT_INITIALIZED as Code, Status::CUDA_ERROR_NOT_FOUND as Code)
    }

    /// Every error has a text, for cudarc panics where one has none.
    ///
    /// # Safety
    ///
    /// `text` must be writable.
    unsafe fn text_without_driver(text: *mut *const c_char) -> Code {
        // SAFETY: the caller's promise.
        unsafe { text.write(c"CUDA's driver is not loaded".as_ptr()) };
        Status::CUDA_SUCCESS as Code
    }

    // SAFETY: both are given where to write the text.
    forward! { CUDA, unsafe { text_without_driver(text) },
        cuGetErrorName(error: CUresult, text: *mut *const c_char);
        cuGetErrorString(error: CUresult, text: *mut *const c_char);
    }

    forward! { CUDA, missing(),
        cuCtxGetCurrent(context: *mut CUcontext);
        cuCtxSetCurrent(context: CUcontext);
        cuCtxSynchronize();
        cuDestroyExternalMemory(memory: CUexternalMemory);
        cuDeviceGet(device: *mut CUdevice, ordinal: c_int);
        cuDeviceGetAttribute(value: *mut c_int, attribute: CUdevice_attribute, device: CUdevice);
        cuDeviceGetCount(count: *mut c_int);
        cuDeviceGetName(name: *mut c_char, len: c_int, device: CUdevice);
        cuDevicePrimaryCtxRelease_v2(device: CUdevice);
        cuDevicePrimaryCtxRetain(context: *mut CUcontext, device: CUdevice);
        cuDeviceTotalMem_v2(bytes: *mut usize, device: CUdevice);
        cuEventCreate(event: *mut CUevent, flags: c_uint);
        cuEventDestroy_v2(event: CUevent);
        cuEventElapsedTime(milliseconds: *mut f32, start: CUevent, end: CUevent);
        cuEventRecord(event: CUevent, stream: CUstream);
        cuExternalMemoryGetMappedBuffer(
            pointer: *mut CUdeviceptr, memory: CUexternalMemory, description: *const CUDA_EXTERNAL_MEMORY_BUFFER_DESC
        );
        cuImportExternalMemory(memory: *mut CUexternalMemory, description: *const CUDA_EXTERNAL_MEMORY_HANDLE_DESC);
        cuInit(flags: c_uint);
        cuLaunchKernel(
            function: CUfunction, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint, block_y: c_uint,
            block_z: c_uint, shared: c_uint, stream: CUstream, parameters: *mut *mut c_void, extra: *mut *mut c_void
        );
        cuMemAllocAsync(pointer: *mut CUdeviceptr, bytes: usize, stream: CUstream);
        cuMemAlloc_v2(pointer: *mut CUdeviceptr, bytes: usize);
        cuMemFreeAsync(pointer: CUdeviceptr, stream: CUstream);
        cuMemFree_v2(pointer: CUdeviceptr);
        cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
        cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, stream: CUstream);
        cuMemcpyDtoD_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize);
        cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, stream: CUstream);
        cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize);
        cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, stream: CUstream);
        cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize);
        cuMemsetD8Async(to: CUdeviceptr, value: c_uchar, count: usize, stream: CUstream);
        cuMemsetD8_v2(to: CUdeviceptr, value: c_uchar, count: usize);
        cuModuleGetFunction(function: *mut CUfunction, module: CUmodule, name: *const c_char);
        cuModuleLoad(module: *mut CUmodule, file: *const c_char);
        cuModuleLoadData(module: *mut CUmodule, image: *const c_void);
        cuModuleUnload(module: CUmodule);
        cuOccupancyAvailableDynamicSMemPerBlock(
            shared: *mut usize, function: CUfunction, blocks: c_int, block_size: c_int
        );
        cuOccupancyMaxActiveBlocksPerMultiprocessor(
            blocks: *mut c_int, function: CUfunction, block_size: c_int, shared: usize
        );
        cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
            blocks: *mut c_int, function: CUfunction, block_size: c_int, shared: usize, flags: c_uint
        );
        cuOccupancyMaxActiveClusters(clusters: *mut c_int, function: CUfunction, config: *const CUlaunchConfig);
        cuOccupancyMaxPotentialBlockSize(
            grid_size: *mut c_int, block_size: *mut c_int, function: CUfunction,
            shared_of_block_size: CUoccupancyB2DSize, shared: usize, limit: c_int
        );
        cuOccupancyMaxPotentialBlockSizeWithFlags(
            grid_size: *mut c_int, block_size: *mut c_int, function: CUfunction,
            shared_of_block_size: CUoccupancyB2DSize, shared: usize, limit: c_int, flags: c_uint
        );
        cuOccupancyMaxPotentialClusterSize(size: *mut c_int, function: CUfunction, config: *const CUlaunchConfig);
        cuProfilerStart();
        cuProfilerStop();
        cuStreamCreate(stream: *mut CUstream, flags: c_uint);
        cuStreamDestroy_v2(stream: CUstream);
        cuStreamSynchronize(stream: CUstream);
        cuStreamWaitEvent(stream: CUstream, event: CUevent, flags: c_uint);
    }
}

mod cublas {
    use super::*;
    use std::ffi::{c_int, c_longlong, c_void};
    use sys::*;

    mod sys {
        pub use cudarc::cublas::sys::{cublasStatus_t as Status, *};
    }

    /// Its codes are the same in every version.
    fn known(code: Code) -> Code {
        code
    }

    fn missing() -> Code {
        absent(&CUBLAS, Status::CUBLAS_STATUS_NOT_INITIALIZED as Code, Status::CUBLAS_STATUS_NOT_SUPPORTED as Code)
    }

    forward! { CUBLAS, missing(),
        cublasCreate_v2(handle: *mut cublasHandle_t);
        cublasDestroy_v2(handle: cublasHandle_t);
        cublasDgemmStridedBatched(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const f64, a: *const f64, lda: c_int, stride_a: c_longlong, b: *const f64, ldb: c_int,
            stride_b: c_longlong, beta: *const f64, c: *mut f64, ldc: c_int, stride_c: c_longlong, batch: c_int
        );
        cublasDgemm_v2(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const f64, a: *const f64, lda: c_int, b: *const f64, ldb: c_int, beta: *const f64, c: *mut f64,
            ldc: c_int
        );
        cublasDgemv_v2(
            handle: cublasHandle_t, op: cublasOperation_t, m: c_int, n: c_int, alpha: *const f64, a: *const f64,
            lda: c_int, x: *const f64, incx: c_int, beta: *const f64, y: *mut f64, incy: c_int
        );
        cublasGemmEx(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const c_void, a: *const c_void, a_type: cudaDataType, lda: c_int, b: *const c_void,
            b_type: cudaDataType, ldb: c_int, beta: *const c_void, c: *mut c_void, c_type: cudaDataType, ldc: c_int,
            compute: cublasComputeType_t, algo: cublasGemmAlgo_t
        );
        cublasGemmStridedBatchedEx(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const c_void, a: *const c_void, a_type: cudaDataType, lda: c_int, stride_a: c_longlong,
            b: *const c_void, b_type: cudaDataType, ldb: c_int, stride_b: c_longlong, beta: *const c_void,
            c: *mut c_void, c_type: cudaDataType, ldc: c_int, stride_c: c_longlong, batch: c_int,
            compute: cublasComputeType_t, algo: cublasGemmAlgo_t
        );
        cublasSetMathMode(handle: cublasHandle_t, mode: cublasMath_t);
        cublasSetStream_v2(handle: cublasHandle_t, stream: cudaStream_t);
        cublasSgemmStridedBatched(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const f32, a: *const f32, lda: c_int, stride_a: c_longlong, b: *const f32, ldb: c_int,
            stride_b: c_longlong, beta: *const f32, c: *mut f32, ldc: c_int, stride_c: c_longlong, batch: c_int
        );
        cublasSgemm_v2(
            handle: cublasHandle_t, op_a: cublasOperation_t, op_b: cublasOperation_t, m: c_int, n: c_int, k: c_int,
            alpha: *const f32, a: *const f32, lda: c_int, b: *const f32, ldb: c_int, beta: *const f32, c: *mut f32,
            ldc: c_int
        );
        cublasSgemv_v2(
            handle: cublasHandle_t, op: cublasOperation_t, m: c_int, n: c_int, alpha: *const f32, a: *const f32,
            lda: c_int, x: *const f32, incx: c_int, beta: *const f32, y: *mut f32, incy: c_int
        );
    }
}

mod nvrtc {
    use super::*;
    use std::ffi::{c_char, c_int};
    use sys::*;

    mod sys {
        pub use cudarc::nvrtc::sys::{nvrtcResult as Status, *};
    }

    const INTERNAL_ERROR: Code = Status::NVRTC_ERROR_INTERNAL_ERROR as Code;

    /// The code as CUDA 11.8 has it, which cudarc knows.
    fn known(code: Code) -> Code {
        code.min(INTERNAL_ERROR)
    }

    forward! { NVRTC, INTERNAL_ERROR,
        nvrtcCompileProgram(program: nvrtcProgram, count: c_int, options: *const *const c_char);
        nvrtcCreateProgram(
            program: *mut nvrtcProgram, source: *const c_char, name: *const c_char, count: c_int,
            headers: *const *const c_char, names: *const *const c_char
        );
        nvrtcDestroyProgram(program: *mut nvrtcProgram);
        nvrtcGetPTX(program: nvrtcProgram, text: *mut c_char);
        nvrtcGetPTXSize(program: nvrtcProgram, size: *mut usize);
        nvrtcGetProgramLog(program: nvrtcProgram, text: *mut c_char);
        nvrtcGetProgramLogSize(program: nvrtcProgram, size: *mut usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cudarc::driver::{DriverError, sys};

    #[test]
    fn missing_libraries_answer_with_codes_of_their_own() {
        if let Err(reason) = CUDA.find() {
            // SAFETY: no argument is a pointer.
            let error = DriverError(unsafe { sys::cuInit(0) });
            assert_eq!(error.0, sys::CUresult::CUDA_ERROR_NOT_INITIALIZED, "{reason}");
            assert!(error.to_string().contains("driver is not loaded"), "{error}");
        }
        if CUBLAS.find().is_err() {
            let error = cudarc::cublas::result::create_handle().unwrap_err();
            assert_eq!(error.0, cudarc::cublas::sys::cublasStatus_t::CUBLAS_STATUS_NOT_INITIALIZED);
        }
        if NVRTC.find().is_err() {
            let error = cudarc::nvrtc::result::create_program("").unwrap_err();
            assert_eq!(error.0, cudarc::nvrtc::sys::nvrtcResult::NVRTC_ERROR_INTERNAL_ERROR);
        }
    }
}
