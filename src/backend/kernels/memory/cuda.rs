//! Buffers on CUDA.

use super::MemoryKernel;
use crate::backend::cuda::{each, elements, failed, index, launch, sums, upload};
use crate::backend::{Buffer, Cuda, Element};
use crate::{Error, Result};
use cudarc::driver::{CudaDevice, DevicePtr, DevicePtrMut, DeviceSlice, result};
use dfdx::tensor::{Cache, HasErr, Storage};
use std::sync::Arc;

/// What dfdx says when its device fails.
type Failure = <Cuda as HasErr>::Err;

impl<E: Element> MemoryKernel<E> for Cuda {
    fn upload(&self, values: &[E]) -> Result<Buffer<E, Self>> {
        let mut buffer = MemoryKernel::<E>::zeros(self, values.len())?;
        if !values.is_empty() {
            let card = buffer.device();
            card.bind_to_thread().map_err(|error| failed(error, 0))?;
            // SAFETY: the buffer is as long as the values, which CUDA copies to a place of its own before it returns,
            // for they are in pageable memory.
            unsafe { result::memcpy_htod_async(*buffer.device_ptr_mut(), values, *card.cu_stream()) }
                .map_err(|error| failed(error, 0))?;
        }
        Ok(buffer)
    }

    fn download(&self, buffer: &Buffer<E, Self>) -> Result<Vec<E>> {
        let mut values = vec![E::zero(); buffer.len()];
        if !values.is_empty() {
            let copied = buffer.device().dtoh_sync_copy_into(&**buffer, &mut values);
            copied.map_err(|error| failed(error, 0))?;
        }
        Ok(values)
    }

    fn download_all(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<Vec<Vec<E>>> {
        let lengths: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
        let places = lengths.iter().scan(0, |next, len| Some(std::mem::replace(next, *next + *len as u64)));
        let total: usize = lengths.iter().sum();
        if total == 0 {
            return Ok(buffers.into_iter().map(|_| Vec::new()).collect());
        }
        let mut table: Vec<u64> = buffers.iter().map(|buffer| *buffer.device_ptr()).collect();
        table.extend(lengths.iter().map(|&len| len as u64).chain(places));
        let mut together = MemoryKernel::<E>::zeros(self, total)?;
        let card = together.device();
        let (table, count, longest) = (upload(&card, table)?, index(buffers.len())?, longest(&lengths)?);
        launch!(E, &card, gather, each(count, longest), (&table, count, &mut together))?;
        let mut values = self.download(&together)?.into_iter();
        Ok(lengths.into_iter().map(|len| values.by_ref().take(len).collect()).collect())
    }

    fn copy(&self, buffer: &Buffer<E, Self>) -> Result<Buffer<E, Self>> {
        let mut copy = MemoryKernel::<E>::zeros(self, buffer.len())?;
        if buffer.len() > 0 {
            buffer.device().dtod_copy(buffer, &mut copy).map_err(|error| failed(error, 0))?;
        }
        Ok(copy)
    }

    fn zeros(&self, len: usize) -> Result<Buffer<E, Self>> {
        // The device keeps freed buffers for others of their length; before it is out of memory, it is to give them up.
        let first = self.try_alloc_len(len);
        let buffer = match first {
            Err(Failure::Driver(error)) if matches!(failed(error, 0), Error::OutOfMemory { .. }) => {
                self.try_empty_cache().map_err(|error| Error::Device(error.to_string()))?;
                self.try_alloc_len(len)
            }
            first => first,
        };
        buffer.map_err(|error| match error {
            Failure::Driver(error) => failed(error, len * size_of::<E>()),
            error => Error::Device(error.to_string()),
        })
    }

    fn fill(&self, buffer: &mut Buffer<E, Self>, value: E) -> Result<()> {
        let n = index(buffer.len())?;
        launch!(E, &buffer.device(), fill, elements(n), (buffer, value, n))
    }

    fn add_assign(&self, y: &mut Buffer<E, Self>, x: &Buffer<E, Self>) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &y.device(), add_assign, elements(n), (y, x, n))
    }

    fn accumulate(&self, pairs: Vec<(&mut Buffer<E, Self>, &Buffer<E, Self>)>) -> Result<()> {
        let Some((first, _)) = pairs.first() else { return Ok(()) };
        let (card, lengths) = (first.device(), lengths(pairs.iter().map(|(y, _)| &**y)));
        let mut table: Vec<u64> = pairs.iter().map(|(y, _)| *y.device_ptr()).collect();
        table.extend(pairs.iter().map(|(_, x)| *x.device_ptr()));
        let grid = each(index(pairs.len())?, longest(&lengths)?);
        table.extend(lengths.into_iter().map(|len| len as u64));
        launch!(E, &card, accumulate, grid, (&upload(&card, table)?, grid.1))
    }

    fn add_scalar(&self, y: &mut Buffer<E, Self>, value: f64) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &y.device(), add_scalar, elements(n), (y, E::of(value), n))
    }

    fn sum_of_squares(&self, buffers: Vec<&Buffer<E, Self>>) -> Result<f64> {
        let Some(first) = buffers.first() else { return Ok(0.0) };
        let (card, lengths) = (first.device(), lengths(buffers.iter().copied()));
        let mut table: Vec<u64> = buffers.iter().map(|buffer| *buffer.device_ptr()).collect();
        let grid = each(index(buffers.len())?, longest(&lengths)?);
        table.extend(lengths.into_iter().map(|len| len as u64));
        let parts = grid.0 * grid.1;
        let (mut sums, mut total) = (sums(&card, parts as usize)?, sums(&card, 1)?);
        launch!(E, &card, sum_of_squares, grid, (&upload(&card, table)?, grid.1, &mut sums))?;
        launch!(E, &card, sum, (1, 1), (&sums, parts, &mut total))?;
        Ok(to_host(&card, &total)?.iter().sum())
    }

    fn scale(&self, y: &mut Buffer<E, Self>, factor: f64) -> Result<()> {
        let n = index(y.len())?;
        launch!(E, &y.device(), scale, elements(n), (y, E::of(factor), n))
    }

    fn max_difference(&self, a: &Buffer<E, Self>, b: &Buffer<E, Self>) -> Result<(f64, f64)> {
        let (card, n) = (a.device(), index(a.len())?);
        let grid = elements(n);
        let (mut parts, mut both) = (sums(&card, 2 * grid.0 as usize)?, sums(&card, 2)?);
        launch!(E, &card, differences, grid, (a, b, n, &mut parts))?;
        launch!(E, &card, largest, (1, 1), (&parts, grid.0, &mut both))?;
        match to_host(&card, &both)?[..] {
            [difference, size] => Ok((difference, size)),
            _ => Ok((f64::NAN, f64::NAN)),
        }
    }
}

fn lengths<'a, E: Element>(buffers: impl Iterator<Item = &'a Buffer<E, Cuda>>) -> Vec<usize> {
    buffers.map(|buffer| buffer.len()).collect()
}

fn longest(lengths: &[usize]) -> Result<u32> {
    index(lengths.iter().copied().max().unwrap_or(0))
}

fn to_host(card: &Arc<CudaDevice>, sums: &cudarc::driver::CudaSlice<f64>) -> Result<Vec<f64>> {
    card.dtoh_sync_copy(sums).map_err(|error| failed(error, 0))
}
