//! A data set: its splits, and the sizes and grey levels that a flow wants.

use super::preparation::Preparation;
use super::{Images, Portion};
use crate::error::{Error, Result};

/// A data set: its two official splits, and what their levels and labels mean.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// What it is called, such as `cifar10`.
    pub name: String,
    /// The images to learn from.
    pub train: Images,
    /// The images to report on.
    pub test: Images,
    /// The number of grey levels: every level is below it. 256 for eight bits; 0 of vectors, which have none.
    pub bins: u32,
    /// The names of the classes, by label; may be empty.
    pub classes: Vec<String>,
    /// The names of the features of vectors; may be empty, and is so of images.
    pub features: Vec<String>,
    /// What its reader decided on and a person should hear of, a sentence each: folders taken for splits, files left out.
    pub remarks: Vec<String>,
}

impl DataSet {
    /// The same images in fewer levels: `⌊level / (levels / bins)⌋`, which drops the lowest bits, as Glow does.
    ///
    /// # Errors
    /// [`Error::Usage`] unless `bins` is what the data set has, or a smaller power of two where it has one.
    pub fn with_bins(self, bins: u32) -> Result<Self> {
        if bins == self.bins {
            return Ok(self);
        }
        if !self.bins.is_power_of_two() || !(2..self.bins).contains(&bins) || !bins.is_power_of_two() {
            let choice = if self.bins == 256 { "; it can be reduced to 2, 4, 8, 16, 32, 64 or 128" } else { "" };
            return Err(Error::Usage(format!(
                "{} has {} grey levels and the flow wants {bins}: change the flow's bits or bins{choice}",
                self.name, self.bins
            )));
        }
        self.with_dropped_bits(bins)
    }

    /// Takes `n` training images away, to validate on: evenly from each class, or the last ones, as `portion` says; the
    /// same ones every time.
    ///
    /// # Errors
    /// [`Error::Usage`] where that leaves nothing to train on.
    pub fn hold_out(&mut self, n: usize, portion: Portion) -> Result<Images> {
        let count = self.train.len();
        match count.checked_sub(n) {
            _ if count == 0 => Err(Error::Usage(format!(
                "{} has {} images and no test split of its own: so few are all to test on. To train takes at least {}, of \
                 which every tenth is held out",
                self.name,
                self.test.len(),
                super::split::ONE_IN,
            ))),
            None | Some(0) => Err(Error::Usage(format!(
                "cannot hold out {n} images for validation: {} has {count} training images",
                self.name
            ))),
            Some(_) => self.train.take_away(&portion.held_out(&self.train, n)),
        }
    }
}

impl DataSet {
    /// The same images with each side divided by a whole factor: a level becomes the mean over a square of
    /// `factor × factor`, rounded to the nearest level, halves up. Another name and another fingerprint tell them apart.
    ///
    /// # Errors
    /// [`Error::Usage`] where a side does not divide by `factor`.
    pub fn shrunk(self, factor: usize) -> Result<Self> {
        if factor == 1 {
            return Ok(self);
        }
        for [height, width, _] in [self.train.shape(), self.test.shape()] {
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
        }
        let name = format!("{} shrunk by {factor}", self.name);
        self.prepared(name, Preparation::Shrink(factor))
    }

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

    /// Windows of `[height, width]` in the same images, cut when they are read: in the middle, or at the places that
    /// [`Images::gather_at`] is given.
    ///
    /// # Errors
    /// [`Error::Usage`] where an image is smaller than that.
    pub fn windowed(mut self, size: [usize; 2]) -> Result<Self> {
        (self.train, self.test) = (self.train.reread()?, self.test.reread()?);
        self.resized(size, "crop", "cropped at random", |found, wanted| found >= wanted)
    }

