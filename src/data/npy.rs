//! Arrays for NumPy: scores and raw pixels.

use std::path::Path;

use npyz::{AutoSerialize, WriterBuilder};

use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Writes numbers as a float64 array of shape `[n]`.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_f64(path: impl AsRef<Path>, values: &[f64]) -> Result<()> {
    write(path.as_ref(), &[values.len()], values)
}

/// Writes vectors as a float64 array of shape `[n, features]`, row major.
///
/// # Errors
/// [`Error::Shape`] where the number of values does not fit; [`Error::Io`] where the file cannot be written.
pub fn write_vectors(path: impl AsRef<Path>, features: usize, values: &[f64]) -> Result<()> {
    if features == 0 || !values.len().is_multiple_of(features) {
        let (expected, found) = (format!("rows of {features} features"), format!("{} values", values.len()));
        return Err(Error::Shape { layer: "npy".into(), expected, found });
    }
    write(path.as_ref(), &[values.len() / features, features], values)
}

/// Writes grey levels as a uint8 array of `shape`: `[n, height, width, channels]`, row major.
///
/// # Errors
/// [`Error::Shape`] where the number of levels does not fit `shape`; [`Error::Io`] where the file cannot be written.
pub fn write_levels(path: impl AsRef<Path>, shape: [usize; 4], levels: &[u8]) -> Result<()> {
    if shape.iter().product::<usize>() != levels.len() {
        return Err(Error::Shape {
            layer: "npy".into(),
            expected: format!("{shape:?}"),
            found: format!("{} levels", levels.len()),
        });
    }
    write(path.as_ref(), &shape, levels)
}

fn write<T: AutoSerialize + Copy>(path: &Path, shape: &[usize], values: &[T]) -> Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&side| side as u64).collect();
    let mut bytes = Vec::new();
    let mut encode = || -> std::io::Result<()> {
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    };
    encode().map_err(Error::io(path))?;
    write_atomically(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: npyz::Deserialize>(path: &Path) -> (Vec<u64>, Vec<T>) {
        let file = npyz::NpyFile::new(std::fs::File::open(path).unwrap()).unwrap();
        (file.shape().to_vec(), file.into_vec().unwrap())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        write_f64(&path, &[1.5, -2.0, f64::INFINITY]).unwrap();
        assert_eq!(read::<f64>(&path), (vec![3], vec![1.5, -2.0, f64::INFINITY]));
        write_f64(&path, &[]).unwrap();
        assert_eq!(read::<f64>(&path), (vec![0], vec![]));
        write_levels(&path, [1, 2, 1, 2], &[0, 7, 255, 3]).unwrap();
        assert_eq!(read::<u8>(&path), (vec![1, 2, 1, 2], vec![0, 7, 255, 3]));
    }

    #[test]
    fn levels_that_do_not_fit_the_shape_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        assert!(write_levels(&path, [1, 2, 1, 2], &[0; 5]).is_err());
        assert!(!path.exists());
    }
}
