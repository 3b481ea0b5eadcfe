//! Grey levels to numbers and back, and random latents: where images come to a device and leave it.
//!
//! The random numbers are [`NoiseKey`]'s, made where they are needed: only grey levels and image numbers cross to a device.

use super::super::{Buffer, Cpu, Element};
use crate::Result;
use crate::noise::NoiseKey;
use dfdx::tensor::Storage;

/// The ends of a flow.
pub trait PixelKernel<E: Element>: Storage<E> {
    /// `(level + u)/bins − 1/2` for the images numbered `numbers`, whose grey levels are `levels` `[numbers.len(), ..]`: u
    /// is the image's uniform noise under `key`, or 1/2 without one. Computed in f64.
    fn dequantize(&self, levels: &[u8], numbers: &[u64], bins: u32, key: Option<NoiseKey>) -> Result<Buffer<E, Self>>;
    /// `⌊(x + 1/2) · bins⌋`, within `0 … bins − 1`, of images of `dims` elements; 0 for what is not a number. Computed in f64.
    /// For each image also whether it has an element that is not a number, or infinite.
    fn quantize(&self, x: &Buffer<E, Self>, dims: usize, bins: u32) -> Result<(Vec<u8>, Vec<bool>)>;
    /// `factor` times the standard normal numbers of the images numbered `numbers`, `dims` of each, under `key`.
    fn normals(&self, numbers: &[u64], dims: usize, factor: f64, key: NoiseKey) -> Result<Buffer<E, Self>>;
}

impl<E: Element> PixelKernel<E> for Cpu {
    fn dequantize(&self, levels: &[u8], numbers: &[u64], bins: u32, key: Option<NoiseKey>) -> Result<Buffer<E, Self>> {
        let dims = levels.len() / numbers.len().max(1);
        let mut x = super::MemoryKernel::<E>::zeros(self, levels.len())?;
        let mut noise = vec![0.5; dims];
        for ((x, levels), &number) in x.chunks_mut(dims.max(1)).zip(levels.chunks(dims.max(1))).zip(numbers) {
            if let Some(key) = key {
                key.uniform(number, &mut noise);
            }
            for (x, (&level, u)) in x.iter_mut().zip(levels.iter().zip(&noise)) {
                *x = E::of((f64::from(level) + u) / f64::from(bins) - 0.5);
            }
        }
        Ok(x)
    }

    fn quantize(&self, x: &Buffer<E, Self>, dims: usize, bins: u32) -> Result<(Vec<u8>, Vec<bool>)> {
        let bins = f64::from(bins);
        let level = |x: &E| ((x.as_f64() + 0.5) * bins).floor().clamp(0.0, bins - 1.0) as u8;
        let is_lost = |image: &[E]| image.iter().any(|x| !x.as_f64().is_finite());
        Ok((x.iter().map(level).collect(), x.chunks(dims.max(1)).map(is_lost).collect()))
    }

    fn normals(&self, numbers: &[u64], dims: usize, factor: f64, key: NoiseKey) -> Result<Buffer<E, Self>> {
        let mut x = super::MemoryKernel::<E>::zeros(self, numbers.len() * dims)?;
        let mut noise = vec![0.0; dims];
        for (x, &number) in x.chunks_mut(dims.max(1)).zip(numbers) {
            key.normal(number, &mut noise);
            x.iter_mut().zip(&noise).for_each(|(x, z)| *x = E::of(factor * z));
        }
        Ok(x)
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{elements, failed, index, launch, upload};
    use crate::backend::kernels::MemoryKernel;
    use cudarc::driver::{DeviceRepr, DeviceSlice};

    /// A key as the kernels' text has it.
    #[derive(Clone, Copy, Default)]
    #[repr(C)]
    struct Noise {
        key: [u32; 2],
        step: u64,
    }

    // SAFETY: the fields are numbers, laid out as C lays them out.
    unsafe impl DeviceRepr for Noise {}

    impl From<NoiseKey> for Noise {
        fn from(key: NoiseKey) -> Self {
            Self { key: key.words(), step: key.step() }
        }
    }

    impl<E: Element> PixelKernel<E> for Cuda {
        fn dequantize(
            &self,
            levels: &[u8],
            numbers: &[u64],
            bins: u32,
            key: Option<NoiseKey>,
        ) -> Result<Buffer<E, Self>> {
            let mut x = MemoryKernel::<E>::zeros(self, levels.len())?;
            if levels.is_empty() {
                return Ok(x);
            }
            let (card, n, dims) = (x.device(), index(levels.len())?, index(levels.len() / numbers.len())?);
            let (levels, numbers) = (upload(&card, levels.to_vec())?, upload(&card, numbers.to_vec())?);
            let (noise, noisy) = (key.map_or(Noise::default(), Noise::from), i32::from(key.is_some()));
            let bins = f64::from(bins);
            launch!(E, &card, dequantize, elements(n), (&levels, &numbers, noise, noisy, bins, &mut x, dims, n))?;
            Ok(x)
        }

        fn quantize(&self, x: &Buffer<E, Self>, dims: usize, bins: u32) -> Result<(Vec<u8>, Vec<bool>)> {
            let (card, n) = (x.device(), index(x.len())?);
            if n == 0 || dims == 0 {
                return Ok(Default::default());
            }
            let zeros = |length: usize| card.alloc_zeros::<u8>(length).map_err(|error| failed(error, length));
            let (mut levels, mut lost) = (zeros(x.len())?, zeros(x.len().div_ceil(dims))?);
            let dims = index(dims)?;
            launch!(E, &card, quantize, elements(n), (x, f64::from(bins), &mut levels, &mut lost, dims, n))?;
            let down = |bytes| card.dtoh_sync_copy(bytes).map_err(|error| failed(error, 0));
            Ok((down(&levels)?, down(&lost)?.into_iter().map(|lost| lost != 0).collect()))
        }

        fn normals(&self, numbers: &[u64], dims: usize, factor: f64, key: NoiseKey) -> Result<Buffer<E, Self>> {
            let mut x = MemoryKernel::<E>::zeros(self, numbers.len() * dims)?;
            let (card, n, dims) = (x.device(), index(numbers.len() * dims)?, index(dims)?);
            if n == 0 {
                return Ok(x);
            }
            let numbers = upload(&card, numbers.to_vec())?;
            launch!(E, &card, normals, elements(n), (&numbers, Noise::from(key), factor, &mut x, dims, n))?;
            Ok(x)
        }
    }
}
