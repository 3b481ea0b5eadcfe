//! Downsampled ImageNet as <https://image-net.org> distributes it: `train_data_batch_1.npz` and so on, and `val_data.npz`.
//!
//! P. Chrabaszcz, I. Loshchilov and F. Hutter, "A Downsampled Variant of ImageNet as an Alternative to the CIFAR
//! datasets", 2017, arXiv:1707.08819. A file holds `data`, uint8 `[n, 3 · side²]`, all reds before all greens before all
//! blues, and `labels`, `[n]`, from 1 to 1,000. It is not the set that Glow's numbers are of, which is A. van den Oord's:
//! pictures, to be read as a folder of them.

use std::path::{Path, PathBuf};

use super::arrays::{Archive, Labels, Notes, images_of};
use super::rows::{Order, Rows};
use super::{DataSet, Images, Opening, folder_name, numbered};
use crate::error::{Error, Result};

const TRAIN: &str = "train_data_batch_";
const TEST: &str = "val_data.npz";

/// Reads all training batches in `folder`, by number, and the validation images to test on. Labels count from 0.
///
/// # Errors
/// [`Error::BadFile`] for a batch that is missing, damaged or of another size than the first.
pub fn load(folder: &Path, opening: &Opening) -> Result<DataSet> {
    let numbers = 1..;
    let batch = |number: u32| folder.join(format!("{TRAIN}{number}.npz"));
    let batches: Vec<PathBuf> = numbers.map(batch).take_while(|path| path.exists()).collect();
    if batches.is_empty() {
        let reason = "there is no such batch; name the folder that holds it, or an .npz file";
        return Err(Error::bad_file(batch(1), reason));
    }
    let mut notes = Notes::default();
    let train = read(&batches, opening, &mut notes)?;
    let path = folder.join(TEST);
    let test = read(std::slice::from_ref(&path), opening, &mut notes)?;
    if test.shape() != train.shape() {
        let [height, width, _] = train.shape();
        return Err(Error::bad_file(path, format!("its images are not {height}×{width}, as those to train on are")));
    }
    let classes = numbered([&train, &test]);
    Ok(DataSet {
        name: folder_name(folder),
        train,
        test,
        bins: 256,
        classes,
        features: Vec::new(),
        remarks: notes.told()?,
    })
}

/// The images of several batches: in memory if all of them together may be.
fn read(batches: &[PathBuf], opening: &Opening, notes: &mut Notes) -> Result<Images> {
    let mut archives = batches.iter().map(|path| Archive::open(path)).collect::<Result<Vec<_>>>()?;
    let headers = archives.iter_mut().map(|archive| archive.header("data")).collect::<Result<Vec<_>>>()?;
    let held = opening.holds(headers.iter().map(|header| header.count()).sum());
    let (mut parts, mut side) = (Vec::new(), 0);
    for ((path, archive), header) in batches.iter().zip(&mut archives).zip(headers) {
        let (count, row) = match header.shape[..] {
            [count, row] if count > 0 => (count as usize, row as usize),
            _ => {
                let reason = format!("expected uint8 [n, length]: {}", header.says());
                return Err(Error::bad_file(path.join("data.npy"), reason));
            }
        };
        let plane = row / 3;
        if plane == 0 || row != 3 * plane.isqrt().pow(2) || side != 0 && side != plane.isqrt() {
            let expected = if side == 0 { "3 · side²".to_owned() } else { (3 * side * side).to_string() };
            return Err(Error::bad_file(path, format!("expected rows of {expected} levels, found {row}")));
        }
        side = plane.isqrt();
        let bytes = archive.bytes("data", &header, held, notes)?;
        let Labels::Numbers(mut labels) = archive.labels("labels")? else {
            return Err(Error::bad_file(path, "labels of ImageNet are the numbers 1 to 1000"));
        };
        for label in &mut labels {
            *label = label
                .checked_sub(1)
                .filter(|label| *label < 1000)
                .ok_or_else(|| Error::bad_file(path, format!("label {label}: labels of ImageNet are 1 to 1000")))?;
        }
        let rows = Rows { path: path.clone(), bytes, count, shape: [side, side, 3], order: Order::Planes };
        parts.push(images_of(rows, Some(labels))?.read_from(path.join("data.npy"), path.join("labels.npy")));
    }
    Images::joined(parts)
}

#[cfg(test)]
mod tests {
    use super::super::arrays::tests::{array, npz};
    use super::*;

    /// A batch of images of 2×2 whose levels are 0 to 11 and a label each.
    fn batch(labels: &[u8]) -> Vec<u8> {
        let levels: Vec<u8> = labels.iter().flat_map(|_| 0..12).collect();
        let rows = format!("({}, 12)", labels.len());
        npz(&[
            ("data", array("|u1", &rows, &levels)),
            ("labels", array("|u1", &format!("({},)", labels.len()), labels)),
        ])
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn batches_are_read_by_number_channels_last() {
        let batches = [("train_data_batch_2.npz", batch(&[3])), ("train_data_batch_1.npz", batch(&[1, 2]))];
        let folder = folder(&[&batches[..], &[(TEST, batch(&[9]))]].concat());
        let data = load(folder.path(), &Opening::default()).unwrap();
        let read = load(folder.path(), &Opening { memory: 0, ..Opening::default() }).unwrap();
        assert!(read.train.is_streamed() && !data.train.is_streamed());
        assert_eq!(read.train.levels().unwrap(), data.train.levels().unwrap());
        assert_eq!((read.train.labels(), read.classes), (data.train.labels(), data.classes.clone()));
        assert_eq!((data.train.labels(), data.test.labels()), (Some(&[0, 1, 2][..]), Some(&[8][..])));
        assert_eq!(data.train.image(2).unwrap()[..], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
        assert_eq!(data.train.shape(), [2, 2, 3]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let complaint =
            |files: &[(&str, Vec<u8>)]| load(folder(files).path(), &Opening::default()).unwrap_err().to_string();
        let first = |bytes| ("train_data_batch_1.npz", bytes);
        assert!(complaint(&[]).contains("train_data_batch_1.npz: there is no such batch"));
        assert!(complaint(&[first(batch(&[1]))]).contains(TEST));
        assert!(complaint(&[first(batch(&[0]))]).contains("label 0"));
        let wide = npz(&[("data", array("|u1", "(1, 13)", &[0; 13])), ("labels", array("|u1", "(1,)", &[1]))]);
        assert!(complaint(&[first(wide)]).contains("found 13"));
        let unlabelled = npz(&[("data", array("|u1", "(1, 12)", &[0; 12]))]);
        assert!(complaint(&[first(unlabelled)]).contains("labels"));
        let short = npz(&[("data", array("|u1", "(1, 12)", &[0; 12])), ("labels", array("|u1", "(2,)", &[1, 1]))]);
        assert!(complaint(&[first(short)]).contains("expected 1 labels"));
    }
}
