//! One folder an operation, devices side by side: `mod.rs` has what the operation is and what devices share of it, `cpu.rs`
//! and `cuda.rs` have it for each, and the `.cu` beside them is what CUDA runs.
//!
//! Matrices are row-major. `rows` counts pixels of all images of a batch: an image batch is the matrix
//! `[batch · height · width, channels]`.

mod activation;
mod attention;
mod channel;
mod checkerboard;
mod convolution;
mod coupling;
mod density;
mod gating;
mod hadamard;
mod logit;
mod matrix;
mod memory;
mod network;
mod normalisation;
mod optimizer;
mod pixel;
mod product;
mod resize;
mod squeeze;
mod transforms;
mod vectorised;

pub use activation::{Activation, ActivationKernel};
pub use attention::{AttentionForm, AttentionKernel};
pub use channel::ChannelKernel;
pub use checkerboard::CheckerboardKernel;
pub use convolution::ConvolutionKernel;
pub use coupling::{CouplingForm, CouplingKernel, CouplingLayout, CouplingMap, ScaleMap};
pub use density::DensityKernel;
pub use gating::GatingKernel;
pub use hadamard::HadamardKernel;
pub use logit::LogitKernel;
pub use matrix::MatrixKernel;
pub use memory::MemoryKernel;
pub use network::{HiddenGradients, HiddenLayers, NetworkKernel};
pub use normalisation::NormalisationKernel;
pub use optimizer::{AdamStep, AdamaxStep, Averaged, Moving, OptimizerKernel};
pub use pixel::PixelKernel;
pub use product::{Operand, ProductKernel};
pub use resize::ResizeKernel;
pub use squeeze::SqueezeKernel;
pub use transforms::{MixtureLogistic, Spline, Transform, TransformKernel};
pub(super) use vectorised::vectorised;
