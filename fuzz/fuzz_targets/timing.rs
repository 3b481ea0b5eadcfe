//! The times of a run's steps.
#![no_main]

use flowstone::train::read_timing;
use flowstone_fuzz::read_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let times = read_file("timing.jsonl", bytes, |path| read_timing(path.parent().unwrap_or(path)));
    if let Some(times) = times {
        assert_eq!(times.median().is_some(), !times.seconds_so_far().is_empty());
    }
});
