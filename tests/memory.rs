//! Peak memory of a training step, by a counting allocator: it does not grow with depth.

use flowstone::backend::kernels::{MemoryKernel, Operand, ProductKernel};
use flowstone::backend::{Cpu, Initializer, ParameterGradients};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(HELD.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WORKERS: usize = 2;

/// What the flow says of itself.
static PREDICTED: AtomicUsize = AtomicUsize::new(0);

/// Bytes at the peak of a gradient over what was held before, without the workers' gradient buffers, which are as
/// large as the parameters.
fn peak(depth: usize, memory: Memory) -> usize {
    let step = "ActNorm(), InvertibleConv(), AffineCoupling(width: 128)";
    let level = format!("Squeeze(), Repeat({depth}, [{step}])");
    let text = format!(
        "Flow(image: (height: 32, width: 32, channels: 3), layers: [{level}, Split(), {level}, Split(), {level}])"
    );
    let device = Cpu::default();
    let file = FlowFile::parse("memory", text).unwrap();
    let mut flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0)).unwrap();
    flow.prepare(&device).unwrap();
    let levels: Vec<u8> = (0..4 * 3072).map(|i| (i * 37 % 251) as u8).collect();
    let dequantize = Dequantize::Uniform(NoiseKey::new(0, Purpose::Dequantize));
    let batch = Batch { values: (&levels).into(), labels: None, context: None, numbers: &[0, 1, 2, 3], dequantize };
    // Workers of its own, so that no buffer is left from another measurement.
    let workers = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().unwrap();
    // The library of products reserves address space for packing at a thread's first product, as much as the machine's
    // caches suggest to it, and touches what it needs of it.
    workers.broadcast(|_| product());
    // Four images for two workers: two each, so all four are in work.
    PREDICTED.store(4 * flow.training_bytes_per_image(), Relaxed);
    let without = HELD.load(Relaxed);
    let gradients = ParameterGradients::zeros(&device, &flow).unwrap();
    let gradient_bytes = HELD.load(Relaxed) - without;
    drop(gradients);
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    workers.install(|| flow.gradient(&device, &batch, memory)).unwrap();
    PEAK.load(Relaxed) - before - WORKERS * gradient_bytes
}

/// A product that is large enough to be packed.
fn product() {
    const N: usize = 256;
    let device = Cpu::default();
    let a = device.upload(&[1.0_f32; N * N]).unwrap();
    let mut c = a.clone();
    device.product((N, N, N), Operand::Plain(&a), Operand::Transposed(&a), &mut c, false).unwrap();
}

#[test]
fn by_inversion_memory_does_not_grow_with_depth_and_stored_it_does() {
    let (shallow, deep) = (peak(8, Memory::Invert), peak(64, Memory::Invert));
    println!("inverting: {shallow} bytes at K = 8, {deep} at K = 64");
    assert!((deep as f64) < 1.1 * shallow as f64, "{shallow} bytes at K = 8, {deep} at K = 64");
    let predicted = PREDICTED.load(Relaxed);
    println!("predicted: {predicted}");
    // The prediction has a network's hidden gradients for every pixel, of which a block at a time is there.
    let (least, most) = (predicted / 4 * 3, predicted + WORKERS * (1 << 20));
    assert!((least..most).contains(&deep), "{deep} bytes, predicted {predicted}: {least} to {most}");
    let (shallow, deep) = (peak(4, Memory::Store), peak(8, Memory::Store));
    println!("storing: {shallow} bytes at K = 4, {deep} at K = 8");
    assert!(deep as f64 > 1.4 * shallow as f64, "the counter is blind: {shallow} bytes at K = 4, {deep} at K = 8");
}
