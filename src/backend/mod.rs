//! The ground floor: all that dfdx lacks, for each of its devices.
//!
//! dfdx gives the devices and their storage; this module adds images, parameters and the kernels a flow needs.
//! Every kernel is one small trait in [`kernels`], implemented for dfdx's [`Cpu`] and, under the feature `cuda`,
//! for its `Cuda` side by side, so that a missing half is seen at once. [`Device`] is their sum: nothing above this
//! floor knows which device it runs on.

mod clock;
#[cfg(feature = "cuda")]
pub mod cuda;
mod elementary;
mod image;
mod initializer;
pub mod kernels;
pub mod linear_algebra;
mod machine;
mod parameter;
mod shards;

pub use clock::{WorkTime, time_kernels, time_work};
pub use dfdx::tensor::Cpu;
#[cfg(feature = "cuda")]
pub use dfdx::tensor::Cuda;
pub use image::{Image, ImageShape, PerSample};
pub use initializer::Initializer;
pub use machine::Machine;
pub(crate) use parameter::join;
pub use parameter::{Parameter, ParameterGradients, ParameterId, Parameters, mirror};
pub(crate) use shards::images_on_card;
pub use shards::{Shards, set_workers, workers};

use dfdx::tensor::Storage;
use kernels::{
    ActivationKernel, AttentionKernel, ChannelKernel, CheckerboardKernel, ConvolutionKernel, CouplingKernel,
    DensityKernel, GatingKernel, HadamardKernel, LogitKernel, MatrixKernel, MemoryKernel, NetworkKernel,
    NormalisationKernel, OptimizerKernel, PixelKernel, ProductKernel, ResizeKernel, SqueezeKernel, TransformKernel,
};

/// The numbers a flow computes with: `f32`, or `f64` where the mathematics is to be checked.
pub trait Element:
    dfdx::dtypes::Dtype + num_traits::Float + faer::traits::ComplexField + std::iter::Sum + std::fmt::Display
{
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;
    /// The nearest element to `value`.
    fn of(value: f64) -> Self;
    /// This element as an `f64`, exactly.
    fn as_f64(self) -> f64;
    /// The bytes of a file's tensor, little-endian.
    fn to_le_bytes(values: &[Self]) -> Vec<u8>;
    /// `exp`, in a form that compilers vectorise; within 2 units in the last place in f32, the system's in f64.
    fn exp_in_lanes(self) -> Self;
    /// `ln(1 + x)` for x from 0 to 1, likewise.
    fn ln_1p_in_lanes(self) -> Self;
}

impl Element for f32 {
    const NAME: &'static str = "f32";
    fn of(value: f64) -> Self {
        value as f32
    }
    fn as_f64(self) -> f64 {
        f64::from(self)
    }
    fn to_le_bytes(values: &[Self]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
    #[inline(always)]
    fn exp_in_lanes(self) -> Self {
        elementary::exp(self)
    }
    #[inline(always)]
    fn ln_1p_in_lanes(self) -> Self {
        elementary::ln_1p(self)
    }
}

impl Element for f64 {
    const NAME: &'static str = "f64";
    fn of(value: f64) -> Self {
        value
    }
    fn as_f64(self) -> f64 {
        self
    }
    fn to_le_bytes(values: &[Self]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
    #[inline(always)]
    fn exp_in_lanes(self) -> Self {
        self.exp()
    }
    #[inline(always)]
    fn ln_1p_in_lanes(self) -> Self {
        self.ln_1p()
    }
}

/// A device's storage for a run of elements: a `Vec` on the CPU, device memory on CUDA. Send and Sync on both.
pub type Buffer<E, D> = <D as Storage<E>>::Vec;

/// A dfdx device together with this crate's kernels for it.
pub trait Device<E: Element>:
    dfdx::tensor_ops::Device<E>
    + MemoryKernel<E>
    + MemoryKernel<f64>
    + ProductKernel<E>
    + ChannelKernel<E>
    + SqueezeKernel<E>
    + ConvolutionKernel<E>
    + NetworkKernel<E>
    + CouplingKernel<E>
    + TransformKernel<E>
    + CheckerboardKernel<E>
    + ResizeKernel<E>
    + LogitKernel<E>
    + DensityKernel<E>
    + MatrixKernel<E>
    + PixelKernel<E>
    + OptimizerKernel<E>
    + ActivationKernel<E>
    + HadamardKernel<E>
    + GatingKernel<E>
    + NormalisationKernel<E>
    + AttentionKernel<E>
    + Shards
{
}

impl Device<f32> for Cpu {}
impl Device<f64> for Cpu {}
#[cfg(feature = "cuda")]
impl Device<f32> for Cuda {}
#[cfg(feature = "cuda")]
impl Device<f64> for Cuda {}
