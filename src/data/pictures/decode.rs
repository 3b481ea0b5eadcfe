//! A picture from its file: sides and pixels, upright.

use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek};
use std::path::Path;

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};

use super::kinds::most_pixels;
use super::whole::expect_whole;
use crate::error::{Error, Result};
use crate::files::open;

/// The longest side of a picture that is decoded, and the most memory that one may take, and its file.
const LONGEST_SIDE: u32 = 1 << 15;
const MOST_MEMORY: u64 = 1 << 29;
/// Where a JPEG's sides are to be found, mostly: its decoder would read all of it.
const HEAD: u64 = 1 << 16;

/// A picture as it is in its file, turned upright; of an animation it is the first frame.
pub(super) fn decode(path: &Path) -> Result<DynamicImage> {
    let (file, length) = open(path)?;
    if length > MOST_MEMORY {
        let reason = format!("its file has {length} bytes, and pictures are read of at most {MOST_MEMORY}");
        return Err(Error::bad_file(path, reason));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(Error::io(path))?;
    decode_bytes(path, &bytes)
}

/// The picture that the content of a file is.
fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<DynamicImage> {
    let format = image::guess_format(bytes).map_err(|_| of_no_kind(path))?;
    expect_whole(format, bytes).map_err(|reason| Error::bad_file(path, reason))?;
    let mut decoder = decoder(path, Cursor::new(bytes), bytes.len() as u64)?;
    let orientation = decoder.orientation().map_err(wrong(path))?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(wrong(path))?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// `[height, width]` of a picture, upright, from the head of its file.
pub(super) fn sides(path: &Path) -> Result<[usize; 2]> {
    let (file, length) = open(path)?;
    let mut reader = BufReader::new(file);
    let is_jpeg = reader.fill_buf().map_err(Error::io(path))?.starts_with(&[0xff, 0xd8]);
    if !is_jpeg {
        return sides_in(path, reader, length);
    }
    let mut bytes = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut bytes).map_err(Error::io(path))?;
    sides_in(path, Cursor::new(&bytes), length).or_else(|_| {
        reader.take(MOST_MEMORY).read_to_end(&mut bytes).map_err(Error::io(path))?;
        sides_in(path, Cursor::new(&bytes), length)
    })
}

fn sides_in(path: &Path, reader: impl BufRead + Seek, length: u64) -> Result<[usize; 2]> {
    let mut decoder = decoder(path, reader, length)?;
    let (width, height) = decoder.dimensions();
    let orientation = decoder.orientation().map_err(wrong(path))?;
    let is_turned = matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let [height, width] = [height as usize, width as usize];
    Ok(if is_turned { [width, height] } else { [height, width] })
}

/// A decoder that has read the header of a file of so many bytes, and found nothing wrong with it.
fn decoder<'a, R: BufRead + Seek + 'a>(path: &Path, reader: R, length: u64) -> Result<impl ImageDecoder + use<'a, R>> {
    let mut reader = ImageReader::new(reader).with_guessed_format().map_err(Error::io(path))?;
    let format = reader.format().ok_or_else(|| of_no_kind(path))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST_SIDE), Some(LONGEST_SIDE));
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits.clone());
    let decoder = reader.into_decoder().map_err(wrong(path))?;
    // A decoder holds to the limits in what it needs beside the picture; the picture itself is ours.
    limits.reserve(decoder.total_bytes()).map_err(wrong(path))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > most_pixels(format, length) {
        let reason = format!("its header says {width}×{height} pixels, which its {length} bytes cannot hold");
        return Err(Error::bad_file(path, reason));
    }
    if matches!(decoder.color_type(), image::ColorType::Rgb32F | image::ColorType::Rgba32F) {
        return Err(Error::bad_file(path, format!("its pixels are floating-point numbers: {EIGHT_OR_SIXTEEN}")));
    }
    Ok(decoder)
}

fn of_no_kind(path: &Path) -> Error {
    Error::bad_file(path, "it cannot be decoded: its first bytes are of no kind of picture that is known")
}

const EIGHT_OR_SIXTEEN: &str = "save it with 8 or 16 bits a channel";

