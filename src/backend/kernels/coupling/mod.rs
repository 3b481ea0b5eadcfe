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

use super::super::{Buffer, Cpu, Element, ImageShape};
use super::vectorised::vectorised;
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

/// Scale, ln scale and d(ln scale)/db of a run of elements, from their b.
struct Scales<E> {
    b: Vec<E>,
    scale: Vec<E>,
    log_scale: Vec<E>,
    slope: Vec<E>,
}

impl<E: Element> Scales<E> {
    fn of_length(len: usize) -> Self {
        let zeros = || vec![E::zero(); len];
        Self { b: zeros(), scale: zeros(), log_scale: zeros(), slope: zeros() }
    }

    /// Fills the first elements, one row of `h` after another; ln scale only if `LOG`.
    fn fill<const LOG: bool>(&mut self, form: CouplingForm, h: &[E]) {
        let changed = form.changed();
        let rows = self.b.chunks_exact_mut(changed).zip(h.chunks_exact(form.network_channels()));
        for (b, h) in rows.take_while(|_| form.map != CouplingMap::Additive) {
            match form.layout {
                CouplingLayout::Interleaved => b.iter_mut().zip(h.chunks_exact(2)).for_each(|(b, h)| *b = h[1]),
                CouplingLayout::Halves => b.copy_from_slice(&h[changed..]),
            }
        }
        let len = h.len() / form.network_channels() * changed;
        let (scale, log_scale, slope) = (&mut self.scale[..len], &mut self.log_scale[..len], &mut self.slope[..len]);
        scales::<E, LOG>(form.map, &self.b[..len], scale, log_scale, slope);
    }
}

vectorised! {
    fn scales<E: Element, const LOG: bool>(map: CouplingMap, b: &[E], scale: &mut [E], log_scale: &mut [E], slope: &mut [E]) {
        let one = E::one();
        let elements = b.iter().zip(scale.iter_mut().zip(log_scale.iter_mut().zip(slope.iter_mut())));
        match map {
            CouplingMap::Additive => {
                scale.fill(one);
                log_scale.fill(E::zero());
                slope.fill(E::zero());
            }
            CouplingMap::Sigmoid => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                let b = b + E::of(2.0);
                // With e = exp(−|b|) ≤ 1 nothing overflows and nothing cancels.
                let e = (-b.abs()).exp_in_lanes();
                let (large, small) = (one / (one + e), e / (one + e));
                let positive = b >= E::zero();
                *scale = if positive { large } else { small };
                *slope = if positive { small } else { large };
                if LOG {
                    *log_scale = (if positive { E::zero() } else { b }) - e.ln_1p_in_lanes();
                }
            }),
            CouplingMap::Exp => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                (*scale, *log_scale, *slope) = (b.exp_in_lanes(), b, one);
            }),
            CouplingMap::ClampedTanh { bound } => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                let tanh = (b / E::of(bound)).tanh();
                *log_scale = E::of(bound) * tanh;
                *scale = (*log_scale).exp_in_lanes();
                *slope = one - tanh * tanh;
            }),
            CouplingMap::Standardize => elements.for_each(|(&b, (scale, (log_scale, slope)))| {
                (*scale, *log_scale, *slope) = ((-b).exp_in_lanes(), -b, -one);
            }),
        }
        // What is left of a product with a subnormal scale has too few digits to be divided back.
        let smallest = E::min_positive_value();
        scale.iter_mut().for_each(|scale| *scale = if *scale < smallest { E::zero() } else { *scale });
    }
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

