//! What hidden layers apply to every number, and its gradient from the output.
//!
//! | activation | y | dy/dx |
//! |---|---|---|
//! | `Relu` | `max(x, 0)` | 1 where y > 0, else 0 |
//! | `Tanh` | `tanh x` | `1 − y²` |

mod cpu;
#[cfg(feature = "cuda")]
mod cuda;

use super::super::{Buffer, Element};
use crate::Result;
use dfdx::tensor::Storage;
use serde::{Deserialize, Serialize};

/// What hidden layers apply to every number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "activation")]
pub enum Activation {
    /// `max(x, 0)`
    #[default]
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

/// Activations, element by element.
pub trait ActivationKernel<E: Element>: Storage<E> {
    /// `x` becomes `y`.
    fn activate(&self, activation: Activation, x: &mut Buffer<E, Self>) -> Result<()>;
    /// From the output `y`: `g` becomes `g · dy/dx`.
    fn activate_gradient(&self, activation: Activation, y: &Buffer<E, Self>, g: &mut Buffer<E, Self>) -> Result<()>;
}
