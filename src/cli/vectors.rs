//! What commands write of flows of vectors: tables and arrays.

use super::output;
use crate::data::{npy, write_table};
use crate::files::ending;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Writes vectors `[n, features]` as a table and, where one is asked for, an array; what was written.
///
/// # Errors
/// [`Error::Usage`] for a table whose name has another ending than `.csv`.
pub fn write(
    names: &[String],
    values: &[f64],
    (out, npy): (Option<&Path>, Option<&Path>),
    default: &str,
) -> Result<(Option<PathBuf>, usize)> {
    expect_table(out)?;
    let table = match (out, npy) {
        (None, Some(_)) => None,
        (out, _) => Some(out.map_or_else(|| PathBuf::from(default), Path::to_path_buf)),
    };
    if let Some(path) = &table {
        write_table(path, names, values)?;
    }
    if let Some(path) = npy {
        npy::write_vectors(path, names.len(), values)?;
    }
    let width = names.len().max(1);
    Ok((table, values.chunks_exact(width).filter(|row| row.iter().any(|value| !value.is_finite())).count()))
}

/// Refuses a picture to write vectors to, before anything is computed.
///
/// # Errors
/// [`Error::Usage`].
pub fn expect_table(out: Option<&Path>) -> Result<()> {
    match out.filter(|path| ending(path).is_some_and(|ending| ending != "csv")) {
        Some(path) => Err(Error::Usage(format!(
            "{}: the flow is of vectors, which are written as a table: name a file that ends in .csv",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Refuses a table to draw pictures to, before anything is computed.
///
/// # Errors
/// [`Error::Usage`].
pub fn expect_picture(out: Option<&Path>) -> Result<()> {
    match out.filter(|path| ending(path).is_some_and(|ending| ending == "csv")) {
        Some(path) => Err(Error::Usage(format!(
            "{}: the flow is of images, which are drawn: name a file that ends in .png, .jpg or .webp",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The names of what was written, and how many vectors have values that are not finite, in words.
pub fn words(table: Option<&Path>, npy: Option<&Path>, lost: usize) -> Result<(String, String)> {
    let lost = match lost {
        0 => String::new(),
        1 => ", 1 of them with values that are not finite".to_owned(),
        n => format!(", {n} of them with values that are not finite"),
    };
    Ok((output::names(&[table, npy])?, lost))
}
