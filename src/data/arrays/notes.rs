//! What is found out about the arrays of a set while they are read.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What a person should hear of, and how 16-bit values were read: all of a set are on one scale.
#[derive(Debug, Default)]
pub(in crate::data) struct Notes {
    pub(super) remarks: Vec<String>,
    /// The first array of 16 bits that was read as it is, and the first by its high byte.
    sixteen_bits: [Option<PathBuf>; 2],
}

impl Notes {
    /// An array of 16-bit values was read as it is, or by its high byte since some are above 255.
    pub(super) fn of_sixteen_bits(&mut self, path: &Path, by_high_byte: bool) {
        self.sixteen_bits[usize::from(by_high_byte)].get_or_insert_with(|| path.into());
    }

    /// What is to be told of all arrays.
    ///
    /// # Errors
    /// [`Error::BadFile`] where 16-bit arrays would be on two scales.
    pub(in crate::data) fn told(self) -> Result<Vec<String>> {
        match self.sixteen_bits {
            [Some(low), Some(high)] => {
                let high = high.display();
                let reason = format!(
                    "its 16-bit values are at most 255, and those of {high} are not, so the two would be read on two scales: \
                     save both as uint8"
                );
                Err(Error::bad_file(low, reason))
            }
            _ => Ok(self.remarks),
        }
    }
}
