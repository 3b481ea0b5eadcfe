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

/// Images as grey levels, and which of them are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantized {
    /// `[n, height, width, channels]`. What is outside the range is at its end, and what is not a number is 0.
    pub levels: Vec<u8>,
    /// The images, by number from 0, that have a value which is not finite: not images, whatever their levels say.
    pub not_finite: Vec<usize>,
}

impl Quantized {
    /// These images and, after them, those of other shards in their order; an image has `dims` levels.
    pub(crate) fn joined(shards: impl IntoIterator<Item = Self>, dims: usize) -> Self {
        let mut all = Self::default();
        for shard in shards {
            let before = all.levels.len() / dims.max(1);
            all.levels.extend(shard.levels);
            all.not_finite.extend(shard.not_finite.iter().map(|number| before + number));
        }
        all
    }
}

/// The grey levels nearest to images.
///
/// # Errors
/// [`Error::Device`](crate::Error::Device) when the device fails.
pub fn quantize<E: Element, D: Device<E>>(x: &Image<E, D>, bins: u32) -> Result<Quantized> {
    let (levels, lost) = x.device().quantize(x.data(), x.shape().dims(), bins)?;
    Ok(Quantized { levels, not_finite: (0..lost.len()).filter(|&i| lost[i]).collect() })
}

/// Numbers of images that are named in a sentence, at most.
const NAMED: usize = 20;

/// Which of so many pictures are no images, in words, if any are: `2 of 9 samples are not images: …`.
pub fn not_finite_words(numbers: &[usize], of: usize, what: &str) -> Option<String> {
    let names = numbers.iter().take(NAMED).map(usize::to_string).collect::<Vec<_>>().join(", ");
    let (are, values) =
        if numbers.len() == 1 { ("is not an image", "it has") } else { ("are not images", "they have") };
    let which = match numbers.len() {
        0 => return None,
        n if n == of => "all".to_owned(),
        n if n > NAMED => format!("numbers {names} and {} more, counted from 0", n - NAMED),
        1 => format!("number {names}, counted from 0"),
        _ => format!("numbers {names}, counted from 0"),
    };
    Some(format!("{} of {of} {what} {are}: {values} values that are not finite ({which})", numbers.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::backend::kernels::MemoryKernel;

    /// What is not finite is neither white nor black, and what is far away is.
    #[test]
    fn what_is_not_finite_is_no_image_and_what_is_far_is_clamped() {
        let device = Cpu::default();
        let values = [0.2, -9.0, f64::NAN, 0.0, 9.0, 0.4, f64::INFINITY, 0.0, -0.4, 0.0, f64::NEG_INFINITY, f64::NAN];
        let x = Image::from_buffer(&device, 6, ImageShape::new(1, 2, 1), device.upload(&values).unwrap());
        let Quantized { levels, not_finite } = quantize(&x, 10).unwrap();
        assert_eq!(not_finite, [1, 3, 5]);
        assert_eq!((levels[0], levels[1], levels[4], levels[5]), (7, 0, 9, 9));
        let two = Quantized::joined([quantize(&x, 10).unwrap(), quantize(&x, 10).unwrap()], 2);
        assert_eq!((two.levels.len(), two.not_finite), (24, vec![1, 3, 5, 7, 9, 11]));
    }

    #[test]
    fn pictures_that_are_not_images_are_named_as_far_as_a_sentence_goes() {
        let words = |numbers: &[usize], of| not_finite_words(numbers, of, "samples").unwrap_or_default();
        assert_eq!(words(&[], 9), "");
        assert_eq!(
            words(&[3], 9),
            "1 of 9 samples is not an image: it has values that are not finite (number 3, counted from 0)"
        );
        assert!(words(&[0, 1], 2).ends_with("(all)"));
        let many: Vec<usize> = (0..25).collect();
        assert!(words(&many, 30).ends_with("18, 19 and 5 more, counted from 0)"), "{}", words(&many, 30));
    }
}
