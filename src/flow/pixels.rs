//! Between grey levels and the numbers a flow sees.
//!
//! ```text
//! x = (level + u)/bins − 1/2          u in [0, 1): uniform noise, or 1/2
//! level = ⌊(x + 1/2) · bins⌋          clamped to 0 … bins − 1
//! ```

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
    let numbers: Vec<u64> = numbers.collect();
    if levels.len() != numbers.len() * shape.dims() {
        let (expected, found) =
            (format!("{} images of {shape}", numbers.len()), format!("{} grey levels", levels.len()));
        return Err(Error::Shape { layer: "image".into(), expected, found });
    }
    let key = match how {
        Dequantize::Midpoint => None,
        Dequantize::Uniform(key) => Some(key),
    };
    let x = device.dequantize(levels, &numbers, bins, key)?;
    Ok(Image::from_buffer(device, numbers.len(), shape, x))
}

/// The grey levels nearest to images. What is not a number becomes 0.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device fails.
pub fn quantize<E: Element, D: Device<E>>(x: &Image<E, D>, bins: u32) -> Result<Vec<u8>> {
    x.device().quantize(x.data(), bins)
}
