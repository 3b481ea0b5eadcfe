//! A run's metrics as learning curves, and to go on with.
#![no_main]

use flowstone::train::{Metrics, XAxis, run_series, series_of_runs};
use flowstone_fuzz::read_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    read_file("metrics.jsonl", bytes, |path| {
        let folder = path.parent().unwrap_or(path);
        run_series(folder, "run")?;
        series_of_runs(&[folder], XAxis::Epoch)?;
        Metrics::open(path, 3)?;
        run_series(folder, "run").map(drop)
    });
});
