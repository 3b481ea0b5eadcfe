//! The Gaussians, as bijectors to the standard normal.
//!
//! `z ~ N(μ, σ²)` is the same as `(z − μ)/σ ~ N(0, 1)` with ladj `−Σ ln σ`. With its priors written so, a flow only
//! slices channels off, every latent is standard normal, and laws, pull-back, temperature and reconstruction hold for
//! priors as for any bijector.

mod classifier;
mod split;
mod top;

pub use classifier::Classifier;
pub(crate) use classifier::log_sum_exp;
pub use split::{SplitOptions, split, split_with, split_without_gain};
pub(crate) use top::one_hot;
pub use top::{LabelledTop, TopOptions, TopPrior};
