//! Vectors of real numbers in NumPy's arrays: `[n, features]`, or `[n]` for one feature, of any kind of number.

use std::io::BufReader;
use std::path::Path;

use super::archive::Archive;
use super::header::Header;
use super::values::{in_c_order, number};
use super::{NAMES, Wrong, labels};
use crate::data::bytes::read_rest;
use crate::data::split::train_and_test;
use crate::data::{DataSet, Images, file_name, numbered};
use crate::error::{Error, Result};
use crate::files::open;

/// Reads vectors from a file of one array. Every tenth is to test on.
///
/// # Errors
/// [`Error::BadFile`] where it is no such array, or has a number that is not finite, with its place.
pub fn load_npy(path: &Path) -> Result<DataSet> {
    let (file, length) = open(path)?;
    let mut reader = BufReader::new(file);
    let header = Header::read(path, &mut reader, length)?;
    let bytes = read_rest(path, reader, header.size, length, &header.says())?;
    let vectors = vectors(path, &header, &bytes, None)?.read_from(path, path);
    split(file_name(path), &vectors, Vec::new())
}

/// Reads vectors from an archive, with labels if there are any, under the names that images have in one.
///
/// # Errors
/// As [`load_npy`].
pub fn load_npz(path: &Path) -> Result<DataSet> {
    let mut archive = Archive::open(path)?;
    let found = NAMES.into_iter().chain([["x", "y", "", ""]]).find(|names| archive.has(names[0]));
    let Some([train, train_labels, test, test_labels]) = found else {
        let known = NAMES.map(|names| names[0]).join(", ");
        let there = archive.names();
        return Err(Error::bad_file(
            path,
            format!("expected vectors under one of the names {known}, x; found {there:?}"),
        ));
    };
    let labels_of = |archive: &mut Archive, name: &str| archive.has(name).then(|| archive.labels(name)).transpose();
    let has_test = archive.has(test);
    let own = labels_of(&mut archive, train_labels)?;
    let others = if has_test { labels_of(&mut archive, test_labels)? } else { None };
    let ([own, others], names) = labels::by_number([own, others]).map_err(|wrong| wrong.of(path))?;
    let mut read = |name: &str, labels| -> Result<Images> {
        let (header, bytes) = archive.array(name)?;
        Ok(vectors(&archive.place(name), &header, &bytes, labels)?.read_from(archive.place(name), path))
    };
    let train = read(train, own)?;
    let named = |numbers: Vec<String>| if names.is_empty() { numbers } else { names.clone() };
    if !has_test {
        return split(file_name(path), &train, named(numbered([&train])));
    }
    let test = read(test, others)?;
    if test.shape() != train.shape() {
        return Err(Error::bad_file(path, "training and test vectors must have as many features"));
    }
    let classes = named(numbered([&train, &test]));
    let (features, remarks) = (Vec::new(), Vec::new());
    Ok(DataSet { name: file_name(path), train, test, bins: 0, classes, features, remarks })
}

fn split(name: String, all: &Images, classes: Vec<String>) -> Result<DataSet> {
    let (train, test) = train_and_test(all.len());
    let (train, test, features, remarks) = (all.select(train)?, all.select(test)?, Vec::new(), Vec::new());
    Ok(DataSet { name, train, test, bins: 0, classes, features, remarks })
}

/// The vectors of an array.
fn vectors(path: &Path, header: &Header, bytes: &[u8], labels: Option<Vec<u16>>) -> Result<Images> {
    let features = match header.shape[..] {
        [_] => 1,
        [_, features] if features > 0 => features as usize,
        _ => {
            let found = format!("expected vectors [n, features]; found {}", header.says());
            return Err(Error::bad_file(path, found));
        }
    };
    if header.kind.is_text() {
        return Err(Wrong(format!("expected numbers; found {}", header.says())).of(path));
    }
    let mut values: Vec<f64> = bytes.chunks_exact(header.kind.size).map(|value| number(&header.kind, value)).collect();
    if header.is_fortran {
        values = in_c_order(&values, &header.shape);
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        let (row, column, value) = (at / features, at % features, values[at]);
        return Err(Error::bad_file(path, format!("it holds {value} at [{row}, {column}]: expected finite numbers")));
    }
    Images::reals(&values, features, labels).map_err(|error| Error::bad_file(path, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{array, npz};
    use super::*;
    use crate::data::Samples;

    fn written(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn floats_of_any_order_are_vectors() {
        let values: Vec<u8> = (0..24).flat_map(|i| (f64::from(i) / 4.0).to_le_bytes()).collect();
        let (_folder, path) = written("x.npy", &array("<f8", "(12, 2)", &values));
        let set = load_npy(&path).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.train.shape()), (11, 1, [1, 1, 2]));
        assert_eq!(set.test.samples(&[0]).unwrap(), Samples::Reals(vec![4.5, 4.75]));
        let (_folder, path) = written("x.npz", &npz(&[("x", array("<f8", "(12, 2)", &values))]));
        assert_eq!(load_npz(&path).unwrap().test, set.test);
    }

    #[test]
    fn what_is_not_finite_is_told_with_its_place() {
        let values: Vec<u8> = [0.5_f32, 1.0, 2.0, f32::NAN].into_iter().flat_map(f32::to_le_bytes).collect();
        let (_folder, path) = written("x.npy", &array("<f4", "(2, 2)", &values));
        let message = load_npy(&path).unwrap_err().to_string();
        assert!(message.contains("it holds NaN at [1, 1]"), "{message}");
    }
}
