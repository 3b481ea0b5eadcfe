//! A file of latents or of a direction is refused, or its points are pictures.
#![no_main]

use flowstone::backend::Cpu;
use flowstone::flow::{Model, Registry};
use flowstone::latent::{Content, LatentFile, decode};
use flowstone_fuzz::{mutate_safetensors, read_file};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use std::sync::LazyLock;

/// The model whose latents the seeds are.
static MODEL: LazyLock<Model<f32, Cpu>> = LazyLock::new(|| {
    let bytes = include_bytes!("../seeds/model/classes.safetensors");
    let load = |path: &std::path::Path| Model::load(path, &Cpu::default(), &Registry::default(), false);
    read_file("model.safetensors", bytes, load).expect("a model of this program's")
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate_safetensors(data, size, max_size, seed)
});

fuzz_target!(|bytes: &[u8]| {
    let device = Cpu::default();
    for content in [Content::Latents, Content::Direction] {
        read_file("latents.safetensors", bytes, |path| {
            let file = LatentFile::read(path, &MODEL, &device, content)?;
            let decoded = decode(&MODEL.flow, &device, &file.points, file.labels_for(&MODEL))?;
            assert_eq!(decoded.levels.len(), MODEL.flow.image_shape().dims() * file.points.len());
            Ok(())
        });
    }
});
