//! A test split for data sets that have none of their own.

use super::{DataSet, Images};
use crate::error::{Error, Result};

/// Of so many images, in the order of the set, the last one is held out to test on.
const ONE_IN: usize = 10;

/// Which of `count` images are to train on and which to test on: every tenth, counted from one.
///
/// It depends on the order alone, so the same files give the same split; and in a set that is sorted by class, each class
/// has its share in both.
///
/// # Errors
/// [`Error::Usage`] where there are fewer than ten images.
pub(super) fn train_and_test(name: &str, count: usize) -> Result<(Vec<usize>, Vec<usize>)> {
    let (test, train): (Vec<_>, Vec<_>) = (0..count).partition(|i| i % ONE_IN == ONE_IN - 1);
    if test.is_empty() {
        let message = "with no test split of its own, a set needs 10, of which every tenth is held out";
        return Err(Error::Usage(format!("{name} has {count} images: {message}")));
    }
    Ok((train, test))
}

/// A data set of images that have no split.
///
/// # Errors
/// As [`train_and_test`].
pub(super) fn with_test_split(name: String, images: &Images, classes: Vec<String>) -> Result<DataSet> {
    let (train, test) = train_and_test(&name, images.len())?;
    Ok(DataSet { name, train: images.select(train)?, test: images.select(test)?, bins: 256, classes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_image_is_held_out() {
        let images = |n: u8| Images::new((0..n).collect(), [1, 1, 1], Some((0..n.into()).collect())).unwrap();
        let data = with_test_split("ramp".into(), &images(25), vec![]).unwrap();
        assert_eq!((data.test.levels(), data.test.label(1)), (&[9, 19][..], Some(19)));
        assert_eq!((data.train.len(), data.train.image(9)), (23, &[10][..]));
        assert!(
            with_test_split("few".into(), &images(9), vec![]).unwrap_err().to_string().contains("few has 9 images")
        );
    }
}
