//! Images that are in two splits at once.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Images;
use crate::error::Result;

/// Images looked at together.
const CHUNK: usize = 1024;

/// How many images of a split are among the training images too, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copies {
    /// `validation` or `test`.
    pub split: &'static str,
    /// So many of them; `None` where that was not looked at.
    pub found: Option<usize>,
    /// The images of the split.
    pub of: usize,
}

impl Copies {
    /// Counts them, by the SHA-256 of each image as a flow would see it. Images that are not in memory are all read.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn count(split: &'static str, images: &Images, train: &Images) -> Result<Self> {
        let mut wanted: HashMap<[u8; 32], usize> = HashMap::new();
        for_each(images, |digest| *wanted.entry(digest).or_default() += 1)?;
        let mut found = 0;
        for_each(train, |digest| found += wanted.remove(&digest).unwrap_or_default())?;
        Ok(Self { split, found: Some(found), of: images.len() })
    }

    /// The same where both are in memory, which takes seconds at most; otherwise nothing is looked at.
    ///
    /// # Errors
    /// As [`Copies::count`].
    pub fn if_held(split: &'static str, images: &Images, train: &Images) -> Result<Self> {
        if images.is_streamed() || train.is_streamed() {
            return Ok(Self { split, found: None, of: images.len() });
        }
        Self::count(split, images, train)
    }
}

/// Does something with the SHA-256 of each image's levels or numbers, in order.
fn for_each(images: &Images, mut work: impl FnMut([u8; 32])) -> Result<()> {
    let bytes = images.bytes_per_image();
    for start in (0..images.len()).step_by(CHUNK) {
        let samples = images.bytes(&(start..(start + CHUNK).min(images.len())).collect::<Vec<_>>())?;
        let digests: Vec<[u8; 32]> =
            samples.par_chunks_exact(bytes).map(|image| Sha256::digest(image).into()).collect();
        digests.into_iter().for_each(&mut work);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(levels: &[u8]) -> Images {
        Images::new(levels.to_vec(), [1, 2, 1], None).unwrap()
    }

    #[test]
    fn each_image_that_is_in_both_counts_once() {
        let train = pairs(&[1, 2, 3, 4, 1, 2, 5, 6]);
        for (test, found) in [
            (pairs(&[2, 1, 4, 3]), 0),
            (pairs(&[1, 2, 0, 0]), 1),
            (pairs(&[3, 4, 3, 4, 9, 9, 5, 6]), 3),
            (pairs(&[]), 0),
        ] {
            let of = test.len();
            assert_eq!(Copies::count("test", &test, &train).unwrap(), Copies { split: "test", found: Some(found), of });
            let streamed = train.clone().reread().unwrap();
            assert_eq!(Copies::count("test", &test, &streamed).unwrap().found, Some(found));
        }
    }

    #[test]
    fn a_set_of_more_than_a_chunk_is_seen_whole() {
        let ramp = |numbers: std::ops::Range<u16>| pairs(&numbers.flat_map(u16::to_be_bytes).collect::<Vec<_>>());
        let copies = Copies::count("test", &ramp(2900..3100), &ramp(0..3000)).unwrap();
        assert_eq!((copies.found, copies.of), (Some(100), 200));
    }
}
