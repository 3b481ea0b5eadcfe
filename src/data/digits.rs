//! The built-in data set: 1,797 handwritten digits of 8×8 pixels in 17 grey levels.
//!
//! E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
//! <https://doi.org/10.24432/C50P49>, CC BY 4.0; see `DIGITS.md` beside this file.

use std::io::Read;

use flate2::read::GzDecoder;

use super::{DataSet, Images};
use crate::error::{Error, Result};

/// Rows of 64 grey levels and the digit.
const CSV_GZ: &[u8] = include_bytes!("digits.csv.gz");
const SHAPE: [usize; 3] = [8, 8, 1];
const BINS: u32 = 17;
const TRAIN: usize = 1437;

/// The digits: the first 1,437 to train on, the last 360 to test on.
///
/// # Errors
/// [`Error::BadFile`] if the copy in the binary is damaged.
pub fn load() -> Result<DataSet> {
    let damaged = |reason: String| Error::bad_file("digits.csv.gz", reason);
    let mut text = String::new();
    GzDecoder::new(CSV_GZ).read_to_string(&mut text).map_err(|error| damaged(error.to_string()))?;

    let (mut levels, mut labels) = (Vec::new(), Vec::new());
    for (row, line) in text.lines().enumerate() {
        let numbers: Option<Vec<u8>> = line.split(',').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some([pixels @ .., digit @ 0..=9]) if pixels.len() == 64 && pixels.iter().all(|&p| u32::from(p) < BINS) => {
                levels.extend_from_slice(pixels);
                labels.push(u16::from(*digit));
            }
            _ => return Err(damaged(format!("row {}: expected 64 levels of 0..=16 and a digit", row + 1))),
        }
    }
    let all = Images::new(levels, SHAPE, Some(labels))?;
    Ok(DataSet {
        name: "digits".into(),
        train: all.select(0..TRAIN)?,
        test: all.select(TRAIN..all.len())?,
        bins: BINS,
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_1797_digits_of_8_by_8_in_17_levels() {
        let digits = load().unwrap();
        assert_eq!((digits.train.len(), digits.test.len()), (1437, 360));
        assert_eq!((digits.train.shape(), digits.test.shape()), ([8, 8, 1], [8, 8, 1]));
        assert_eq!(digits.train.levels().unwrap().iter().max(), Some(&16));
        assert_eq!(digits.train.image(0).unwrap()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
    }

    #[test]
    fn every_digit_occurs_about_as_often() {
        let digits = load().unwrap();
        let mut counts = [0; 10];
        for images in [&digits.train, &digits.test] {
            for i in 0..images.len() {
                counts[images.label(i).unwrap()] += 1;
            }
        }
        assert!(counts.iter().all(|count| (174..=183).contains(count)), "{counts:?}");
    }
}
