//! Contexts from arrays of numbers: `[n, features]`, `[n, height, width, channels]`, or `[n]` for one feature.

use std::io::{BufReader, Read};
use std::path::Path;

use super::Wrong;
use super::header::Header;
use super::values::{in_c_order, number};
use crate::data::Contexts;
use crate::data::bytes::read_rest;
use crate::error::Result;
use crate::files::open;

/// Reads a `.npy` file of contexts, for samples.
///
/// # Errors
/// [`Error::BadFile`](crate::Error::BadFile) where it is no array of numbers `[n, features]` or `[n, height, width, channels]`, or one of them is
/// not finite.
pub fn load_contexts(path: &Path) -> Result<Contexts> {
    let (file, length) = open(path)?;
    let mut reader = BufReader::new(file);
    let header = Header::read(path, &mut reader, length)?;
    read(path, &header, reader, length)
}

/// The contexts that follow a header.
pub(super) fn read(path: &Path, header: &Header, values: impl Read, most: u64) -> Result<Contexts> {
    let bytes = read_rest(path, values, header.size, most, &header.says())?;
    of(header, &bytes).map_err(|wrong| wrong.of(path))
}

fn of(header: &Header, bytes: &[u8]) -> std::result::Result<Contexts, Wrong> {
    let Header { kind, shape, .. } = header;
    let expected = "expected contexts, numbers [n, features] or [n, height, width, channels]";
    let sides: Option<Vec<usize>> = match shape[..] {
        [_] => Some(vec![1]),
        [_, ref sides @ ..] if matches!(sides.len(), 1 | 3) => {
            sides.iter().map(|&side| usize::try_from(side).ok()).collect()
        }
        _ => None,
    };
    let Some(sides) = sides.filter(|_| !kind.is_text()) else {
        return Err(Wrong(format!("{expected}; found {} {shape:?}", kind.text)));
    };
    let mut values: Vec<f64> = bytes.chunks_exact(kind.size).map(|value| number(kind, value)).collect();
    if header.is_fortran {
        values = in_c_order(&values, shape);
    }
    Contexts::new(values.into_iter().map(|value| value as f32).collect(), &sides)
        .map_err(|error| Wrong(error.to_string()))
}
