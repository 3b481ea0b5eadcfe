//! How many grey levels data have: told, or read off an array's largest value where the flow has as many.

use super::preparation::Preparation;
use super::{DataSet, Images, SAMPLED};
use crate::error::{Error, Result};

/// Values that are all below this use none of the two highest of eight bits.
const DARK: u32 = 64;

impl DataSet {
    /// The same images, of so many levels, as a recipe says.
    ///
    /// # Errors
    /// [`Error::Usage`] for a level that there is none of, with its place. Of images that are not in memory, [`SAMPLED`] of
    /// each split are looked at; another one is refused so when it is read.
    pub fn of_levels(self, levels: u32) -> Result<Self> {
        let set = Self { train: self.train.below(levels)?, test: self.test.below(levels)?, bins: levels, ..self };
        for images in [&set.train, &set.test].into_iter().filter(|images| images.is_streamed()) {
            look(images, |_| false)?;
        }
        Ok(set)
    }

    /// The same images, read as having as many levels as the flow, where their largest value says so and nothing else does:
    /// an array does not say how many levels it has. With 256 of both, or a value that fewer cannot have, they have 256; it
    /// is told where the values are so low that this is hardly meant.
    ///
    /// # Errors
    /// [`Error::Usage`] where they may have either, with both readings. Of images that are not in memory, [`SAMPLED`] of
    /// each split are looked at; one that has more levels after all is refused when it is read.
    pub fn of_likely_levels(mut self, bins: u32) -> Result<Self> {
        if self.bins != 256 {
            return Ok(self);
        }
        let mut most = 0;
        for images in [&self.train, &self.test] {
            look(images, |image| {
                most = image.iter().fold(most, |most, level| most.max(u32::from(*level)));
                most >= DARK && (bins >= 256 || most >= bins)
            })?;
        }
        let name = &self.name;
        if bins >= 256 || most >= bins {
            if (1..DARK).contains(&most) {
                let levels = most + 1;
                self.remarks.push(format!(
                    "{name} is read as images of 256 levels, and its largest value is {most}: the images are dark, or they have \
                     fewer levels. If they have {levels}, give the flow as many, `bins: {levels}` in its `image`"
                ));
            }
            return Ok(self);
        }
        if most + 1 < bins && bins.is_power_of_two() {
            return Err(Error::Usage(format!(
                "the largest value of {name} is {most}, and the flow has {bins} levels. Either the data have {bins} levels, of \
                 which the highest are not used, or they have 256 and are dark. Say which: `levels: {bins}` or `levels: 256` in \
                 the recipe, or behind the file, as in `npy:FILE?levels={bins}`"
            )));
        }
        let highest = bins - 1;
        self.remarks.push(format!(
            "{name} is read as images of {bins} levels, as the flow has, since its largest value is {most} of {highest} \
             (`levels: 256` in the recipe reads it as 8 bits)"
        ));
        self.of_levels(bins)
    }

    /// Tells where all pixels of all training images, or of test images where there are none, have one level: nothing can
    /// be learned from them, and a flow seems to learn them very well.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn telling_constant(mut self) -> Result<Self> {
        let images = if self.train.is_empty() { &self.test } else { &self.train };
        let (mut first, mut is_constant) = (None, true);
        look(images, |image| {
            is_constant = image.iter().all(|level| *level == *first.get_or_insert(*level));
            !is_constant
        })?;
        if let Some(level) = first.filter(|_| is_constant) {
            let split = if self.train.is_empty() { "test" } else { "training" };
            let which = match looked_at(images) {
                count if count < images.len() => format!("each of the {count} {split} images that were looked at"),
                _ => format!("every {split} image"),
            };
            self.remarks.push(format!(
                "warning: every pixel of {which} of {} is level {level} of {}: there is nothing to learn from them. Are the data \
                 read as they are meant (`levels` in the recipe)?",
                self.name, self.bins
            ));
        }
        Ok(self)
    }

    /// The same images in fewer levels: the lowest bits are dropped, as Glow does. Both numbers are powers of two.
    pub(super) fn with_dropped_bits(self, bins: u32) -> Result<Self> {
        let bits = self.bins.trailing_zeros() - bins.trailing_zeros();
        let name = self.name.clone();
        let mut fewer = self.prepared(name, Preparation::DropBits(bits))?;
        fewer.bins = bins;
        Ok(fewer)
    }
}

