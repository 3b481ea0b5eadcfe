//! On a card: a thread for each pixel and head, and no matrix of pixels by pixels at all.

use super::{AttentionForm, AttentionKernel};
use crate::Result;
use crate::backend::cuda::{elements, index, launch};
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Cuda, Element, ImageShape};
use cudarc::driver::{DeviceRepr, DeviceSlice};

/// The form as the kernels' text has it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Form {
    scale: f64,
    pixels: u32,
    channels: u32,
    heads: u32,
    /// Pixels of all images times heads.
    n: u32,
}

// SAFETY: the fields are numbers, laid out as C lays them out.
unsafe impl DeviceRepr for Form {}

impl Form {
    fn new(form: AttentionForm, qkv: usize) -> Result<Self> {
        index(qkv)?;
        let n = index(qkv / (3 * form.channels) * form.heads)?;
        let (pixels, channels, heads) = (index(form.pixels)?, index(form.channels)?, index(form.heads)?);
        Ok(Self { scale: form.scale(), pixels, channels, heads, n })
    }
}

impl<E: Element> AttentionKernel<E> for Cuda {
    fn attend(&self, form: AttentionForm, qkv: &Buffer<E, Self>) -> Result<(Buffer<E, Self>, Buffer<E, Self>)> {
        let form = Form::new(form, qkv.len())?;
        let mut out = MemoryKernel::<E>::zeros(self, qkv.len() / 3)?;
        let mut normalisers = MemoryKernel::<E>::zeros(self, form.n as usize)?;
        launch!(E, &qkv.device(), attend, elements(form.n), (form, qkv, &mut out, &mut normalisers))?;
        Ok((out, normalisers))
    }

    fn attend_gradient(
        &self,
        form: AttentionForm,
        qkv: &Buffer<E, Self>,
        (out, normalisers): (&Buffer<E, Self>, &Buffer<E, Self>),
        g: &Buffer<E, Self>,
    ) -> Result<Buffer<E, Self>> {
        let (form, card) = (Form::new(form, qkv.len())?, qkv.device());
        let mut d_qkv = MemoryKernel::<E>::zeros(self, qkv.len())?;
        let mut shared = MemoryKernel::<E>::zeros(self, form.n as usize)?;
        let grid = elements(form.n);
        launch!(E, &card, attend_gradient_q, grid, (form, qkv, out, normalisers, g, &mut shared, &mut d_qkv))?;
        launch!(E, &card, attend_gradient_kv, grid, (form, qkv, normalisers, g, &shared, &mut d_qkv))?;
        Ok(d_qkv)
    }

    fn add_places(&self, x: &mut Buffer<E, Self>, shape: ImageShape) -> Result<()> {
        let (n, height) = (index(x.len())?, index(shape.height)?);
        let (width, channels) = (index(shape.width)?, index(shape.channels)?);
        launch!(E, &x.device(), add_places, elements(n), (x, height, width, channels, n))
    }
}
