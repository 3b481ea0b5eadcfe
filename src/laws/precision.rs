//! f32 is f64 with larger roundings.

use super::condition::Condition;
use super::cotangents::Cotangents;
use super::sensitivity::sensitivities;
use super::tensors::{Tensors, in_f64, numbers};
use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element};
use crate::{Bijector, Image, Result as Outcome};

/// Output, ladj and gradients in f32 are those of the twin in f64, which has the same parameters.
///
/// # Errors
/// A [`Violation`] of it.
pub fn agrees_across_precisions<D: Device<f32> + Device<f64>>(
    single: &dyn Bijector<f32, D>,
    double: &mut dyn Bijector<f64, D>,
    x: &Image<f32, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Precision, single.kind());
    let exactly = judge.ask(in_f64(x))?;
    let found = judge.ask(results(single, x))?;
    let expected = judge.ask(results(double, &exactly))?;
    let error = condition.relative_error::<f32>(&judge)?;
    let sensitivities = judge.ask(sensitivities(double, &exactly, error, results))?;
    for (((name, found), (_, expected)), sensitivity) in found.iter().zip(&expected).zip(sensitivities) {
        judge.near(name, found, expected, error * sensitivity)?;
    }
    Ok(())
}

fn results<E: Element, D: Device<E>>(bijector: &dyn Bijector<E, D>, x: &Image<E, D>) -> Outcome<Tensors> {
    let (y, ladj) = bijector.forward_and_ladj(x.clone())?;
    let mut all = vec![("the output".to_string(), numbers(&y)?), ("ladj".to_string(), ladj.to_host()?)];
    let (_, gradients) = Cotangents::random(&y).pulled_back(bijector, y)?;
    all.extend(gradients.into_iter().map(|(name, values)| (format!("the gradient of {name}"), values)));
    Ok(all)
}
