//! Images made the size that a flow is for: shrunk by averaging, padded, cropped.

use super::{DataSet, Images};
use crate::error::{Error, Result};

impl DataSet {
    /// The same images with each side divided by a whole factor: a level becomes the mean over a square of
    /// `factor × factor`, rounded to the nearest level, halves up. Another name and another fingerprint tell them apart.
    ///
    /// # Errors
    /// [`Error::Usage`] where a side does not divide by `factor`.
    pub fn shrunk(mut self, factor: usize) -> Result<Self> {
        if factor == 1 {
            return Ok(self);
        }
        for images in [&mut self.train, &mut self.test] {
            let [height, width, _] = images.shape();
            let divides = |factor: &usize| height.is_multiple_of(*factor) && width.is_multiple_of(*factor);
            if factor == 0 || !divides(&factor) {
                let others: Vec<String> = (2..=height.min(width)).filter(divides).map(|n| n.to_string()).collect();
                let others = if others.is_empty() { "none".into() } else { others.join(", ") };
                return Err(Error::Usage(format!(
                    "cannot shrink {} by {factor}: its images of {height}×{width} do not divide by it; factors that \
                     do: {others}",
                    self.name
                )));
            }
            *images = shrink(images, factor)?;
        }
        self.name += &format!(" shrunk by {factor}");
        Ok(self)
    }
}

impl DataSet {
    /// The same images within a border of level 0, evenly around them, so that they are `[height, width]`; where that
    /// cannot be even, the border is a pixel wider below and to the right.
    ///
    /// # Errors
    /// [`Error::Usage`] where an image is larger than that.
    pub fn padded(self, size: [usize; 2]) -> Result<Self> {
        self.resized(size, "pad", "padded", |found, wanted| found <= wanted)
    }

    /// The middle of the same images, `[height, width]`; where that cannot be even, a pixel more is cut off below and to
    /// the right.
    ///
    /// # Errors
    /// [`Error::Usage`] where an image is smaller than that.
    pub fn cropped(self, size: [usize; 2]) -> Result<Self> {
        self.resized(size, "crop", "cropped", |found, wanted| found >= wanted)
    }

    fn resized(mut self, size: [usize; 2], verb: &str, done: &str, fits: fn(usize, usize) -> bool) -> Result<Self> {
        let [height, width, _] = self.train.shape();
        if [height, width] == size {
            return Ok(self);
        }
        for images in [&mut self.train, &mut self.test] {
            let [height, width, _] = images.shape();
            if !fits(height, size[0]) || !fits(width, size[1]) {
                let (name, [wanted_height, wanted_width]) = (&self.name, size);
                let message = format!("cannot {verb} {name} from {height}×{width} to {wanted_height}×{wanted_width}");
                return Err(Error::Usage(message));
            }
            *images = centred(images, size)?;
        }
        self.name += &format!(" {done} from {height}×{width} to {}×{}", size[0], size[1]);
        Ok(self)
    }
}

/// Images with their middles on those of images of `[height, width]`: cut off, or with level 0 around them.
fn centred(images: &Images, [height, width]: [usize; 2]) -> Result<Images> {
    let [old_height, old_width, channels] = images.shape();
    // Of a side, the first pixel that is kept, the first place that it comes to, and how many are kept.
    let along = |old: usize, new: usize| (old.saturating_sub(new) / 2, new.saturating_sub(old) / 2, old.min(new));
    let ((top, down, rows), (left, right, columns)) = (along(old_height, height), along(old_width, width));
    let mut levels = vec![0; images.len() * height * width * channels];
    for (i, image) in levels.chunks_exact_mut(height * width * channels).enumerate() {
        for row in 0..rows {
            let from = ((top + row) * old_width + left) * channels;
            let to = ((down + row) * width + right) * channels;
            let kept = columns * channels;
            image[to..to + kept].copy_from_slice(&images.image(i)[from..from + kept]);
        }
    }
    Images::new(levels, [height, width, channels], images.labels().map(<[u16]>::to_vec))
}

