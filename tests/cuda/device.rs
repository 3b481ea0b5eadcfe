//! The device that the tests of this program run on: this machine's card, or one that a C compiler makes of the kernels' text.

use crate::emulator;
use flowstone::backend::{Cpu, Cuda, cuda};

/// A device of each kind.
pub struct Both {
    pub cpu: Cpu,
    pub cuda: Cuda,
}

impl Both {
    /// `None`, with a line, where there is neither a card nor a C compiler to emulate one.
    pub fn open() -> Option<Self> {
        if !has_card() {
            cuda::look_in(emulator::folder()?);
        }
        Some(Self { cpu: Cpu::default(), cuda: cuda::open(0).unwrap() })
    }
}

/// Whether NVIDIA's driver has a card here, of any number. `FLOWSTONE_EMULATE=1` makes the tests look away;
/// `FLOWSTONE_EMULATE=0` makes them fail where there is none.
pub fn has_card() -> bool {
    let numbered = |name: &str| name.strip_prefix("nvidia").is_some_and(|number| number.parse::<u32>().is_ok());
    let devices = std::fs::read_dir("/dev").into_iter().flatten().flatten();
    let found = devices.into_iter().any(|device| device.file_name().to_str().is_some_and(numbered));
    match std::env::var("FLOWSTONE_EMULATE").as_deref() {
        Ok("0") => {
            assert!(found, "FLOWSTONE_EMULATE=0 asks for a card, and /dev has none");
            true
        }
        Ok(_) => false,
        Err(_) => found,
    }
}

/// That numbers agree: within `tolerance` of the largest of those expected, and of 1. Else where they do not.
pub fn close(expected: &[f64], found: &[f64], tolerance: f64) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("{} numbers, not {}", found.len(), expected.len()));
    }
    let size = expected.iter().filter(|x| x.is_finite()).fold(1.0, |size: f64, x| size.max(x.abs()));
    let differ = |(a, b): &(&f64, &f64)| !(a == b || (*a - *b).abs() <= tolerance * size || (a.is_nan() && b.is_nan()));
    match expected.iter().zip(found).enumerate().find(|(_, pair)| differ(pair)) {
        Some((i, (a, b))) => Err(format!("number {i} of {} is {b:e}, not {a:e} (largest {size:e})", expected.len())),
        None => Ok(()),
    }
}
