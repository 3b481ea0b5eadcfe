//! Flows are what they say: laws, densities, gradients, and agreement with what was computed elsewhere.
//!
//! One program for all, since linking the library takes longer than most of these tests.

mod broken;
mod condition;
mod contexts;
mod density;
mod flows;
mod gradient;
mod initialization;
mod jacobian;
mod latents;
mod laws;
mod parity;
mod quadrature;
mod registry;
mod saturated;
mod scores;
mod taped;
mod trained;
mod vectors;

use flowstone::laws::Violation;
use proptest::prelude::TestCaseError;

/// What a law makes of a random case: one on the kink of a ReLU, or too ill-conditioned for numerical derivatives to
/// settle or for f32, decides nothing.
fn outcome(result: Result<(), Violation>) -> Result<(), TestCaseError> {
    result.map_err(|violation| match violation {
        Violation::Undecided { .. } => TestCaseError::reject(violation.to_string()),
        _ => TestCaseError::fail(violation.to_string()),
    })
}
