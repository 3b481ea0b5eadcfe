//! Axes with round ticks, written with the decimals they need and no more.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// Of a step: a tick this near to the end of an axis is on it, whatever the rounding.
const SLACK: f64 = 1e-9;

/// A linear axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    range: Range<f64>,
    step: f64,
    decimals: usize,
}

impl Axis {
    /// The axis over `range`, with at most `most` steps from tick to tick.
    pub(super) fn new(range: Range<f64>, most: usize) -> Self {
        let least = (range.end - range.start) / most as f64;
        let power = least.log10().floor();
        let (digit, power) = match least / 10f64.powf(power) - SLACK {
            rough if rough <= 1.0 => (1.0, power),
            rough if rough <= 2.0 => (2.0, power),
            rough if rough <= 5.0 => (5.0, power),
            _ => (1.0, power + 1.0),
        };
        Self { range, step: digit * 10f64.powf(power), decimals: (-power).clamp(0.0, 12.0) as usize }
    }

    /// The numbers beside the ticks.
    pub(super) fn labels(&self) -> impl Iterator<Item = String> {
        self.ticks().map(|tick| self.format_ext(&tick))
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        // Counted in steps, since a sum of steps would drift.
        let first = (self.range.start / self.step - SLACK).ceil();
        let last = (self.range.end / self.step + SLACK).floor();
        (first as i64..=last as i64).map(|i| i as f64 * self.step)
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (value - self.range.start) / (self.range.end - self.range.start);
        first + (part * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks().collect() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        if value.abs() < 1e7 { format!("{value:.*}", self.decimals) } else { format!("{value:.1e}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_have_the_decimals_they_need() {
        let labels = |range, most| Axis::new(range, most).labels().collect::<Vec<_>>();
        assert_eq!(labels(2.9..4.1, 8), ["3.0", "3.2", "3.4", "3.6", "3.8", "4.0"]);
        assert_eq!(labels(-9.0..900.0, 5), ["0", "200", "400", "600", "800"]);
        assert_eq!(labels(0.0..80.0, 8), ["0", "10", "20", "30", "40", "50", "60", "70", "80"]);
        assert_eq!(labels(0.0..0.7, 8), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]);
        assert_eq!(labels(1e9..2e9, 2), ["1.0e9", "1.5e9", "2.0e9"]);
    }

    #[test]
    fn an_axis_maps_its_ends_to_the_ends_of_the_plot() {
        let axis = Axis::new(1.0..3.0, 4);
        assert_eq!([1.0, 2.0, 3.0].map(|value| axis.map(&value, (500, 100))), [500, 300, 100]);
    }
}
