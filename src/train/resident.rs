//! How much memory this process has resident, as Linux tells it.

use std::fs;

/// The largest resident memory of this process, in MiB, since it began or since the training loop last had it forgotten;
/// `None` where the system does not tell.
pub fn peak_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// The peak of some stretches of a process, without what is between them.
#[derive(Debug, Default)]
pub(super) struct PeakMemory {
    measures: bool,
}

impl PeakMemory {
    /// Forgets the peak so far: from here on it is what is resident now, or more.
    pub(super) fn restart(&mut self) {
        self.measures = fs::write("/proc/self/clear_refs", "5").is_ok();
    }

    /// The peak since then, in MiB; `None` where the system cannot forget an earlier one.
    pub(super) fn mib(&self) -> Option<f64> {
        if self.measures { peak_mib() } else { None }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_forgotten() {
        let mut peak = PeakMemory::default();
        assert_eq!(peak.mib(), None);
        peak.restart();
        let before = peak.mib();
        let large = std::hint::black_box(vec![1u8; 256 << 20]);
        let (Some(before), Some(with)) = (before, peak.mib()) else { return };
        assert!(with > before + 200.0, "{before} {with}");
        drop(large);
        peak.restart();
        assert!(peak.mib().is_some_and(|after| after < with - 100.0));
    }
}
