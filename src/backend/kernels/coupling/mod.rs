//! The element-wise half of couplings and of Gaussians: an affine map whose shift and scale come from a network.
//!
//! On the channels from `start` on, `y = (x + shift) · scale`, and `ladj = Σ ln scale`:
//!
//! | map | shift | ln scale |
//! |---|---|---|
//! | `Additive` | `h` | 0 |
//! | `Sigmoid` | `a` | `ln sigmoid(b + 2)` (reference code) |
//! | `Exp` | `a` | `b` (paper) |
//! | `ClampedTanh` | `a` | `bound · tanh(b / bound)` |
//! | `Standardize` | `−a` (the mean) | `−b` (minus the log standard deviation) |
//!
//! A scale too small for a normal number is 0, so that the inverse is not finite instead of wrong; ln scale stays right.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element, ImageShape};
use dfdx::tensor::Storage;
use serde::{Deserialize, Serialize};

/// How the network's output becomes shift and scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CouplingMap {
    /// Shift only; the network's output has as many channels as it moves.
    Additive,
    /// `scale = sigmoid(b + 2)`.
    Sigmoid,
    /// `scale = exp(b)`.
    Exp,
    /// `scale = exp(bound · tanh(b / bound))`.
    ClampedTanh {
        /// The largest `|ln scale|`.
        bound: f64,
    },
    /// `(x − a) · exp(−b)`: to the standard normal from a Gaussian of mean `a` and log standard deviation `b`.
    Standardize,
}

/// How an affine coupling's scale follows from the network's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "scale", deny_unknown_fields)]
pub enum ScaleMap {
    /// `scale = sigmoid(b + 2)`, the reference code's: bounded above by 1.
    #[default]
    Sigmoid,
    /// `scale = exp(b)`, the paper's.
    Exp,
    /// `scale = exp(bound · tanh(b / bound))`: as `Exp` for small b, and bounded both ways.
    ClampedTanh {
        /// The largest `|ln scale|`.
        #[serde(default = "default_bound", deserialize_with = "positive")]
        bound: f64,
    },
}

fn default_bound() -> f64 {
    2.0
}

fn positive<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(serde::de::Error::custom(format!("expected a finite number above 0, found {value}")))
}

impl From<ScaleMap> for CouplingMap {
    fn from(map: ScaleMap) -> Self {
        match map {
            ScaleMap::Sigmoid => Self::Sigmoid,
            ScaleMap::Exp => Self::Exp,
            ScaleMap::ClampedTanh { bound } => Self::ClampedTanh { bound },
        }
    }
}

/// Where `a` and `b` stand among the network's output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CouplingLayout {
    /// `a` in the even channels, `b` in the odd ones: couplings and splits.
    Interleaved,
    /// `a` in the first half, `b` in the second: the top prior.
    Halves,
}

/// One coupling: which channels, by which map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CouplingForm {
    /// The shape of the images.
    pub shape: ImageShape,
    /// The first channel that is changed.
    pub start: usize,
    /// The map.
    pub map: CouplingMap,
    /// The order of the network's channels.
    pub layout: CouplingLayout,
}

impl CouplingForm {
    /// Channels that are changed.
    pub fn changed(&self) -> usize {
        self.shape.channels - self.start
    }

    /// The largest `|ln scale|` that the network's output `h` gives an element, in f64; none where there is no scale.
    pub fn largest_log_scale<E: Element>(&self, h: &[E]) -> Option<f64> {
        if self.map == CouplingMap::Additive {
            return None;
        }
        self.log_scales(h).map(f64::abs).reduce(|a, b| if a.is_nan() || a > b { a } else { b })
    }

    /// Whether an element of the network's output is a `b`.
    fn is_b(&self, i: usize) -> bool {
        match self.layout {
            CouplingLayout::Interleaved => i % 2 == 1,
            CouplingLayout::Halves => i % (2 * self.changed()) >= self.changed(),
        }
    }

    /// The ln scale of every element, in f64, from the network's output.
    pub(crate) fn log_scales<E: Element>(&self, h: &[E]) -> impl Iterator<Item = f64> {
        let log_scale = |b: f64| match self.map {
            CouplingMap::Additive => 0.0,
            CouplingMap::Sigmoid => (b + 2.0).min(0.0) - (-(b + 2.0).abs()).exp().ln_1p(),
            CouplingMap::Exp => b,
            CouplingMap::ClampedTanh { bound } => bound * (b / bound).tanh(),
            CouplingMap::Standardize => -b,
        };
        h.iter().enumerate().filter(|(i, _)| self.is_b(*i)).map(move |(_, b)| log_scale(b.as_f64()))
    }
}

/// The element-wise half of a coupling. The network's output `h` may be of one image only, and then serves all.
pub trait CouplingKernel<E: Element>: Storage<E> + Storage<f64> {
    /// `x` becomes `y`, and `ladj += Σ ln scale` per image.
    fn couple(
        &self,
        form: CouplingForm,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()>;
    /// `y` becomes `x`.
    fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()>;
    /// From the output `y`, the gradient `g` with respect to it and `g_ladj` with respect to ladj: `g` becomes the
    /// gradient with respect to `x` (through the element-wise half only), and the gradient with respect to `h` is
    /// added to `d_h`.
    fn couple_gradient(
        &self,
        form: CouplingForm,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()>;
}

impl CouplingMap {
    /// d shift / d a, which is also the factor from a to the shift.
    fn shift_factor<E: Element>(self) -> E {
        if self == Self::Standardize { -E::one() } else { E::one() }
    }
}

impl CouplingForm {
    /// Channels of the network's output.
    pub fn network_channels(&self) -> usize {
        if self.map == CouplingMap::Additive { self.changed() } else { 2 * self.changed() }
    }

    /// How far apart the a of neighbouring channels stand in a row of the network's output; the first is its first.
    fn stride(&self) -> usize {
        match (self.map, self.layout) {
            (CouplingMap::Additive, _) | (_, CouplingLayout::Halves) => 1,
            (_, CouplingLayout::Interleaved) => 2,
        }
    }

    /// Where the first b stands, if there is one.
    fn first_b(&self) -> Option<usize> {
        match (self.map, self.layout) {
            (CouplingMap::Additive, _) => None,
            (_, CouplingLayout::Interleaved) => Some(1),
            (_, CouplingLayout::Halves) => Some(self.changed()),
        }
    }

    /// Rows whose scales are computed together: enough to fill vectors, few enough to stay in the nearest cache.
    fn block(&self) -> usize {
        (512 / self.changed().max(1)).clamp(1, self.shape.pixels())
    }
}
