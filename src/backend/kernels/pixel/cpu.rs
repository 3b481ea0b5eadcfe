//! The ends of a flow on the CPU.

use super::PixelKernel;
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cpu, Element};
use crate::noise::NoiseKey;

impl<E: Element> PixelKernel<E> for Cpu {
    fn dequantize(&self, levels: &[u8], numbers: &[u64], bins: u32, key: Option<NoiseKey>) -> Result<Buffer<E, Self>> {
        let dims = levels.len() / numbers.len().max(1);
        let mut x = MemoryKernel::<E>::zeros(self, levels.len())?;
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
        let mut x = MemoryKernel::<E>::zeros(self, numbers.len() * dims)?;
        let mut noise = vec![0.0; dims];
        for (x, &number) in x.chunks_mut(dims.max(1)).zip(numbers) {
            key.normal(number, &mut noise);
            x.iter_mut().zip(&noise).for_each(|(x, z)| *x = E::of(factor * z));
        }
        Ok(x)
    }
}
