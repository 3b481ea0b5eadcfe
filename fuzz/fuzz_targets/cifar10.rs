//! A batch of CIFAR-10, and the names of its classes.
#![no_main]

use flowstone::data;
use flowstone_fuzz::read_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let names = ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
    let batches = names.map(|name| (name, bytes));
    let open = |folder: &std::path::Path| data::open(&format!("cifar10:{}", folder.display()));
    read_folder(&[&batches[..], &[("test_batch.bin", bytes)]].concat(), open);
    let right = [0; 3073];
    let batches = names.map(|name| (name, &right[..]));
    read_folder(&[&batches[..], &[("test_batch.bin", &right), ("batches.meta.txt", bytes)]].concat(), open);
});
