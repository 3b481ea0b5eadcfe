//! Buffers on the CPU.

use super::MemoryKernel;
use crate::backend::kernels::vectorised::vectorised;
use crate::backend::{Buffer, Cpu, Element};
use crate::{Error, Result};
use dfdx::tensor::Storage;
use rayon::prelude::*;

/// Elements that a worker takes at a time.
pub(in crate::backend::kernels) const CHUNK: usize = 1 << 14;

vectorised! {
    fn add_assign<E: Element>(y: &mut [E], x: &[E]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y += x);
    }
}

impl<E: Element> MemoryKernel<E> for Cpu {
    fn upload(&self, values: &[E]) -> Result<Buffer<E, Self>> {
        let mut buffer = self.zeros(values.len())?;
        buffer.copy_from_slice(values);
        Ok(buffer)
    }

    fn download(&self, buffer: &Buffer<E, Self>) -> Result<Vec<E>> {
        Ok(buffer.to_vec())
    }

    fn download_all(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<Vec<Vec<E>>> {
        Ok(buffers.into_iter().map(|buffer| buffer.to_vec()).collect())
    }

    fn copy(&self, buffer: &Buffer<E, Self>) -> Result<Buffer<E, Self>> {
        Ok(buffer.clone())
    }

    fn zeros(&self, len: usize) -> Result<Buffer<E, Self>> {
        self.try_alloc_len(len).map_err(|_| Error::OutOfMemory { bytes: len * size_of::<E>() })
    }

    fn fill(&self, buffer: &mut Buffer<E, Self>, value: E) -> Result<()> {
        buffer.fill(value);
        Ok(())
    }

    fn add_assign(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        add_assign(y, x);
        Ok(())
    }

    fn accumulate(&self, pairs: Vec<(&mut Buffer<E, Self>, &Buffer<E, Self>)>) -> Result<()> {
        pairs.into_par_iter().for_each(|(y, x)| {
            y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| add_assign(y, x));
        });
        Ok(())
    }

    fn add_scalar(&self, y: &mut Buffer<E, Self>, value: f64) -> Result<()> {
        y.iter_mut().for_each(|y| *y += E::of(value));
        Ok(())
    }

    fn sum_of_squares(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<f64> {
        // Sums of chunks are added one after the other, so the whole does not depend on the workers.
        let squares = |x: &[E]| x.iter().map(|x| x.as_f64() * x.as_f64()).sum::<f64>();
        let sums: Vec<f64> = buffers.into_par_iter().flat_map(|x| x.par_chunks(CHUNK).map(squares)).collect();
        Ok(sums.into_iter().sum())
    }

    fn scale(&self, y: &mut Buffer<E, Self>, factor: f64) -> Result<()> {
        y.iter_mut().for_each(|y| *y *= E::of(factor));
        Ok(())
    }

    fn max_difference(&self, a: &Buffer<E, Self>, b: &Buffer<E, Self>) -> Result<(f64, f64)> {
        let worse = |max: f64, value: f64| if value.is_nan() || value > max { value } else { max };
        Ok(a.iter().zip(b.iter()).fold((0.0, 0.0), |(difference, size), (a, b)| {
            let (a, b) = (a.as_f64(), b.as_f64());
            if f64::is_nan(difference) {
                (difference, size)
            } else {
                (worse(difference, (a - b).abs()), worse(size, b.abs()))
            }
        }))
    }
}
