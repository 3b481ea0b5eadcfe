//! What data a run learns from: to notice when it goes on with others.

use crate::data::DataSet;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The data of a run, as its checkpoint knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataIdentity {
    /// What the data were called, with what the recipe did to them.
    pub name: String,
    /// Images to train on, those held out included, and to test on.
    pub images: (usize, usize),
    /// What tells them apart: see [`Images::identity`](crate::data::Images::identity).
    pub train: String,
    /// Likewise of the images to test on.
    pub test: String,
    /// The folder that the run began in, from which relative places of data are meant.
    pub directory: PathBuf,
}

impl DataIdentity {
    /// Of these data, as they are opened, for a run that begins in the current folder.
    ///
    /// # Errors
    /// As [`Images::gather`](crate::data::Images::gather).
    pub fn of(set: &DataSet) -> Result<Self> {
        Ok(Self {
            name: set.name.clone(),
            images: (set.train.len(), set.test.len()),
            train: set.train.identity()?,
            test: set.test.identity()?,
            directory: std::env::current_dir().unwrap_or_default(),
        })
    }

    /// Refuses data that are not these. Their name and place may be others: data can be moved.
    ///
    /// # Errors
    /// [`Error::Usage`] with both, and the option that allows it; `what` began on these data.
    pub fn expect(&self, found: &Self, what: &str) -> Result<()> {
        if (&self.train, &self.test) == (&found.train, &found.test) {
            return Ok(());
        }
        Err(Error::Usage(format!(
            "{what} began with other data: {}. These are {}. Name the data it began with (`--data`), or go on with these by \
             `--allow-other-data`",
            self.words(),
            found.words()
        )))
    }

    fn words(&self) -> String {
        let (train, test) = self.images;
        format!(
            "{}, {train} images to train on (fingerprint {}) and {test} to test on (fingerprint {})",
            self.name, self.train, self.test
        )
    }

    /// The data of this name, such as `npy:x.npy`, from wherever the program is run: a relative place that is not there is
    /// looked for where the run began.
    pub fn found_from(&self, source: &str) -> String {
        let there = source.split_once(':').filter(|(_, place)| Path::new(place).is_relative());
        let Some((kind, place)) = there else { return source.to_owned() };
        // What follows a question mark says how to read the place.
        let exists =
            |place: &Path| place.exists() || place.to_str().is_some_and(|p| Path::new(before_query(p)).exists());
        let began = self.directory.join(place);
        if exists(Path::new(place)) || !exists(&began) {
            source.to_owned()
        } else {
            format!("{kind}:{}", began.display())
        }
    }
}

fn before_query(place: &str) -> &str {
    place.split('?').next().unwrap_or(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    fn set(levels: Vec<u8>) -> DataSet {
        let images = Images::new(levels, [1, 2, 1], None).unwrap();
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
    fn other_data_are_refused_whatever_they_are_called_and_the_same_are_not() {
        let run = DataIdentity::of(&set(vec![1, 2, 3, 4])).unwrap();
        let moved = DataIdentity::of(&DataSet { name: "y".into(), ..set(vec![1, 2, 3, 4]) }).unwrap();
        run.expect(&moved, "the run").unwrap();
        let other = DataIdentity::of(&set(vec![1, 2, 3, 5])).unwrap();
        let message = run.expect(&other, "the run").unwrap_err().to_string();
        for words in [&run.train, &other.train, "--allow-other-data", "the run began with other data: x, 2 images"] {
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_relative_place_is_looked_for_where_the_run_began() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.npy"), "").unwrap();
        let mut run = DataIdentity::of(&set(vec![1, 2])).unwrap();
        run.directory = folder.path().into();
        let there = folder.path().join("x.npy");
        assert_eq!(run.found_from("npy:x.npy"), format!("npy:{}", there.display()));
        assert_eq!(run.found_from("npy:x.npy?a=b"), format!("npy:{}?a=b", there.display()));
        for as_it_is in ["digits", "npy:y.npy", "images:src", &format!("npy:{}", there.display())] {
            assert_eq!(run.found_from(as_it_is), as_it_is);
        }
    }
}
