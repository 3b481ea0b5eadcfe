//! The monotone rational-quadratic spline (C. Durkan, A. Bekasov, I. Murray and G. Papamakarios, *Neural Spline Flows*,
//! NeurIPS 2019, § 3.1), with linear tails.
//!
//! On `[−B, B]` an element goes through K bins; outside it stays as it is. Of the 3K − 1 numbers of an element the first K
//! give the bins' widths, the next K their heights, the last K − 1 the slopes at the knots within:
//!
//! ```text
//! width_k = 2B · (m + (1 − K·m) · softmax(a)_k)          likewise height_k;  m = 0.001
//! δ_k     = m + softplus(r_k + c),  c = ln(e^(1 − m) − 1);   δ_0 = δ_K = 1
//! ```
//!
//! c makes a network that gives zeros the identity. In the bin of x, with `ξ = (x − x_k)/width_k` and `s = height_k/width_k`:
//!
//! ```text
//! D = s + (δ_{k+1} + δ_k − 2s) · ξ(1 − ξ)                                     (eq. 4)
//! y = y_k + height_k · (s·ξ² + δ_k · ξ(1 − ξ)) / D
//! slope = s² · (δ_{k+1}·ξ² + 2s · ξ(1 − ξ) + δ_k·(1 − ξ)²) / D²               (eq. 5)
//! ```
//!
//! The inverse is a root of a quadratic, aξ² + bξ + c = 0 (eq. 6 to 8, and § A.1). Of its two forms the one is taken whose sum
//! does not cancel: `2c/(−b − √(b² − 4ac))` for b ≥ 0, `(−b + √(b² − 4ac))/2a` for b < 0, which is where the bin rises steeply at
//! its end.
//!
//! ```
//! use flowstone::backend::{Cpu, kernels::{MemoryKernel, Spline, Transform, TransformKernel}};
//! # fn main() -> flowstone::Result<()> {
//! let spline = Transform::Spline(Spline { bins: 2, bound: 3.0 });
//! let device = Cpu::default();
//! let (mut x, mut ladj) = (device.upload(&[0.5_f64])?, device.upload(&[0.0_f64])?);
//! // A first bin that is wider than it is high: below the middle the map is flatter.
//! let numbers = device.upload(&[0.7, 0.0, 0.0, 0.7, 0.0])?;
//! device.transform(spline, &mut x, &numbers, &mut ladj)?;
//! device.untransform(spline, &mut x, &numbers)?;
//! assert!((x[0] - 0.5).abs() < 1e-14);
//! # Ok(())
//! # }
//! ```

use super::{ElementWise, sigmoid, softplus};

/// The least share of a bin, and the least slope at a knot.
const LEAST: f64 = 1e-3;

/// c: what makes a number of 0 a slope of 1, ln(e^0.999 − 1).
const SLOPE_OFFSET: f64 = 0.539_742_417_236_952;

/// A spline's form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spline {
    /// K: the number of bins, at most [`Spline::MOST_BINS`].
    pub bins: usize,
    /// B: elements beyond it stay as they are.
    pub bound: f64,
}

/// A softmax of K numbers, without memory of the heap.
struct Shares {
    bins: usize,
    values: [f64; Spline::MOST_BINS],
}

impl Shares {
    fn of(numbers: &[f64]) -> Self {
        let mut shares = Self { bins: numbers.len(), values: [0.0; Spline::MOST_BINS] };
        let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let values = &mut shares.values[..numbers.len()];
        values.iter_mut().zip(numbers).for_each(|(value, a)| *value = (a - most).exp());
        let sum: f64 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        shares
    }

    fn shares(&self) -> &[f64] {
        &self.values[..self.bins]
    }
}

/// The bin of an element.
struct Bin {
    /// Its number.
    k: usize,
    /// Its left edge, its lower edge, its width and its height.
    left: f64,
    below: f64,
    width: f64,
    height: f64,
    /// The slopes at its ends.
    slopes: [f64; 2],
}

/// The parts of eq. 4 and 5 at a place ξ of a bin.
struct Parts {
    ratio: f64,
    /// ξ(1 − ξ)
    between: f64,
    numerator: f64,
    denominator: f64,
    /// Of the slope, without s².
    slope: f64,
}

impl Spline {
    /// More bins than anyone has use for.
    pub const MOST_BINS: usize = 32;

    /// The slope at a knot, of `0..=bins`.
    fn slope(&self, knot: usize, h: &[f64]) -> f64 {
        match knot.checked_sub(1).filter(|_| knot < self.bins) {
            Some(within) => LEAST + softplus(h[2 * self.bins + within] + SLOPE_OFFSET),
            None => 1.0,
        }
    }

    /// The widths' and the heights' shares.
    fn shares(&self, h: &[f64]) -> [Shares; 2] {
        [Shares::of(&h[..self.bins]), Shares::of(&h[self.bins..2 * self.bins])]
    }

    /// The size of a bin of this share.
    fn size(&self, share: f64) -> f64 {
        2.0 * self.bound * (LEAST + (1.0 - LEAST * self.bins as f64) * share)
    }

    /// The bin that holds `at`, in x if `along` is 0 and in y if it is 1.
    fn bin(&self, at: f64, along: usize, [widths, heights]: &[Shares; 2], h: &[f64]) -> Bin {
        let sizes = widths.shares().iter().copied().zip(heights.shares().iter().copied());
        let mut bin = Bin { k: 0, left: -self.bound, below: -self.bound, width: 0.0, height: 0.0, slopes: [1.0; 2] };
        for (k, (width, height)) in sizes.enumerate() {
            (bin.k, bin.width, bin.height) = (k, self.size(width), self.size(height));
            let end = if along == 0 { bin.left + bin.width } else { bin.below + bin.height };
            if at < end || k + 1 == self.bins {
                break;
            }
            (bin.left, bin.below) = (bin.left + bin.width, bin.below + bin.height);
        }
        bin.slopes = [self.slope(bin.k, h), self.slope(bin.k + 1, h)];
        bin
    }

