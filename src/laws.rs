//! The laws of bijectors: what each must satisfy whatever its parameters, and checks that say where one does not.
//!
//! | law | says |
//! |---|---|
//! | [`keeps_shapes`] | it refuses the shapes that [`output_shape`](Bijector::output_shape) refuses, and no other |
//! | [`keeps_samples_apart`] | one image of a batch does not move another |
//! | [`round_trips`] | `f⁻¹(f(x)) = x` and `f(f⁻¹(y)) = y` |
//! | [`agrees_with_itself`] | the provided methods agree with the required ones |
//! | [`ladj_is_the_jacobians`] | ladj is `ln |det|` of a numerical Jacobian, image by image |
//! | [`inverse_has_the_negative_ladj`] | `ln |det|` of the inverse's numerical Jacobian is −ladj |
//! | [`pull_back_is_the_gradient`] | gradients equal numerical derivatives, of the image and of every parameter |
//! | [`pull_back_agrees_with_kept`] | gradients from the output equal gradients from what was kept |
//! | [`agrees_across_precisions`] | f32 gives what f64 gives at the same parameters |
//! | [`jacobian_is_triangular`] | of autoregressive layers: no element depends on one that comes later in their order |
//!
//! They are tests at some images and parameters: what passes is not proved, what fails is wrong there.
//!
//! No tolerance belongs to a bijector. Every bound is estimated in the same way for all: [`rounding`], a rule for the error
//! of as many roundings as there are numbers, times the measured [`Condition`] of the map or, for gradients, how far they
//! move along three random directions; and the estimated error of each numerical derivative. The rule is generous by some
//! factor and could in principle be too strict; it is small enough that in the spoiled bijectors of the tests an
//! output that is off by 10⁻¹⁰ in f64 is seen.
//!
//! A bijector is held to all that are of every bijector, with its parameters as they are and again with random ones, in one line:
//!
//! ```
//! use flowstone::{ImageShape, backend::{Cpu, Initializer}, bijectors::ActNorm, laws};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Cpu::default();
//! let mut bijector = ActNorm::<f64, _>::new(&Initializer::new(&device, 0), 3, 3.0)?;
//! let x = laws::normal_image(&device, 2, ImageShape::new(2, 3, 3), 7)?;
//! laws::hold(&mut bijector, &x)?;
//! # Ok(())
//! # }
//! ```

mod condition;
mod cotangents;
mod derivative;
mod given;
mod gradient;
mod ladj;
mod precision;
mod random;
mod registry;
mod round_trip;
mod samples;
mod sensitivity;
mod shapes;
mod shrunk;
mod tensors;
mod triangular;
mod violation;

pub use condition::{Condition, rounding};
pub use given::Given;
pub use gradient::{classifier_has_its_gradient, net_has_its_gradient};
pub use gradient::{pull_back_agrees_with_kept, pull_back_is_the_gradient};
pub use ladj::{inverse_has_the_negative_ladj, ladj_is_the_jacobians};
pub use precision::agrees_across_precisions;
pub use random::{normal_image, randomize};
pub use registry::{Build, Registered, registry};
pub use round_trip::{agrees_with_itself, are_the_same_map, round_trips};
pub use samples::keeps_samples_apart;
pub use shapes::keeps_shapes;
pub use shrunk::Shrunk;
pub use triangular::jacobian_is_triangular;
pub use violation::{Law, Violation};

use crate::backend::Device;
use crate::{Bijector, Image};
use violation::Judge;

/// How far [`hold`] moves parameters: far from where couplings and rotations start, and still well-conditioned.
const MOVE: f64 = 0.2;

/// Holds a bijector to every law near the images `x`: with its parameters as they are, then with random ones.
///
/// It is left with the parameters it came with.
///
/// # Errors
/// The first [`Violation`].
pub fn hold<D: Device<f64>>(bijector: &mut dyn Bijector<f64, D>, x: &Image<f64, D>) -> Result<(), Violation> {
    hold_as_is(bijector, x)?;
    let judge = Judge::new(Law::Evaluates, bijector.kind());
    let parameters = judge.ask(tensors::parameters(bijector, x.device()))?;
    judge.ask(randomize(bijector, x.device(), 0, MOVE).and_then(|()| bijector.prepare(x.device())))?;
    let verdict = hold_as_is(bijector, x);
    let restored = tensors::set_parameters(bijector, x.device(), &parameters);
    judge.ask(restored.and_then(|()| bijector.prepare(x.device())))?;
    verdict
}

/// Holds a bijector to every law near the images `x`, with its parameters as they are.
///
/// # Errors
/// The first [`Violation`].
pub fn hold_as_is<D: Device<f64>>(bijector: &mut dyn Bijector<f64, D>, x: &Image<f64, D>) -> Result<(), Violation> {
    keeps_shapes(bijector, x)?;
    keeps_samples_apart(bijector, x)?;
    let condition = Condition::of(bijector, x)?;
    round_trips(bijector, x, &condition)?;
    agrees_with_itself(bijector, x, &condition)?;
    ladj_is_the_jacobians(bijector, x)?;
    inverse_has_the_negative_ladj(bijector, x)?;
    pull_back_is_the_gradient(bijector, x, &condition)?;
    pull_back_agrees_with_kept(bijector, x, &condition)
}

/// Holds a bijector that computes in f32 to the laws that f32 can check, and to its twin in f64.
///
/// The twin is the same bijector built for f64; it takes over the parameters.
///
/// # Errors
/// The first [`Violation`].
pub fn hold_in_f32<D: Device<f32> + Device<f64>>(
    single: &mut dyn Bijector<f32, D>,
    double: &mut dyn Bijector<f64, D>,
    x: &Image<f32, D>,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Evaluates, single.kind());
    judge.ask(tensors::copy_parameters(single, double, x.device()))?;
    let condition = Condition::of(double, &judge.ask(tensors::in_f64(x))?)?;
    keeps_shapes(single, x)?;
    keeps_samples_apart(single, x)?;
    round_trips(single, x, &condition)?;
    agrees_with_itself(single, x, &condition)?;
    pull_back_agrees_with_kept(single, x, &condition)?;
    agrees_across_precisions(single, double, x, &condition)
}
