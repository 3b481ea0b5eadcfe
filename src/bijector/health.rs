//! How near a layer is to where inverting it costs digits.
//!
//! An inverse amplifies rounding errors by the condition number of the map (Behrmann et al. 2021, "Understanding and
//! mitigating exploding inverses in invertible neural networks", [arXiv:2006.09347](https://arxiv.org/abs/2006.09347)).
//! For the layers of a flow that is read off their parameters, or off what a network makes of images; for a coupling it
//! is estimated ([`jacobian_condition`](super::jacobian_condition)).

use serde::Serialize;

/// The figures of one layer; `None` for what it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Health {
    /// The condition number of its matrix: the largest singular value over the smallest.
    pub condition: Option<f64>,
    /// The condition number of its Jacobian, the largest over the images: by the layer itself where it knows, else
    /// estimated from below by who asks.
    pub jacobian_condition: Option<f64>,
    /// The smallest and the largest factor that its parameters multiply a channel by.
    pub scales: Option<(f64, f64)>,
    /// The smallest and the largest gain within its network.
    pub gains: Option<(f64, f64)>,
    /// The largest `|ln scale|` that its network gives an element of the images.
    pub log_scale: Option<f64>,
}

impl Health {
    /// The figures of two layers taken as one: the worse of each.
    pub fn and(self, other: Self) -> Self {
        Self {
            condition: either(self.condition, other.condition, larger),
            jacobian_condition: either(self.jacobian_condition, other.jacobian_condition, larger),
            scales: either(self.scales, other.scales, wider),
            gains: either(self.gains, other.gains, wider),
            log_scale: either(self.log_scale, other.log_scale, larger),
        }
    }
}

fn either<T>(a: Option<T>, b: Option<T>, both: fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

/// The larger number; NaN is the largest.
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The smaller number; NaN is the smallest.
fn smaller(a: f64, b: f64) -> f64 {
    if a.is_nan() || a < b { a } else { b }
}

/// The range that holds both.
pub(crate) fn wider(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    (smaller(a.0, b.0), larger(a.1, b.1))
}

/// The smallest and the largest of some numbers; NaN in both if one is; `None` of none.
pub(crate) fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().map(|value| (value, value)).reduce(wider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worse_of_each_figure_is_kept_and_nan_is_the_worst() {
        let a = Health { condition: Some(2.0), scales: Some((0.5, 3.0)), ..Default::default() };
        let b = Health { condition: Some(5.0), scales: Some((0.1, 1.0)), log_scale: Some(1.0), ..Default::default() };
        let b = Health { jacobian_condition: Some(7.0), ..b };
        let both = Health { scales: Some((0.1, 3.0)), ..b };
        assert_eq!((a.and(b), b.and(a), a.and(Health::default())), (both, both, a));
        assert!(larger(f64::NAN, 1.0).is_nan() && larger(1.0, f64::NAN).is_nan());
        assert!(range([1.0, f64::NAN, 2.0]).is_some_and(|(low, high)| low.is_nan() && high.is_nan()));
        assert_eq!((range([2.0, -1.0, 7.0]), range([])), (Some((-1.0, 7.0)), None));
    }
}
