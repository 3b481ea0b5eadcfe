//! Optimizers' steps on CUDA.

use super::{AdamStep, AdamaxStep, Averaged, Moving, OptimizerKernel};
use crate::Result;
use crate::backend::cuda::{Grid, each, index, launch, upload};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DeviceSlice};
use std::sync::Arc;

impl<E: Element> OptimizerKernel<E> for Cuda {
    fn adam(&self, step: AdamStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()> {
        let Some((card, table, grid)) = table_of(&parameters)? else { return Ok(()) };
        let [beta1, beta2, epsilon] = [step.beta1, step.beta2, step.epsilon].map(E::of);
        let [rest1, rest2] = [1.0 - step.beta1, 1.0 - step.beta2].map(E::of);
        let [step_size, correction] = [step.step_size, step.second_correction].map(E::of);
        launch!(E, &card, adam, grid, (&table, grid.1, beta1, rest1, beta2, rest2, epsilon, step_size, correction))
    }

    fn adamax(&self, step: AdamaxStep, parameters: Vec<Moving<Buffer<E, Self>>>) -> Result<()> {
        let Some((card, table, grid)) = table_of(&parameters)? else { return Ok(()) };
        let [beta1, rest1, beta2] = [step.beta1, 1.0 - step.beta1, step.beta2].map(E::of);
        let [epsilon, step_size] = [step.epsilon, step.step_size].map(E::of);
        launch!(E, &card, adamax, grid, (&table, grid.1, beta1, rest1, beta2, epsilon, step_size))
    }

    fn average(&self, rate: f64, all: Vec<Averaged<Buffer<E, Self>>>) -> Result<()> {
        let Some((first, ..)) = all.first() else { return Ok(()) };
        let columns = [
            all.iter().map(|(average, ..)| *average.device_ptr()).collect(),
            all.iter().map(|(_, rest, _)| *rest.device_ptr()).collect(),
            all.iter().map(|(.., w)| *w.device_ptr()).collect(),
        ];
        let lengths: Vec<usize> = all.iter().map(|(average, ..)| average.len()).collect();
        let (card, table, grid) = table(first.device(), columns, lengths)?;
        launch!(E, &card, average, grid, (&table, grid.1, E::of(rate)))
    }
}

/// What a launch over many buffers needs: the device, the table of their addresses and lengths, and the blocks.
type Tabled = (Arc<CudaDevice>, CudaSlice<u64>, Grid);

fn table_of<E: Element>(parameters: &[Moving<Buffer<E, Cuda>>]) -> Result<Option<Tabled>> {
    let Some(first) = parameters.first() else { return Ok(None) };
    let addresses = |of: fn(&Moving<'_, Buffer<E, Cuda>>) -> u64| parameters.iter().map(of).collect();
    let columns = [
        addresses(|moving| *moving.weights.device_ptr()),
        addresses(|moving| *moving.gradient.device_ptr()),
        addresses(|moving| *moving.first.device_ptr()),
        addresses(|moving| *moving.second.device_ptr()),
    ];
    let lengths = parameters.iter().map(|moving| moving.weights.len()).collect();
    table(first.weights.device(), columns, lengths).map(Some)
}

fn table<const N: usize>(card: Arc<CudaDevice>, columns: [Vec<u64>; N], lengths: Vec<usize>) -> Result<Tabled> {
    let longest = index(lengths.iter().copied().max().unwrap_or(0))?;
    let grid = each(index(lengths.len())?, longest);
    let table = columns.into_iter().flatten().chain(lengths.into_iter().map(|len| len as u64)).collect();
    let table = upload(&card, table)?;
    Ok((card, table, grid))
}
