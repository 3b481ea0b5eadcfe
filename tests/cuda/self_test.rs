//! The emulator of CUDA does what a GPU does, and aborts where a GPU would go on with wrong numbers.
//!
//! The kernels are those of `tests/emulator/self_test.cu`.

use crate::emulator;
use cudarc::cublas::{CudaBlas, Gemm, GemmConfig, StridedBatchedConfig, sys::cublasOperation_t};
use cudarc::driver::{CudaDevice, CudaFunction, CudaSlice, LaunchAsync, LaunchConfig, result, sys::CUresult};
use cudarc::nvrtc::compile_ptx;
use dfdx::prelude::*;
use flowstone::backend::cuda;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// The emulator; none where there is a card, which all tests of a process are to see.
fn folder() -> Option<&'static Path> {
    if crate::device::has_card() { None } else { emulator::folder() }
}

fn device() -> Option<Arc<CudaDevice>> {
    cuda::look_in(folder()?);
    Some(CudaDevice::new(0).unwrap())
}

/// A kernel of `self_test.cu` in f32 or f64.
fn kernel(device: &Arc<CudaDevice>, element: &str, name: &'static str) -> CudaFunction {
    device.load_ptx(element.into(), name, &[name]).unwrap();
    device.get_func(name, name).unwrap()
}

/// Launches a kernel with the parameters that it declares.
fn launch<P>(kernel: CudaFunction, shape: LaunchConfig, parameters: P)
where
    CudaFunction: LaunchAsync<P>,
{
    // SAFETY: the parameters have the types that the kernel declares, at every call.
    unsafe { kernel.launch(shape, parameters) }.unwrap();
}

/// Unset memory for `len` elements.
fn unset<T: cudarc::driver::DeviceRepr>(device: &Arc<CudaDevice>, len: usize) -> CudaSlice<T> {
    // SAFETY: any bits are numbers.
    unsafe { device.alloc(len) }.unwrap()
}

/// Multiplies matrices.
fn multiply<T>(blas: &CudaBlas, gemm: GemmConfig<T>, a: &CudaSlice<T>, b: &CudaSlice<T>, c: &mut CudaSlice<T>) -> bool
where
    CudaBlas: Gemm<T>,
{
    // SAFETY: the emulator checks that the matrices are within their memory.
    unsafe { blas.gemm(gemm, a, b, c) }.is_ok()
}

fn shape(grid: (u32, u32, u32), block: (u32, u32, u32)) -> LaunchConfig {
    LaunchConfig { grid_dim: grid, block_dim: block, shared_mem_bytes: 0 }
}

