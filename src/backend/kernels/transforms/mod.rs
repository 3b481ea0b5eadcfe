//! Element-wise transforms: invertible maps of single numbers, each by numbers of its own that a network gives.
//!
//! A transform's file has its mathematics and its code for the CPU; the `.cu` beside it has the same for CUDA. On both
//! they are computed in f64 whatever the flow computes in: beside a network's products that costs little, and no bin and
//! no tail is lost. To add one: its two files, a variant of [`Transform`], its arm in `transforms.cu`.

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod mixture_logistic;
mod spline;

pub use mixture_logistic::MixtureLogistic;
pub use spline::Spline;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// An invertible map of one number.
trait ElementWise {
    /// How many numbers it wants for an element.
    fn numbers(&self) -> usize;
    /// The element, and ln of its slope.
    fn forward(&self, x: f64, h: &[f64]) -> (f64, f64);
    /// Back.
    fn inverse(&self, y: f64, h: &[f64]) -> f64;
    /// The gradient with respect to `x`, from those with respect to the output and to ln of the slope; adds the gradient with
    /// respect to `h`.
    fn pull_back(&self, x: f64, h: &[f64], g: f64, g_ladj: f64, d_h: &mut [f64]) -> f64;
}

/// Every element-wise transform beside the affine ones, which have [kernels of their own](super::CouplingKernel).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transform {
    /// See [`Spline`].
    Spline(Spline),
    /// See [`MixtureLogistic`].
    MixtureLogistic(MixtureLogistic),
}

impl Transform {
    fn element_wise(&self) -> &dyn ElementWise {
        match self {
            Self::Spline(spline) => spline,
            Self::MixtureLogistic(mixture) => mixture,
        }
    }

    /// How many numbers it wants for an element.
    pub fn numbers(&self) -> usize {
        self.element_wise().numbers()
    }

    /// The kind of a coupling by it, as flow files spell it.
    pub fn coupling_kind(&self) -> &'static str {
        match self {
            Self::Spline(_) => "SplineCoupling",
            Self::MixtureLogistic(_) => "MixtureCoupling",
        }
    }

    /// The largest `|ln slope|` at elements `x` with their numbers `h`, on the host.
    pub fn largest_log_slope<E: Element>(&self, x: &[E], h: &[E]) -> f64 {
        let (map, mut largest) = (self.element_wise(), 0.0_f64);
        of_elements(h, map.numbers(), |i, h| {
            largest = crate::bijector::larger(largest, map.forward(x[i].as_f64(), h).1.abs())
        });
        largest
    }

    /// Whether its inverse is so dear that the input is better kept than rebuilt.
    pub fn inverse_is_dear(&self) -> bool {
        matches!(self, Self::MixtureLogistic(_))
    }
}

