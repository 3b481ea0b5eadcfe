//! CIFAR-100 from the official "binary version": <https://www.cs.toronto.edu/~kriz/cifar.html>.
//!
//! A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A file is records of 3,074 bytes: the label
//! of one of 20 coarse classes, that of one of 100 fine ones, then 1,024 red, 1,024 green and 1,024 blue levels, row by row.

use std::io::ErrorKind;
use std::path::Path;

use super::cifar10::{PLANE, SIDE, interleaved};
use super::{DataSet, Images};
use crate::error::{Error, Result};
use crate::files::{read, read_text};

const RECORD: usize = 2 + 3 * PLANE;

/// Which of a record's two labels is its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// One of 100 classes.
    #[default]
    Fine,
    /// One of 20.
    Coarse,
}

impl Labels {
    /// `fine` or `coarse`.
    ///
    /// # Errors
    /// [`Error::Usage`] for anything else.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "fine" => Ok(Self::Fine),
            "coarse" => Ok(Self::Coarse),
            other => Err(Error::Usage(format!("CIFAR-100 has the labels `fine` and `coarse`, not `{other}`"))),
        }
    }

    /// The classes, the file of their names, and where the label stands in a record.
    fn about(self) -> (usize, &'static str, usize) {
        match self {
            Self::Fine => (100, "fine_label_names.txt", 1),
            Self::Coarse => (20, "coarse_label_names.txt", 0),
        }
    }
}

/// Whether a folder holds CIFAR-100 in this layout.
pub(super) fn is_here(folder: &Path) -> bool {
    ["train.bin", "test.bin"].iter().all(|name| folder.join(name).exists())
}

/// Reads `train.bin` and `test.bin` in `folder`; classes are named by `fine_label_names.txt` or `coarse_label_names.txt` if
/// it is there.
///
/// # Errors
/// [`Error::BadFile`] for a file that is missing, is not whole records, or has a label that is none; [`Error::Io`] for one
/// that cannot be read.
pub fn load(folder: &Path, labels: Labels) -> Result<DataSet> {
    let (count, names, _) = labels.about();
    Ok(DataSet {
        name: "cifar100".into(),
        train: read_records(&folder.join("train.bin"), labels)?,
        test: read_records(&folder.join("test.bin"), labels)?,
        bins: 256,
        classes: read_names(&folder.join(names), count)?,
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

fn read_records(path: &Path, labels: Labels) -> Result<Images> {
    let bytes = read(path).map_err(|error| match error {
        Error::Io { reason, .. } if reason.kind() == ErrorKind::NotFound => missing(path),
        other => other,
    })?;
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        let (records, rest) = (bytes.len() / RECORD, bytes.len() % RECORD);
        let found = format!("found {} bytes: {records} records and {rest} bytes of another", bytes.len());
        return Err(Error::bad_file(path, format!("cut short: expected records of {RECORD} bytes, {found}")));
    }
    let (count, _, at) = labels.about();
    let mut levels = Vec::with_capacity(bytes.len());
    let mut classes = Vec::new();
    for (i, record) in bytes.chunks_exact(RECORD).enumerate() {
        if usize::from(record[at]) >= count {
            let reason =
                format!("record {} (counted from 1) has label {}; labels are 0 to {}", i + 1, record[at], count - 1);
            return Err(Error::bad_file(path, reason));
        }
        classes.push(record[at].into());
        levels.extend(interleaved(&record[2..]));
    }
    Ok(Images::new(levels, [SIDE, SIDE, 3], Some(classes))?.read_from(path, path))
}

/// The error for a file that is not there, with what to do about it.
fn missing(path: &Path) -> Error {
    let advice = if path.with_file_name("data_batch_1.bin").exists() {
        "this is CIFAR-10: name it as `cifar10:DIR`"
    } else {
        "get the \"CIFAR-100 binary version\" from https://www.cs.toronto.edu/~kriz/cifar.html, unpack it and name the folder \
         that holds train.bin"
    };
    Error::bad_file(path, format!("there is no such file; {advice}"))
}

/// One name a line, blank lines aside; numbers where there is no file.
fn read_names(path: &Path, count: usize) -> Result<Vec<String>> {
    let text = match read_text(path) {
        Err(Error::Io { reason, .. }) if reason.kind() == ErrorKind::NotFound => {
            return Ok((0..count).map(|class| class.to_string()).collect());
        }
        read => read?,
    };
    let names: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(Into::into).collect();
    if names.len() != count {
        return Err(Error::bad_file(path, format!("expected {count} class names, one a line, found {}", names.len())));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(coarse: u8, fine: u8) -> Vec<u8> {
        let plane = |offset: usize| (0..PLANE).map(move |at| ((at % 100) + offset) as u8);
        [coarse, fine].into_iter().chain(plane(10)).chain(plane(20)).chain(plane(30)).collect()
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train.bin"), [record(19, 99), record(0, 3)].concat()).unwrap();
        std::fs::write(folder.path().join("test.bin"), record(4, 7)).unwrap();
        let names: Vec<String> = (0..20).map(|i| format!("group {i}")).collect();
        std::fs::write(folder.path().join("coarse_label_names.txt"), names.join("\n")).unwrap();
        folder
    }

    #[test]
    fn fine_or_coarse_labels_are_the_classes() {
        let folder = folder();
        let fine = load(folder.path(), Labels::Fine).unwrap();
        assert_eq!((fine.train.labels(), fine.test.labels()), (Some(&[99, 3][..]), Some(&[7][..])));
        assert_eq!((fine.classes.len(), &*fine.classes[99]), (100, "99"));
        let coarse = load(folder.path(), Labels::named("coarse").unwrap()).unwrap();
        assert_eq!((coarse.train.labels(), &*coarse.classes[19]), (Some(&[19, 0][..]), "group 19"));
        assert_eq!(coarse.train.image(0).unwrap()[..6], [10, 20, 30, 11, 21, 31]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = folder();
        let complaint = |labels| load(folder.path(), labels).unwrap_err().to_string();
        std::fs::write(folder.path().join("test.bin"), record(20, 7)).unwrap();
        assert!(complaint(Labels::Coarse).contains("test.bin: record 1 (counted from 1) has label 20"));
        std::fs::write(folder.path().join("test.bin"), &record(1, 7)[1..]).unwrap();
        assert!(complaint(Labels::Fine).contains("test.bin: cut short: expected records of 3074 bytes"));
        std::fs::remove_file(folder.path().join("test.bin")).unwrap();
        assert!(complaint(Labels::Fine).contains("binary version"));
        std::fs::write(folder.path().join("data_batch_1.bin"), []).unwrap();
        assert!(complaint(Labels::Fine).contains("this is CIFAR-10: name it as `cifar10:DIR`"));
        assert!(Labels::named("all").is_err());
    }
}
