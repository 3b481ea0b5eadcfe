//! The distribution function of a mixture of logistics, then the logit, then an affine map (J. Ho, X. Chen, A. Srinivas, Y.
//! Duan and P. Abbeel, *Flow++*, ICML 2019, § 3.2, eq. 6 to 9).
//!
//! Of the 3K + 2 numbers of an element the first K are the weights' logits, the next K means, the next K log-scales; then
//! come a and b:
//!
//! ```text
//! z_i = (x − μ_i) · exp(−s_i)            π = softmax(logits)
//! F = Σ π_i σ(z_i)                       1 − F = Σ π_i σ(−z_i)
//! u = ln F − ln(1 − F)
//! y = u · exp(a) + b
//! ln slope = ln f − ln F − ln(1 − F) + a,    f = Σ π_i σ(z_i) σ(−z_i) exp(−s_i)
//! ```
//!
//! All three sums are taken in logarithms, so that no tail underflows. `μ_i` is the network's number plus `2(2i + 1 − K)/K`:
//! components that begin alike would have the same gradient, and stay alike for ever.
//!
//! The inverse has no closed form. The mixture's u lies between the least and the greatest of its components' z, so for a
//! given u the root lies between the least and the greatest of `μ_i + u · exp(s_i)`. Newton's method goes on from there; a
//! step that would leave the bracket is replaced by its middle, and the bracket shrinks until its ends are neighbours or
//! the step is lost in rounding. That is dear, about ten times the way up, so a layer keeps its input instead where it can.
//!
//! ```
//! use flowstone::backend::{Cpu, kernels::{MemoryKernel, MixtureLogistic, Transform, TransformKernel}};
//! # fn main() -> flowstone::Result<()> {
//! let mixture = Transform::MixtureLogistic(MixtureLogistic { components: 1 });
//! let device = Cpu::default();
//! let (mut x, mut ladj) = (device.upload(&[0.3_f64])?, device.upload(&[0.0_f64])?);
//! // One logistic of mean 0.1 and scale 1, then times 2: y = 2 (x − 0.1).
//! let numbers = device.upload(&[0.0, 0.1, 0.0, 2.0_f64.ln(), 0.0])?;
//! device.transform(mixture, &mut x, &numbers, &mut ladj)?;
//! assert!((x[0] - 0.4).abs() < 1e-15 && (ladj[0] - 2.0_f64.ln()).abs() < 1e-15);
//! # Ok(())
//! # }
//! ```

use super::{ElementWise, log_sigmoid};

/// A mixture's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixtureLogistic {
    /// K: the number of components, at most [`MixtureLogistic::MOST_COMPONENTS`].
    pub components: usize,
}

/// A running `ln Σ exp(v)`.
#[derive(Clone, Copy)]
struct LogSum {
    most: f64,
    sum: f64,
}

impl LogSum {
    const EMPTY: Self = Self { most: f64::NEG_INFINITY, sum: 0.0 };

    fn add(&mut self, v: f64) {
        if v > self.most {
            self.sum = self.sum * (self.most - v).exp() + 1.0;
            self.most = v;
        } else if v != f64::NEG_INFINITY {
            // NaN comes here, and stays.
            self.sum += (v - self.most).exp();
        }
    }

    fn ln(self) -> f64 {
        self.most + self.sum.ln()
    }
}

/// What a mixture is at a place: `ln F`, `ln(1 − F)` and `ln f`.
struct At {
    below: f64,
    above: f64,
    density: f64,
}

impl At {
    fn logit(&self) -> f64 {
        self.below - self.above
    }

    fn log_slope(&self) -> f64 {
        self.density - self.below - self.above
    }
}

/// The numbers of an element, with the weights' normalisation.
struct Mixture<'a> {
    components: usize,
    h: &'a [f64],
    log_sum: f64,
}

