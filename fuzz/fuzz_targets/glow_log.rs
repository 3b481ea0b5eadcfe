//! A log of openai/glow as a curve against every axis.
#![no_main]

use flowstone::train::{XAxis, glow_log_series};
use flowstone_fuzz::read_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for axis in [XAxis::Step, XAxis::Epoch, XAxis::Seconds] {
        read_file("test.txt", bytes, |path| glow_log_series(path, "published", axis));
    }
});