    fn resized(self, size: [usize; 2], verb: &str, done: &str, fits: fn(usize, usize) -> bool) -> Result<Self> {
        let (name, [wanted_height, wanted_width]) = (&self.name, size);
        for [height, width, _] in [self.test.shape(), self.train.shape()] {
            if !fits(height, wanted_height) || !fits(width, wanted_width) {
                let message = format!("cannot {verb} {name} from {height}×{width} to {wanted_height}×{wanted_width}");
                return Err(Error::Usage(message));
            }
        }
        let [height, width, _] = self.train.shape();
        if [height, width] == size {
            return Ok(self);
        }
        let name = format!("{name} {done} from {height}×{width} to {wanted_height}×{wanted_width}");
        self.prepared(name, Preparation::Resize(size))
    }

    /// Every image prepared, under a name of its own.
    pub(super) fn prepared(mut self, name: String, preparation: Preparation) -> Result<Self> {
        self.train = self.train.prepared(preparation)?;
        self.test = self.test.prepared(preparation)?;
        Ok(Self { name, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> DataSet {
        let all = Images::new((0..=255).collect(), [4, 4, 1], None).unwrap();
        DataSet {
            name: "ramp".into(),
            train: all.clone(),
            test: all,
            bins: 256,
            classes: vec![],
            features: Vec::new(),
            remarks: vec![],
        }
    }

    #[test]
    fn five_bits_are_the_upper_five_of_eight() {
        let data = data().with_bins(32).unwrap();
        assert_eq!(data.bins, 32);
        let expected: Vec<u8> = (0..=255u8).map(|level| level / 8).collect();
        assert_eq!(data.train.levels().unwrap(), expected);
        assert_eq!(data.test.levels().unwrap(), expected);
    }

    #[test]
    fn bins_that_no_bits_can_make_are_refused() {
        assert_eq!(data().with_bins(256).unwrap(), data());
        for bins in [0, 1, 17, 257, 512] {
            let message = data().with_bins(bins).unwrap_err().to_string();
            assert!(message.contains(&format!("the flow wants {bins}")), "{message}");
        }
        assert!(data().with_bins(32).unwrap().with_bins(256).is_err(), "lost bits do not come back");
    }

    #[test]
    fn the_last_training_images_are_held_out_where_version_1_did() {
        let mut held = data();
        let validation = held.hold_out(3, Portion::Ends).unwrap();
        assert_eq!((held.train.len(), validation.len()), (13, 3));
        assert_eq!(validation.image(0).unwrap(), data().train.image(13).unwrap());
        assert!(held.hold_out(13, Portion::Ends).is_err());
        assert!(held.hold_out(0, Portion::Ends).unwrap().is_empty());
    }

    #[test]
    fn no_class_is_held_out_as_a_whole_where_images_are_sorted_by_class() {
        let labels: Vec<u16> = (0..40).map(|i| i / 10).collect();
        let images = Images::new((0..40).collect(), [1, 1, 1], Some(labels)).unwrap();
        let sorted = DataSet { train: images.clone(), ..data() };
        for streamed in [false, true] {
            let mut set = sorted.clone();
            if streamed {
                set.train = set.train.reread().unwrap();
            }
            let validation = set.hold_out(10, Portion::Spread).unwrap();
            for class in 0..4 {
                let of = |images: &Images| images.labels().unwrap().iter().filter(|label| **label == class).count();
                assert!([2, 3].contains(&of(&validation)), "{:?}", validation.labels());
                assert_eq!(of(&validation) + of(&set.train), 10);
            }
            // Each image is in one of the two, with its own label, in the order that it had.
            for part in [&set.train, &validation] {
                let levels = part.levels().unwrap();
                assert!(levels.is_sorted() && (0..part.len()).all(|i| part.label(i) == Some(levels[i] as usize / 10)));
            }
            let mut all = [set.train.levels().unwrap(), validation.levels().unwrap()].concat();
            all.sort_unstable();
            assert_eq!(all, images.levels().unwrap().to_vec());
        }
    }

    fn squares(levels: Vec<u8>, shape: [usize; 3]) -> DataSet {
        let labels = Some((0..levels.len() / shape.iter().product::<usize>()).map(|i| i as u16).collect());
        let images = Images::new(levels, shape, labels).unwrap();
        DataSet {
            name: "squares".into(),
            train: images.clone(),
            test: images,
            bins: 256,
            features: Vec::new(),
            classes: vec![],
            remarks: vec![],
        }
    }

    #[test]
    fn a_shrunk_level_is_the_mean_of_its_square_rounded() {
        let square = [[0, 9, 1, 8], [1, 7, 0, 8], [255, 0, 255, 1], [254, 0, 255, 0]].concat();
        let shrunk = squares([square.clone(), square].concat(), [4, 2, 2]).shrunk(2).unwrap();
        assert_eq!(shrunk.train.shape(), [2, 1, 2]);
        assert_eq!(shrunk.train.image(1).unwrap()[..], [1, 8, 255, 0], "means 0.5, 8, 254.75 and 0.25");
        assert_eq!((shrunk.train.len(), shrunk.train.label(1)), (2, Some(1)));
        assert_eq!(shrunk.test, shrunk.train);
    }

    #[test]
    fn shrinking_twice_by_two_is_within_a_level_of_shrinking_by_four() {
        let ramp = || squares((0..64).map(|i| (i * 37 % 256) as u8).collect(), [8, 8, 1]);
        let (twice, once) = (ramp().shrunk(2).unwrap().shrunk(2).unwrap(), ramp().shrunk(4).unwrap());
        let (twice, once) = (twice.train.levels().unwrap(), once.train.levels().unwrap());
        assert!(twice.iter().zip(once.iter()).all(|(a, b)| a.abs_diff(*b) <= 1));
    }

    #[test]
    fn shrunk_data_have_a_name_and_a_fingerprint_of_their_own() {
        let flat = || squares(vec![7; 16], [4, 4, 1]);
        let shrunk = flat().shrunk(2).unwrap();
        assert_eq!(shrunk.name, "squares shrunk by 2");
        assert_ne!(shrunk.train.fingerprint().unwrap(), flat().train.fingerprint().unwrap());
        assert_eq!(flat().shrunk(1).unwrap(), flat());
    }

    #[test]
    fn a_border_goes_around_images_and_cropping_takes_it_away() {
        let small = || squares((1..=12).collect(), [2, 3, 2]);
        let padded = small().padded([5, 5]).unwrap();
        assert_eq!(padded.name, "squares padded from 2×3 to 5×5");
        let row = |of: [u8; 6]| [&[0, 0][..], &of, &[0, 0]].concat();
        let around = [vec![0; 10], row([1, 2, 3, 4, 5, 6]), row([7, 8, 9, 10, 11, 12]), vec![0; 20]].concat();
        assert_eq!(padded.train.image(0).unwrap(), around);
        let again = padded.cropped([2, 3]).unwrap();
        assert_eq!(again.train, small().train);
        assert_eq!(again.name, "squares padded from 2×3 to 5×5 cropped from 5×5 to 2×3");
        assert_eq!(small().padded([2, 3]).unwrap(), small());
    }

    #[test]
    fn what_is_too_large_to_pad_or_too_small_to_crop_is_refused() {
        let small = || squares(vec![0; 12], [2, 3, 2]);
        assert!(small().padded([4, 2]).unwrap_err().to_string().contains("cannot pad squares from 2×3 to 4×2"));
        assert!(small().cropped([1, 4]).unwrap_err().to_string().contains("cannot crop squares from 2×3 to 1×4"));
    }

    #[test]
    fn factors_that_do_not_divide_are_refused_with_those_that_do() {
        for factor in [0, 3, 8] {
            let message = squares(vec![0; 24], [4, 6, 1]).shrunk(factor).unwrap_err().to_string();
            assert!(message.contains("images of 4×6") && message.ends_with("that do: 2"), "{message}");
        }
        assert!(squares(vec![0; 15], [5, 3, 1]).shrunk(2).unwrap_err().to_string().ends_with("none"));
    }
}