/// Elements and their numbers: `x` is `[batch · n]` and `h` is `[batch · n · numbers]`; `batch` is the length of `ladj`.
pub trait TransformKernel<E: Element>: Storage<E> + Storage<f64> {
    /// `x` becomes `y`, and `ladj += Σ ln slope` per image.
    fn transform(
        &self,
        transform: Transform,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()>;
    /// `y` becomes `x`.
    fn untransform(&self, transform: Transform, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()>;
    /// From the input `x`, the gradient `g` with respect to the output and `g_ladj` with respect to ladj: `g` becomes the
    /// gradient with respect to `x`, and the gradient with respect to `h` is added to `d_h`.
    fn transform_gradient(
        &self,
        transform: Transform,
        x: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()>;
}

/// The numbers of elements as doubles, one element after the other, in room that is used again.
fn of_elements<E: Element>(h: &[E], numbers: usize, mut each: impl FnMut(usize, &[f64])) {
    let mut wide = vec![0.0; numbers];
    for (element, h) in h.chunks_exact(numbers).enumerate() {
        wide.iter_mut().zip(h).for_each(|(wide, h)| *wide = h.as_f64());
        each(element, &wide);
    }
}

/// `ln(1 + eᵛ)`.
fn softplus(v: f64) -> f64 {
    v.max(0.0) + (-v.abs()).exp().ln_1p()
}

/// `ln σ(z)`, which neither overflows nor cancels.
fn log_sigmoid(z: f64) -> f64 {
    z.min(0.0) - (-z.abs()).exp().ln_1p()
}

fn sigmoid(v: f64) -> f64 {
    let e = (-v.abs()).exp();
    if v >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn transforms() -> impl Strategy<Value = Transform> {
        prop_oneof![
            (1..12_usize, 0.5..4.0).prop_map(|(bins, bound)| Transform::Spline(Spline { bins, bound })),
            (1..9_usize).prop_map(|components| Transform::MixtureLogistic(MixtureLogistic { components })),
        ]
    }

    fn with_numbers(spread: f64) -> impl Strategy<Value = (Transform, Vec<f64>)> {
        transforms().prop_flat_map(move |transform| {
            (Just(transform), prop::collection::vec(-spread..spread, transform.numbers()))
        })
    }

    proptest! {
        #[test]
        fn numbers_come_back_to_as_many_digits_as_the_slope_leaves((transform, h) in with_numbers(2.0), x in -6.0..6.0_f64) {
            let map = transform.element_wise();
            let (y, log_slope) = map.forward(x, &h);
            let error = (map.inverse(y, &h) - x).abs();
            // An output is known to its rounding and that of the sums that make it; the inverse divides that by the slope.
            let known = f64::EPSILON * (1.0 + y.abs() + x.abs()) * 64.0;
            prop_assert!(error <= known * (1.0 + (-log_slope).exp()), "{error:e} at slope {:e}", log_slope.exp());
        }

        #[test]
        fn the_slope_is_the_derivative((transform, h) in with_numbers(1.5), x in -4.0..4.0_f64) {
            let map = transform.element_wise();
            let step = 1e-5;
            let slope = (map.forward(x + step, &h).0 - map.forward(x - step, &h).0) / (2.0 * step);
            let exact = map.forward(x, &h).1.exp();
            // Across a knot the second derivative jumps, and the difference is off by a share of the step.
            prop_assert!((slope - exact).abs() <= 2e-3 * exact.max(1.0), "{slope} and {exact}");
        }

        #[test]
        fn what_is_pulled_back_is_the_derivative(
            (transform, h) in with_numbers(1.5), x in -4.0..4.0_f64, g in -2.0..2.0_f64, g_ladj in -2.0..2.0_f64,
        ) {
            let map = transform.element_wise();
            let loss = |x: f64, h: &[f64]| {
                let (y, log_slope) = map.forward(x, h);
                g * y + g_ladj * log_slope
            };
            let mut d_h = vec![0.0; h.len()];
            let g_x = map.pull_back(x, &h, g, g_ladj, &mut d_h);
            let step = 1e-6;
            let numerical = |of: &dyn Fn(f64) -> f64| (of(step) - of(-step)) / (2.0 * step);
            let moved = |i: usize, by: f64| {
                let mut h = h.clone();
                h[i] += by;
                h
            };
            let pairs = (0..h.len()).map(|i| (d_h[i], numerical(&|by| loss(x, &moved(i, by)))));
            let pairs: Vec<_> = std::iter::once((g_x, numerical(&|by| loss(x + by, &h)))).chain(pairs).collect();
            // Within a step of a knot, ln slope has two derivatives.
            let at_knot = |by: f64| map.forward(x + by, &h).1;
            prop_assume!((at_knot(2e-6) - 2.0 * at_knot(0.0) + at_knot(-2e-6)).abs() < 1e-9);
            for (exact, numerical) in pairs {
                prop_assert!((exact - numerical).abs() <= 1e-6 * (1.0 + exact.abs()) * 30.0, "{exact} and {numerical}");
            }
        }

        #[test]
        fn maps_rise_and_go_on_through_every_knot((transform, h) in with_numbers(3.0), x in -6.0..6.0_f64, by in 1e-9..1.0_f64) {
            let map = transform.element_wise();
            prop_assert!(map.forward(x + by, &h).0 > map.forward(x, &h).0);
        }
    }

    #[test]
    fn a_network_of_zeros_leaves_a_spline_the_identity() {
        let spline = Spline { bins: 8, bound: 3.0 };
        for x in [-4.0, -3.0, -2.9, -0.1, 0.0, 1.3, 3.0, 100.0] {
            let (y, log_slope) = spline.forward(x, &[0.0; 23]);
            assert!((y - x).abs() < 2e-15 * x.abs().max(1.0) && log_slope.abs() < 2e-15, "{x}: {y}, {log_slope}");
        }
    }

    /// Near the end of a bin whose slope there is large, one form of the root would lose as many digits as the slope has.
    #[test]
    fn the_inverse_of_a_spline_loses_no_digits_where_it_is_steep() {
        for r in [10.0, 1e3, 1e6, 1e9] {
            // The slope at the middle knot is about r.
            let (spline, h) = (Spline { bins: 2, bound: 3.0 }, [0.0, 0.0, 0.0, 0.0, r]);
            for x in [-3.0, -2.0, -1.0, -0.1, -1e-3, -1e-6, 1e-6, 1e-3, 0.1, 1.0, 2.9] {
                let (y, log_slope) = spline.forward(x, &h);
                let error = (spline.inverse(y, &h) - x).abs();
                let known = 16.0 * f64::EPSILON * (1.0 + x.abs() + (1.0 + y.abs()) * (-log_slope).exp());
                assert!(error <= known, "slope {r:e}, {x:e}: off by {error:e}, not {known:e}");
            }
        }
    }

    #[test]
    fn the_tails_of_a_mixture_do_not_underflow() {
        let mixture = MixtureLogistic { components: 2 };
        let h = [0.3, -0.2, -1.0, 1.0, -2.0, -1.5, 0.0, 0.0];
        for x in [-300.0, -40.0, 40.0, 300.0] {
            let (y, log_slope) = mixture.forward(x, &h);
            // Far out the component of the smaller rate, exp(1.5), is all that is left.
            assert!(y.is_finite() && (log_slope - 1.5).abs() < 1e-6, "{x}: {y}, {log_slope}");
            assert!((mixture.inverse(y, &h) - x).abs() < 1e-12 * x.abs());
        }
    }

    #[test]
    fn numbers_that_are_none_stay_so_and_end_the_search() {
        for map in [
            Transform::Spline(Spline { bins: 3, bound: 1.0 }),
            Transform::MixtureLogistic(MixtureLogistic { components: 2 }),
        ] {
            let map = map.element_wise();
            let (good, bad) = (vec![0.1; map.numbers()], vec![f64::NAN; map.numbers()]);
            assert!(map.forward(f64::NAN, &good).0.is_nan() && map.inverse(f64::NAN, &good).is_nan());
            assert!(map.forward(0.2, &bad).0.is_nan() && map.inverse(0.2, &bad).is_nan());
        }
        let huge: Vec<f64> = (0..8).map(|i| if i % 2 == 0 { 1e300 } else { -1e300 }).collect();
        let _ = MixtureLogistic { components: 2 }.inverse(0.5, &huge);
    }
}
