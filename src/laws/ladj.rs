//! Ladj is what it is called: `ln |det|` of the Jacobian, of the map and of its inverse.

use super::condition::rounding;
use super::derivative::jacobians;
use super::violation::{Judge, Law, Violation};
use crate::backend::Device;
use crate::{Bijector, Image, Result as Outcome};

/// Every image's ladj equals `ln |det|` of its numerical Jacobian.
///
/// # Errors
/// A [`Violation`] of it.
pub fn ladj_is_the_jacobians<D: Device<f64>>(
    bijector: &dyn Bijector<f64, D>,
    x: &Image<f64, D>,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Ladj, bijector.kind());
    let ladj = judge.ask(bijector.forward_and_ladj(x.clone()).and_then(|(_, ladj)| ladj.to_host()))?;
    equals_log_det(&judge, x, &ladj, |x| bijector.forward(x))
}

/// Where `y = f(x)`, `ln |det|` of the inverse's numerical Jacobian at y is −ladj.
///
/// # Errors
/// A [`Violation`] of it.
pub fn inverse_has_the_negative_ladj<D: Device<f64>>(
    bijector: &dyn Bijector<f64, D>,
    x: &Image<f64, D>,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::InverseLadj, bijector.kind());
    let y = judge.ask(bijector.forward(x))?;
    let x = judge.ask(bijector.inverse(&y))?;
    let ladj = judge.ask(bijector.log_abs_det_jacobian(&x, &y).and_then(|ladj| ladj.to_host()))?;
    let negative: Vec<f64> = ladj.iter().map(|ladj| -ladj).collect();
    equals_log_det(&judge, &y, &negative, |y| bijector.inverse(y))
}

fn equals_log_det<D: Device<f64>>(
    judge: &Judge,
    at: &Image<f64, D>,
    ladj: &[f64],
    f: impl Fn(&Image<f64, D>) -> Outcome<Image<f64, D>>,
) -> Result<(), Violation> {
    let jacobians = judge.ask(jacobians(at, f))?;
    judge.same("the number of ladjs", ladj.len(), jacobians.len())?;
    for (n, (jacobian, &ladj)) in jacobians.iter().zip(ladj).enumerate() {
        let (what, expected) = (format!("the ladj of image {n}"), jacobian.log_abs_det());
        if !expected.is_useful() {
            return Err(judge.undecided(format!("entries of {what}'s Jacobian have no numerical derivative")));
        }
        let bound = expected.error + rounding::<f64>(at.shape().dims()) * ladj.abs().max(1.0);
        judge.near(&what, &[ladj], &[expected.value], bound)?;
    }
    Ok(())
}
