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
    fn factors_that_do_not_divide_are_refused_with_those_that_do() {
        for factor in [0, 3, 8] {
            let message = data(vec![0; 24], [4, 6, 1]).shrunk(factor).unwrap_err().to_string();
            assert!(message.contains("images of 4×6") && message.ends_with("that do: 2"), "{message}");
        }
        assert!(data(vec![0; 15], [5, 3, 1]).shrunk(2).unwrap_err().to_string().ends_with("none"));
    }
}
