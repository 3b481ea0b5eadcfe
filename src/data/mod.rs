//! Images to learn from, and the random numbers that go with them.
//!
//! [`open`] reads a data set by name into a [`DataSet`]: integer grey levels, never floats, in memory or, where they are
//! many, read from their files when they are asked for. The flow's own
//! preparation (dequantisation, centring) is drawn from [`crate::noise`], whose numbers depend on a key, an image and a
//! position alone, so that a run is the same for any number of threads, shards or devices.
//!
//! Files are not trusted: one that is cut short, or says what it does not hold, is one error that names it, and no
//! memory is taken on a header's word.

mod ahead;
mod arrays;
mod attributes;
mod augment;
mod bytes;
pub mod cifar10;
pub mod cifar100;
mod classes;
mod contexts;
mod copies;
mod dataset;
pub mod digits;
mod fetch;
mod idx;
mod image_source;
mod imagenet;
mod images;
mod levels;
pub mod npy;
mod opening;
mod origin;
mod pictures;
mod portion;
mod preparation;
mod query;
mod rows;
mod samples;
mod sources;
mod split;
mod store;
mod table;
mod toy;
mod vectors;

pub use crate::noise::permutation;
pub use ahead::Ahead;
pub use arrays::load_contexts;
pub use attributes::{Attributes, Listed};
pub use augment::{Augment, Change};
pub use classes::{differing_words, renumbered};
pub use contexts::Contexts;
pub use copies::Copies;
pub use dataset::DataSet;
pub use fetch::{CERTIFICATES, Connecting, FetchEvent, fetch};
pub use image_source::{ImageSource, Place};
pub use images::{Images, SAMPLED};
pub use opening::{Cut, Opening};
pub use portion::Portion;
pub use samples::Samples;
pub use sources::{Format, Source, SourceFile, SourceList};
pub use store::{Presence, Store, VARIABLE};
pub use table::write_table;
pub use vectors::{are_vectors, open_vectors};

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// How each data set is named, and what it is.
const KNOWN: [(&str, &str); 7] = [
    ("digits", "8×8 handwritten digits, built in"),
    ("cifar10:DIR", "CIFAR-10, a folder of official binary batches"),
    ("cifar100:DIR", "CIFAR-100 likewise; its 20 coarse classes with ?labels=coarse"),
    ("idx:DIR", "MNIST or Fashion-MNIST, a folder of IDX files, plain or .gz"),
    ("images:DIR", "a folder of pictures; sub-folders are classes, or train and test"),
    ("npy:FILE", "grey levels [n, height, width, channels] or [n, height, width]"),
    ("npz:FILE", "such arrays with labels; or a folder of downsampled ImageNet"),
];

/// Reads the data set that `source` names, such as `digits` or `cifar10:DIR`, as it is in its files; or `cifar10`, once it was
/// [fetched](fetch).
///
/// # Errors
/// [`Error::Usage`] for a name that is not known, with the nearest one that is, for a place missing or needless, or for
/// data that were not fetched; whatever the data set's own reader reports otherwise.
pub fn open(source: &str) -> Result<DataSet> {
    open_as(source, &Opening::default())
}

/// The same, in the way that `opening` says.
///
/// # Errors
/// As [`open`].
pub fn open_as(source: &str, opening: &Opening) -> Result<DataSet> {
    let (name, place) = match source.split_once(':') {
        Some((name, place)) => (name, Some(place)),
        None => (source, None),
    };
    let known: &[&str] = match name {
        "npy" | "npz" => &["levels"],
        "cifar100" => &["labels"],
        _ => &[],
    };
    // Of folders of pictures their own reader knows what can be said.
    let (path, said) = match place.filter(|place| !place.is_empty()) {
        Some(place) if name != "images" => {
            let (path, said) = query::split(place, known).map_err(|wrong| wrong.of(source, known))?;
            (Some(path), said)
        }
        place => (place.map(Path::new), Vec::new()),
    };
    match (name, path) {
        ("digits", None) if place.is_none() => digits::load(),
        ("digits", _) => Err(Error::Usage(format!("data '{source}': digits are built in; write 'digits' alone"))),
        ("cifar10", Some(folder)) => cifar10::load(folder),
        ("cifar100", Some(folder)) => {
            let labels = said.first().map(|(_, labels)| cifar100::Labels::named(labels)).transpose()?;
            cifar100::load(folder, labels.unwrap_or_default())
        }
        ("idx", Some(folder)) => idx::load(folder),
        ("csv" | "toy", _) => Err(Error::Usage(format!(
            "data '{source}' are vectors of real numbers, and the flow is of images: a flow of them begins with \
             `vector: (features: …)`"
        ))),
        ("images", Some(_)) => pictures::load(place.unwrap_or_default(), opening),
        ("npy", Some(file)) => arrays::load_npy(file, opening),
        ("npz", Some(folder)) if folder.is_dir() => imagenet::load(folder, opening),
        ("npz", Some(file)) => arrays::load_npz(file, opening),
        _ => fetched(source, place.is_none()).unwrap_or_else(|| Err(unknown(source, name))),
    }
}

/// How the levels of a source are to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelsOf {
    /// As it says itself: pictures and other files have 256, the digits 17.
    Itself,
    /// By its largest value: an array does not say.
    Values,
    /// So many, as is said behind it: `npy:FILE?levels=16`.
    Told(u32),
}

