//! Buffers: moving them, filling them, adding them.

use super::super::{Buffer, Cpu, Element};
use super::vectorised::vectorised;
use crate::{Error, Result};
use dfdx::tensor::Storage;
use rayon::prelude::*;

/// Buffers of `E` on a device.
pub trait MemoryKernel<E: Element>: Storage<E> {
    /// A buffer with these values.
    fn upload(&self, values: &[E]) -> Result<Buffer<E, Self>>;
    /// Overwrites the elements from `start` on.
    fn write(&self, buffer: &mut Buffer<E, Self>, start: usize, values: &[E]) -> Result<()>;
    /// The values of a buffer.
    fn download(&self, buffer: &Buffer<E, Self>) -> Result<Vec<E>>;
    /// A buffer of zeros.
    fn zeros(&self, len: usize) -> Result<Buffer<E, Self>>;
    /// Sets every element to `value`.
    fn fill(&self, buffer: &mut Buffer<E, Self>, value: E) -> Result<()>;
    /// `y += x`.
    fn add_assign(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()>;
    /// [`MemoryKernel::add_assign`] of many pairs `(y, x)`, by all workers together.
    fn accumulate(&self, pairs: Vec<(&mut Buffer<E, Self>, &Buffer<E, Self>)>) -> Result<()>;
    /// `y += value`, every element.
    fn add_scalar(&self, y: &mut Buffer<E, Self>, value: f64) -> Result<()>;
    /// `Σ x²` over all the buffers, in f64.
    fn sum_of_squares(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<f64>;
    /// `y *= factor`.
    fn scale(&self, y: &mut Buffer<E, Self>, factor: f64) -> Result<()>;
    /// `max |a − b|` and `max |b|`; NaN if either holds one.
    fn max_difference(&self, a: &Buffer<E, Self>, b: &Buffer<E, Self>) -> Result<(f64, f64)>;
}

/// Elements that a worker takes at a time.
pub(super) const CHUNK: usize = 1 << 14;

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

    fn write(&self, buffer: &mut Buffer<E, Self>, start: usize, values: &[E]) -> Result<()> {
        buffer[start..start + values.len()].copy_from_slice(values);
        Ok(())
    }

    fn download(&self, buffer: &Buffer<E, Self>) -> Result<Vec<E>> {
        Ok(buffer.to_vec())
    }

    fn zeros(&self, len: usize) -> Result<Buffer<E, Self>> {
        self.try_alloc_len(len).map_err(|error| Error::Device(format!("{len} elements of {}: {error}", E::NAME)))
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

#[cfg(feature = "cuda")]
mod cuda {
    use super::super::not_yet;
    use super::*;
    use crate::backend::Cuda;

    impl<E: Element> MemoryKernel<E> for Cuda
    where
        Cuda: Storage<E>,
    {
        fn upload(&self, _: &[E]) -> Result<Buffer<E, Self>> {
            not_yet("upload")
        }
        fn write(&self, _: &mut Buffer<E, Self>, _: usize, _: &[E]) -> Result<()> {
            not_yet("write")
        }
        fn download(&self, _: &Buffer<E, Self>) -> Result<Vec<E>> {
            not_yet("download")
        }
        fn zeros(&self, len: usize) -> Result<Buffer<E, Self>> {
            self.try_alloc_len(len).map_err(|error| Error::Device(format!("{len} elements of {}: {error}", E::NAME)))
        }
        fn fill(&self, _: &mut Buffer<E, Self>, _: E) -> Result<()> {
            not_yet("fill")
        }
        fn add_assign(&self, _: &mut Buffer<E, Self>, _: &Buffer<E, Self>) -> Result<()> {
            not_yet("add_assign")
        }
        fn accumulate(&self, _: Vec<(&mut Buffer<E, Self>, &Buffer<E, Self>)>) -> Result<()> {
            not_yet("accumulate")
        }
        fn add_scalar(&self, _: &mut Buffer<E, Self>, _: f64) -> Result<()> {
            not_yet("add_scalar")
        }
        fn sum_of_squares(&self, _: Vec<&Buffer<E, Self>>) -> Result<f64> {
            not_yet("sum_of_squares")
        }
        fn scale(&self, _: &mut Buffer<E, Self>, _: f64) -> Result<()> {
            not_yet("scale")
        }
        fn max_difference(&self, _: &Buffer<E, Self>, _: &Buffer<E, Self>) -> Result<(f64, f64)> {
            not_yet("max_difference")
        }
    }
}
