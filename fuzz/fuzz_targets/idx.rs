//! Images and labels of an IDX data set, plain.
#![no_main]

use flowstone_fuzz::read_idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read_idx(bytes, "");
});
