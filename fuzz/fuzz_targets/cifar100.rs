//! A file of CIFAR-100, with either of its labels.
#![no_main]

use flowstone::data;
use flowstone_fuzz::read_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for labels in ["fine", "coarse"] {
        let open = |folder: &std::path::Path| data::open(&format!("cifar100:{}?labels={labels}", folder.display()));
        read_folder(&[("train.bin", bytes), ("test.bin", bytes)], open);
    }
});
