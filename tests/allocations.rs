//! A training step in its steady state allocates nothing large: buffers are reused from step to step, those that the
//! library of matrix products packs operands into among them.

use dfdx::tensor::Cache;
use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Dequantize, Flow, FlowFile, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::train::OptimizerState;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const LARGE: usize = 64 << 10;

struct Counting;

static LARGE_ONES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGE_ONES.fetch_add(usize::from(layout.size() > LARGE), Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_step_in_its_steady_state_allocates_nothing_large() {
    let level = "Squeeze(), Repeat(3, [ActNorm(), InvertibleConv(), AffineCoupling(width: 128)])";
    let text = format!("Flow(image: (height: 32, width: 32, channels: 3), layers: [{level}, Split(), {level}])");
    let device = Cpu::default();
    device.enable_cache();
    let file = FlowFile::parse("allocations", text).unwrap();
    let mut flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0)).unwrap();
    let mut optimizer = OptimizerState::new(&device, &flow, file.spec.train.optimizer, 100.0).unwrap();
    let levels: Vec<u8> = (0..8 * 3072).map(|i| (i * 37 % 251) as u8).collect();
    let mut step = |number: u64, memory| {
        let dequantize = Dequantize::Uniform(NoiseKey::new(0, Purpose::Dequantize).at(number));
        let numbers = [0, 1, 2, 3, 4, 5, 6, 7];
        let batch = Batch { values: (&levels).into(), labels: None, context: None, numbers: &numbers, dequantize };
        let outcome = flow.gradient(&device, &batch, memory).unwrap();
        optimizer.step(&device, &mut flow, &outcome.gradients, 1e-4).unwrap();
        flow.prepare(&device).unwrap();
    };
    // One worker: with several, which of them ran what decides whose buffers are warm.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(|| {
        for memory in [Memory::Invert, Memory::Store] {
            (0..3).for_each(|number| step(number, memory));
            let before = LARGE_ONES.load(Relaxed);
            assert!(before > 0, "the counter is blind");
            (3..6).for_each(|number| step(number, memory));
            assert_eq!(LARGE_ONES.load(Relaxed) - before, 0, "{memory:?}: allocations above {LARGE} bytes");
        }
    });
}
