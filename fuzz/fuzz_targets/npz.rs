//! An archive of NumPy's arrays as a data set.
#![no_main]

use flowstone::data;
use flowstone_fuzz::read_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read_file("images.npz", bytes, |path| data::open(&format!("npz:{}", path.display())));
});
