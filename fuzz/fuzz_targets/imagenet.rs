//! A batch of downsampled ImageNet.
#![no_main]

use flowstone::data;
use flowstone_fuzz::read_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let files = [("train_data_batch_1.npz", bytes), ("val_data.npz", bytes)];
    read_folder(&files, |folder| data::open(&format!("npz:{}", folder.display())));
});
