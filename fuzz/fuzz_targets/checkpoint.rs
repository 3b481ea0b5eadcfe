//! A checkpoint is refused, or it is put back into the flow that it declares.
#![no_main]

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::Optimizer;
use flowstone::flow::{Flow, Registry};
use flowstone::train::{Average, Checkpoint, OptimizerState};
use flowstone_fuzz::{mutate_safetensors, read_file};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

/// Elements of the largest flow that is given room.
const MOST: usize = 1 << 16;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_safetensors(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    read_file("checkpoint.safetensors", bytes, |path| {
        let device = Cpu::default();
        let (_, file, tensors) = Checkpoint::read::<f32>(path)?;
        let mut flow = Flow::build(&file, &Registry::default(), &Initializer::blank(&device))?;
        // A run has built its own flow before it reads the checkpoint.
        if flow.summary(&device, &file)?.parameters > MOST {
            return Ok(());
        }
        let mut optimizer = OptimizerState::new(&device, &flow, Optimizer::default(), 1.0)?;
        let mut average = Average::new(&device, &flow, 0.5)?;
        tensors.restore(path, &device, &mut flow, &mut optimizer, Some(&mut average))
    });
});
