//! On the CPU: a few products for each image and head.

use super::super::super::{Buffer, Cpu, Element, ImageShape};
use super::super::MemoryKernel;
use super::super::product::cpu::{matrix, multiply};
use super::{AttentionForm, AttentionKernel};
use crate::Result;

impl<E: Element> AttentionKernel<E> for Cpu {
    fn attend(&self, form: AttentionForm, qkv: &Buffer<E, Self>) -> Result<(Buffer<E, Self>, Buffer<E, Self>)> {
        let AttentionForm { pixels, channels, heads } = form;
        let (rows, d) = (qkv.len() / (3 * channels), form.of_head());
        let mut out = MemoryKernel::<E>::zeros(self, rows * channels)?;
        let mut normalisers = MemoryKernel::<E>::zeros(self, rows * heads)?;
        let (mut scores, mut own) = (vec![E::zero(); pixels * pixels], vec![E::zero(); pixels * d]);
        for (first, head) in images_and_heads(rows, form) {
            let [q, k, v] = [0, 1, 2].map(|third| taken(qkv, first, 3 * channels, third * channels + head * d, form));
            scores_of(form, &q, &k, &mut scores);
            for (row, scores) in scores.chunks_exact_mut(pixels).enumerate() {
                let largest = scores.iter().copied().fold(E::neg_infinity(), E::max);
                scores.iter_mut().for_each(|s| *s = (*s - largest).exp_in_lanes());
                let sum: E = scores.iter().copied().sum();
                scores.iter_mut().for_each(|s| *s /= sum);
                normalisers[(first + row) * heads + head] = largest + sum.ln();
            }
            multiply(matrix(&scores, pixels, pixels), matrix(&v, pixels, d), &mut own, false);
            put(&mut out, first, channels, head * d, &own, d);
        }
        Ok((out, normalisers))
    }

    fn attend_gradient(
        &self,
        form: AttentionForm,
        qkv: &Buffer<E, Self>,
        (out, normalisers): (&Buffer<E, Self>, &Buffer<E, Self>),
        g: &Buffer<E, Self>,
    ) -> Result<Buffer<E, Self>> {
        let AttentionForm { pixels, channels, heads } = form;
        let (rows, d, scale) = (qkv.len() / (3 * channels), form.of_head(), E::of(form.scale()));
        let mut d_qkv = MemoryKernel::<E>::zeros(self, qkv.len())?;
        let square = || vec![E::zero(); pixels * pixels];
        let (mut weights, mut d_scores, mut own) = (square(), square(), vec![E::zero(); pixels * d]);
        for (first, head) in images_and_heads(rows, form) {
            let [q, k, v] = [0, 1, 2].map(|third| taken(qkv, first, 3 * channels, third * channels + head * d, form));
            let [g, out] = [g, out].map(|of| taken(of, first, channels, head * d, form));
            scores_of(form, &q, &k, &mut weights);
            for (row, weights) in weights.chunks_exact_mut(pixels).enumerate() {
                let normaliser = normalisers[(first + row) * heads + head];
                weights.iter_mut().for_each(|w| *w = (*w - normaliser).exp_in_lanes());
            }
            multiply(matrix(&g, pixels, d), matrix(&v, pixels, d).transpose(), &mut d_scores, false);
            let rows = d_scores.chunks_exact_mut(pixels).zip(weights.chunks_exact(pixels));
            for ((d_scores, weights), (g, out)) in rows.zip(g.chunks_exact(d).zip(out.chunks_exact(d))) {
                let shared: E = g.iter().zip(out).map(|(&g, &out)| g * out).sum();
                d_scores.iter_mut().zip(weights).for_each(|(s, &w)| *s = w * (*s - shared) * scale);
            }
            let start = |third: usize| third * channels + head * d;
            let (weights, d_scores) = (matrix(&weights, pixels, pixels), matrix(&d_scores, pixels, pixels));
            multiply(d_scores, matrix(&k, pixels, d), &mut own, false);
            put(&mut d_qkv, first, 3 * channels, start(0), &own, d);
            multiply(d_scores.transpose(), matrix(&q, pixels, d), &mut own, false);
            put(&mut d_qkv, first, 3 * channels, start(1), &own, d);
            multiply(weights.transpose(), matrix(&g, pixels, d), &mut own, false);
            put(&mut d_qkv, first, 3 * channels, start(2), &own, d);
        }
        Ok(d_qkv)
    }

