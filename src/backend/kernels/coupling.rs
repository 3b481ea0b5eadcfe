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

use super::super::{Buffer, Cpu, Element, ImageShape};
use crate::Result;
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

/// Shift, scale, ln scale and d(ln scale)/db at one element.
struct Affine<E> {
    shift: E,
    scale: E,
    log_scale: E,
    slope: E,
}

impl CouplingMap {
    #[inline]
    fn at<E: Element>(self, a: E, b: E) -> Affine<E> {
        let one = E::one();
        match self {
            Self::Additive => Affine { shift: a, scale: one, log_scale: E::zero(), slope: E::zero() },
            Self::Sigmoid => {
                let b = b + E::of(2.0);
                // With e = exp(−|b|) ≤ 1 nothing overflows and nothing cancels.
                let e = (-b.abs()).exp();
                let (large, small) = (one / (one + e), e / (one + e));
                let (scale, slope) = if b >= E::zero() { (large, small) } else { (small, large) };
                Affine { shift: a, scale, log_scale: b.min(E::zero()) - e.ln_1p(), slope }
            }
            Self::Exp => Affine { shift: a, scale: b.exp(), log_scale: b, slope: one },
            Self::ClampedTanh { bound } => {
                let tanh = (b / E::of(bound)).tanh();
                let log_scale = E::of(bound) * tanh;
                Affine { shift: a, scale: log_scale.exp(), log_scale, slope: one - tanh * tanh }
            }
            Self::Standardize => Affine { shift: -a, scale: (-b).exp(), log_scale: -b, slope: -one },
        }
    }

    /// d shift / d a.
    fn shift_slope<E: Element>(self) -> E {
        if self == Self::Standardize { -E::one() } else { E::one() }
    }
}

impl CouplingForm {
    /// Channels of the network's output.
    pub fn network_channels(&self) -> usize {
        if self.map == CouplingMap::Additive { self.changed() } else { 2 * self.changed() }
    }

    /// Where `a` and `b` of the `k`-th changed channel stand in a row of the network's output.
    #[inline]
    fn places(&self, k: usize) -> (usize, usize) {
        match (self.map, self.layout) {
            (CouplingMap::Additive, _) => (k, k),
            (_, CouplingLayout::Interleaved) => (2 * k, 2 * k + 1),
            (_, CouplingLayout::Halves) => (k, self.changed() + k),
        }
    }
}

impl<E: Element> CouplingKernel<E> for Cpu {
    fn couple(
        &self,
        form: CouplingForm,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (channels, width) = (form.shape.channels, form.network_channels());
        let images = x.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form));
        for ((x, h), ladj) in images.zip(ladj.iter_mut()) {
            let mut sum = 0.0;
            for (x, h) in x.chunks_exact_mut(channels).zip(h.chunks_exact(width)) {
                let mut row_sum = E::zero();
                for (k, x) in x[form.start..].iter_mut().enumerate() {
                    let (a, b) = form.places(k);
                    let affine = form.map.at(h[a], h[b]);
                    *x = (*x + affine.shift) * affine.scale;
                    row_sum += affine.log_scale;
                }
                sum += row_sum.as_f64();
            }
            *ladj += sum;
        }
        Ok(())
    }

    fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let (channels, width) = (form.shape.channels, form.network_channels());
        for (y, h) in y.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form)) {
            for (y, h) in y.chunks_exact_mut(channels).zip(h.chunks_exact(width)) {
                for (k, y) in y[form.start..].iter_mut().enumerate() {
                    let (a, b) = form.places(k);
                    let affine = form.map.at(h[a], h[b]);
                    *y = *y / affine.scale - affine.shift;
                }
            }
        }
        Ok(())
    }

    fn couple_gradient(
        &self,
        form: CouplingForm,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()> {
        let (channels, width) = (form.shape.channels, form.network_channels());
        let network = form.shape.pixels() * width;
        let shift_slope = form.map.shift_slope::<E>();
        let images = y.chunks_exact(form.shape.dims()).zip(g.chunks_exact_mut(form.shape.dims())).zip(g_ladj.iter());
        for (image, ((y, g), &g_ladj)) in images.enumerate() {
            let offset = if h.len() == network { 0 } else { image * network };
            let g_ladj = E::of(g_ladj);
            let (h, d_h) = (&h[offset..][..network], &mut d_h[offset..][..network]);
            let rows = y.chunks_exact(channels).zip(g.chunks_exact_mut(channels));
            for ((y, g), (h, d_h)) in rows.zip(h.chunks_exact(width).zip(d_h.chunks_exact_mut(width))) {
                for (k, (&y, g)) in y[form.start..].iter().zip(&mut g[form.start..]).enumerate() {
                    let (a, b) = form.places(k);
                    let affine = form.map.at(h[a], h[b]);
                    let g_y = *g;
                    *g = g_y * affine.scale;
                    d_h[a] += *g * shift_slope;
                    if form.map != CouplingMap::Additive {
                        d_h[b] += (g_y * y + g_ladj) * affine.slope;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The network's output for image after image; for ever the same if there is only one.
fn rows_of_images<E>(h: &[E], form: CouplingForm) -> impl Iterator<Item = &[E]> {
    let network = form.shape.pixels() * form.network_channels();
    let shared = h.len() == network;
    (0..).map(move |image| if shared { h } else { &h[image * network..][..network] })
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::super::not_yet;
    use super::*;
    use crate::backend::Cuda;

    impl<E: Element> CouplingKernel<E> for Cuda
    where
        Cuda: Storage<E>,
    {
        fn couple(
            &self,
            _: CouplingForm,
            _: &mut Buffer<E, Self>,
            _: &Buffer<E, Self>,
            _: &mut Buffer<f64, Self>,
        ) -> Result<()> {
            not_yet("couple")
        }
        fn uncouple(&self, _: CouplingForm, _: &mut Buffer<E, Self>, _: &Buffer<E, Self>) -> Result<()> {
            not_yet("uncouple")
        }
        fn couple_gradient(
            &self,
            _: CouplingForm,
            _: &Buffer<E, Self>,
            _: &mut Buffer<E, Self>,
            _: &Buffer<f64, Self>,
            _: &Buffer<E, Self>,
            _: &mut Buffer<E, Self>,
        ) -> Result<()> {
            not_yet("couple_gradient")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sigmoid_neither_cancels_nor_overflows() {
        for b in [-800.0, -40.0, -2.0, 0.0, 3.0, 40.0, 800.0] {
            let affine = CouplingMap::Sigmoid.at(0.0_f64, b - 2.0);
            // ln sigmoid(b) = −ln(1 + e^−b), by its series where the direct form would lose it.
            let expected = if b > 30.0 {
                -(-b).exp()
            } else if b < -30.0 {
                b
            } else {
                -(1.0 + (-b).exp()).ln()
            };
            assert!((affine.log_scale - expected).abs() <= 1e-13 * expected.abs(), "{b}: {}", affine.log_scale);
            assert!(affine.scale >= 0.0 && affine.scale <= 1.0 && affine.slope >= 0.0 && affine.slope <= 1.0);
        }
    }
}
