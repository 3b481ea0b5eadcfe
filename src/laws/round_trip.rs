//! Forward and inverse undo each other, and the shortcuts lead where the long ways do.

use super::condition::{Condition, rounding};
use super::random::normals;
use super::tensors::{numbers, size, with_ladj, with_numbers};
use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element};
use crate::bijector::pulled_back;
use crate::{Bijector, Image};

/// `f⁻¹(f(x)) = x` and `f(f⁻¹(y)) = y`, within the condition's error.
///
/// # Errors
/// A [`Violation`] of it.
pub fn round_trips<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::RoundTrip, bijector.kind());
    let there = judge.ask(bijector.forward(x))?;
    let back = judge.ask(bijector.inverse(&there))?;
    let again = judge.ask(bijector.forward(&back))?;
    let read = |image| judge.ask(numbers(image));
    judge.near("f⁻¹(f(x))", &read(&back)?, &read(x)?, condition.input_error::<E>())?;
    judge.near("f(f⁻¹(y))", &read(&again)?, &read(&there)?, condition.output_error::<E>())
}

/// `forward_and_ladj` and `forward_keeping` give what `forward` and `log_abs_det_jacobian` give; `inverse_of` gives
/// what `inverse` gives; what `inverse_pull_back` gives, if anything, is pulled back to what it was given.
///
/// # Errors
/// A [`Violation`] of it.
pub fn agrees_with_itself<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Itself, bijector.kind());
    let bound = condition.output_error::<E>();
    let y = judge.ask(bijector.forward(x))?;
    let ladj = judge.ask(bijector.log_abs_det_jacobian(x, &y))?;
    let apart = judge.ask(with_ladj((y.clone(), ladj)))?;
    let together = judge.ask(bijector.forward_and_ladj(x.clone()).and_then(with_ladj))?;
    judge.near("forward_and_ladj", &together, &apart, bound)?;
    let keeping = bijector.forward_keeping(x.clone()).map(|(y, ladj, _)| (y, ladj));
    judge.near("forward_keeping", &judge.ask(keeping.and_then(with_ladj))?, &apart, bound)?;

    let inverse = judge.ask(bijector.inverse(&y).and_then(|x| numbers(&x)))?;
    let in_place = judge.ask(bijector.inverse_of(y).and_then(|x| numbers(&x)))?;
    judge.near("inverse_of", &in_place, &inverse, condition.input_error::<E>())?;

    let g = normals(5, 0, x.batch() * x.shape().dims());
    let Some(w) = judge.ask(with_numbers(x, &g).and_then(|g| bijector.inverse_pull_back(x, g)))? else { return Ok(()) };
    let back = judge.ask(pulled_back(bijector, x, w).and_then(|g| numbers(&g)))?;
    let bound = rounding::<E>(condition.numbers) * condition.number() * size(&g);
    judge.near("what inverse_pull_back gives, pulled back", &back, &g, bound)
}

/// Two bijectors give the same outputs, ladjs and inverses.
///
/// # Errors
/// A [`Violation`] of it.
pub fn are_the_same_map<E: Element, D: Device<E>>(
    one: &dyn Bijector<E, D>,
    other: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::SameMap, one.kind());
    let y = judge.ask(one.forward(x))?;
    let forth = |bijector: &dyn Bijector<E, D>| judge.ask(bijector.forward_and_ladj(x.clone()).and_then(with_ladj));
    let back = |bijector: &dyn Bijector<E, D>| judge.ask(bijector.inverse(&y).and_then(|x| numbers(&x)));
    judge.near("the other's output and ladj", &forth(other)?, &forth(one)?, condition.output_error::<E>())?;
    judge.near("the other's inverse", &back(other)?, &back(one)?, condition.input_error::<E>())
}