    fn is_outside(&self, at: f64) -> bool {
        // What is not a number stays so.
        at.is_nan() || at.abs() > self.bound
    }
}

impl Bin {
    fn parts(&self, xi: f64) -> Parts {
        let (ratio, between, [d0, d1]) = (self.height / self.width, xi * (1.0 - xi), self.slopes);
        Parts {
            ratio,
            between,
            numerator: ratio * xi * xi + d0 * between,
            denominator: ratio + (d1 + d0 - 2.0 * ratio) * between,
            slope: d1 * xi * xi + 2.0 * ratio * between + d0 * (1.0 - xi) * (1.0 - xi),
        }
    }
}

impl ElementWise for Spline {
    fn numbers(&self) -> usize {
        3 * self.bins - 1
    }

    fn forward(&self, x: f64, h: &[f64]) -> (f64, f64) {
        if self.is_outside(x) {
            return (x, 0.0);
        }
        let bin = self.bin(x, 0, &self.shares(h), h);
        let parts = bin.parts((x - bin.left) / bin.width);
        let y = bin.below + bin.height * parts.numerator / parts.denominator;
        (y, 2.0 * parts.ratio.ln() + parts.slope.ln() - 2.0 * parts.denominator.ln())
    }

    fn inverse(&self, y: f64, h: &[f64]) -> f64 {
        if self.is_outside(y) {
            return y;
        }
        let bin = self.bin(y, 1, &self.shares(h), h);
        let (above, ratio, [d0, d1]) = (y - bin.below, bin.height / bin.width, bin.slopes);
        let curved = above * (d1 + d0 - 2.0 * ratio);
        let (a, b, c) = (bin.height * (ratio - d0) + curved, bin.height * d0 - curved, -ratio * above);
        let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
        let xi = if b >= 0.0 { 2.0 * c / (-b - root) } else { (root - b) / (2.0 * a) };
        bin.left + bin.width * xi
    }

    fn pull_back(&self, x: f64, h: &[f64], g: f64, g_ladj: f64, d_h: &mut [f64]) -> f64 {
        if self.is_outside(x) {
            return g;
        }
        let shares = self.shares(h);
        let bin = self.bin(x, 0, &shares, h);
        let xi = (x - bin.left) / bin.width;
        let [d0, d1] = bin.slopes;
        let Parts { ratio, between: t, numerator: n, denominator: d, slope: m } = bin.parts(xi);
        // By ξ, s, δ_k and δ_{k+1}: of the numerator, of the denominator and of the slope.
        let turn = 1.0 - 2.0 * xi;
        let d_n = [2.0 * ratio * xi + d0 * turn, xi * xi, t, 0.0];
        let d_d = [(d1 + d0 - 2.0 * ratio) * turn, 1.0 - 2.0 * t, t, t];
        let d_m = [2.0 * (d1 * xi + ratio * turn - d0 * (1.0 - xi)), 2.0 * t, (1.0 - xi) * (1.0 - xi), xi * xi];
        let by = |i: usize| {
            let log_slope = d_m[i] / m - 2.0 * d_d[i] / d + if i == 1 { 2.0 / ratio } else { 0.0 };
            g * bin.height * (d_n[i] * d - n * d_d[i]) / (d * d) + g_ladj * log_slope
        };
        let (g_xi, g_ratio) = (by(0), by(1));
        let g_left = -g_xi / bin.width;
        let g_width = -(g_xi * xi + g_ratio * ratio) / bin.width;
        let g_height = g * n / d + g_ratio / bin.width;
        let (d_widths, rest) = d_h.split_at_mut(self.bins);
        let (d_heights, d_slopes) = rest.split_at_mut(self.bins);
        self.pull_back_sizes(&shares[0], bin.k, (g_left, g_width), d_widths);
        self.pull_back_sizes(&shares[1], bin.k, (g, g_height), d_heights);
        for (knot, g_slope) in [(bin.k, by(2)), (bin.k + 1, by(3))] {
            if knot > 0 && knot < self.bins {
                d_slopes[knot - 1] += g_slope * sigmoid(h[2 * self.bins + knot - 1] + SLOPE_OFFSET);
            }
        }
        g_xi / bin.width
    }
}

impl Spline {
    /// From the gradients with respect to the first edge and the size of bin `k`, those with respect to the numbers of the
    /// softmax: the edge is the sum of the sizes before.
    fn pull_back_sizes(&self, shares: &Shares, k: usize, (g_edge, g_size): (f64, f64), d_numbers: &mut [f64]) {
        let factor = 2.0 * self.bound * (1.0 - LEAST * self.bins as f64);
        let of_share = |i: usize| match i.cmp(&k) {
            std::cmp::Ordering::Less => factor * g_edge,
            std::cmp::Ordering::Equal => factor * g_size,
            std::cmp::Ordering::Greater => 0.0,
        };
        let mean: f64 = shares.shares().iter().enumerate().take(k + 1).map(|(i, share)| share * of_share(i)).sum();
        for (i, (share, d)) in shares.shares().iter().zip(d_numbers).enumerate() {
            *d += share * (of_share(i) - mean);
        }
    }
}
