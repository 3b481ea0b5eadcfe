//! Arrays of NumPy as data sets: one `.npy`, or several in an `.npz`.
//!
//! The format is that of <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>: `\x93NUMPY`, a version,
//! the length of a header, the header (a Python dictionary of `descr`, `fortran_order` and `shape`) and the values. An
//! `.npz` is a ZIP archive of such files.
//!
//! Levels are whole numbers of any type from 0 to 255, truth values, or 16 bits, whose high byte is taken. Images are
//! channels last, or channels first where that is what fits the flow.

mod archive;
mod contexts;
mod header;
mod labels;
mod notes;
pub(super) mod reals;
mod values;

pub(super) use archive::Archive;
pub use contexts::load_contexts;
pub(super) use labels::Labels;
pub(super) use notes::Notes;

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use self::header::Header;
use super::bytes::{read_rest, sides};
use super::rows::{Bytes, Order, Rows};
use super::split::with_test_split;
use super::{DataSet, Images, Opening, file_name, numbered};
use crate::error::{Error, Result};
use crate::files::open;

/// The names in an `.npz` that are known: training images and labels, test images and labels. Contexts are `context`, or
/// `context_train` and `context_test`.
const NAMES: [[&str; 4]; 5] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
    ["images", "labels", "", ""],
    ["data", "labels", "", ""],
    ["arr_0", "arr_1", "", ""],
];