impl Mixture<'_> {
    /// `ln π_i`, `μ_i`, `s_i`.
    fn component(&self, i: usize) -> (f64, f64, f64) {
        let k = self.components;
        let spread = 2.0 * (2.0 * i as f64 + 1.0 - k as f64) / k as f64;
        (self.h[i] - self.log_sum, self.h[k + i] + spread, self.h[2 * k + i])
    }

    fn scale(&self) -> f64 {
        self.h[3 * self.components]
    }

    fn shift(&self) -> f64 {
        self.h[3 * self.components + 1]
    }

    fn at(&self, x: f64) -> At {
        let (mut below, mut above, mut density) = (LogSum::EMPTY, LogSum::EMPTY, LogSum::EMPTY);
        for i in 0..self.components {
            let (weight, mean, log_scale) = self.component(i);
            let z = (x - mean) * (-log_scale).exp();
            let (up, down) = (log_sigmoid(z), log_sigmoid(-z));
            below.add(weight + up);
            above.add(weight + down);
            density.add(weight + up + down - log_scale);
        }
        At { below: below.ln(), above: above.ln(), density: density.ln() }
    }

    /// The place whose logit is `u`.
    fn place_of(&self, u: f64) -> f64 {
        let places = (0..self.components).map(|i| {
            let (_, mean, log_scale) = self.component(i);
            mean + u * log_scale.exp()
        });
        let (mut low, mut high) =
            places.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| (low.min(place), high.max(place)));
        let mut x = low + 0.5 * (high - low);
        for _ in 0..MixtureLogistic::MOST_STEPS {
            let at = self.at(x);
            let off = at.logit() - u;
            if off > 0.0 {
                high = x;
            } else {
                low = x;
            }
            let newton = x - off * (-at.log_slope()).exp();
            let next = if newton > low && newton < high { newton } else { low + 0.5 * (high - low) };
            // NaN, from numbers that are none, ends it too.
            if next == x || off.is_nan() || off == 0.0 {
                return x;
            }
            x = next;
        }
        x
    }
}

impl MixtureLogistic {
    /// More components than anyone has use for.
    pub const MOST_COMPONENTS: usize = 64;

    /// Halving alone brings any bracket of doubles to neighbours in as many steps as they have exponents and digits.
    const MOST_STEPS: usize = 2200;

    fn mixture<'a>(&self, h: &'a [f64]) -> Mixture<'a> {
        let mut sum = LogSum::EMPTY;
        h[..self.components].iter().for_each(|&logit| sum.add(logit));
        Mixture { components: self.components, h, log_sum: sum.ln() }
    }
}

impl ElementWise for MixtureLogistic {
    fn numbers(&self) -> usize {
        3 * self.components + 2
    }

    fn forward(&self, x: f64, h: &[f64]) -> (f64, f64) {
        let mixture = self.mixture(h);
        let at = mixture.at(x);
        (at.logit() * mixture.scale().exp() + mixture.shift(), at.log_slope() + mixture.scale())
    }

    fn inverse(&self, y: f64, h: &[f64]) -> f64 {
        let mixture = self.mixture(h);
        mixture.place_of((y - mixture.shift()) * (-mixture.scale()).exp())
    }

    fn pull_back(&self, x: f64, h: &[f64], g: f64, g_ladj: f64, d_h: &mut [f64]) -> f64 {
        let (mixture, k) = (self.mixture(h), self.components);
        let (at, scale) = (mixture.at(x), mixture.scale().exp());
        let (g_u, mut g_x, mut g_weights) = (g * scale, 0.0, 0.0);
        for i in 0..k {
            let (weight, mean, log_scale) = mixture.component(i);
            let rate = (-log_scale).exp();
            let z = (x - mean) * rate;
            let (up, down) = (log_sigmoid(z), log_sigmoid(-z));
            // Which share of F, of 1 − F and of f is this component's.
            let of_below = (weight + up - at.below).exp();
            let of_above = (weight + down - at.above).exp();
            let of_density = (weight + up + down - log_scale - at.density).exp();
            let (by_below, by_above) = (of_below * down.exp(), of_above * up.exp());
            let g_z =
                g_u * (by_below + by_above) + g_ladj * (of_density * (down.exp() - up.exp()) - by_below + by_above);
            let g_weight = g_u * (of_below - of_above) + g_ladj * (of_density - of_below - of_above);
            g_weights += g_weight;
            d_h[i] += g_weight;
            d_h[k + i] -= g_z * rate;
            d_h[2 * k + i] -= g_z * z + g_ladj * of_density;
            g_x += g_z * rate;
        }
        for (i, d_logit) in d_h[..k].iter_mut().enumerate() {
            *d_logit -= mixture.component(i).0.exp() * g_weights;
        }
        d_h[3 * k] += g_u * at.logit() + g_ladj;
        d_h[3 * k + 1] += g;
        g_x
    }
}