/// What a decoder said of a file.
fn wrong(path: &Path) -> impl Fn(ImageError) -> Error {
    move |error| match error {
        // The system gives its errors a number; any other is a decoder's.
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof || error.raw_os_error().is_some() => {
            super::super::bytes::unreadable(path)(error)
        }
        ImageError::IoError(error) => Error::bad_file(path, format!("the file is damaged: {error}")),
        ImageError::Unsupported(what) if !matches!(what.kind(), UnsupportedErrorKind::Format(_)) => {
            Error::bad_file(path, format!("it cannot be decoded: {what}; {EIGHT_OR_SIXTEEN}"))
        }
        error => Error::bad_file(path, format!("it cannot be decoded: {}", error.to_string().trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{FLOATS, LOSSLESS, bytes, colourful, every_kind, turned_jpeg, with_segment, written};
    use super::*;
    use image::{ImageBuffer, ImageFormat, Luma};
    use proptest::prelude::*;

    /// What is decoded from a file of these bytes, or the refusal.
    fn decoded(bytes: &[u8]) -> std::result::Result<DynamicImage, String> {
        refused(decode_bytes(Path::new("picture"), bytes))
    }

    fn refused<T>(result: Result<T>) -> std::result::Result<T, String> {
        result.map_err(|error| {
            assert!(error.is_input(), "{error}: {error:?}");
            error.to_string()
        })
    }

    /// The sides that the head of a file of these bytes says.
    fn sides_of(bytes: &[u8]) -> std::result::Result<[usize; 2], String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        refused(sides(file.path()))
    }

    #[test]
    fn kinds_that_lose_nothing_give_back_what_was_written() {
        for format in LOSSLESS {
            let picture = colourful(7, 5);
            assert_eq!(decoded(&written(picture.clone(), format)).unwrap().into_rgb8(), picture, "{format:?}");
        }
        let sixteen = ImageBuffer::from_fn(4, 2, |x, y| Luma([(x * 60 + y) as u16 * 257]));
        let grey = decoded(&written(sixteen, ImageFormat::Tiff)).unwrap().into_luma8();
        assert_eq!(grey.into_raw(), [0, 60, 120, 180, 1, 61, 121, 181]);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_refused_or_gives_the_same_pixels() {
        for (kind, bytes) in every_kind() {
            let whole = decoded(&bytes).unwrap_or_else(|error| panic!("{kind}: {error}"));
            let mut refused = 0;
            for length in 0..bytes.len() {
                match decoded(&bytes[..length]) {
                    Ok(cut) => assert_eq!(cut, whole, "{kind}: {length} of {}", bytes.len()),
                    Err(_) => refused += 1,
                }
            }
            assert!(10 * refused >= 8 * bytes.len(), "{kind}: {refused} of {}", bytes.len());
        }
    }

    #[test]
    fn sides_are_those_of_the_picture_upright() {
        for (kind, bytes) in every_kind() {
            let picture = decoded(&bytes).unwrap();
            let expected = [picture.height() as usize, picture.width() as usize];
            assert_eq!(sides_of(&bytes).unwrap(), expected, "{kind}");
        }
        assert_eq!(sides_of(&turned_jpeg()), Ok([13, 9]));
        let long = with_segment(0xe2, &[7; 65_000]);
        let long = [&long[..2], &[0xff, 0xe3, 0x80, 2], &[0; 0x8000], &long[2..]].concat();
        assert_eq!(sides_of(&long), Ok([9, 13]), "past the head of the file");
    }

    #[test]
    fn a_picture_is_known_by_its_content_and_what_is_none_is_said_to_be_none() {
        assert!(decoded(b"no picture").unwrap_err().contains("it cannot be decoded: its first bytes are of no kind"));
        let error = decoded(&bytes(FLOATS)).unwrap_err();
        assert!(error.ends_with("save it with 8 or 16 bits a channel"), "{error}");
        let floats = image::Rgb32FImage::from_pixel(2, 2, image::Rgb([0.5; 3]));
        let error = decoded(&written(floats, ImageFormat::Tiff)).unwrap_err();
        assert!(error.contains("floating-point numbers"), "{error}");
    }

    #[test]
    fn a_header_that_says_too_much_is_refused_before_its_pixels() {
        let at = |format, places: &[(usize, &[u8])]| {
            let mut bytes = written(colourful(4, 2), format);
            places.iter().for_each(|(at, new)| bytes[*at..at + new.len()].copy_from_slice(new));
            decoded(&bytes).unwrap_err()
        };
        let (large, little) = (20_000u32.to_be_bytes(), 20_000u32.to_le_bytes());
        let hold = "bytes cannot hold";
        for (error, words) in [
            (at(ImageFormat::Qoi, &[(4, &large), (8, &[0, 0, 1, 0])]), hold),
            (at(ImageFormat::Bmp, &[(18, &little), (22, &little[..2])]), ""),
            (at(ImageFormat::Gif, &[(6, &little[..2]), (8, &little[..2])]), ""),
            (decoded(b"P5 20000 100 255\nabc").unwrap_err(), hold),
            (decoded(b"P2 20000 100 255\n1 2 3\n").unwrap_err(), hold),
        ] {
            assert!(error.contains(words), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn damaged_pictures_are_read_or_refused(
            kind in any::<prop::sample::Index>(),
            at in 0.0..1.0f64,
            byte in any::<u8>(),
            cut in 0.2..1.2f64,
        ) {
            let kinds = every_kind();
            let mut bytes = kinds[kind.index(kinds.len())].1.clone();
            let (at, length) = ((at * bytes.len() as f64) as usize, bytes.len());
            bytes[at] = byte;
            bytes.truncate((cut * length as f64) as usize);
            let _ = decoded(&bytes);
        }
    }
}
