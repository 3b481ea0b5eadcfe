//! No element of an autoregressive layer's output depends on an element that comes later.

use super::derivative::jacobians;
use super::violation::{Judge, Law, Violation};
use crate::backend::Device;
use crate::{Bijector, Image};

/// The Jacobian is triangular in an order of the elements, given from the first to the last: `∂y_i/∂x_j = 0` for every j
/// after i.
///
/// # Errors
/// A [`Violation`] of it.
pub fn jacobian_is_triangular<D: Device<f64>>(
    bijector: &dyn Bijector<f64, D>,
    x: &Image<f64, D>,
    order: &[usize],
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Triangular, bijector.kind());
    judge.same("the number of elements in order", order.len(), x.shape().dims())?;
    let jacobians = judge.ask(jacobians(x, |x| bijector.forward(x)))?;
    for (n, jacobian) in jacobians.iter().enumerate() {
        for (place, &i) in order.iter().enumerate() {
            for &j in &order[place + 1..] {
                let slope = jacobian.entry(i, j);
                judge.near(&format!("∂y[{i}]/∂x[{j}] of image {n}"), &[slope.value], &[0.0], slope.error)?;
            }
        }
    }
    Ok(())
}