/// How many grey levels a source has is told by it, or not.
///
/// # Errors
/// [`Error::Usage`] for a number of levels that is none.
pub fn levels_of(source: &str) -> Result<LevelsOf> {
    let Some((kind @ ("npy" | "npz"), place)) = source.split_once(':') else { return Ok(LevelsOf::Itself) };
    let known = ["levels"];
    let (path, said) = query::split(place, &known).map_err(|wrong| wrong.of(source, &known))?;
    match said.first() {
        Some((_, levels)) => match levels.parse() {
            Ok(levels @ 2..=256) => Ok(LevelsOf::Told(levels)),
            _ => Err(Error::Usage(format!("data '{source}': expected levels from 2 to 256, found `{levels}`"))),
        },
        None if kind == "npz" && path.is_dir() => Ok(LevelsOf::Itself),
        None => Ok(LevelsOf::Values),
    }
}

/// The data set of this name that was fetched, or is to be; none where the list of those has no such name.
fn fetched(name: &str, is_alone: bool) -> Option<Result<DataSet>> {
    let store = Store::new(None, None);
    match store {
        Ok(store) if is_alone => store.list.find(name).map(|set| store.load(set)),
        Err(error @ Error::FlowFile(_)) if is_alone => Some(Err(error)),
        _ => None,
    }
}

/// How many images there are to train on in a set that is known by its name, without reading it; as it is published.
pub fn published_size(source: &str) -> Option<usize> {
    match source.split(':').next()? {
        "digits" => Some(1437),
        "cifar10" | "cifar100" => Some(50_000),
        "mnist" | "fashion-mnist" => Some(60_000),
        _ => None,
    }
}

/// The files that the images of `source` are in, to train on and to test on, in the order of [`open`]'s; none where they
/// are not in a file each. Where pictures were skipped, [`Images::file`] knows the file of each that is left.
///
/// # Errors
/// As [`open`].
pub fn files(source: &str) -> Result<Option<(Vec<PathBuf>, Vec<PathBuf>)>> {
    source.strip_prefix("images:").map(pictures::files).transpose()
}

/// The folder of the pictures that `source` names; none where it names no pictures.
///
/// # Errors
/// [`Error::Usage`] for what is said wrong behind the folder.
pub fn folder(source: &str) -> Result<Option<PathBuf>> {
    source.strip_prefix("images:").map(pictures::folder).transpose()
}

/// The error for a name that is neither in [`KNOWN`] nor in the list of what can be fetched, or has no place.
fn unknown(source: &str, name: &str) -> Error {
    let base = |syntax: &str| syntax.split(':').next().unwrap_or(syntax).to_owned();
    if let Some((syntax, meaning)) = KNOWN.iter().find(|(syntax, _)| base(syntax) == name) {
        return Error::Usage(format!("data '{source}': say where they are, as {syntax} ({meaning})"));
    }
    let sets = Store::new(None, None).map(|store| store.list.sets).unwrap_or_default();
    if let Some(set) = sets.iter().find(|set| *set.name == name) {
        let folder = format!("{}:DIR", set.format.prefix());
        return Error::Usage(format!(
            "data '{source}': write '{name}' alone for what was fetched, or {folder} for a folder"
        ));
    }
    let mut known: Vec<(&str, &str)> = sets.iter().map(|set| (set.name.as_str(), set.what.as_str())).collect();
    // Of two that are as near, the last is taken: the one that has a place if one was given.
    known.splice(if source.contains(':') { known.len()..known.len() } else { 0..0 }, KNOWN);
    let mut message = format!("there is no data set '{name}'");
    let likeness = |syntax| strsim::jaro_winkler(&name.to_lowercase(), &base(syntax));
    let nearest = known.iter().map(|(syntax, _)| (likeness(syntax), syntax)).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, syntax)) = nearest.filter(|(likeness, _)| *likeness > 0.75) {
        message += &format!("; did you mean '{syntax}'?");
    }
    message += "\nknown:";
    for (syntax, meaning) in KNOWN {
        message += &format!("\n  {syntax:<13} {meaning}");
    }
    message += "\nto be fetched with `flowstone data fetch`:";
    for set in &sets {
        message += &format!("\n  {:<13} {}", *set.name, set.what);
    }
    Error::Usage(message)
}

/// The last name of a path, which data go by.
fn folder_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The name of a file without its ending.
fn file_name(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |stem| stem.to_string_lossy().into_owned())
}

/// Classes without names, `0` to the greatest label; none where images have no labels.
fn numbered<const N: usize>(splits: [&Images; N]) -> Vec<String> {
    let greatest = splits.into_iter().filter_map(Images::labels).flatten().max();
    greatest.map_or_else(Vec::new, |greatest| (0..=*greatest).map(|label| label.to_string()).collect())
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
        assert!(complaint("Cifar-10").contains("did you mean 'cifar10'?"));
        let message = complaint("Fashion");
        assert!(message.contains("did you mean 'fashion-mnist'?") && message.contains("mnist  "), "{message}");
        assert!(complaint("mnist:here").contains("write 'mnist' alone for what was fetched, or idx:DIR"));
        assert!(!complaint("faces").contains("did you mean"));
    }

    #[test]
    fn the_place_must_be_there_for_all_but_the_digits() {
        for (syntax, _) in &KNOWN[1..] {
            let name = syntax.split(':').next().unwrap();
            // The name alone may have been fetched.
            assert!(name == "cifar10" || complaint(name).contains(syntax), "{syntax}");
            assert!(complaint(&format!("{name}:")).contains(syntax), "{syntax}");
            assert!(complaint(&format!("{name}:no/such/place")).contains("no/such/place"));
        }
        assert!(complaint("digits:here").contains("built in") && complaint("digits:").contains("built in"));
        assert_eq!(open("digits").unwrap().name, "digits");
    }
}
