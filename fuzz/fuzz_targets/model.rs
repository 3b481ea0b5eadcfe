//! A model file is refused, or it is a model that gives a picture.
#![no_main]

use flowstone::backend::Cpu;
use flowstone::flow::{Model, Registry};
use flowstone_fuzz::{mutate_safetensors, read_file};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_safetensors(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let device = Cpu::default();
    for raw in [false, true] {
        let load = |path: &std::path::Path| Model::<f32, Cpu>::load(path, &device, &Registry::default(), raw);
        if let Some(model) = read_file("model.safetensors", bytes, load) {
            let labels = model.flow.classes().map(|_| [0]);
            let levels = model.flow.sample(&device, 0..1, 1.0, labels.as_ref().map(<[usize; 1]>::as_slice), 0);
            assert_eq!(levels.map(|quantized| quantized.levels.len()).ok(), Some(model.flow.image_shape().dims()));
        }
    }
});
