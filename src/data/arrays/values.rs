//! Grey levels from the values of an array, whatever kind of number they are.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Mutex;

use super::header::{Header, Kind, Sort};
use super::notes::Notes;
use crate::data::bytes::{reserve, unreadable};
use crate::data::rows::Bytes;
use crate::error::{Error, Result};

/// Bytes that are converted at a time: a multiple of every size of number.
const CHUNK: usize = 1 << 20;

/// What was found among numbers.
#[derive(Clone, Copy, Debug)]
struct Extent {
    least: f64,
    most: f64,
    /// The place of the first that no byte can hold, and its value.
    first_outside: Option<(u64, f64)>,
    /// Whether all are multiples of 257: eight bits, written twice.
    is_doubled: bool,
}

/// Shows a reader an array's values, from their first byte on.
pub(super) type Show<'a> = dyn FnMut(&mut dyn FnMut(&mut dyn Read) -> Result<()>) -> Result<()> + 'a;

/// The grey levels of an array that are not yet bytes in C's order: held, or in a temporary file where they are not to be.
/// What a person should hear of is noted.
///
/// # Errors
/// [`Error::BadFile`] for numbers that are no grey levels, with the first one's place; for floating-point numbers, with how
/// to convert them; and for an array in Fortran's order that is not to be held.
pub(super) fn levels(path: &Path, header: &Header, show: &mut Show, held: bool, notes: &mut Notes) -> Result<Bytes> {
    let kind = &header.kind;
    if kind.is_text() {
        return Err(Error::bad_file(path, format!("expected images, found text ({})", kind.text)));
    }
    if header.is_fortran && !held {
        let reason = "it is in Fortran's order, and too large to be turned in memory: save numpy.ascontiguousarray of it, or \
                      let it be held (`loading: Memory` in the recipe)";
        return Err(Error::bad_file(path, reason));
    }
    let extent = extent(path, header, show)?;
    let is_wide = kind.sort == Sort::Unsigned && kind.size == 2 && extent.most > 255.0;
    if kind.sort == Sort::Float {
        return Err(Error::bad_file(path, float_advice(extent, &kind.text)));
    }
    if let (Some((place, value)), false) = (extent.first_outside, is_wide) {
        let at = index(place, &header.shape, header.is_fortran);
        return Err(Error::bad_file(path, format!("value {value} at {at:?} is no grey level: expected 0 to 255")));
    }
    if kind.sort == Sort::Unsigned && kind.size == 2 {
        notes.of_sixteen_bits(path, is_wide);
    }
    if is_wide {
        notes.remarks.push(high_byte(path, extent));
    }
    let shift = if is_wide { 8 } else { 0 };
    let convert = |value: &[u8]| (whole(kind, value) >> shift) as u8;
    if held {
        let mut levels = Vec::new();
        reserve(path, &mut levels, header.count())?;
        for_each_chunk(path, header, show, |chunk| {
            levels.extend(chunk.chunks_exact(kind.size).map(convert));
            Ok(())
        })?;
        return Ok(Bytes::Memory(if header.is_fortran { in_c_order(&levels, &header.shape) } else { levels }));
    }
    let failed = |error| Error::io(std::env::temp_dir())(error);
    let mut unpacked = tempfile::tempfile().map_err(failed)?;
    for_each_chunk(path, header, show, |chunk| {
        let levels: Vec<u8> = chunk.chunks_exact(kind.size).map(convert).collect();
        unpacked.write_all(&levels).map_err(failed)
    })?;
    unpacked.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(Bytes::File(Mutex::new(unpacked), 0))
}

/// An integer, or a truth value as 0 or 1; numbers too large for the type keep their sign.
fn whole(kind: &Kind, value: &[u8]) -> i64 {
    let mut wide = [0; 8];
    wide[..kind.size].copy_from_slice(value);
    if kind.is_big_endian {
        wide[..kind.size].reverse();
    }
    let bits = u64::from_le_bytes(wide);
    match kind.sort {
        Sort::Bool => i64::from(bits != 0),
        Sort::Signed => {
            let unused = 64 - 8 * kind.size as u32;
            ((bits << unused) as i64) >> unused
        }
        _ => i64::try_from(bits).unwrap_or(i64::MAX),
    }
}

/// A number of any kind.
pub(super) fn number(kind: &Kind, value: &[u8]) -> f64 {
    if kind.sort != Sort::Float {
        return whole(kind, value) as f64;
    }
    let mut wide = [0; 8];
    wide[..kind.size].copy_from_slice(value);
    if kind.is_big_endian {
        wide[..kind.size].reverse();
    }
    let bits = u64::from_le_bytes(wide);
    match kind.size {
        2 => half(bits as u16),
        4 => f64::from(f32::from_bits(bits as u32)),
        _ => f64::from_bits(bits),
    }
}

/// A number of IEEE 754's half precision.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// The least and the greatest of an array's numbers, and the first that no byte can hold.
fn extent(path: &Path, header: &Header, show: &mut Show) -> Result<Extent> {
    let mut extent = Extent { least: f64::INFINITY, most: f64::NEG_INFINITY, first_outside: None, is_doubled: true };
    let (kind, mut place) = (&header.kind, 0);
    for_each_chunk(path, header, show, |chunk| {
        for value in chunk.chunks_exact(kind.size) {
            let value = number(kind, value);
            (extent.least, extent.most) = (extent.least.min(value), extent.most.max(value));
            if !(0.0..=255.0).contains(&value) && extent.first_outside.is_none() {
                extent.first_outside = Some((place, value));
            }
            extent.is_doubled &= value % 257.0 == 0.0;
            place += 1;
        }
        Ok(())
    })?;
    Ok(extent)
}

