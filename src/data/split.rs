//! A test split for data sets that have none of their own.

use super::{DataSet, Images};
use crate::error::Result;

/// Of so many images, in the order of the set, the last one is held out to test on.
pub(super) const ONE_IN: usize = 10;

/// Which of `count` images are to train on and which to test on: every tenth, counted from one; of fewer than ten, all are
/// to test on.
///
/// It depends on the order alone, so the same files give the same split; and in a set that is sorted by class, each class
/// has its share in both.
pub(super) fn train_and_test(count: usize) -> (Vec<usize>, Vec<usize>) {
    let (test, train) = (0..count).partition(|i| i % ONE_IN == ONE_IN - 1 || count < ONE_IN);
    (train, test)
}

/// A data set of images that have no split.
///
/// # Errors
/// As [`Images::select`].
pub(super) fn with_test_split(name: String, images: &Images, classes: Vec<String>) -> Result<DataSet> {
    let (train, test) = train_and_test(images.len());
    Ok(DataSet {
        name,
        train: images.select(train)?,
        test: images.select(test)?,
        bins: 256,
        classes,
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Portion;

    #[test]
    fn every_tenth_image_is_held_out() {
        let images = |n: u8| Images::new((0..n).collect(), [1, 1, 1], Some((0..n.into()).collect())).unwrap();
        let data = with_test_split("ramp".into(), &images(25), vec![]).unwrap();
        assert_eq!((&data.test.levels().unwrap()[..], data.test.label(1)), (&[9, 19][..], Some(19)));
        assert_eq!((data.train.len(), data.train.image(9).unwrap()[0]), (23, 10));
    }

    #[test]
    fn of_fewer_than_ten_all_are_to_test_on() {
        let images = Images::new((0..9).collect(), [1, 1, 1], None).unwrap();
        let mut data = with_test_split("few".into(), &images, vec![]).unwrap();
        assert_eq!((data.train.len(), data.test.clone()), (0, images));
        let message = data.hold_out(0, Portion::Spread).unwrap_err().to_string();
        assert!(message.starts_with("few has 9 images and no test split"), "{message}");
    }
}
