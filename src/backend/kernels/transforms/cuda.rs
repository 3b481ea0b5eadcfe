//! Element-wise transforms on CUDA.

use super::{MixtureLogistic, Spline, Transform, TransformKernel};
use crate::Result;
use crate::backend::cuda::{each, elements, index, launch, sums};
use crate::backend::{Buffer, Cuda, Element};
use cudarc::driver::{DeviceRepr, DeviceSlice};

/// The transform as the kernels' text has it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Form {
    bound: f64,
    /// Bins or components.
    count: u32,
    numbers: u32,
    /// Elements of an image.
    elements: u32,
    kind: i32,
}

// SAFETY: the fields are numbers, laid out as C lays them out.
unsafe impl DeviceRepr for Form {}

impl Form {
    fn new(transform: Transform, elements: usize, h: usize) -> Result<Self> {
        index(h)?;
        let (kind, count, bound) = match transform {
            Transform::Spline(Spline { bins, bound }) => (0, bins, bound),
            Transform::MixtureLogistic(MixtureLogistic { components }) => (1, components, 0.0),
        };
        let (count, numbers) = (index(count)?, index(transform.numbers())?);
        Ok(Self { bound, count, numbers, elements: index(elements)?, kind })
    }
}

impl<E: Element> TransformKernel<E> for Cuda {
    fn transform(
        &self,
        transform: Transform,
        x: &mut Buffer<E, Self>,
        h: &Buffer<E, Self>,
        ladj: &mut Buffer<f64, Self>,
    ) -> Result<()> {
        let (card, batch) = (x.device(), ladj.len());
        let form = Form::new(transform, x.len() / batch.max(1), h.len())?;
        let grid = each(index(batch)?, form.elements);
        let mut sums = sums(&card, (grid.0 * grid.1) as usize)?;
        launch!(E, &card, transform, grid, (form, x, h, &mut sums))?;
        launch!(E, &card, add_row_sums, elements(grid.1), (&sums, grid.0, 1.0, 0.0, ladj, grid.1))
    }

    fn untransform(&self, transform: Transform, y: &mut Buffer<E, Self>, h: &Buffer<E, Self>) -> Result<()> {
        let form = Form::new(transform, y.len(), h.len())?;
        launch!(E, &y.device(), untransform, elements(form.elements), (form, y, h))
    }

    fn transform_gradient(
        &self,
        transform: Transform,
        x: &Buffer<E, Self>,
        g: &mut Buffer<E, Self>,
        g_ladj: &Buffer<f64, Self>,
        h: &Buffer<E, Self>,
        d_h: &mut Buffer<E, Self>,
    ) -> Result<()> {
        let (card, batch) = (x.device(), g_ladj.len());
        let form = Form::new(transform, x.len() / batch.max(1), h.len())?;
        let grid = each(index(batch)?, form.elements);
        launch!(E, &card, transform_gradient, grid, (form, x, g, g_ladj, h, d_h))
    }
}