/// Runs `body` in a process of its own, where `variable` is set, as this test once more. What that process says on
/// stderr comes back, and whether it went well. Such a process starts no other.
fn alone(test: &str, variable: &str, value: &str, body: impl FnOnce()) -> Option<(bool, String)> {
    const INSIDE: &str = "EMULATOR_TEST_ALONE";
    if std::env::var_os(INSIDE).is_some() {
        if std::env::var(variable).is_ok_and(|set| set == value) {
            body();
        }
        return None;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let test = format!("self_test::{test}");
    let output = again.args(["--exact", &test, "--nocapture"]).env(INSIDE, "1").env(variable, value).output().unwrap();
    let ran = String::from_utf8_lossy(&output.stdout).contains("running 1 test");
    assert!(ran, "no test is called {test}");
    Some((output.status.success(), String::from_utf8_lossy(&output.stderr).into()))
}

/// As [`alone`], for a body that must go well.
fn alone_and_well(test: &str, variable: &str, value: &str, body: impl FnOnce()) {
    if let Some((well, message)) = alone(test, variable, value, body) {
        assert!(well, "{message}");
    }
}

#[test]
fn text_that_does_not_compile_is_an_error_with_the_compilers_message() {
    if folder().is_some() {
        for wrong in ["x[0] = unknown(1);", "int *p = x;", "const REAL *y = x; x = y;"] {
            let error = emulator::build(&format!("KERNEL broken(REAL *x) {{ {wrong} }}\n")).unwrap_err();
            assert!(error.contains("kernels.cu:1"), "{error}");
        }
    }
}

#[test]
fn the_kernels_of_this_crate_compile() {
    let Some(folder) = emulator::folder() else { return };
    assert!(folder.join("libnvrtc.so.12").is_file());
}

#[test]
fn without_a_compiler_there_is_none() {
    alone_and_well("without_a_compiler_there_is_none", "PATH", "/nowhere", || {
        assert_eq!(emulator::build("KERNEL never_compiled(int x) {}\n"), Ok(None));
    });
}

#[test]
fn kernels_compute_in_both_elements() {
    let Some(device) = device() else { return };
    assert_eq!(compile_ptx("#define REAL float\n").unwrap().to_src(), "f32");
    assert_eq!(compile_ptx("#define REAL double\n").unwrap().to_src(), "f64");
    assert!(compile_ptx("#define REAL half\n").unwrap_err().to_string().contains("float or double"));

    let mut y = device.htod_copy(vec![0.5f32; 1500]).unwrap();
    let x = device.htod_copy((0..1500).map(|i| i as f32).collect()).unwrap();
    let axpy = kernel(&device, "f32", "test_axpy");
    launch(axpy, LaunchConfig::for_num_elems(1500), (&mut y, &x, 1500i64, 2.0f64));
    let sums = device.dtoh_sync_copy(&y).unwrap();
    assert!(sums.iter().enumerate().all(|(i, &sum)| sum == 0.5 + 2.0 * i as f32));

    let mut y = device.htod_copy(vec![1.0f64]).unwrap();
    let x = device.htod_copy(vec![1e-12f64]).unwrap();
    let axpy = kernel(&device, "f64", "test_axpy");
    launch(axpy, LaunchConfig::for_num_elems(1), (&mut y, &x, 1i64, 1.0f64));
    assert_eq!(device.dtoh_sync_copy(&y).unwrap(), [1.0 + 1e-12]);
}

#[test]
fn threads_know_their_positions_in_three_dimensions() {
    let Some(device) = device() else { return };
    let mut at: CudaSlice<u32> = unset(&device, 24 * 30);
    let positions = kernel(&device, "f32", "test_positions");
    launch(positions, shape((2, 3, 4), (5, 3, 2)), (&mut at, 24i32));
    let at = device.dtoh_sync_copy(&at).unwrap();
    assert!(at.iter().enumerate().all(|(i, &position)| position as usize == i / 30 * 1000 + i % 30));
}

#[test]
fn threads_wait_for_each_other_at_barriers() {
    let Some(device) = device() else { return };
    let x = device.htod_copy((0..64 * 50).map(f64::from).collect()).unwrap();
    let mut sums = device.alloc_zeros::<f64>(50).unwrap();
    for _ in 0..2 {
        let block_sums = kernel(&device, "f64", "test_block_sums");
        launch(block_sums, shape((50, 1, 1), (64, 1, 1)), (&x, &mut sums));
        let sums = device.dtoh_sync_copy(&sums).unwrap();
        assert!(sums.iter().enumerate().all(|(i, &sum)| sum == (i * 64 * 64 + 2016) as f64));
    }
}

#[test]
fn unset_memory_is_nan() {
    let Some(device) = device() else { return };
    let fresh: CudaSlice<f32> = unset(&device, 3);
    assert!(device.dtoh_sync_copy(&fresh).unwrap().iter().all(|value| value.is_nan()));
    let mut seen = device.alloc_zeros::<f64>(2).unwrap();
    let stale = kernel(&device, "f64", "test_stale_shared");
    launch(stale, shape((2, 1, 1), (1, 1, 1)), (&mut seen,));
    assert!(device.dtoh_sync_copy(&seen).unwrap().iter().all(|value| value.is_nan()), "shared memory");
}

#[test]
fn host_threads_launch_at_the_same_time() {
    let Some(device) = device() else { return };
    let launch = |start: usize| {
        device.bind_to_thread().unwrap();
        let x = device.htod_copy((start..start + 64).map(|i| i as f64).collect()).unwrap();
        let mut sums = device.alloc_zeros::<f64>(1).unwrap();
        for _ in 0..200 {
            let block_sums = device.get_func("threads", "test_block_sums").unwrap();
            launch(block_sums, shape((1, 1, 1), (64, 1, 1)), (&x, &mut sums));
            assert_eq!(device.dtoh_sync_copy(&sums).unwrap(), [(64 * start + 2016) as f64]);
        }
    };
    device.load_ptx("f64".into(), "threads", &["test_block_sums"]).unwrap();
    std::thread::scope(|scope| (0..4).for_each(|start| drop(scope.spawn(move || launch(start)))));
}

#[test]
fn errors_have_the_codes_of_cuda() {
    let Some(device) = device() else { return };
    let error = device.load_ptx("".into(), "empty", &[]).unwrap_err();
    assert_eq!(error.0, CUresult::CUDA_ERROR_INVALID_PTX);
    assert!(error.to_string().contains("PTX"), "{error}");
    let error = device.load_ptx("f32".into(), "absent", &["test_absent"]).unwrap_err();
    assert_eq!(error.0, CUresult::CUDA_ERROR_NOT_FOUND);
    // SAFETY: what is allocated, if anything is, stays so.
    let without_context = std::thread::spawn(|| unsafe { result::malloc_sync(1) }).join().unwrap();
    assert_eq!(without_context.unwrap_err().0, CUresult::CUDA_ERROR_INVALID_CONTEXT);
}

#[test]
fn the_order_of_threads_can_be_reversed() {
    let last_thread = |device: &Arc<CudaDevice>| {
        let mut last = device.alloc_zeros::<u32>(1).unwrap();
        let kernel = kernel(device, "f32", "test_last_thread");
        launch(kernel, shape((3, 1, 1), (4, 1, 1)), (&mut last,));
        device.dtoh_sync_copy(&last).unwrap()[0]
    };
    let Some(device) = device() else { return };
    let test = "the_order_of_threads_can_be_reversed";
    alone_and_well(test, "EMULATED_ORDER", "usual", || assert_eq!(last_thread(&device), 11));
    alone_and_well(test, "EMULATED_ORDER", "reversed", || {
        assert_eq!(last_thread(&device), 0);
        threads_wait_for_each_other_at_barriers();
    });
}

#[test]
fn memory_can_run_out() {
    let Some(device) = device() else { return };
    alone_and_well("memory_can_run_out", "EMULATED_MEMORY", "1000", || {
        let some = device.alloc_zeros::<u8>(600).unwrap();
        assert_eq!(result::mem_get_info().unwrap(), (400, 1000));
        let error = device.alloc_zeros::<u8>(401).unwrap_err();
        assert_eq!(error.0, CUresult::CUDA_ERROR_OUT_OF_MEMORY);
        drop(some);
        device.alloc_zeros::<u8>(1000).unwrap();
    });
}

#[test]
fn launches_and_copies_are_counted() {
    let Some(device) = device() else { return };
    alone_and_well("launches_and_copies_are_counted", "EMULATED_MEMORY", "100000", || {
        let x = device.htod_copy(vec![0f32; 64]).unwrap();
        let mut sums = device.alloc_zeros::<f32>(1).unwrap();
        let block_sums = kernel(&device, "f32", "test_block_sums");
        launch(block_sums, shape((1, 1, 1), (64, 1, 1)), (&x, &mut sums));
        device.dtoh_sync_copy(&sums).unwrap();
        let expected = emulator::Counts { launches: 1, copies_in: 1, bytes_in: 256, copies_out: 1, bytes_out: 4 };
        assert_eq!(emulator::counts(folder().unwrap()), expected);
    });
}

type Mistake = (&'static str, &'static str, fn(&Arc<CudaDevice>));

/// Each with what the emulator says.
const MISTAKES: [Mistake; 15] = [
    ("write beyond", "kernel test_write: after the launch: something wrote beyond the end", |device| write(device, 4)),
    ("write before", "kernel test_write: after the launch: something wrote before the start", |device| {
        write(device, -1)
    }),
    ("write far away", "kernel test_write: it touches memory that does not exist", |device| write(device, 1 << 44)),
    ("no threads", "kernel test_write: a launch of no threads", |device| {
        wrong_launch(device, "test_write", (0, 1, 1), 1)
    }),
    ("grid too large", "a grid too large: 1 x 65536 x 1", |device| {
        wrong_launch(device, "test_write", (1, 65536, 1), 1)
    }),
    ("block too large", "a block too large: 1025 x 1 x 1", |device| {
        wrong_launch(device, "test_write", (1, 1, 1), 1025)
    }),
    ("uneven barrier", "kernel test_uneven_barrier: only some threads", |device| {
        wrong_launch(device, "test_uneven_barrier", (1, 1, 1), 4)
    }),
    ("two barriers", "kernel test_two_barriers: only some threads", |device| {
        wrong_launch(device, "test_two_barriers", (1, 1, 1), 4)
    }),
    ("undeclared barrier", "kernel test_undeclared_barrier: it has barriers", |device| {
        wrong_launch(device, "test_undeclared_barrier", (1, 1, 1), 4)
    }),
    ("argument freed", "kernel test_write: before the launch: no live allocation", |device| {
        let freed = address(device);
        free(freed);
        launch(kernel(device, "f32", "test_write"), shape((1, 1, 1), (1, 1, 1)), (freed, 0i64));
    }),
    ("freed twice", "free: no live allocation", |device| {
        let freed = address(device);
        free(freed);
        free(freed);
    }),
    ("copy in too long", "copy to the device: 17 bytes from byte 0 on go beyond an allocation of 16", |device| {
        // SAFETY: there is none: the process ends here, as at the next two.
        unsafe { result::memcpy_htod_sync(address(device), &[0u8; 17]) }.unwrap();
    }),
    ("copy out of nowhere", "copy from the device: no live allocation at address 0x10", |_| {
        // SAFETY: as above.
        unsafe { result::memcpy_dtoh_sync(&mut [0u8; 1], 16) }.unwrap();
    }),
    ("memset too long", "memset: 16 bytes from byte 8 on go beyond an allocation of 16", |device| {
        // SAFETY: as above.
        unsafe { result::memset_d8_sync(address(device) + 8, 0, 16) }.unwrap();
    }),
    ("product too large", "gemm, B: 24 bytes from byte 0 on go beyond an allocation of 16", |device| {
        let blas = CudaBlas::new(device.clone()).unwrap();
        let (a, b) = (device.alloc_zeros::<f32>(4).unwrap(), device.alloc_zeros::<f32>(4).unwrap());
        let mut c = device.alloc_zeros::<f32>(6).unwrap();
        multiply(&blas, plain((2, 3, 2), 1.0f32, 0.0), &a, &b, &mut c);
    }),
];

/// The address of four elements of f32.
fn address(device: &Arc<CudaDevice>) -> u64 {
    device.alloc_zeros::<f32>(4).unwrap().leak()
}

fn free(address: u64) {
    // SAFETY: where it is freed already, the process ends here.
    unsafe { result::free_sync(address) }.unwrap();
}

fn write(device: &Arc<CudaDevice>, at: i64) {
    let mut x = device.alloc_zeros::<f32>(4).unwrap();
    launch(kernel(device, "f32", "test_write"), shape((1, 1, 1), (1, 1, 1)), (&mut x, at));
}

fn wrong_launch(device: &Arc<CudaDevice>, name: &'static str, grid: (u32, u32, u32), threads: u32) {
    let mut x = device.alloc_zeros::<f32>(4).unwrap();
    launch(kernel(device, "f32", name), shape(grid, (threads, 1, 1)), (&mut x, 0i64));
}

#[test]
fn mistakes_abort_and_say_what_is_wrong() {
    let Some(device) = device() else { return };
    for (name, message, mistake) in MISTAKES {
        let test = "mistakes_abort_and_say_what_is_wrong";
        let Some((well, said)) = alone(test, "EMULATED_MISTAKE", name, || mistake(&device)) else { continue };
        assert!(!well, "{name} is not caught");
        assert!(said.contains(message), "{name}: {said}");
    }
}

/// The product of matrices that lie without gaps: (m, n, k).
fn plain<T>((m, n, k): (i32, i32, i32), alpha: T, beta: T) -> GemmConfig<T> {
    let none = cublasOperation_t::CUBLAS_OP_N;
    GemmConfig { transa: none, transb: none, m, n, k, alpha, lda: m, ldb: k, beta, ldc: m }
}

/// Small whole numbers, whose products are exact in f32 too.
fn numbers(count: usize, seed: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 7 + seed) % 11) as f64 - 5.0).collect()
}

