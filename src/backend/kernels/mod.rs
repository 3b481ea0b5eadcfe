//! One file an operation, both devices side by side.
//!
//! Matrices are row-major. `rows` counts pixels of all images of a batch: an image batch is the matrix
//! `[batch · height · width, channels]`.

mod channel;
mod convolution;
mod coupling;
mod density;
mod memory;
mod network;
mod optimizer;
mod product;
mod squeeze;
mod vectorised;

pub use channel::ChannelKernel;
pub use convolution::ConvolutionKernel;
pub use coupling::{CouplingForm, CouplingKernel, CouplingLayout, CouplingMap, ScaleMap};
pub use density::DensityKernel;
pub use memory::MemoryKernel;
pub use network::{HiddenGradients, HiddenLayers, NetworkKernel};
pub use optimizer::{AdamStep, AdamaxStep, Moving, OptimizerKernel};
pub use product::{Operand, ProductKernel};
pub use squeeze::SqueezeKernel;
pub(super) use vectorised::vectorised;

/// What every kernel of the CUDA device answers until it is written.
#[cfg(feature = "cuda")]
fn not_yet<T>(what: &'static str) -> crate::Result<T> {
    Err(crate::Error::NotYet { device: "cuda", what })
}
