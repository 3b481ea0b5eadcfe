//! Reading files that may lie: no more memory is taken than there is data, whatever a header says.

use std::cmp::Ordering;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// The most bytes that deflate can make of one.
pub(super) const DEFLATE_RATIO: u64 = 1032;

/// The error for a read that failed: what the file holds is wrong, unless the system failed.
pub(super) fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |error| match error.kind() {
        ErrorKind::UnexpectedEof => Error::bad_file(path, "the file is cut short"),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            Error::bad_file(path, format!("the file is damaged: {error}"))
        }
        _ => Error::io(path)(error),
    }
}

/// Reads what is left of a file: `expected` bytes, of which there can be at most `most`. `says` is where the number
/// comes from, for the message.
///
/// # Errors
/// [`Error::BadFile`] where there are fewer bytes or more, or they cannot be unpacked.
pub(super) fn read_rest(path: &Path, reader: impl Read, expected: u64, most: u64, says: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if expected <= most {
        reserve(path, &mut bytes, expected)?;
    }
    reader.take(expected.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable(path))?;
    expect_size(path, bytes.len() as u64, expected, says)?;
    Ok(bytes)
}

/// Refuses another number of bytes than is expected; `says` is where that comes from.
pub(super) fn expect_size(path: &Path, found: u64, expected: u64, says: &str) -> Result<()> {
    match found.cmp(&expected) {
        Ordering::Less => {
            Err(Error::bad_file(path, format!("cut short: {says}, {expected} bytes, and {found} are there")))
        }
        Ordering::Greater => Err(Error::bad_file(path, format!("{says}, {expected} bytes, and more are there"))),
        Ordering::Equal => Ok(()),
    }
}

/// Room for so many bytes.
pub(super) fn reserve(path: &Path, bytes: &mut Vec<u8>, count: u64) -> Result<()> {
    let room = usize::try_from(count).ok().and_then(|count| bytes.try_reserve_exact(count).ok());
    room.ok_or_else(|| {
        let mib = count >> 20;
        Error::bad_file(path, format!("its images take {mib} MiB, and data are held in memory: there is no room"))
    })
}

/// How many bytes an array of this shape has, with so many bytes a value; `None` for more than a file can have.
pub(super) fn size_of(shape: &[u64], value: u64) -> Option<u64> {
    shape.iter().try_fold(value, |size, &side| size.checked_mul(side)).filter(|size| *size < 1 << 48)
}

/// The sides of images as numbers in memory, from 1 to 2^20.
pub(super) fn sides<const N: usize>(sides: [u64; N]) -> Option<[usize; N]> {
    sides.iter().all(|side| (1..=1 << 20).contains(side)).then(|| sides.map(|side| side as usize))
}