/// All values of an array, in pieces.
fn for_each_chunk(
    path: &Path,
    header: &Header,
    show: &mut Show,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    show(&mut |reader| {
        let (mut left, mut chunk) = (header.size, vec![0; header.size.min(CHUNK as u64) as usize]);
        while left > 0 {
            let now = left.min(CHUNK as u64) as usize;
            let mut filled = 0;
            while filled < now {
                match reader.read(&mut chunk[filled..now]).map_err(unreadable(path))? {
                    0 => return header.expect_size(path, header.size - left + filled as u64),
                    read => filled += read,
                }
            }
            each(&chunk[..now])?;
            left -= now as u64;
        }
        match reader.read(&mut [0]).map_err(unreadable(path))? {
            0 => Ok(()),
            _ => header.expect_size(path, header.size + 1),
        }
    })
}

/// The index of a value by its place in the file.
fn index(mut place: u64, shape: &[u64], is_fortran: bool) -> Vec<u64> {
    let mut index = vec![0; shape.len()];
    let axes: Vec<usize> = if is_fortran { (0..shape.len()).collect() } else { (0..shape.len()).rev().collect() };
    for axis in axes {
        let side = shape[axis].max(1);
        index[axis] = place % side;
        place /= side;
    }
    index
}

/// Values whose first axis is the fastest, with the last the fastest.
pub(super) fn in_c_order<T: Copy>(values: &[T], shape: &[u64]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1] as usize;
    }
    let mut turned = Vec::with_capacity(values.len());
    let (mut index, mut at) = (vec![0; shape.len()], 0);
    for _ in 0..values.len() {
        turned.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis] as usize;
            index[axis] = 0;
        }
    }
    turned
}

/// What is told of 16-bit values that are read by their high byte.
fn high_byte(path: &Path, Extent { most, is_doubled, .. }: Extent) -> String {
    let lost = if is_doubled { "all are multiples of 257, so nothing is lost" } else { "the low byte is dropped" };
    let mut told = format!("{}: 16-bit values, up to {most}, are read by their high byte; {lost}", path.display());
    let bits = u64::BITS - (most as u64).leading_zeros();
    if bits < 16 && !is_doubled {
        told += &format!(
            ". Only levels 0 to {} of 255 come of them: if they are of {bits} bits, save (x >> {}).astype(numpy.uint8) instead",
            most as u64 >> 8,
            bits - 8
        );
    }
    told
}

/// What to do about images of floating-point numbers.
fn float_advice(Extent { least, most, .. }: Extent, kind: &str) -> String {
    let convert = match (least, most) {
        (0.0.., ..=1.0) => "(x * 255).round().astype(numpy.uint8)",
        (-1.0.., ..=1.0) => "((x + 1) * 127.5).round().astype(numpy.uint8)",
        (0.0.., ..=255.0) => "x.round().astype(numpy.uint8)",
        _ => "((x - x.min()) / (x.max() - x.min()) * 255).round().astype(numpy.uint8)",
    };
    format!(
        "expected images, whole numbers from 0 to 255; found {kind} from {least} to {most}. Floating-point numbers have no grey \
         levels, and bits/dim would mean nothing. Save {convert}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind_are_what_they_are() {
        let kind = |sort, size, is_big_endian| Kind { sort, size, is_big_endian, text: String::new() };
        for (value, sort, bytes) in [
            (-2.0, Sort::Signed, (-2i16).to_le_bytes().to_vec()),
            (-2.0, Sort::Signed, (-2i64).to_le_bytes().to_vec()),
            (65_534.0, Sort::Unsigned, 65_534u16.to_le_bytes().to_vec()),
            (1.0, Sort::Bool, vec![7]),
            (-1.5, Sort::Float, (-1.5f32).to_le_bytes().to_vec()),
            (1e-300, Sort::Float, 1e-300f64.to_le_bytes().to_vec()),
            (-1.5, Sort::Float, 0xBE00u16.to_le_bytes().to_vec()),
            (2.0_f64.powi(-24), Sort::Float, 1u16.to_le_bytes().to_vec()),
        ] {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(number(&kind(sort, bytes.len(), false), &bytes), value);
            assert_eq!(number(&kind(sort, bytes.len(), true), &reversed), value);
        }
        assert!(half(0x7C01).is_nan() && half(0xFC00) == f64::NEG_INFINITY);
        assert_eq!(whole(&kind(Sort::Unsigned, 8, false), &[255; 8]), i64::MAX);
    }

    proptest::proptest! {
        #[test]
        fn fortrans_order_is_turned(shape in proptest::collection::vec(1..5_u64, 1..5)) {
            let count: u64 = shape.iter().product();
            // Every value says its own index in C's order.
            let mut fortran = vec![0; count as usize];
            for c in 0..count {
                let at = index(c, &shape, false);
                let place = at.iter().zip(&shape).rev().fold(0, |place, (i, side)| place * side + i);
                fortran[place as usize] = c;
                proptest::prop_assert_eq!(index(place, &shape, true), at);
            }
            proptest::prop_assert_eq!(in_c_order(&fortran, &shape), (0..count).collect::<Vec<_>>());
        }
    }
}
