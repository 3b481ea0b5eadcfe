//! Images in memory, and the splits of a data set.

use crate::error::{Error, Result};
use crate::files::fingerprint;

/// Images of one size, as integer grey levels, perhaps with a class each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    levels: Vec<u8>,
    shape: [usize; 3],
    labels: Option<Vec<u16>>,
}

impl Images {
    /// Images from `levels` of shape `[n, height, width, channels]`, row major, and `n` labels if there are any.
    ///
    /// # Errors
    /// [`Error::Shape`] where a side is zero, or the numbers of levels and labels do not fit `[height, width, channels]`.
    pub fn new(levels: Vec<u8>, shape: [usize; 3], labels: Option<Vec<u16>>) -> Result<Self> {
        let refuse = |expected: String, found: String| Error::Shape { layer: "images".into(), expected, found };
        let pixels: usize = shape.iter().product();
        if pixels == 0 {
            return Err(refuse("sides of at least 1".into(), format!("{shape:?}")));
        }
        if !levels.len().is_multiple_of(pixels) {
            return Err(refuse(format!("whole images of {pixels} levels"), format!("{} levels", levels.len())));
        }
        let count = levels.len() / pixels;
        match &labels {
            Some(labels) if labels.len() != count => {
                Err(refuse(format!("{count} labels, one an image"), format!("{} labels", labels.len())))
            }
            _ => Ok(Self { levels, shape, labels }),
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.levels.len() / self.pixels_per_image()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// `[height, width, channels]` of each image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of levels in an image: height × width × channels, its dimensions in bits/dim.
    pub fn pixels_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// All levels, `[n, height, width, channels]`, row major.
    pub fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// The levels of image `i`, `[height, width, channels]`.
    ///
    /// # Panics
    /// As a slice does, where there is no image `i`.
    pub fn image(&self, i: usize) -> &[u8] {
        let pixels = self.pixels_per_image();
        &self.levels[i * pixels..(i + 1) * pixels]
    }

    /// The class of each image; `None` where images have none.
    pub fn labels(&self) -> Option<&[u16]> {
        self.labels.as_deref()
    }

    /// The class of image `i`; `None` where images have none, or there is no such image.
    pub fn label(&self, i: usize) -> Option<usize> {
        self.labels.as_ref()?.get(i).map(|&label| label.into())
    }

    /// The levels of these images one after the other, in this order.
    ///
    /// # Panics
    /// As a slice does, where an index is out of range; [`Images::select`] reports it.
    pub fn gather(&self, indices: &[usize]) -> Vec<u8> {
        let mut levels = Vec::with_capacity(indices.len() * self.pixels_per_image());
        for &i in indices {
            levels.extend_from_slice(self.image(i));
        }
        levels
    }

    /// The classes of these images, in this order; `None` where images have none, or an index is out of range.
    pub fn labels_of(&self, indices: &[usize]) -> Option<Vec<usize>> {
        indices.iter().map(|&i| self.label(i)).collect()
    }

    /// A copy of these images, in this order, with their labels.
    ///
    /// # Errors
    /// [`Error::Usage`] for an index that is out of range.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Result<Self> {
        let indices: Vec<usize> = indices.into_iter().collect();
        if let Some(i) = indices.iter().find(|&&i| i >= self.len()) {
            return Err(Error::Usage(format!("there is no image {i}: there are {}, counted from 0", self.len())));
        }
        let labels = self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i]).collect());
        Ok(Self { levels: self.gather(&indices), shape: self.shape, labels })
    }

    /// These images and then those of another set; with labels if both have them.
    ///
    /// # Errors
    /// [`Error::Shape`] where they are not of one size.
    pub fn followed_by(&self, others: &Self) -> Result<Self> {
        if self.shape != others.shape {
            let (expected, found) = (format!("{:?}", self.shape), format!("{:?}", others.shape));
            return Err(Error::Shape { layer: "images".into(), expected, found });
        }
        let labels = self.labels.as_ref().zip(others.labels.as_ref()).map(|(a, b)| [a.as_slice(), b].concat());
        Self::new([self.levels(), others.levels()].concat(), self.shape, labels)
    }

    /// Sixteen hexadecimal digits (FNV-1a of shape, labels and levels) that tell one set of images from another.
    pub fn fingerprint(&self) -> String {
        let shape = self.shape.iter().flat_map(|&side| (side as u64).to_le_bytes());
        let labels = self.labels.iter().flatten().flat_map(|label| label.to_le_bytes());
        let bytes = shape.chain([self.labels.is_some().into()]).chain(labels).chain(self.levels.iter().copied());
        fingerprint(bytes)
    }

    /// Takes the images from `at` on away, as a second set.
    fn split_off(&mut self, at: usize) -> Self {
        let levels = self.levels.split_off(at * self.pixels_per_image());
        let labels = self.labels.as_mut().map(|labels| labels.split_off(at));
        Self { levels, shape: self.shape, labels }
    }
}