/// Element (row, column) of op(A), for a matrix whose columns lie `leading` apart.
fn element(of: &[f64], transposed: bool, leading: usize, row: usize, column: usize) -> f64 {
    if transposed { of[column + row * leading] } else { of[row + column * leading] }
}

#[test]
fn products_of_matrices_agree_with_plain_ones() {
    let Some(device) = device() else { return };
    let blas = CudaBlas::new(device.clone()).unwrap();
    let operation = |transposed| match transposed {
        true => cublasOperation_t::CUBLAS_OP_T,
        false => cublasOperation_t::CUBLAS_OP_N,
    };
    let (m, n, k, batch, gap) = (4, 3, 5, 2, 2);
    for case in 0..8 {
        let (ta, tb, beta) = (case & 1 != 0, case & 2 != 0, if case & 4 != 0 { 3.0 } else { 0.0 });
        let (lda, ldb, ldc) = (if ta { k } else { m } + gap, if tb { n } else { k } + gap, m + gap);
        let (a, b) = (numbers(batch * lda * k.max(m), 1), numbers(batch * ldb * k.max(n), 2));
        let before = if beta == 0.0 { vec![f64::NAN; batch * ldc * n] } else { numbers(batch * ldc * n, 3) };
        let (stride_a, stride_b, stride_c) = (a.len() / batch, b.len() / batch, ldc * n);

        let mut expected = before.clone();
        for (one, i, j) in (0..batch * m * n).map(|index| (index / (m * n), index / n % m, index % n)) {
            let (a, b) = (&a[one * stride_a..], &b[one * stride_b..]);
            let sum: f64 = (0..k).map(|l| element(a, ta, lda, i, l) * element(b, tb, ldb, l, j)).sum();
            let c = &mut expected[one * stride_c + j * ldc + i];
            *c = if beta == 0.0 { 2.0 * sum } else { 2.0 * sum + beta * *c };
        }

        let gemm = GemmConfig {
            transa: operation(ta),
            transb: operation(tb),
            m: m as i32,
            n: n as i32,
            k: k as i32,
            alpha: 2.0,
            lda: lda as i32,
            ldb: ldb as i32,
            beta,
            ldc: ldc as i32,
        };
        let (on_a, on_b) = (device.htod_copy(a).unwrap(), device.htod_copy(b).unwrap());
        let mut batched = device.htod_copy(before.clone()).unwrap();
        let (stride_a, stride_b, stride_c) = (stride_a as i64, stride_b as i64, stride_c as i64);
        let config = StridedBatchedConfig { gemm, batch_size: batch as i32, stride_a, stride_b, stride_c };
        // SAFETY: as for `multiply`.
        unsafe { blas.gemm_strided_batched(config, &on_a, &on_b, &mut batched) }.unwrap();
        same(&device.dtoh_sync_copy(&batched).unwrap(), &expected);

        let mut single = device.htod_copy(before.clone()).unwrap();
        assert!(multiply(&blas, gemm, &on_a, &on_b, &mut single));
        let first = device.dtoh_sync_copy(&single).unwrap();
        same(&first[..ldc * n], &expected[..ldc * n]);
        same(&first[ldc * n..], &before[ldc * n..]);
    }
    let mut none = device.alloc_zeros::<f32>(1).unwrap();
    let wrong = GemmConfig { lda: 1, ..plain((2, 1, 1), 1.0f32, 0.0) };
    let (a, b) = (device.alloc_zeros::<f32>(2).unwrap(), device.alloc_zeros::<f32>(2).unwrap());
    assert!(!multiply(&blas, wrong, &a, &b, &mut none), "columns that overlap");
}

/// Equal, or NaN in both.
fn same(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(x, y)| x == y || x.is_nan() && y.is_nan()), "{found:?}\n{expected:?}");
}

#[test]
fn dfdx_keeps_tensors_and_multiplies_matrices_on_it() {
    let Some(folder) = folder() else { return };
    cuda::look_in(folder);
    let device = cuda::open(0).unwrap();
    let zeros: Tensor<Rank2<3, 2>, f32, _> = device.zeros();
    assert_eq!(zeros.as_vec(), [0.0; 6]);

    let cpu = Cpu::default();
    let (a, b) = (numbers(12, 1), numbers(20, 2));
    let on_cpu = cpu.tensor_from_vec(a.clone(), (3, 4)).matmul(cpu.tensor_from_vec(b.clone(), (4, 5)));
    let on_device = device.tensor_from_vec(a, (3, 4)).matmul(device.tensor_from_vec(b, (4, 5)));
    assert_eq!(on_device.as_vec(), on_cpu.as_vec());
}