/// Shows images to judge a set by until one is enough: all of those in memory, a sample of others.
fn look(images: &Images, mut is_enough: impl FnMut(&[u8]) -> bool) -> Result<()> {
    let (count, looked_at) = (images.len(), looked_at(images));
    for i in (0..looked_at).map(|k| k * count / looked_at) {
        if is_enough(&images.image(i)?) {
            break;
        }
    }
    Ok(())
}

/// How many images [`look`] shows.
fn looked_at(images: &Images) -> usize {
    if images.is_streamed() { SAMPLED.min(images.len()) } else { images.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(levels: &[u8]) -> DataSet {
        let images = Images::new(levels.to_vec(), [1, 2, 1], None).unwrap();
        DataSet {
            name: "x".into(),
            train: images.clone(),
            test: images,
            bins: 256,
            classes: vec![],
            features: Vec::new(),
            remarks: vec![],
        }
    }

    #[test]
    fn a_largest_value_that_fits_the_flow_says_how_many_levels_there_are() {
        let binary = set(&[0, 1, 1, 0]).of_likely_levels(2).unwrap();
        assert_eq!((binary.bins, binary.with_bins(2).unwrap().train.levels().unwrap().to_vec()), (2, vec![0, 1, 1, 0]));
        let four_bits = set(&[0, 15]).of_likely_levels(16).unwrap();
        assert!(four_bits.bins == 16 && four_bits.remarks[0].contains("16 levels"), "{:?}", four_bits.remarks);
        assert_eq!(set(&[0, 16]).of_likely_levels(17).unwrap().bins, 17);
        // Less than the flow's highest, and no reading as 8 bits: 17 is no power of two.
        assert_eq!(set(&[0, 9]).of_likely_levels(17).unwrap().bins, 17);
        for bins in [2, 16, 256] {
            let eight_bits = set(&[0, 200]).of_likely_levels(bins).unwrap();
            assert!(eight_bits.bins == 256 && eight_bits.remarks.is_empty());
        }
        let message = set(&[0, 9]).of_likely_levels(32).unwrap_err().to_string();
        assert!(message.contains("`levels: 32` or `levels: 256`"), "{message}");
    }

    #[test]
    fn low_values_in_many_levels_are_told() {
        for (most, bins, is_told) in
            [(63, 256, true), (1, 256, true), (16, 16, true), (64, 256, false), (0, 256, false)]
        {
            let data = set(&[0, most]).of_likely_levels(bins).unwrap();
            assert_eq!((data.bins, !data.remarks.is_empty()), (256, is_told), "{most} in {bins}");
            let said = data.remarks.iter().all(|told| told.contains(&format!("`bins: {}`", most + 1)));
            assert!(said, "{:?}", data.remarks);
        }
    }

    #[test]
    fn what_a_recipe_says_is_held_to_the_data() {
        assert_eq!(set(&[0, 9]).of_levels(32).unwrap().with_bins(32).unwrap().train.levels().unwrap().to_vec(), [0, 9]);
        assert_eq!(set(&[0, 9]).of_levels(16).unwrap().with_bins(4).unwrap().train.levels().unwrap().to_vec(), [0, 2]);
        assert_eq!(
            set(&[0, 9]).of_levels(256).unwrap().with_bins(32).unwrap().train.levels().unwrap().to_vec(),
            [0, 1]
        );
        let message = set(&[0, 1, 16, 3]).of_levels(16).unwrap_err().to_string();
        assert!(message.starts_with("image 1 has level 16 at row 0, column 0, channel 0"), "{message}");
    }

    #[test]
    fn data_of_one_level_are_told() {
        assert!(
            set(&[3; 8]).telling_constant().unwrap().remarks[0]
                .contains("every pixel of every training image of x is level 3")
        );
        assert!(set(&[3, 3, 3, 4]).telling_constant().unwrap().remarks.is_empty());
    }
}
