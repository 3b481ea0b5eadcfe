//! Normalizing flows on images.
#![warn(missing_docs)]
pub mod backend;
pub mod bijector;
pub mod bijectors;
pub mod cli;
pub mod data;
pub mod error;
pub mod files;
pub mod nets;
pub mod noise;
pub mod plot;
pub mod priors;
pub use backend::{Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
pub use bijector::{Bijector, Cotangent, Kept};
pub use error::{Error, Result};
pub mod flow;
/// Stub.
pub mod laws {}
pub mod train;
