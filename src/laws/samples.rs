//! A batch is only many images.

use super::condition::rounding;
use super::random::normals;
use super::tensors::{numbers, size, with_numbers};
use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element};
use crate::{Bijector, Image};

/// With the first image changed, the others' output, ladj and inverse stay the same.
///
/// # Errors
/// A [`Violation`] of it.
pub fn keeps_samples_apart<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
) -> Result<(), Violation> {
    let (judge, dims) = (Judge::new(Law::Samples, bijector.kind()), x.shape().dims());
    let others = |x: &Image<E, D>| {
        let (y, ladj) = bijector.forward_and_ladj(x.clone())?;
        let mut others = numbers(&y)?.split_off(dims.min(y.shape().dims()));
        others.extend(numbers(&bijector.inverse(&y)?)?.into_iter().skip(dims));
        others.extend(ladj.to_host()?.into_iter().skip(1));
        Ok(others)
    };
    let before = judge.ask(others(x))?;
    let mut changed = judge.ask(numbers(x))?;
    changed.iter_mut().zip(normals(1, 0, dims)).for_each(|(x, noise)| *x += 1.0 + noise.abs());
    let after = judge.ask(with_numbers(x, &changed).and_then(|changed| others(&changed)))?;
    judge.near("outputs of the other images", &after, &before, rounding::<E>(dims) * size(&before))
}
