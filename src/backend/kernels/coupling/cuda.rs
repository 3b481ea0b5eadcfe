//! Couplings on CUDA.

use super::{CouplingForm, CouplingKernel, CouplingMap};
use crate::Result;
use crate::backend::cuda::{Grid, each, elements, index, launch, sums};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::{DeviceRepr, DeviceSlice};

/// The form as the kernels' text has it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Form {
    bound: f64,
    pixels: u32,
    channels: u32,
    start: u32,
    changed: u32,
    width: u32,
    stride: u32,
    first_b: u32,
    shared: i32,
    map: i32,
}

// SAFETY: the fields are numbers, laid out as C lays them out.
unsafe impl DeviceRepr for Form {}

impl Form {
    fn new(form: CouplingForm, h: usize) -> Result<Self> {
        let (map, bound) = match form.map {
            CouplingMap::Additive => (0, 0.0),
            CouplingMap::Sigmoid => (1, 0.0),
            CouplingMap::Exp => (2, 0.0),
            CouplingMap::ClampedTanh { bound } => (3, bound),
            CouplingMap::Standardize => (4, 0.0),
        };
        let pixels = form.shape.pixels();
        Ok(Self {
            bound,
            pixels: index(pixels)?,
            channels: index(form.shape.channels)?,
            start: index(form.start)?,
            changed: index(form.changed())?,
            width: index(form.network_channels())?,
            stride: index(form.stride())?,
            first_b: index(form.first_b().unwrap_or(0))?,
            shared: i32::from(h == pixels * form.network_channels()),
            map,
        })
    }

    /// Blocks for each of the images that have `n` elements together.
    fn grid(&self, n: usize) -> Result<Grid> {
        let images = index(n)? / (self.pixels * self.channels).max(1);
        Ok(each(images, self.pixels * self.changed))
    }
}

impl<E: Element> CouplingKernel<E> for Cuda {
    fn couple(
        &self,
        form: CouplingForm,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (card, parts_of) = (x.device(), Form::new(form, h.len())?);
        let grid = parts_of.grid(x.len())?;
        let mut sums = sums(&card, (grid.0 * grid.1) as usize)?;
        launch!(E, &card, couple, grid, (parts_of, x, h, &mut sums))?;
        if form.map == CouplingMap::Additive {
            return Ok(());
        }
        launch!(E, &card, add_row_sums, elements(grid.1), (&sums, grid.0, 1.0, 0.0, ladj, grid.1))
    }

    fn uncouple(&self, form: CouplingForm, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let form = Form::new(form, h.len())?;
        launch!(E, &y.device(), uncouple, form.grid(y.len())?, (form, y, h))
    }

    fn couple_gradient(
        &self,
        form: CouplingForm,
        y: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()> {
        let (card, form) = (y.device(), Form::new(form, h.len())?);
        let grid = form.grid(y.len())?;
        if form.shared == 0 || grid.1 == 1 {
            return launch!(E, &card, couple_gradient, grid, (form, y, g, g_ladj, h, d_h));
        }
        let mut of_each = MemoryKernel::<E>::zeros(self, h.len() * grid.1 as usize)?;
        launch!(E, &card, couple_gradient, grid, (form, y, g, g_ladj, h, &mut of_each))?;
        let sum = crate::backend::kernels::ChannelKernel::<E>::sum_over_batch(self, &of_each, h.len())?;
        MemoryKernel::<E>::add_assign(self, d_h, &sum)
    }
}
