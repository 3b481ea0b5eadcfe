//! Normalizing flows on images: declare a flow in RON, check it, train it, score and sample with it.
//!
//! A flow maps an image to latents by invertible layers, and so gives the image's density by a formula:
//! `ln p(x) = Σ ln N(z; 0, 1) + Σ ln |det J|`. Everything in it is a [`Bijector`]; [`laws`] hold each to its mathematics.
//!
//! ```
//! use flowstone::backend::{Cpu, Initializer};
//! use flowstone::flow::{Flow, FlowFile, Registry};
//! use flowstone::{Image, ImageShape};
//!
//! # fn main() -> flowstone::Result<()> {
//! let file = FlowFile::parse("tiny", "Flow(
//!     image: (height: 4, width: 4, channels: 1),
//!     layers: [Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 8)],
//! )")?;
//! let device = Cpu::default();
//! let flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0))?;
//! let x = Image::zeros(&device, 2, ImageShape::new(4, 4, 1))?;
//! let log_prob = flow.log_prob(x, None)?; // nats per image
//! assert!(flow.bits_per_dim(log_prob[0]).is_finite());
//! # Ok(())
//! # }
//! ```
//!
//! Modules depend on each other one way: `cli → {ablation, latent} → train → flow → {bijectors, priors} → nets → backend → dfdx`;
//! [`data`], [`plot`], [`noise`], [`notation`] and [`files`] are leaves.
#![warn(missing_docs)]

pub mod ablation;
pub mod backend;
pub mod bench;
pub mod bijector;
pub mod bijectors;
pub mod cli;
pub mod data;
pub mod error;
pub mod files;
pub mod flow;
pub mod latent;
pub mod laws;
pub mod nets;
pub mod noise;
pub mod notation;
pub mod plot;
pub mod priors;
pub mod train;

pub use backend::{Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
pub use bijector::{Bijector, Cotangent, Health, Kept};
pub use error::{Error, Result};