    fn add_places(&self, x: &mut Buffer<E, Self>, shape: ImageShape) -> Result<()> {
        let places: Vec<E> = (0..shape.dims()).map(|i| E::of(place(i, shape))).collect();
        for x in x.chunks_exact_mut(shape.dims().max(1)) {
            x.iter_mut().zip(&places).for_each(|(x, &place)| *x += place);
        }
        Ok(())
    }
}

/// The first row of every image, with every head.
fn images_and_heads(rows: usize, form: AttentionForm) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).step_by(form.pixels.max(1)).flat_map(move |first| (0..form.heads).map(move |head| (first, head)))
}

/// One head's channels of one image, `[pixels, d]`.
fn taken<E: Element>(x: &[E], first: usize, channels: usize, start: usize, form: AttentionForm) -> Vec<E> {
    let d = form.of_head();
    let rows = (first..first + form.pixels).map(|row| row * channels + start);
    rows.flat_map(|at| x[at..at + d].iter().copied()).collect()
}

fn put<E: Element>(x: &mut [E], first: usize, channels: usize, start: usize, own: &[E], d: usize) {
    for (row, own) in own.chunks_exact(d).enumerate() {
        x[(first + row) * channels + start..][..d].copy_from_slice(own);
    }
}

/// S, from Q and K.
fn scores_of<E: Element>(form: AttentionForm, q: &[E], k: &[E], scores: &mut [E]) {
    let (d, scale) = (form.of_head(), E::of(form.scale()));
    multiply(matrix(q, form.pixels, d), matrix(k, form.pixels, d).transpose(), scores, false);
    scores.iter_mut().for_each(|s| *s *= scale);
}

/// What element i of an image is told of its place.
fn place(i: usize, shape: ImageShape) -> f64 {
    let (pixel, channel, half) = (i / shape.channels, i % shape.channels, shape.channels.div_ceil(2));
    let (at, k) = if channel < half { (pixel / shape.width, channel) } else { (pixel % shape.width, channel - half) };
    let angle = at as f64 * (-(10_000_f64.ln()) * (2 * (k / 2)) as f64 / half as f64).exp();
    if k % 2 == 0 { angle.sin() } else { angle.cos() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_give_the_mean_of_all_values() {
        let (device, form) = (Cpu::default(), AttentionForm { pixels: 3, channels: 4, heads: 2 });
        let numbers = |i: usize| match i % 12 {
            4..8 => 0.3,
            _ => (i as f64 * 0.7).sin(),
        };
        let qkv = device.upload(&(0..2 * 3 * 12).map(numbers).collect::<Vec<_>>()).unwrap();
        let (out, _) = device.attend(form, &qkv).unwrap();
        for (i, out) in out.iter().enumerate() {
            let (image, channel) = (i / 12, i % 4);
            let mean = (0..3).map(|pixel| numbers((image * 3 + pixel) * 12 + 8 + channel)).sum::<f64>() / 3.0;
            assert!((out - mean).abs() < 1e-14);
        }
    }

    #[test]
    fn no_two_pixels_have_the_same_place() {
        let shape = ImageShape::new(5, 4, 6);
        let place = |pixel: usize| (0..6).map(|channel| place(pixel * 6 + channel, shape)).collect::<Vec<_>>();
        for a in 0..shape.pixels() {
            assert!((0..a).all(|b| place(a) != place(b)));
        }
    }
}
