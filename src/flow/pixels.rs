//! Between grey levels and the numbers a flow sees.
//!
//! ```text
//! x = (level + u)/bins − 1/2          u in [0, 1): uniform noise, or 1/2
//! level = ⌊(x + 1/2) · bins⌋          clamped to 0 … bins − 1
//! ```

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image, ImageShape};
use crate::noise::NoiseKey;
use crate::{Error, Result};

/// Where in its bin a grey level is put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dequantize {
    /// At the middle: deterministic, for encoding.
    Midpoint,
    /// Uniformly: its expectation bounds the likelihood of the discrete image (Theis et al. 2016).
    Uniform(NoiseKey),
}

/// Images from grey levels `[batch, height, width, channels]`. The noise of an image depends on its number alone.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) if the number of levels does not fit.
pub fn dequantize<E: Element, D: Device<E>>(
    device: &D,
    shape: ImageShape,
    bins: u32,
    levels: &[u8],
    numbers: impl Iterator<Item = u64>,
    how: Dequantize,
) -> Result<Image<E, D>> {
    let dims = shape.dims();
    if !levels.len().is_multiple_of(dims) {
        let (expected, found) = (format!("images of {shape}"), format!("{} grey levels", levels.len()));
        return Err(Error::Shape { layer: "image".into(), expected, found });
    }
    let mut x = Image::zeros(device, levels.len() / dims, shape)?;
    let (mut noise, mut values) = (vec![0.5; dims], vec![E::zero(); dims]);
    for (image, (levels, number)) in levels.chunks_exact(dims).zip(numbers).enumerate() {
        if let Dequantize::Uniform(key) = how {
            key.uniform(number, &mut noise);
        }
        for (value, (&level, u)) in values.iter_mut().zip(levels.iter().zip(&noise)) {
            *value = E::of((f64::from(level) + u) / f64::from(bins) - 0.5);
        }
        MemoryKernel::<E>::write(device, x.data_mut(), image * dims, &values)?;
    }
    Ok(x)
}

/// The grey levels nearest to images. What is not a number becomes 0.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device fails.
pub fn quantize<E: Element, D: Device<E>>(x: &Image<E, D>, bins: u32) -> Result<Vec<u8>> {
    let bins = f64::from(bins);
    Ok(x.to_host()?.iter().map(|x| ((x.as_f64() + 0.5) * bins).floor().clamp(0.0, bins - 1.0) as u8).collect())
}
