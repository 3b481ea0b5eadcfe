//! Normalizing flows on images.
#![warn(missing_docs)]
pub mod backend;
pub mod bijector;
pub mod bijectors;
pub mod error;
pub mod nets;
pub mod noise;
pub mod priors;
pub use backend::{Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
pub use bijector::{Bijector, Cotangent, Kept};
pub use error::{Error, Result};
/// Stub.
pub mod flow {
    /// Stub.
    #[derive(Debug, thiserror::Error, miette::Diagnostic)]
    #[error("x")]
    pub struct FlowFileError;
}
/// Stub.
pub mod laws {}
