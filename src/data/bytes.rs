//! Reading files that may lie: no more memory is taken than there is data, whatever a header says.

use std::cmp::Ordering;
use std::io::{BufRead, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;

use crate::error::{Error, Result};

/// The most bytes that deflate can make of one.
pub(super) const DEFLATE_RATIO: u64 = 1032;

/// What a file packed by gzip holds: all its members, one after the other. Zeros after the last, which fill up a tape or a
/// block, are left out.
pub(super) struct Gunzip<R: BufRead> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    pub fn new(packed: R) -> Self {
        Self { member: Some(GzDecoder::new(packed)) }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(bytes)?;
            if read > 0 || bytes.is_empty() {
                return Ok(read);
            }
            let Some(mut packed) = self.member.take().map(GzDecoder::into_inner) else { break };
            loop {
                let ahead = packed.fill_buf()?;
                match ahead.iter().position(|byte| *byte != 0) {
                    _ if ahead.is_empty() => return Ok(0),
                    Some(zeros) => {
                        packed.consume(zeros);
                        break;
                    }
                    None => {
                        let zeros = ahead.len();
                        packed.consume(zeros);
                    }
                }
            }
            self.member = Some(GzDecoder::new(packed));
        }
        Ok(0)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::{BufReader, Write};

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_are_read_one_after_the_other_and_zeros_are_left_out() {
        for zeros in [0, 1, 9000] {
            let file = [packed(b"one "), packed(b""), vec![0; zeros], packed(b"two"), vec![0; zeros]].concat();
            let mut text = String::new();
            Gunzip::new(BufReader::new(&file[..])).read_to_string(&mut text).unwrap();
            assert_eq!(text, "one two");
        }
        let junk = [packed(b"one"), b"junk".to_vec()].concat();
        assert!(Gunzip::new(BufReader::new(&junk[..])).read_to_end(&mut Vec::new()).is_err());
        let cut = packed(&[7; 5000]);
        assert!(Gunzip::new(BufReader::new(&cut[..cut.len() - 9])).read_to_end(&mut Vec::new()).is_err());
    }
}
