//! An ablation file is refused where it is wrong, or its runs are planned.
#![no_main]

use flowstone::ablation::{AblationFile, Plan};
use flowstone::backend::Cpu;
use flowstone::flow::Registry;
use flowstone_fuzz::answered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(file) = answered(AblationFile::parse("fuzz.ron", text), "fuzz.ron") {
        answered(Plan::new::<f32, Cpu>(&file, &Cpu::default(), &Registry::default(), None), "fuzz.ron");
    }
});
