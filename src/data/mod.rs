//! Images to learn from, and the random numbers that go with them.
//!
//! [`open`] reads a data set by name into a [`DataSet`]: integer grey levels in memory, never floats. The flow's own
//! preparation (dequantisation, centring) is drawn from [`crate::noise`], whose numbers depend on a key, an image and a
//! position alone, so that a run is the same for any number of threads, shards or devices.

mod augment;
pub mod cifar10;
mod dataset;
pub mod digits;
mod fit;
pub mod npy;

pub use crate::noise::permutation;
pub use augment::{Augment, Change};
pub use dataset::{DataSet, Images};

use std::path::Path;

use crate::error::{Error, Result};

/// How each data set is named, and what it is.
const KNOWN: [(&str, &str); 2] =
    [("digits", "8×8 handwritten digits, built in"), ("cifar10:DIR", "CIFAR-10, a folder of official binary batches")];

/// Reads the data set that `source` names: `digits`, or `cifar10:DIR`.
///
/// # Errors
/// [`Error::Usage`] for a name that is not known, with the nearest one that is, or for a folder missing or needless;
/// whatever the data set's own reader reports otherwise.
pub fn open(source: &str) -> Result<DataSet> {
    let (name, place) = match source.split_once(':') {
        Some((name, place)) => (name, Some(place)),
        None => (source, None),
    };
    match (name, place) {
        ("digits", None) => digits::load(),
        ("digits", Some(_)) => Err(Error::Usage(format!("data '{source}': digits are built in; write 'digits' alone"))),
        ("cifar10", Some(folder)) if !folder.is_empty() => cifar10::load(Path::new(folder)),
        ("cifar10", _) => Err(Error::Usage(format!("data '{source}': name the folder of the batches, as cifar10:DIR"))),
        _ => Err(unknown(name)),
    }
}

/// The error for a name that is not in [`KNOWN`].
fn unknown(name: &str) -> Error {
    let mut message = format!("there is no data set '{name}'");
    let nearest = KNOWN
        .iter()
        .map(|(syntax, _)| {
            (strsim::jaro_winkler(&name.to_lowercase(), syntax.split(':').next().unwrap_or(syntax)), syntax)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, syntax)) = nearest.filter(|(likeness, _)| *likeness > 0.75) {
        message += &format!("; did you mean '{syntax}'?");
    }
    message += "\nknown:";
    for (syntax, meaning) in KNOWN {
        message += &format!("\n  {syntax:<12} {meaning}");
    }
    Error::Usage(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(source: &str) -> String {
        open(source).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all_known() {
        let message = complaint("Cifar-10:here");
        assert!(message.contains("did you mean 'cifar10:DIR'?"), "{message}");
        assert!(message.contains("digits  "), "{message}");
        assert!(!complaint("faces").contains("did you mean"));
    }

    #[test]
    fn the_place_must_be_there_for_folders_only() {
        assert!(complaint("cifar10").contains("cifar10:DIR"));
        assert!(complaint("cifar10:").contains("cifar10:DIR"));
        assert!(complaint("digits:here").contains("built in"));
        assert_eq!(open("digits").unwrap().name, "digits");
    }
}