/// Reads a file of images, `[n, height, width, channels]`, `[n, channels, height, width]` or `[n, height, width]`. Every
/// tenth image is to test on.
///
/// # Errors
/// [`Error::BadFile`] where it is not such an array, or is longer or shorter than it says.
pub fn load_npy(path: &Path, opening: &Opening) -> Result<DataSet> {
    let (file, length) = open(path)?;
    let mut reader = BufReader::new(file);
    let header = Header::read(path, &mut reader, length)?;
    let (count, shape, order) = images(&header, opening).map_err(|wrong| wrong.of(path))?;
    let mut notes = Notes::default();
    notes.remarks.extend(told(path, &header, shape, order));
    let held = opening.holds(header.count());
    let bytes = if header.kind.is_levels() && !header.is_fortran {
        if held {
            Bytes::Memory(read_rest(path, reader, header.size, length, &header.says())?)
        } else {
            header.expect_size(path, length - header.length)?;
            Bytes::File(Mutex::new(reader.into_inner()), header.length)
        }
    } else {
        let mut show = |work: &mut dyn FnMut(&mut dyn Read) -> Result<()>| {
            reader.seek(SeekFrom::Start(header.length)).map_err(Error::io(path))?;
            work(&mut reader)
        };
        values::levels(path, &header, &mut show, held, &mut notes)?
    };
    let images = images_of(Rows { path: path.into(), bytes, count, shape, order }, None)?.read_from(path, path);
    let remarks = notes.told()?;
    Ok(DataSet { remarks, ..with_test_split(file_name(path), &images, Vec::new())? })
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
/// no test images, every tenth image is to test on. `context`, or `context_train` and `context_test`, are what images are
/// given beside labels. Labels are whole numbers, names of classes, or one-hot rows.
///
/// # Errors
/// [`Error::BadFile`] where it is no such archive, or an array in it is not what it says.
pub fn load_npz(path: &Path, opening: &Opening) -> Result<DataSet> {
    let mut archive = Archive::open(path)?;
    let Some([train, train_labels, test, test_labels]) = NAMES.into_iter().find(|names| archive.has(names[0])) else {
        let known = NAMES.map(|names| names[0]).join(", ");
        let there = archive.names();
        return Err(Error::bad_file(path, format!("expected images under one of the names {known}; found {there:?}")));
    };
    let name = file_name(path);
    let labels = |archive: &mut Archive, name: &str| archive.has(name).then(|| archive.labels(name)).transpose();
    let has_test = archive.has(test);
    let own = labels(&mut archive, train_labels)?;
    let others = if has_test { labels(&mut archive, test_labels)? } else { None };
    let mut notes = Notes::default();
    for (labels, name) in [(&own, train_labels), (&others, test_labels)] {
        if let Some(Labels::OneHot(_)) = labels {
            notes
                .remarks
                .push(format!("{}: one-hot rows, read as the numbers of classes", archive.place(name).display()));
        }
    }
    let ([own, others], names) = labels::by_number([own, others]).map_err(|wrong| wrong.of(path))?;
    let own_context = if has_test { "context_train" } else { "context" };
    let train = archive.images([train, train_labels], own, opening, &mut notes)?;
    let train = archive.with_contexts(train, own_context)?;
    let named = |numbers: Vec<String>| if names.is_empty() { numbers } else { names.clone() };
    if !has_test {
        let classes = named(numbered([&train]));
        let remarks = notes.told()?;
        return Ok(DataSet { remarks, ..with_test_split(name, &train, classes)? });
    }
    let test = archive.images([test, test_labels], others, opening, &mut notes)?;
    let test = archive.with_contexts(test, "context_test")?;
    if test.shape() != train.shape() || test.labels().is_some() != train.labels().is_some() {
        let reason = "training and test images must have one shape, and both have labels or neither";
        return Err(Error::bad_file(path, reason));
    }
    let classes = named(numbered([&train, &test]));
    Ok(DataSet { name, train, test, bins: 256, classes, features: Vec::new(), remarks: notes.told()? })
}

/// What is wrong with an array.
pub(super) struct Wrong(String);

impl Wrong {
    fn of(self, path: &Path) -> Error {
        Error::bad_file(path, self.0)
    }
}

/// The number of images, the shape of each and the order of its levels. Channels are last; where that does not fit what is
/// asked for and channels first do, they are first.
fn images(header: &Header, opening: &Opening) -> std::result::Result<(usize, [usize; 3], Order), Wrong> {
    let expected = "expected images, uint8 [n, height, width, channels] or [n, height, width]";
    let wrong = || Wrong(format!("{expected}; found {} {:?}", header.kind.text, header.shape));
    let asked = opening.shape.map(|[.., channels]| channels as u64);
    let (count, shape, order) = match header.shape[..] {
        [n, channels, height, width] if asked == Some(channels) && asked != Some(width) => {
            (n, [height, width, channels], Order::Planes)
        }
        [n, height, width, channels] => (n, [height, width, channels], Order::Interleaved),
        [n, height, width] => (n, [height, width, 1], Order::Interleaved),
        _ => return Err(wrong()),
    };
    if count == 0 || header.kind.is_text() {
        return Err(wrong());
    }
    let (count, shape) = usize::try_from(count).ok().zip(sides(shape)).ok_or_else(wrong)?;
    Ok((count, shape, order))
}

/// What a person should hear of how an array of images is read.
fn told(path: &Path, header: &Header, [height, width, channels]: [usize; 3], order: Order) -> Vec<String> {
    let shape = &header.shape;
    let planes = || {
        format!("{}: {shape:?} is read as [n, channels, height, width], {height}×{width}×{channels}", path.display())
    };
    (order == Order::Planes).then(planes).into_iter().collect()
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

    /// Bytes of 20 grey images of 2×3 whose levels count up.
    fn counting() -> Vec<u8> {
        (0..120).collect()
    }

    #[test]
    fn whole_numbers_of_every_kind_are_the_same_images() {
        let right = load("a.npy", &array("|u1", "(20, 2, 3)", &counting())).unwrap();
        let little = |size: usize| -> Vec<u8> {
            counting().iter().flat_map(|level| (0..size).map(move |i| if i == 0 { *level } else { 0 })).collect()
        };
        let big =
            |size: usize| -> Vec<u8> { little(size).chunks(size).flat_map(|v| v.iter().rev().copied()).collect() };
        for size in [1, 2, 4, 8] {
            for sort in ["u", "i"] {
                for (kind, values) in [(format!("<{sort}{size}"), little(size)), (format!(">{sort}{size}"), big(size))]
                {
                    let data = load("a.npy", &array(&kind, "(20, 2, 3)", &values)).unwrap();
                    assert_eq!((data.train, data.test), (right.train.clone(), right.test.clone()), "{kind}");
                }
            }
        }
        let truths = load("a.npy", &array("|b1", "(20, 2, 3)", &[0, 1, 1, 0, 1, 0].repeat(20))).unwrap();
        assert_eq!(truths.train.image(0).unwrap()[..], [0, 1, 1, 0, 1, 0]);
    }

    #[test]
    fn sixteen_bits_are_read_by_their_high_byte_and_that_is_told() {
        let values: Vec<u8> = counting().iter().flat_map(|level| (u16::from(*level) * 257).to_le_bytes()).collect();
        let data = load("a.npy", &array("<u2", "(20, 2, 3)", &values)).unwrap();
        assert_eq!(data.train.image(1).unwrap()[..], [6, 7, 8, 9, 10, 11]);
        assert!(
            data.remarks[0].contains("16-bit values, up to 30583, are read by their high byte"),
            "{:?}",
            data.remarks
        );
    }

    #[test]
    fn what_the_high_byte_leaves_is_told() {
        let told = |values: [u16; 2]| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            load("a.npy", &array("<u2", "(10, 1, 2)", &bytes.repeat(10))).unwrap().remarks
        };
        assert!(told([0, 200]).is_empty(), "these are levels as they are");
        assert!(told([0, 119 * 257])[0].ends_with("all are multiples of 257, so nothing is lost"));
        assert!(told([0, 40_000])[0].ends_with("the low byte is dropped"));
        let twelve = &told([0, 4095])[0];
        assert!(
            twelve.contains("Only levels 0 to 15 of 255") && twelve.contains("of 12 bits, save (x >> 4)"),
            "{twelve}"
        );
    }

    #[test]
    fn a_level_that_no_sample_showed_is_refused_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let mut values: Vec<u8> = (0..80).map(|i| i % 2).collect();
        values[3] = 200;
        std::fs::write(&path, array("|u1", "(40, 1, 2)", &values)).unwrap();
        let open = |memory| load_npy(&path, &Opening { memory, ..Opening::default() }).unwrap();
        assert_eq!(open(u64::MAX).of_likely_levels(2).unwrap().bins, 256, "all are looked at");
        let read = open(0).of_likely_levels(2).unwrap();
        assert_eq!((read.bins, read.train.image(0).unwrap().to_vec()), (2, vec![0, 1]));
        for message in [
            read.train.image(1).unwrap_err().to_string(),
            open(u64::MAX).of_levels(16).unwrap_err().to_string(),
            open(0).of_levels(16).unwrap().train.levels().unwrap_err().to_string(),
        ] {
            assert!(message.contains("a.npy at [1] has level 200 at row 0, column 1, channel 0"), "{message}");
        }
        // Every tenth is to test on: image 30 of the training images is 33 of the file.
        values[67] = 250;
        values[3] = 0;
        std::fs::write(&path, array("|u1", "(40, 1, 2)", &values)).unwrap();
        let message = open(u64::MAX).of_levels(16).unwrap_err().to_string();
        assert!(message.contains("a.npy at [33]"), "{message}");
    }

    #[test]
    fn sixteen_bit_arrays_of_one_set_are_on_one_scale() {
        let wide = || array("<u2", "(2, 1, 1)", &[0, 0, 0, 200]);
        let dark = || array("<u2", "(2, 1, 1)", &[0, 0, 200, 0]);
        let message = complaint("m.npz", &npz(&[("x_train", wide()), ("x_test", dark())]));
        assert!(message.contains("x_test.npy: its 16-bit values are at most 255") && message.contains("two scales"));
        load("m.npz", &npz(&[("x_train", wide()), ("x_test", wide())])).unwrap();
        load("m.npz", &npz(&[("x_train", wide()), ("x_test", array("|u1", "(2, 1, 1)", &[7; 2]))])).unwrap();
    }

    #[test]
    fn arrays_of_any_kind_are_read_from_an_archive() {
        let whole: Vec<u8> = (0..120_i64).flat_map(i64::to_be_bytes).collect();
        for method in 0..2 {
            // The second of two files is packed.
            let pad = (method == 1).then(|| ("pad", vec![])).into_iter();
            let arrays: Vec<_> = pad.chain([("images", array(">i8", "(20, 2, 3)", &whole))]).collect();
            let data = load("m.npz", &npz(&arrays)).unwrap();
            assert_eq!(data.test.levels().unwrap()[..], [54, 55, 56, 57, 58, 59, 114, 115, 116, 117, 118, 119]);
            let cut: Vec<_> = vec![("images", array(">i8", "(20, 2, 3)", &whole[..900]))];
            assert!(complaint("m.npz", &npz(&cut)).contains("960 bytes, and 900 are there"));
        }
    }

    #[test]
    fn fortrans_order_is_turned_and_must_be_held_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.npy");
        // Columns first: the value at [n, y, x] is n + 20 y + 40 x.
        let text = array("|u1", "(20, 2, 3)", &counting());
        let at = text.windows(5).position(|window| window == b"False").unwrap();
        let fortran = [&text[..at], b"True ", &text[at + 5..]].concat();
        std::fs::write(&path, fortran).unwrap();
        let data = load_npy(&path, &Opening::default()).unwrap();
        assert_eq!(data.train.image(3).unwrap()[..], [3, 43, 83, 23, 63, 103]);
        let error = load_npy(&path, &Opening { memory: 0, ..Opening::default() }).unwrap_err();
        assert!(error.is_input() && error.to_string().contains("numpy.ascontiguousarray"), "{error}");
    }

    #[test]
    fn channels_first_are_recognised_where_they_alone_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.npy");
        std::fs::write(&path, array("|u1", "(10, 3, 2, 2)", &counting())).unwrap();
        let open = |shape, memory| load_npy(&path, &Opening { shape, memory, ..Opening::default() }).unwrap();
        for memory in [u64::MAX, 0] {
            let data = open(Some([2, 2, 3]), memory);
            assert_eq!(data.train.shape(), [2, 2, 3]);
            assert_eq!(data.train.image(0).unwrap()[..], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
            assert!(data.remarks[0].contains("is read as [n, channels, height, width]"), "{:?}", data.remarks);
        }
        assert_eq!(open(Some([3, 2, 2]), 0).train.shape(), [3, 2, 2], "channels last fit");
        assert_eq!(open(None, 0).train.shape(), [3, 2, 2], "nothing is asked for");
    }

    #[test]
    fn labels_are_numbers_names_and_one_hot_rows() {
        let images = || ("images", array("|u1", "(10, 1, 1)", &[5; 10]));
        let with = |kind: &str, shape: &str, values: &[u8]| {
            load("m.npz", &npz(&[images(), ("labels", array(kind, shape, values))])).unwrap()
        };
        let names: Vec<u8> = ["dog", "cat"]
            .repeat(5)
            .iter()
            .flat_map(|name| name.chars())
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        let named = with("<U3", "(10,)", &names);
        assert_eq!((&named.classes[..], named.train.label(0)), (&["cat".to_owned(), "dog".to_owned()][..], Some(1)));
        let bytes = with("|S4", "(10,)", &b"dog\0cat\0".repeat(5));
        assert_eq!((bytes.classes, bytes.train.label(1)), (named.classes, Some(0)));
        let floats: Vec<u8> = (0..10).flat_map(|i| f64::from(i % 3).to_le_bytes()).collect();
        assert_eq!(with("<f8", "(10,)", &floats).train.labels(), Some(&[0, 1, 2, 0, 1, 2, 0, 1, 2][..]));
        let hot = with("|u1", "(10, 2)", &[0, 1, 1, 0].repeat(5));
        assert_eq!(hot.train.labels(), Some(&[1, 0, 1, 0, 1, 0, 1, 0, 1][..]));
        assert!(hot.remarks[0].contains("one-hot"), "{:?}", hot.remarks);
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
            (array("<f4", "(10, 1, 1)", &[0; 40]), "Save (x * 255).round().astype(numpy.uint8)"),
            (array("<f4", "(10, 1, 1)", &(-1.0_f32).to_le_bytes().repeat(10)), "Save ((x + 1) * 127.5).round()"),
            (array("<f4", "(10, 1, 1)", &99.5_f32.to_le_bytes().repeat(10)), "Save x.round().astype(numpy.uint8)"),
            (
                array("<i4", "(10, 1, 2)", &[5, 0, 0, 0, 44, 1, 0, 0].repeat(10)),
                "value 300 at [0, 0, 1] is no grey level",
            ),
            (array("|i1", "(10, 1, 1)", &[255; 10]), "value -1 at [0, 0, 0]"),
            (array("<U2", "(10, 1, 1)", &[0; 80]), "expected images, uint8"),
            (array("|O", "(10, 1, 1)", &[0; 40]), "Python objects"),
            (array("|u1", "(60,)", &[0; 60]), "expected images, uint8"),
            (array("|u1", "(0, 1, 1)", &[]), "expected images, uint8"),
            (array("|u1", "(9, 0, 1)", &[]), "expected images, uint8"),
        ] {
            let error = load("a.npy", &bytes).unwrap_err();
            assert!(error.is_input() && error.to_string().contains(words), "{words}: {error}");
        }
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
        assert!(labels("<f4", "(2,)", &0.5_f32.to_le_bytes().repeat(2)).contains("label 0.5 at [0]: expected whole"));
        assert!(labels("|u1", "(2, 2)", &[0, 1, 1, 1]).contains("row 1 of 2 numbers has not one 1"));
        assert!(labels("<U1", "(2, 2)", &[0; 16]).contains("one an image"));
        assert!(labels("|u1", "(2, 0)", &[]).contains("one an image; found |u1 [2, 0]"));
        assert!(labels("|O", "(2,)", &[0; 16]).contains("names of classes by x.astype(str)"));
        assert!(labels("<i2", "(2,)", &[255; 4]).contains("0 to 65535"));
        assert!(labels(">u4", "(2,)", &[0, 1, 0, 0, 0, 0, 0, 0]).contains("0 to 65535"));
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2 - 60;
        damaged[middle] ^= 0xff;
        load("m.npz", &damaged).map(drop).unwrap_or_default();
    }
}
