//! CIFAR-10 from the official "binary version": <https://www.cs.toronto.edu/~kriz/cifar.html>.
//!
//! A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A batch is a file of records of 3,073
//! bytes: a label, then 1,024 red, 1,024 green and 1,024 blue levels, row by row. Any number of records is read.

use std::io::ErrorKind;
use std::path::Path;

use super::origin::Origin;
use super::{DataSet, Images};
use crate::error::{Error, Result};
use crate::files::{read, read_text};

const TRAIN: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
const TEST: [&str; 1] = ["test_batch.bin"];
const NAMES: &str = "batches.meta.txt";
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
pub(super) const SIDE: usize = 32;
pub(super) const PLANE: usize = SIDE * SIDE;
const RECORD: usize = 1 + 3 * PLANE;

/// Reads the five training batches and the test batch in `folder`; classes are named by `batches.meta.txt` if it is there.
///
/// # Errors
/// [`Error::BadFile`] for a batch that is missing, or is not whole records, or has a label above 9; [`Error::Io`] for
/// one that cannot be read.
pub fn load(folder: &Path) -> Result<DataSet> {
    Ok(DataSet {
        name: "cifar10".into(),
        train: read_batches(folder, &TRAIN)?,
        test: read_batches(folder, &TEST)?,
        bins: 256,
        classes: read_classes(&folder.join(NAMES))?,
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

/// The images of several batches, one batch after the other.
fn read_batches(folder: &Path, names: &[&str]) -> Result<Images> {
    let (mut levels, mut labels, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let path = folder.join(name);
        let bytes = read(&path).map_err(|error| match error {
            Error::Io { reason, .. } if reason.kind() == ErrorKind::NotFound => missing(&path),
            other => other,
        })?;
        if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
            let (records, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
            let found = format!("found {} bytes: {records} records and {rest} bytes of another", bytes.len());
            return Err(Error::bad_file(path, format!("cut short: expected records of {RECORD} bytes, {found}")));
        }
        levels.reserve(bytes.len());
        origins.push((Origin::new(bytes.len() / RECORD, &path, &path), bytes.len() / RECORD));
        for (i, record) in bytes.chunks_exact(RECORD).enumerate() {
            let (label, planes) = (record[0], &record[1..]);
            if usize::from(label) >= CLASSES.len() {
                let reason = format!("record {} (counted from 1) has label {label}; labels are 0 to 9", i + 1);
                return Err(Error::bad_file(path, reason));
            }
            labels.push(label.into());
            levels.extend(interleaved(planes));
        }
    }
    Ok(Images::new(levels, [SIDE, SIDE, 3], Some(labels))?.with_origin(Origin::joined(&origins)))
}

/// The levels of an image, channels last, from its planes.
pub(super) fn interleaved(planes: &[u8]) -> impl Iterator<Item = u8> {
    (0..PLANE).flat_map(|at| [planes[at], planes[PLANE + at], planes[2 * PLANE + at]])
}

/// The error for a batch that is not there, with what to do about it.
fn missing(path: &Path) -> Error {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".xz");
    let folder = path.parent().unwrap_or(Path::new("."));
    let advice = if super::cifar100::is_here(folder) {
        "this is CIFAR-100: name it as `cifar100:DIR`"
    } else if folder.join("data_batch_1").exists() {
        "these are the batches of the Python version: get the \"CIFAR-10 binary version\" from \
         https://www.cs.toronto.edu/~kriz/cifar.html"
    } else if Path::new(&packed).exists() {
        "a packed one is beside it: unpack every .xz of the folder with `xz -dk`"
    } else {
        "get the \"CIFAR-10 binary version\" from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it and name the \
         folder that holds data_batch_1.bin (a .xz must be unpacked too)"
    };
    Error::bad_file(path, format!("there is no such batch; {advice}"))
}

/// One name a line, blank lines aside; the usual ten where there is no file.
fn read_classes(path: &Path) -> Result<Vec<String>> {
    let text = match read_text(path) {
        Err(Error::Io { reason, .. }) if reason.kind() == ErrorKind::NotFound => CLASSES.join("\n"),
        read => read?,
    };
    let classes: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect();
    if classes.len() != CLASSES.len() {
        return Err(Error::bad_file(path, format!("expected 10 class names, one a line, found {}", classes.len())));
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A record whose reds, greens and blues are 10, 20 and 30 apart, counting up.
    fn record(label: u8) -> Vec<u8> {
        let plane = |offset: usize| (0..PLANE).map(move |at| ((at % 100) + offset) as u8);
        std::iter::once(label).chain(plane(10)).chain(plane(20)).chain(plane(30)).collect()
    }

    /// A folder with two records in each training batch and one in the test batch.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (i, name) in TRAIN.iter().enumerate() {
            std::fs::write(folder.path().join(name), [record(i as u8), record(9)].concat()).unwrap();
        }
        std::fs::write(folder.path().join(TEST[0]), record(3)).unwrap();
        folder
    }

    fn complaint(folder: &TempDir) -> String {
        load(folder.path()).unwrap_err().to_string()
    }

    #[test]
    fn batches_of_any_size_are_read_in_order_channels_last() {
        let data = load(folder().path()).unwrap();
        assert_eq!((data.train.len(), data.test.len(), data.train.shape()), (10, 1, [32, 32, 3]));
        assert_eq!(data.train.labels_of(&[0, 1, 2, 9]), Some(vec![0, 9, 1, 9]));
        assert_eq!(data.train.image(0).unwrap()[..6], [10, 20, 30, 11, 21, 31]);
        assert_eq!(data.classes[3], "cat");
        let place = data.train.label_place(3).unwrap();
        assert!(place.ends_with("data_batch_2.bin at [1]"), "{place}");
    }

    #[test]
    fn a_missing_batch_is_named_with_where_to_get_it() {
        let folder = folder();
        let path = folder.path().join("data_batch_4.bin");
        std::fs::remove_file(&path).unwrap();
        let message = complaint(&folder);
        assert!(message.contains("data_batch_4.bin") && message.contains("binary version"), "{message}");
        std::fs::write(path.with_extension("bin.xz"), b"").unwrap();
        assert!(complaint(&folder).contains("xz -d"));
    }

    #[test]
    fn a_batch_that_is_cut_short_is_refused() {
        let folder = folder();
        std::fs::write(folder.path().join("test_batch.bin"), &record(3)[1..]).unwrap();
        let message = complaint(&folder);
        assert!(
            message.contains("test_batch.bin") && message.contains("found 3072 bytes: 0 records and 3072"),
            "{message}"
        );
        std::fs::write(folder.path().join("test_batch.bin"), []).unwrap();
        assert!(complaint(&folder).contains("found 0 bytes"));
    }

    #[test]
    fn a_label_above_nine_is_refused_with_its_record() {
        let folder = folder();
        std::fs::write(folder.path().join("data_batch_2.bin"), [record(1), record(10)].concat()).unwrap();
        let message = complaint(&folder);
        assert!(message.contains("data_batch_2.bin: record 2") && message.contains("label 10"), "{message}");
    }

    #[test]
    fn class_names_come_from_the_folder_where_it_has_them() {
        let folder = folder();
        std::fs::write(folder.path().join(NAMES), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
        assert_eq!(load(folder.path()).unwrap().classes[9], "j");
        std::fs::write(folder.path().join(NAMES), "a\nb\n").unwrap();
        assert!(complaint(&folder).contains("expected 10 class names"));
    }
}
