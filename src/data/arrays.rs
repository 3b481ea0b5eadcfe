//! Arrays of NumPy as data sets: one `.npy`, or several in an `.npz`.
//!
//! The format is that of <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>: `\x93NUMPY`, a version,
//! the length of a header, the header (a Python dictionary of `descr`, `fortran_order` and `shape`) and the values. An
//! `.npz` is a ZIP archive of such files.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use zip::{CompressionMethod, ZipArchive};

use super::bytes::{DEFLATE_RATIO, expect_size, read_rest, sides, size_of, unreadable};
use super::rows::{Bytes, Order, Rows};
use super::split::with_test_split;
use super::{DataSet, Images, Opening, file_name, numbered};
use crate::error::{Error, Result};
use crate::files::open;

/// The longest header that is read, in bytes; an array of images has one of about a hundred.
const LONGEST_HEADER: u64 = 1 << 16;

/// The names in an `.npz` that are known: training images and labels, test images and labels.
const NAMES: [[&str; 4]; 5] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["images", "labels", "", ""],
    ["data", "labels", "", ""],
    ["arr_0", "arr_1", "", ""],
];

/// Reads a file of uint8 `[n, height, width, channels]` or `[n, height, width]`. Every tenth image is to test on.
///
/// # Errors
/// [`Error::BadFile`] where it is not such an array, or is longer or shorter than it says.
pub fn load_npy(path: &Path, opening: &Opening) -> Result<DataSet> {
    let (file, length) = open(path)?;
    let mut reader = BufReader::new(file);
    let header = Header::read(path, &mut reader, length)?;
    let (count, shape) = header.images().map_err(|wrong| wrong.of(path))?;
    let bytes = if opening.holds(header.size) {
        Bytes::Memory(read_rest(path, reader, header.size, length, &header.says())?)
    } else {
        header.expect_size(path, length - header.length)?;
        Bytes::File(Mutex::new(reader.into_inner()), header.length)
    };
    let images = images_of(Rows { path: path.into(), bytes, count, shape, order: Order::Interleaved }, None)?;
    with_test_split(file_name(path), &images, Vec::new())
}

/// The images of rows, held where the rows are in memory.
pub(super) fn images_of(rows: Rows, labels: Option<Vec<u16>>) -> Result<Images> {
    let path = rows.path.clone();
    let images = match rows {
        Rows { bytes: Bytes::Memory(levels), shape, order: Order::Interleaved, .. } => {
            Images::new(levels, shape, labels)
        }
        Rows { bytes: Bytes::Memory(_), .. } => Images::streamed(Arc::new(rows), labels).and_then(Images::held),
        Rows { bytes: Bytes::File(..), .. } => Images::streamed(Arc::new(rows), labels),
    };
    images.map_err(|error| Error::bad_file(path, error.to_string()))
}

/// Reads an archive of images, with labels if there are any, under one of the known sets of names: `x_train`, `y_train`,
/// `x_test`, `y_test`; `train_images` and so on; `images`, `labels`; `data`, `labels`; `arr_0`, `arr_1`. Where there are
/// no test images, every tenth image is to test on.
///
/// # Errors
/// [`Error::BadFile`] where it is no such archive, or an array in it is not what it says.
pub fn load_npz(path: &Path, opening: &Opening) -> Result<DataSet> {
    let mut archive = Archive::open(path)?;
    let Some([train, train_labels, test, test_labels]) = NAMES.into_iter().find(|names| archive.has(names[0])) else {
        let there: Vec<&str> = archive.zip.file_names().take(20).collect();
        let known = NAMES.map(|names| names[0]).join(", ");
        return Err(Error::bad_file(path, format!("expected images under one of the names {known}; found {there:?}")));
    };
    let (name, train) = (file_name(path), archive.images(train, train_labels, opening)?);
    if !archive.has(test) {
        let classes = numbered([&train]);
        return with_test_split(name, &train, classes);
    }
    let test = archive.images(test, test_labels, opening)?;
    if test.shape() != train.shape() || test.labels().is_some() != train.labels().is_some() {
        let reason = "training and test images must have one shape, and both have labels or neither";
        return Err(Error::bad_file(path, reason));
    }
    let classes = numbered([&train, &test]);
    Ok(DataSet { name, train, test, bins: 256, classes, remarks: Vec::new() })
}

