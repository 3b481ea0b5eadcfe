//! MNIST's format, IDX, plain or packed with gzip: <http://yann.lecun.com/exdb/mnist/>.
//!
//! Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits". A file is two zero bytes, the kind of
//! its values (8 for bytes), the number of its axes, the length of each axis (32 bits, highest byte first) and the
//! values. Fashion-MNIST (H. Xiao, K. Rasul and R. Vollgraf, 2017, arXiv:1708.07747) has the same files.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::bytes::{DEFLATE_RATIO, Gunzip, read_rest, sides, size_of, unreadable};
use super::{DataSet, Images, folder_name, numbered};
use crate::error::{Error, Result};
use crate::files::open;

/// The kind of values that are bytes.
const BYTES: u8 = 8;

/// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same of `t10k` in `folder`, each perhaps with `.gz`.
///
/// # Errors
/// [`Error::BadFile`] for a file that is missing, is not IDX of bytes, is longer or shorter than it says, or does not fit
/// the others; [`Error::Io`] for one that cannot be read.
pub fn load(folder: &Path) -> Result<DataSet> {
    let (train, test) = (split(folder, "train")?, split(folder, "t10k")?);
    let classes = numbered([&train, &test]);
    Ok(DataSet {
        name: folder_name(folder),
        train,
        test,
        bins: 256,
        classes,
        features: Vec::new(),
        remarks: Vec::new(),
    })
}

fn split(folder: &Path, prefix: &str) -> Result<Images> {
    let path = find(folder, prefix, "images-idx3")?;
    let (axes, levels) = read(&path)?;
    let shape = match axes[..] {
        [_, height, width] => [height, width, 1],
        [_, height, width, channels] => [height, width, channels],
        _ => return Err(Error::bad_file(path, format!("expected images, [n, height, width], found {axes:?}"))),
    };
    let shape = sides(shape)
        .ok_or_else(|| Error::bad_file(&path, format!("its header says {axes:?}: expected sides of 1 to 2^20")))?;
    if levels.is_empty() {
        return Err(Error::bad_file(path, "it holds no image"));
    }
    let labels_path = find(folder, prefix, "labels-idx1")?;
    let (label_axes, labels) = read(&labels_path)?;
    if label_axes != axes[..1] {
        let reason = format!("expected {} labels, one an image, found {label_axes:?}", axes[0]);
        return Err(Error::bad_file(labels_path, reason));
    }
    let images = Images::new(levels, shape, Some(labels.into_iter().map(u16::from).collect()))?;
    Ok(images.read_from(path, labels_path))
}

/// The file of a kind, under one of the names that it goes by.
fn find(folder: &Path, prefix: &str, kind: &str) -> Result<PathBuf> {
    let dotted = kind.replacen('-', ".", 1);
    let names = [format!("{prefix}-{kind}-ubyte"), format!("{prefix}-{dotted}-ubyte")];
    let paths = names.iter().flat_map(|name| [folder.join(name), folder.join(format!("{name}.gz"))]);
    paths.clone().find(|path| path.exists()).ok_or_else(|| {
        let reason = "there is no such file, plain or .gz; name the folder that holds train-images-idx3-ubyte";
        Error::bad_file(folder.join(&names[0]), reason)
    })
}

