//! Random images, cotangents and parameters, the same for the same seed.

use super::tensors::{parameters, set_parameters};
use crate::backend::{Device, Element};
use crate::noise::{NoiseKey, Purpose};
use crate::{Image, ImageShape, Parameters, Result};

/// `count` independent standard normals.
pub(super) fn normals(seed: u64, stream: u64, count: usize) -> Vec<f64> {
    let mut values = vec![0.0; count];
    NoiseKey::new(seed, Purpose::Check).normal(stream, &mut values);
    values
}

/// Images of independent standard normals.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device fails.
pub fn normal_image<E: Element, D: Device<E>>(
    device: &D,
    batch: usize,
    shape: ImageShape,
    seed: u64,
) -> Result<Image<E, D>> {
    let values: Vec<E> = normals(seed, 0, batch * shape.dims()).into_iter().map(E::of).collect();
    Image::from_host(device, batch, shape, &values)
}

/// Adds `scale` times a standard normal to every trained parameter; `prepare` is still to be called.
///
/// A bijector that starts as the identity, or with a last convolution of zeros, does so no longer. Constants stay.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device fails.
pub fn randomize<E: Element, D: Device<E>>(
    of: &mut (impl Parameters<E, D> + ?Sized),
    device: &D,
    seed: u64,
    scale: f64,
) -> Result<()> {
    let mut moved = parameters(of, device)?;
    jostle(&mut moved, seed, |_| scale);
    set_parameters(of, device, &moved)
}

/// Adds normals times `scale` of each tensor to it.
pub(super) fn jostle(tensors: &mut [(String, Vec<f64>)], seed: u64, scale: impl Fn(&[f64]) -> f64) {
    for (stream, (_, values)) in (1..).zip(tensors) {
        let scale = scale(values);
        let noise = normals(seed, stream, values.len());
        values.iter_mut().zip(noise).for_each(|(value, noise)| *value += scale * noise);
    }
}
