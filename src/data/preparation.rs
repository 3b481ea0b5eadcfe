//! What is done with an image before a flow sees it: sides divided, padded or cut, bits dropped.

use super::Place;

/// A change of every image of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preparation {
    /// Each side is divided by a whole factor, which must divide it: a level becomes the mean over a square of
    /// `factor × factor`, rounded to the nearest level, halves up.
    Shrink(usize),
    /// `[height, width]`: each side is padded with level 0, evenly, or cut at a place.
    Resize([usize; 2]),
    /// The lowest bits are dropped, so many.
    DropBits(u32),
    /// Nothing: all levels must be below this number of them, which whoever reads the image sees to.
    Below(u32),
}

impl Preparation {
    /// The shape of an image after it.
    pub fn shape(self, [height, width, channels]: [usize; 3]) -> [usize; 3] {
        match self {
            Self::Shrink(factor) => [height / factor, width / factor, channels],
            Self::Resize([height, width]) => [height, width, channels],
            Self::DropBits(_) | Self::Below(_) => [height, width, channels],
        }
    }

    /// An image of `shape` after it.
    pub fn of(self, mut image: Vec<u8>, shape: [usize; 3], place: Place) -> Vec<u8> {
        match self {
            Self::Shrink(factor) => shrink(&image, shape, factor),
            Self::Resize(size) => resize(&image, shape, size, place),
            Self::DropBits(bits) => {
                image.iter_mut().for_each(|level| *level >>= bits);
                image
            }
            Self::Below(_) => image,
        }
    }
}

/// The mean over squares of `factor × factor`; sides must divide.
fn shrink(image: &[u8], [height, width, channels]: [usize; 3], factor: usize) -> Vec<u8> {
    let area = (factor * factor) as u64;
    let mut levels = Vec::with_capacity(image.len() / (factor * factor));
    for (y, x) in (0..height).step_by(factor).flat_map(|y| (0..width).step_by(factor).map(move |x| (y, x))) {
        for c in 0..channels {
            let row = |dy: usize| (0..factor).map(move |dx| ((y + dy) * width + x + dx) * channels + c);
            let sum: u64 = (0..factor).flat_map(row).map(|at| u64::from(image[at])).sum();
            levels.push(((sum + area / 2) / area) as u8);
        }
    }
    levels
}

/// The part at a place, or the image in the middle of level 0, along each side as it is too long or too short.
fn resize(image: &[u8], shape: [usize; 3], [height, width]: [usize; 2], place: Place) -> Vec<u8> {
    let [old_height, old_width, channels] = shape;
    let [top, left] = place.corner([old_height, old_width], [height, width]);
    let [down, right] = Place::Middle.corner([height, width], [old_height, old_width]);
    let kept = old_width.min(width) * channels;
    let mut levels = vec![0; height * width * channels];
    for row in 0..old_height.min(height) {
        let from = ((top + row) * old_width + left) * channels;
        let to = ((down + row) * width + right) * channels;
        levels[to..to + kept].copy_from_slice(&image[from..from + kept]);
    }
    levels
}
