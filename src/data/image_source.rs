//! Images that are read when they are asked for.

use std::fmt;

use super::Images;
use crate::error::{Error, Result};
use crate::noise::NoiseKey;

/// Where images of one size are read from, one at a time and from several threads at once: files, or what is made of
/// other images. [`Images::streamed`] makes a set of it, which then takes no memory for what is not being used.
pub trait ImageSource: fmt::Debug + Send + Sync {
    /// The number of images.
    fn count(&self) -> usize;

    /// `[height, width, channels]` of each image.
    fn shape(&self) -> [usize; 3];

    /// The levels of image `i`, `[height, width, channels]`: the same whenever it is read. Where what is stored is larger,
    /// `place` says which part of it is the image.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::Error::BadFile) for what cannot be an image of this shape,
    /// [`Error::Io`](crate::Error::Io) for what cannot be read.
    fn read(&self, i: usize, place: Place) -> Result<Vec<u8>>;

    /// Whether what is read is in memory already. Default: no.
    fn is_held(&self) -> bool {
        false
    }
}

/// Where a window is cut out of a larger image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Place {
    /// In the middle; where that cannot be even, a pixel more is left out below and to the right.
    #[default]
    Middle,
    /// So far down and to the right, as shares of the way there is: `[0, 0]` is the upper left corner.
    At([f64; 2]),
}

impl Place {
    /// Any place, each as likely, by a key and the image's number.
    pub fn random(key: NoiseKey, image: u64) -> Self {
        let mut shares = [0.0; 2];
        key.uniform(image, &mut shares);
        Self::At(shares)
    }

    /// The first row and column of a window of `[height, width]` in an image of the size `whole`, which is not smaller.
    pub fn corner(self, whole: [usize; 2], window: [usize; 2]) -> [usize; 2] {
        let along = |side: usize| {
            let left = whole[side].saturating_sub(window[side]);
            match self {
                Self::Middle => left / 2,
                Self::At(shares) => ((shares[side] * (left + 1) as f64) as usize).min(left),
            }
        };
        [along(0), along(1)]
    }
}

/// The images of a set, whatever they are kept in.
impl ImageSource for Images {
    fn count(&self) -> usize {
        self.len()
    }

    fn shape(&self) -> [usize; 3] {
        Images::shape(self)
    }

    fn read(&self, i: usize, place: Place) -> Result<Vec<u8>> {
        self.gather_at(&[i], |_| place)
    }

    fn is_held(&self) -> bool {
        !self.is_streamed()
    }
}

/// The images of several sets of one shape, one set after the other.
#[derive(Debug)]
pub(super) struct Joined {
    pub parts: Vec<Images>,
    pub shape: [usize; 3],
}

impl ImageSource for Joined {
    fn count(&self) -> usize {
        self.parts.iter().map(Images::len).sum()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn read(&self, mut i: usize, place: Place) -> Result<Vec<u8>> {
        for part in &self.parts {
            if i < part.len() {
                return part.read(i, place);
            }
            i -= part.len();
        }
        Err(Error::Usage(format!("there is no image {i} past the last")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Purpose;

    #[test]
    fn a_window_in_the_middle_leaves_as_much_on_each_side() {
        assert_eq!(Place::Middle.corner([6, 5], [2, 2]), [2, 1]);
        assert_eq!(Place::Middle.corner([2, 2], [2, 2]), [0, 0]);
    }

    #[test]
    fn random_windows_are_everywhere_alike_and_never_outside() {
        let key = NoiseKey::new(1, Purpose::Crop).at(5);
        let (mut down, mut right) = ([0.0; 4], [0.0; 9]);
        for image in 0..18_000 {
            let [top, left] = Place::random(key, image).corner([11, 16], [8, 8]);
            down[top] += 1.0;
            right[left] += 1.0;
        }
        let chi_squared = |counts: &[f64]| {
            let expected = 18_000.0 / counts.len() as f64;
            counts.iter().map(|count| (count - expected).powi(2) / expected).sum::<f64>()
        };
        // Means 3 and 8, deviations √6 and 4: five of them away.
        assert!(chi_squared(&down) < 16.0 && chi_squared(&right) < 28.0, "{down:?} {right:?}");
        assert_eq!(Place::At([1.0, 0.0]).corner([11, 16], [8, 8]), [3, 0]);
    }
}