impl<E: Element> CouplingKernel<E> for Cpu {
    fn couple(
        &self,
        form: CouplingForm,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let mut scales = Scales::of_length(block * changed);
        let images = x.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form));
        for ((x, h), ladj) in images.zip(ladj.iter_mut()) {
            for (x, h) in x.chunks_mut(block * channels).zip(h.chunks(block * width)) {
                scales.fill::<true>(form, h);
                let rows = x.chunks_exact_mut(channels).zip(h.chunks_exact(width));
                for (row, (x, h)) in rows.enumerate() {
                    let (a, scale) = (h.iter().step_by(stride), of_row(&scales.scale, row, changed));
                    for ((x, &a), &scale) in x[form.start..].iter_mut().zip(a).zip(scale) {
                        *x = (*x + sign * a) * scale;
                    }
                }
                let len = h.len() / width * form.changed();
                *ladj += scales.log_scale[..len].iter().map(|log_scale| log_scale.as_f64()).sum::<f64>();
            }
        }
        Ok(())
    }

    fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let mut scales = Scales::of_length(block * changed);
        for (y, h) in y.chunks_exact_mut(form.shape.dims()).zip(rows_of_images(h, form)) {
            for (y, h) in y.chunks_mut(block * channels).zip(h.chunks(block * width)) {
                scales.fill::<false>(form, h);
                let rows = y.chunks_exact_mut(channels).zip(h.chunks_exact(width));
                for (row, (y, h)) in rows.enumerate() {
                    let (a, scale) = (h.iter().step_by(stride), of_row(&scales.scale, row, changed));
                    for ((y, &a), &scale) in y[form.start..].iter_mut().zip(a).zip(scale) {
                        *y = *y / scale - sign * a;
                    }
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
        let (channels, width, block, stride) =
            (form.shape.channels, form.network_channels(), form.block(), form.stride());
        let (sign, changed) = (form.map.shift_factor::<E>(), form.changed());
        let network = form.shape.pixels() * width;
        let mut scales = Scales::of_length(block * changed);
        let images = y.chunks_exact(form.shape.dims()).zip(g.chunks_exact_mut(form.shape.dims())).zip(g_ladj.iter());
        for (image, ((y, g), &g_ladj)) in images.enumerate() {
            let offset = if h.len() == network { 0 } else { image * network };
            let g_ladj = E::of(g_ladj);
            let (h, d_h) = (&h[offset..][..network], &mut d_h[offset..][..network]);
            let pixels = y.chunks(block * channels).zip(g.chunks_mut(block * channels));
            for ((y, g), (h, d_h)) in pixels.zip(h.chunks(block * width).zip(d_h.chunks_mut(block * width))) {
                scales.fill::<false>(form, h);
                let rows = y.chunks_exact(channels).zip(g.chunks_exact_mut(channels)).zip(d_h.chunks_exact_mut(width));
                for (row, ((y, g), d_h)) in rows.enumerate() {
                    let (scale, slope) = (of_row(&scales.scale, row, changed), of_row(&scales.slope, row, changed));
                    let (y, g) = (&y[form.start..], &mut g[form.start..]);
                    if let Some(first) = form.first_b() {
                        let d_b = d_h[first..].iter_mut().step_by(stride);
                        for (((&y, &g), d_b), &slope) in y.iter().zip(&*g).zip(d_b).zip(slope) {
                            *d_b += (g * y + g_ladj) * slope;
                        }
                    }
                    for ((g, d_a), &scale) in g.iter_mut().zip(d_h.iter_mut().step_by(stride)).zip(scale) {
                        *g *= scale;
                        *d_a += *g * sign;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The numbers of one row among those of a block.
///
/// To zip their chunks with the rows would be shorter. But then LLVM 22 has the count of rows divided by the length of a chunk,
/// `channels − start`, supposes `channels` to be 1 in a version of the loop for that case, and divides by `1 − start`, 0,
/// before it asks.
#[inline(always)]
fn of_row<E>(block: &[E], row: usize, changed: usize) -> &[E] {
    &block[row * changed..(row + 1) * changed]
}

/// The network's output for image after image; for ever the same if there is only one.
fn rows_of_images<E>(h: &[E], form: CouplingForm) -> impl Iterator<Item = &[E]> {
    let network = form.shape.pixels() * form.network_channels();
    let shared = h.len() == network;
    (0..).map(move |image| if shared { h } else { &h[image * network..][..network] })
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{Grid, each, elements, index, launch, sums};
    use crate::backend::kernels::MemoryKernel;
    use cudarc::driver::{DeviceRepr, DeviceSlice};

    /// The form as the kernels' text has it.
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Form {
        bound: f64,
        pixels: u32,
        channels: u32,
        start: u32,
        changed: u32,
        width: u32,
        stride: u32,
        first_b: u32,
        shared: i32,
        map: i32,
    }

    // SAFETY: the fields are numbers, laid out as C lays them out.
    unsafe impl DeviceRepr for Form {}

    impl Form {
        fn new(form: CouplingForm, h: usize) -> Result<Self> {
            let (map, bound) = match form.map {
                CouplingMap::Additive => (0, 0.0),
                CouplingMap::Sigmoid => (1, 0.0),
                CouplingMap::Exp => (2, 0.0),
                CouplingMap::ClampedTanh { bound } => (3, bound),
                CouplingMap::Standardize => (4, 0.0),
            };
            let pixels = form.shape.pixels();
            Ok(Self {
                bound,
                pixels: index(pixels)?,
                channels: index(form.shape.channels)?,
                start: index(form.start)?,
                changed: index(form.changed())?,
                width: index(form.network_channels())?,
                stride: index(form.stride())?,
                first_b: index(form.first_b().unwrap_or(0))?,
                shared: i32::from(h == pixels * form.network_channels()),
                map,
            })
        }

        /// Blocks for each of the images that have `n` elements together.
        fn grid(&self, n: usize) -> Result<Grid> {
            let images = index(n)? / (self.pixels * self.channels).max(1);
            Ok(each(images, self.pixels * self.changed))
        }
    }

    impl<E: Element> CouplingKernel<E> for Cuda {
        fn couple(
            &self,
            form: CouplingForm,
            x: &mut Buffer<E, Self>,
            h: &Buffer<E, Self>,
            ladj: &mut Buffer<f64, Self>,
        ) -> Result<()> {
            let (card, parts_of) = (x.device(), Form::new(form, h.len())?);
            let grid = parts_of.grid(x.len())?;
            let mut sums = sums(&card, (grid.0 * grid.1) as usize)?;
            launch!(E, &card, couple, grid, (parts_of, x, h, &mut sums))?;
            if form.map == CouplingMap::Additive {
                return Ok(());
            }
            launch!(E, &card, add_row_sums, elements(grid.1), (&sums, grid.0, 1.0, 0.0, ladj, grid.1))
        }

        fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
            let form = Form::new(form, h.len())?;
            launch!(E, &y.device(), uncouple, form.grid(y.len())?, (form, y, h))
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
            let (card, form) = (y.device(), Form::new(form, h.len())?);
            let grid = form.grid(y.len())?;
            if form.shared == 0 || grid.1 == 1 {
                return launch!(E, &card, couple_gradient, grid, (form, y, g, g_ladj, h, d_h));
            }
            let mut of_each = MemoryKernel::<E>::zeros(self, h.len() * grid.1 as usize)?;
            launch!(E, &card, couple_gradient, grid, (form, y, g, g_ladj, h, &mut of_each))?;
            let sum = crate::backend::kernels::ChannelKernel::<E>::sum_over_batch(self, &of_each, h.len())?;
            MemoryKernel::<E>::add_assign(self, d_h, &sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_sigmoid_neither_cancels_nor_overflows() {
        for b in [-800.0, -40.0, -2.0, 0.0, 3.0, 40.0, 800.0] {
            let (mut scale, mut log_scale, mut slope) = ([0.0], [0.0], [0.0]);
            scales::<f64, true>(CouplingMap::Sigmoid, &[b - 2.0_f64], &mut scale, &mut log_scale, &mut slope);
            // ln sigmoid(b) = −ln(1 + e^−b), by its series where the direct form would lose it.
            let expected = if b > 30.0 {
                -(-b).exp()
            } else if b < -30.0 {
                b
            } else {
                -(1.0 + (-b).exp()).ln()
            };
            assert!((log_scale[0] - expected).abs() <= 1e-13 * expected.abs(), "{b}: {log_scale:?}");
            assert!((0.0..=1.0).contains(&scale[0]) && (0.0..=1.0).contains(&slope[0]));
        }
    }

    /// Two channels are the fewest, and one of them changes.
    #[test]
    fn one_channel_of_two_is_moved_and_moved_back() {
        use crate::backend::kernels::MemoryKernel;
        let device = Cpu::default();
        for (map, width) in [(CouplingMap::Additive, 1), (CouplingMap::Exp, 2), (CouplingMap::Sigmoid, 2)] {
            let shape = ImageShape::new(3, 1, 2);
            let form = CouplingForm { shape, start: 1, map, layout: CouplingLayout::Interleaved };
            let h = device.upload(&vec![0.5_f32; 3 * width]).unwrap();
            let mut x = device.upload(&[1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
            let mut ladj = MemoryKernel::<f64>::zeros(&device, 1).unwrap();
            device.couple(form, &mut x, &h, &mut ladj).unwrap();
            let scale = (ladj[0] / 3.0).exp();
            for (i, x) in x.iter().enumerate() {
                let before = (i + 1) as f64;
                let expected = if i % 2 == 0 { before } else { (before + 0.5) * scale };
                assert!((f64::from(*x) - expected).abs() < 1e-5, "{map:?}: {x}, not {expected}");
            }
            let (mut g, mut d_h) = (x.clone(), device.upload(&vec![0.0_f32; 3 * width]).unwrap());
            device.couple_gradient(form, &x, &mut g, &ladj, &h, &mut d_h).unwrap();
            assert!((0..3).all(|row| (f64::from(g[2 * row + 1]) - f64::from(x[2 * row + 1]) * scale).abs() < 1e-5));
            device.uncouple(form, &mut x, &h).unwrap();
            assert!(x.iter().enumerate().all(|(i, x)| (x - (i + 1) as f32).abs() < 1e-5), "{map:?}: {x:?}");
        }
    }
}
