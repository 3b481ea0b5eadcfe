//! One file an operation, both devices side by side.
//!
//! Matrices are row-major. `rows` counts pixels of all images of a batch: an image batch is the matrix
//! `[batch · height · width, channels]`.

mod channel;
mod checkerboard;
mod convolution;
mod coupling;
mod density;
mod matrix;
mod memory;
mod network;
mod optimizer;
mod pixel;
mod product;
mod relu;
mod resize;
mod squeeze;
mod transforms;
mod vectorised;

pub use channel::ChannelKernel;
pub use checkerboard::CheckerboardKernel;
pub use convolution::ConvolutionKernel;
pub use coupling::{CouplingForm, CouplingKernel, CouplingLayout, CouplingMap, ScaleMap};
pub use density::DensityKernel;
pub use matrix::MatrixKernel;
pub use memory::MemoryKernel;
pub use network::{HiddenGradients, HiddenLayers, NetworkKernel};
pub use optimizer::{AdamStep, AdamaxStep, Averaged, Moving, OptimizerKernel};
pub use pixel::PixelKernel;
pub use product::{Operand, ProductKernel};
pub use relu::ReluKernel;
pub use resize::ResizeKernel;
pub use squeeze::SqueezeKernel;
pub use transforms::{MixtureLogistic, Spline, Transform, TransformKernel};
pub(super) use vectorised::vectorised;
