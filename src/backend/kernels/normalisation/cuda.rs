//! On a card.

use super::{EPSILON, NormalisationKernel};
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::DeviceSlice;

impl<E: Element> NormalisationKernel<E> for Cuda {
    fn normalise(&self, x: &mut Buffer<E, Self>, channels: usize) -> Result<()> {
        let (rows, channels) = (index(x.len() / channels)?, index(channels)?);
        launch!(E, &x.device(), normalise, elements(rows), (x, channels, EPSILON, rows))
    }

    fn normalise_gradient(&self, x: &Buffer<E, Self>, g: &mut Buffer<E, Self>, channels: usize) -> Result<()> {
        let (rows, channels) = (index(x.len() / channels)?, index(channels)?);
        launch!(E, &x.device(), normalise_gradient, elements(rows), (x, g, channels, EPSILON, rows))
    }
}