/// A data set: its two official splits, and what their levels and labels mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// What it is called, such as `cifar10`.
    pub name: String,
    /// The images to learn from.
    pub train: Images,
    /// The images to report on.
    pub test: Images,
    /// The number of grey levels: every level is below it. 256 for eight bits.
    pub bins: u32,
    /// The names of the classes, by label; may be empty.
    pub classes: Vec<String>,
}

impl DataSet {
    /// The same images in fewer levels: `⌊level / (256 / bins)⌋`, which drops the lowest bits, as Glow does.
    ///
    /// # Errors
    /// [`Error::Usage`] unless `bins` is what the data set has, or a smaller power of two where it has 256.
    pub fn with_bins(mut self, bins: u32) -> Result<Self> {
        if bins == self.bins {
            return Ok(self);
        }
        if self.bins != 256 || !(2..256).contains(&bins) || !bins.is_power_of_two() {
            let choice = if self.bins == 256 { "; it can be reduced to 2, 4, 8, 16, 32, 64 or 128" } else { "" };
            return Err(Error::Usage(format!(
                "{} has {} grey levels and the flow wants {bins}: change the flow's bits or bins{choice}",
                self.name, self.bins
            )));
        }
        let dropped_bits = 8 - bins.trailing_zeros();
        for level in self.train.levels.iter_mut().chain(&mut self.test.levels) {
            *level >>= dropped_bits;
        }
        self.bins = bins;
        Ok(self)
    }

    /// Takes the last `n` training images away, to validate on: the same ones every time.
    ///
    /// # Errors
    /// [`Error::Usage`] where that leaves nothing to train on.
    pub fn hold_out(&mut self, n: usize) -> Result<Images> {
        match self.train.len().checked_sub(n) {
            None | Some(0) => Err(Error::Usage(format!(
                "cannot hold out {n} images for validation: {} has {} training images",
                self.name,
                self.train.len()
            ))),
            Some(rest) => Ok(self.train.split_off(rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        Images::new((0..24).collect(), [2, 1, 3], Some(vec![5, 6, 7, 8])).unwrap()
    }

    fn data() -> DataSet {
        let all = Images::new((0..=255).collect(), [4, 4, 1], None).unwrap();
        DataSet { name: "ramp".into(), train: all.clone(), test: all, bins: 256, classes: vec![] }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(Images::new(vec![0; 23], [2, 1, 3], None).is_err());
        assert!(Images::new(vec![], [2, 0, 3], None).is_err());
        let error = Images::new(vec![0; 24], [2, 1, 3], Some(vec![1])).unwrap_err();
        assert_eq!(error.to_string(), "images: expected 4 labels, one an image, found 1 labels");
    }

    #[test]
    fn gathered_images_come_in_the_order_asked_for() {
        let images = images();
        assert_eq!((images.len(), images.pixels_per_image()), (4, 6));
        assert_eq!(images.gather(&[3, 0]), [18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5]);
        assert_eq!(images.labels_of(&[3, 0]), Some(vec![8, 5]));
        assert_eq!((images.label(1), images.label(4)), (Some(6), None));
        let two = images.select([3, 0]).unwrap();
        assert_eq!((two.image(0), two.label(1)), (images.image(3), Some(5)));
        let five = images.followed_by(&images.select([0]).unwrap()).unwrap();
        assert_eq!((five.len(), five.image(4), five.label(4)), (5, images.image(0), Some(5)));
        assert!(images.followed_by(&Images::new(vec![0], [1, 1, 1], None).unwrap()).is_err());
        assert!(images.select(3..5).unwrap_err().to_string().contains("no image 4"));
    }

    #[test]
    fn a_fingerprint_tells_levels_labels_and_shapes_apart() {
        let of = |levels: Vec<u8>, shape, labels| Images::new(levels, shape, labels).unwrap().fingerprint();
        let prints = [
            of(vec![1, 2], [1, 2, 1], None),
            of(vec![2, 1], [1, 2, 1], None),
            of(vec![1, 2], [2, 1, 1], None),
            of(vec![1, 2], [1, 2, 1], Some(vec![0])),
            of(vec![1, 2], [1, 2, 1], Some(vec![1])),
        ];
        for (i, print) in prints.iter().enumerate() {
            assert_eq!(print.len(), 16);
            assert!(!prints[..i].contains(print));
        }
        assert_eq!(prints[0], of(vec![1, 2], [1, 2, 1], None));
    }

    #[test]
    fn five_bits_are_the_upper_five_of_eight() {
        let data = data().with_bins(32).unwrap();
        assert_eq!(data.bins, 32);
        let expected: Vec<u8> = (0..=255u8).map(|level| level / 8).collect();
        assert_eq!(data.train.levels(), expected);
        assert_eq!(data.test.levels(), expected);
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
    fn the_last_training_images_are_held_out() {
        let mut held = data();
        let validation = held.hold_out(3).unwrap();
        assert_eq!((held.train.len(), validation.len()), (13, 3));
        assert_eq!(validation.image(0), data().train.image(13));
        assert!(held.hold_out(13).is_err());
        assert!(held.hold_out(0).unwrap().is_empty());
    }
}
