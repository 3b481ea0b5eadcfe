//! The ends of a flow on CUDA.

use super::PixelKernel;
use crate::Result;
use crate::backend::cuda::{elements, failed, index, launch, upload};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element};
use crate::noise::NoiseKey;
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
    fn dequantize(&self, levels: &[u8], numbers: &[u64], bins: u32, key: Option<NoiseKey>) -> Result<Buffer<E, Self>> {
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