/// The mean over squares of `factor × factor`; sides must divide.
fn shrink(images: &Images, factor: usize) -> Result<Images> {
    let [height, width, channels] = images.shape();
    let shape = [height / factor, width / factor, channels];
    let area = (factor * factor) as u64;
    let mut levels = Vec::with_capacity(images.levels().len() / (factor * factor));
    for i in 0..images.len() {
        let image = images.image(i);
        for (y, x) in (0..shape[0]).flat_map(|y| (0..shape[1]).map(move |x| (y * factor, x * factor))) {
            for c in 0..channels {
                let row = |dy: usize| (0..factor).map(move |dx| ((y + dy) * width + x + dx) * channels + c);
                let sum: u64 = (0..factor).flat_map(row).map(|at| u64::from(image[at])).sum();
                levels.push(((sum + area / 2) / area) as u8);
            }
        }
    }
    Images::new(levels, shape, images.labels().map(<[u16]>::to_vec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(levels: Vec<u8>, shape: [usize; 3]) -> DataSet {
        let labels = Some((0..levels.len() / shape.iter().product::<usize>()).map(|i| i as u16).collect());
        let images = Images::new(levels, shape, labels).unwrap();
        DataSet { name: "squares".into(), train: images.clone(), test: images, bins: 256, classes: vec![] }
    }

    #[test]
    fn a_shrunk_level_is_the_mean_of_its_square_rounded() {
        let square = [[0, 9, 1, 8], [1, 7, 0, 8], [255, 0, 255, 1], [254, 0, 255, 0]].concat();
        let shrunk = data([square.clone(), square].concat(), [4, 2, 2]).shrunk(2).unwrap();
        assert_eq!(shrunk.train.shape(), [2, 1, 2]);
        assert_eq!(shrunk.train.image(1), [1, 8, 255, 0], "means 0.5, 8, 254.75 and 0.25");
        assert_eq!((shrunk.train.len(), shrunk.train.label(1)), (2, Some(1)));
        assert_eq!(shrunk.test, shrunk.train);
    }

    #[test]
    fn shrinking_twice_by_two_is_within_a_level_of_shrinking_by_four() {
        let ramp = || data((0..64).map(|i| (i * 37 % 256) as u8).collect(), [8, 8, 1]);
        let (twice, once) = (ramp().shrunk(2).unwrap().shrunk(2).unwrap(), ramp().shrunk(4).unwrap());
        assert!(twice.train.levels().iter().zip(once.train.levels()).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn shrunk_data_have_a_name_and_a_fingerprint_of_their_own() {
        let flat = || data(vec![7; 16], [4, 4, 1]);
        let shrunk = flat().shrunk(2).unwrap();
        assert_eq!(shrunk.name, "squares shrunk by 2");
        assert_ne!(shrunk.train.fingerprint(), flat().train.fingerprint());
        assert_eq!(flat().shrunk(1).unwrap(), flat());
    }

    #[test]
    fn a_border_goes_around_images_and_cropping_takes_it_away() {
        let small = || data((1..=12).collect(), [2, 3, 2]);
        let padded = small().padded([5, 5]).unwrap();
        assert_eq!(padded.name, "squares padded from 2×3 to 5×5");
        let row = |of: [u8; 6]| [&[0, 0][..], &of, &[0, 0]].concat();
        let around = [vec![0; 10], row([1, 2, 3, 4, 5, 6]), row([7, 8, 9, 10, 11, 12]), vec![0; 20]].concat();
        assert_eq!(padded.train.image(0), around);
        let again = padded.cropped([2, 3]).unwrap();
        assert_eq!(again.train, small().train);
        assert_eq!(again.name, "squares padded from 2×3 to 5×5 cropped from 5×5 to 2×3");
        assert_eq!(small().padded([2, 3]).unwrap(), small());
    }

    #[test]
    fn what_is_too_large_to_pad_or_too_small_to_crop_is_refused() {
        let small = || data(vec![0; 12], [2, 3, 2]);
        assert!(small().padded([4, 2]).unwrap_err().to_string().contains("cannot pad squares from 2×3 to 4×2"));
        assert!(small().cropped([1, 4]).unwrap_err().to_string().contains("cannot crop squares from 2×3 to 1×4"));
    }

    #[test]
    fn factors_that_do_not_divide_are_refused_with_those_that_do() {
        for factor in [0, 3, 8] {
            let message = data(vec![0; 24], [4, 6, 1]).shrunk(factor).unwrap_err().to_string();
            assert!(message.contains("images of 4×6") && message.ends_with("that do: 2"), "{message}");
        }
        assert!(data(vec![0; 15], [5, 3, 1]).shrunk(2).unwrap_err().to_string().ends_with("none"));
    }
}