/// An open `.npz`.
pub(super) struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    length: u64,
}

impl<'a> Archive<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        let (file, length) = open(path)?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| Error::bad_file(path, format!("not an .npz archive: {error}")))?;
        Ok(Self { path, zip, length })
    }

    fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// The array of this name; messages say which it is.
    fn array(&mut self, name: &str) -> Result<Array> {
        let (inner, most) = (self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        Array::read(&inner, self.entry(name)?, most)
    }

    /// Where an array is, for messages.
    fn place(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.npy"))
    }

    /// Images and, where they are there, labels.
    fn images(&mut self, name: &str, labels: &str, opening: &Opening) -> Result<Images> {
        let labels = if self.has(labels) { Some(self.labels(labels)?) } else { None };
        let header = self.header(name)?;
        let (count, shape) = header.images().map_err(|wrong| wrong.of(&self.place(name)))?;
        let bytes = self.bytes(name, &header, opening.holds(header.size))?;
        images_of(Rows { path: self.place(name), bytes, count, shape, order: Order::Interleaved }, labels)
    }

    /// What an array says of itself.
    pub(super) fn header(&mut self, name: &str) -> Result<Header> {
        let (inner, most) = (self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        Header::read(&inner, self.entry(name)?, most)
    }

    /// The values of an array: in memory, or where they are in the archive. Those that are packed cannot be read from the
    /// middle on, and are unpacked to a temporary file.
    pub(super) fn bytes(&mut self, name: &str, header: &Header, held: bool) -> Result<Bytes> {
        let (path, inner, most) = (self.path, self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        if held {
            return self.array(name).map(|array| Bytes::Memory(array.bytes));
        }
        let mut entry = self.entry(name)?;
        if entry.compression() == CompressionMethod::Stored {
            header.expect_size(&inner, entry.size().saturating_sub(header.length))?;
            return Ok(Bytes::File(Mutex::new(open(path)?.0), entry.data_start() + header.length));
        }
        header.expect_size(&inner, entry.size().min(most).saturating_sub(header.length))?;
        let mut unpacked = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
        let mut chunk = vec![0; 1 << 20];
        let mut found = 0;
        loop {
            let read = entry.read(&mut chunk).map_err(unreadable(&inner))?;
            found += read as u64;
            if read == 0 || found > header.length + header.size {
                header.expect_size(&inner, found.saturating_sub(header.length))?;
                return Ok(Bytes::File(Mutex::new(unpacked), header.length));
            }
            unpacked.write_all(&chunk[..read]).map_err(Error::io(std::env::temp_dir()))?;
        }
    }

    fn entry(&mut self, name: &str) -> Result<zip::read::ZipFile<'_, BufReader<File>>> {
        let inner = self.place(name);
        let entry = self.zip.by_name(&format!("{name}.npy"));
        entry.map_err(|error| Error::bad_file(inner, format!("it cannot be unpacked: {error}")))
    }

    /// Labels, one an image.
    pub(super) fn labels(&mut self, name: &str) -> Result<Vec<u16>> {
        self.array(name)?.into_labels().map_err(|wrong| wrong.of(&self.place(name)))
    }
}

/// What is wrong with an array.
struct Wrong(String);

impl Wrong {
    fn of(self, path: &Path) -> Error {
        Error::bad_file(path, self.0)
    }
}

/// What an array says of itself.
#[derive(Debug)]
pub(super) struct Header {
    /// The kind of its values as NumPy writes it, such as `|u1` for uint8.
    pub kind: String,
    pub shape: Vec<u64>,
    /// The bytes of its values.
    pub size: u64,
    /// The bytes before them.
    pub length: u64,
}

impl Header {
    /// Reads a header; the file can be at most `most` bytes long.
    fn read(path: &Path, mut reader: impl Read, most: u64) -> Result<Self> {
        let wrong = |reason: &str| Error::bad_file(path, reason);
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(unreadable(path))?;
        if start[..6] != *b"\x93NUMPY" {
            return Err(wrong("not an array of NumPy: it does not begin with \\x93NUMPY"));
        }
        let mut length = [0; 4];
        let digits = if start[6] == 1 { 2 } else { 4 };
        reader.read_exact(&mut length[..digits]).map_err(unreadable(path))?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > LONGEST_HEADER {
            return Err(Error::bad_file(path, format!("its header would be {length} bytes long: that is no array")));
        }
        let header = read_rest(path, reader.by_ref().take(length), length, most, "its header is said to be long")?;
        let (kind, shape, fortran) = std::str::from_utf8(&header)
            .ok()
            .and_then(parse_header)
            .ok_or_else(|| wrong("its header is not the dictionary that NumPy writes"))?;
        if fortran && shape.len() > 1 {
            return Err(Error::bad_file(path, "it is in Fortran's order: save numpy.ascontiguousarray of it"));
        }
        let value = kind.get(2..).and_then(|size| size.parse().ok()).filter(|size| (1..=64).contains(size));
        let value =
            value.ok_or_else(|| Error::bad_file(path, format!("it holds values of kind {kind}, not numbers")))?;
        let size = size_of(&shape, value)
            .ok_or_else(|| Error::bad_file(path, format!("its header says {shape:?} of {kind}: no file is so long")))?;
        Ok(Self { kind, shape, size, length: 8 + digits as u64 + length })
    }

    /// What it says, for messages.
    fn says(&self) -> String {
        format!("its header says {:?} of {}", self.shape, self.kind)
    }

    /// Refuses another number of bytes than it says.
    fn expect_size(&self, path: &Path, found: u64) -> Result<()> {
        expect_size(path, found, self.size, &self.says())
    }

    /// The number of images, and the shape of each.
    fn images(&self) -> std::result::Result<(usize, [usize; 3]), Wrong> {
        let expected = "expected images, uint8 [n, height, width, channels] or [n, height, width]";
        let wrong = || Wrong(format!("{expected}; found {} {:?}", self.kind, self.shape));
        let (count, shape) = match self.shape[..] {
            [n, height, width, channels] => (n, [height, width, channels]),
            [n, height, width] => (n, [height, width, 1]),
            _ => return Err(wrong()),
        };
        if self.kind.get(1..) != Some("u1") || count == 0 {
            return Err(wrong());
        }
        usize::try_from(count).ok().zip(sides(shape)).ok_or_else(wrong)
    }
}

/// An array as it is in its file.
#[derive(Debug)]
struct Array {
    kind: String,
    shape: Vec<u64>,
    bytes: Vec<u8>,
}

impl Array {
    /// Reads an array, of which there can be at most `most` bytes.
    fn read(path: &Path, mut reader: impl Read, most: u64) -> Result<Self> {
        let header = Header::read(path, &mut reader, most)?;
        let bytes = read_rest(path, reader, header.size, most, &header.says())?;
        Ok(Self { kind: header.kind, shape: header.shape, bytes })
    }

    /// Labels, from integers of any size; `[n]` or `[n, 1]`.
    fn into_labels(self) -> std::result::Result<Vec<u16>, Wrong> {
        let Self { kind, shape, bytes } = self;
        let (order, sort) = kind.split_at_checked(2).map_or(("", ""), |(head, size)| (head, size));
        let size = match (order.get(1..), sort) {
            (Some("u" | "i"), "1") => 1,
            (Some("u" | "i"), "2") => 2,
            (Some("u" | "i"), "4") => 4,
            (Some("u" | "i"), "8") => 8,
            _ => 0,
        };
        if size == 0 || !matches!(shape[..], [_] | [_, 1]) {
            return Err(Wrong(format!("expected labels, integers [n]; found {kind} {shape:?}")));
        }
        let label = |value: &[u8]| {
            let mut wide = [0; 8];
            wide[..size].copy_from_slice(value);
            if order.starts_with('>') {
                wide[..size].reverse();
            }
            let negative = order[1..].starts_with('i') && wide[size - 1] >= 0x80;
            if negative {
                return None;
            }
            u16::try_from(u64::from_le_bytes(wide)).ok()
        };
        let labels: Option<Vec<u16>> = bytes.chunks_exact(size).map(label).collect();
        labels.ok_or_else(|| Wrong("expected labels from 0 to 65535".into()))
    }
}

/// The kind of values, the shape and whether the first axis is the fastest, from a header such as
/// `{'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3), }`.
fn parse_header(header: &str) -> Option<(String, Vec<u64>, bool)> {
    let after = |name: &str| {
        let (_, rest) = header.split_once(&format!("'{name}'"))?;
        rest.trim_start().strip_prefix(':').map(str::trim_start)
    };
    let (kind, _) = after("descr")?.strip_prefix('\'')?.split_once('\'')?;
    let (shape, _) = after("shape")?.strip_prefix('(')?.split_once(')')?;
    let axes = shape.split(',').map(str::trim).filter(|axis| !axis.is_empty());
    let shape = axes.map(|axis| axis.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some((kind.to_owned(), shape, after("fortran_order")?.starts_with("True")))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;
    use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

    pub fn array(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
    }

    pub fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (i, (name, array)) in arrays.iter().enumerate() {
            let method = if i % 2 == 0 { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            archive.start_file(format!("{name}.npy"), SimpleFileOptions::default().compression_method(method)).unwrap();
            archive.write_all(array).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// Held in memory, and read from the file, which must not differ.
    fn load(name: &str, bytes: &[u8]) -> Result<DataSet> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let open = |memory| {
            let opening = Opening { memory, ..Opening::default() };
            if name.ends_with("npz") { load_npz(&path, &opening) } else { load_npy(&path, &opening) }
        };
        match (open(u64::MAX), open(0)) {
            (Ok(held), Ok(read)) => {
                assert!(read.train.is_streamed() && !held.train.is_streamed());
                for (held, read) in [(&held.train, &read.train), (&held.test, &read.test)] {
                    assert_eq!(held.levels().unwrap(), read.levels().unwrap());
                    assert_eq!((held.labels(), held.shape()), (read.labels(), read.shape()));
                }
                Ok(held)
            }
            (Err(held), Err(read)) => {
                assert_eq!(held.to_string(), read.to_string());
                Err(held)
            }
            (held, read) => panic!("held: {held:?}; read: {read:?}"),
        }
    }

    fn complaint(name: &str, bytes: &[u8]) -> String {
        let error = load(name, bytes).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(name), "{error}");
        error.to_string()
    }

    #[test]
    fn an_array_of_levels_is_a_data_set() {
        let values: Vec<u8> = (0..120).collect();
        let colour = load("a.npy", &array("|u1", "(20, 1, 2, 3)", &values)).unwrap();
        assert_eq!((colour.train.len(), colour.test.len(), colour.train.shape()), (18, 2, [1, 2, 3]));
        assert_eq!((&colour.test.image(0).unwrap()[..], &*colour.name), (&[54, 55, 56, 57, 58, 59][..], "a"));
        let grey = load("a.npy", &array("|u1", "(20, 2, 3)", &values)).unwrap();
        assert_eq!(grey.train.shape(), [2, 3, 1]);
    }

    #[test]
    fn what_this_program_writes_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixels.npy");
        super::super::npy::write_levels(&path, [10, 1, 2, 1], &[7; 20]).unwrap();
        assert_eq!(load_npy(&path, &Opening::default()).unwrap().train.levels().unwrap()[..], [7; 18]);
    }

    #[test]
    fn an_archive_has_its_own_splits_and_labels() {
        let both = npz(&[
            ("x_train", array("|u1", "(2, 1, 1)", &[1, 2])),
            ("y_train", array("<i8", "(2,)", &[3i64.to_le_bytes(), 0i64.to_le_bytes()].concat())),
            ("x_test", array("|u1", "(1, 1, 1)", &[9])),
            ("y_test", array(">u2", "(1, 1)", &[0, 1])),
        ]);
        let data = load("m.npz", &both).unwrap();
        assert_eq!((&data.train.levels().unwrap()[..], data.train.labels()), (&[1, 2][..], Some(&[3, 0][..])));
        assert_eq!((&data.test.levels().unwrap()[..], data.test.labels()), (&[9][..], Some(&[1][..])));
        assert_eq!(data.classes.len(), 4);
        let one = load("m.npz", &npz(&[("arr_0", array("|u1", "(10, 1, 1)", &[5; 10]))])).unwrap();
        assert_eq!((one.train.len(), one.test.len(), one.train.labels()), (9, 1, None));
    }

    #[test]
    fn a_broken_array_is_one_error_that_says_what_is_wrong() {
        let whole = array("|u1", "(10, 2, 3)", &[7; 60]);
        let mut long_header = whole.clone();
        long_header[6] = 2;
        for (bytes, words) in [
            (whole[..100].to_vec(), "cut short: its header says [10, 2, 3] of |u1, 60 bytes, and"),
            ([&whole[..], &[0]].concat(), "and more are there"),
            (whole[..30].to_vec(), "cut short"),
            (vec![], "cut short"),
            (b"GIF89a, not an array".to_vec(), "does not begin with"),
            (long_header, "bytes long"),
            (array("|u1", "(99999999999, 99999999, 3)", &[]), "no file is so long"),
            (array("|u1", "(99999999, 1024, 3)", &[1]), "and 1 are there"),
            (array("|u1", "(1, -2, 3)", &[1; 6]), "dictionary"),
            (array("<f4", "(10, 1, 1)", &[0; 40]), "expected images, uint8"),
            (array("|O", "(10, 1, 1)", &[0; 40]), "not numbers"),
            (array("|u1", "(60,)", &[0; 60]), "expected images, uint8"),
            (array("|u1", "(0, 1, 1)", &[]), "expected images, uint8"),
            (array("|u1", "(9, 0, 1)", &[]), "expected images, uint8"),
        ] {
            let error = load("a.npy", &bytes).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(words), "{words}: {error}");
        }
        let fortran = String::from_utf8_lossy(&array("|u1", "(1, 1, 1)", &[])).replace("False", "True");
        assert!(parse_header(&fortran).unwrap().2);
    }

    #[test]
    fn a_broken_archive_is_one_error_that_says_what_is_wrong() {
        let image = |n: usize| array("|u1", &format!("({n}, 1, 1)"), &vec![5; n]);
        let whole = npz(&[("pad", vec![]), ("images", image(4000))]);
        assert!(complaint("m.npz", &whole[..whole.len() / 2]).contains("not an .npz"));
        assert!(complaint("m.npz", b"nothing").contains("not an .npz"));
        assert!(complaint("m.npz", &npz(&[("faces", image(1))])).contains("found [\"faces.npy\"]"));
        let lying = array("|u1", "(999999, 1024, 3)", &[5]);
        assert!(complaint("m.npz", &npz(&[("images", lying)])).contains("images.npy: cut short"));
        let labels = |kind: &str, shape: &str, values: &[u8]| {
            complaint("m.npz", &npz(&[("images", image(2)), ("labels", array(kind, shape, values))]))
        };
        assert!(labels("|u1", "(1,)", &[0]).contains("2 labels"));
        assert!(labels("<f4", "(2,)", &[0; 8]).contains("integers [n]"));
        assert!(labels("<i2", "(2,)", &[255; 4]).contains("0 to 65535"));
        assert!(labels(">u4", "(2,)", &[0, 1, 0, 0, 0, 0, 0, 0]).contains("0 to 65535"));
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2 - 60;
        damaged[middle] ^= 0xff;
        load("m.npz", &damaged).map(drop).unwrap_or_default();
    }
}