/// The axes and values of a file.
fn read(path: &Path) -> Result<(Vec<u64>, Vec<u8>)> {
    let (file, length) = open(path)?;
    let packed = path.extension().is_some_and(|ending| ending == "gz");
    let (mut reader, most): (Box<dyn Read>, u64) = if packed {
        (Box::new(Gunzip::new(BufReader::new(file))), length.saturating_mul(DEFLATE_RATIO))
    } else {
        (Box::new(BufReader::new(file)), length)
    };
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(unreadable(path))?;
    let [0, 0, BYTES, axes @ 1..=4] = magic else {
        return Err(Error::bad_file(
            path,
            format!("not IDX of bytes: it begins with {magic:?}, expected [0, 0, 8, axes]"),
        ));
    };
    let mut lengths = vec![[0; 4]; axes.into()];
    lengths.iter_mut().try_for_each(|length| reader.read_exact(length)).map_err(unreadable(path))?;
    let axes: Vec<u64> = lengths.into_iter().map(|length| u32::from_be_bytes(length).into()).collect();
    let says = format!("its header says {axes:?}");
    let expected = size_of(&axes, 1).ok_or_else(|| Error::bad_file(path, format!("{says}: no file is so long")))?;
    let values = read_rest(path, reader, expected, most, &says)?;
    Ok((axes, values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use tempfile::TempDir;

    fn idx(axes: &[u32], values: &[u8]) -> Vec<u8> {
        let lengths = axes.iter().flat_map(|length| length.to_be_bytes());
        [0, 0, BYTES, axes.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect()
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Two images of 2×3 to train on, packed, and one to test on.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte.gz", gz(&idx(&[2, 2, 3], &(0..12).collect::<Vec<u8>>())));
        write("train-labels-idx1-ubyte.gz", gz(&idx(&[2], &[1, 4])));
        write("t10k-images-idx3-ubyte", idx(&[1, 2, 3], &[9; 6]));
        write("t10k-labels.idx1-ubyte", idx(&[1], &[0]));
        folder
    }

    #[test]
    fn packed_and_plain_files_are_read_under_either_name() {
        let data = load(folder().path()).unwrap();
        assert_eq!((data.train.len(), data.train.shape(), data.test.len()), (2, [2, 3, 1], 1));
        assert_eq!((&data.train.image(1).unwrap()[..], data.train.label(1)), (&[6, 7, 8, 9, 10, 11][..], Some(4)));
        assert_eq!(data.classes, ["0", "1", "2", "3", "4"]);
        let place = data.train.label_place(1).unwrap();
        assert!(place.ends_with("train-labels-idx1-ubyte.gz at [1]"), "{place}");
    }

    #[test]
    fn a_broken_file_is_one_error_that_names_it() {
        let whole = idx(&[1, 2, 3], &[9; 6]);
        let packed = gz(&whole);
        for (name, bytes, words) in [
            ("t10k-images-idx3-ubyte", whole[..20].to_vec(), "cut short: its header says [1, 2, 3], 6 bytes, and 4"),
            ("t10k-images-idx3-ubyte", whole[..10].to_vec(), "the file is cut short"),
            ("t10k-images-idx3-ubyte", vec![], "the file is cut short"),
            ("t10k-images-idx3-ubyte", [&whole[..], &[0]].concat(), "and more are there"),
            ("t10k-images-idx3-ubyte", idx(&[u32::MAX, u32::MAX, 3], &[]), "no file is so long"),
            ("t10k-images-idx3-ubyte", idx(&[u32::MAX, 28, 28], &[7; 99]), "and 99 are there"),
            ("t10k-images-idx3-ubyte", idx(&[0, 2, 3], &[]), "no image"),
            ("t10k-images-idx3-ubyte", idx(&[1, 0, 3], &[]), "expected sides"),
            ("t10k-images-idx3-ubyte", idx(&[6], &[9; 6]), "expected images"),
            ("t10k-images-idx3-ubyte", b"\x89PNG, not IDX".to_vec(), "not IDX of bytes"),
            ("t10k-labels.idx1-ubyte", idx(&[2], &[0, 0]), "expected 1 labels, one an image, found [2]"),
            ("train-images-idx3-ubyte.gz", gz(&idx(&[u32::MAX, 28, 28], &[7; 99])), "and 99 are there"),
            ("train-images-idx3-ubyte.gz", packed[..packed.len() - 6].to_vec(), "cut short"),
            ("train-images-idx3-ubyte.gz", whole.clone(), "damaged"),
        ] {
            let folder = folder();
            std::fs::write(folder.path().join(name), bytes).unwrap();
            let error = load(folder.path()).unwrap_err();
            let message = error.to_string();
            assert!(error.is_input() && message.contains(name) && message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let folder = folder();
        std::fs::remove_file(folder.path().join("train-labels-idx1-ubyte.gz")).unwrap();
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("train-labels-idx1-ubyte: there is no such file, plain or .gz"), "{message}");
    }
}
