//! The kinds of pictures that are read.

use std::path::Path;

use image::ImageFormat;

use super::super::bytes::DEFLATE_RATIO;

/// How the names of pictures end, in lower case.
pub(in crate::data) const ENDINGS: [&str; 16] = [
    "png", "jpg", "jpeg", "jpe", "jfif", "webp", "bmp", "tif", "tiff", "gif", "qoi", "ppm", "pgm", "pbm", "pnm", "pam",
];
/// For people who read a message.
pub(super) const KINDS: &str = "PNG, JPEG, WebP, BMP, TIFF, GIF, QOI or PNM";

/// Whether a file is a picture, by its name.
pub(super) fn is_picture(path: &Path) -> bool {
    ending(path).is_some_and(|ending| ENDINGS.contains(&&*ending))
}

/// The ending of a file's name, in lower case.
pub(super) fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

/// Pixels of a picture whose file may say of them that they are all alike, or leave them out, in next to no bytes.
const ALIKE: u64 = 1 << 24;

/// The most pixels that a file of so many bytes can hold. A decoder fills in all that is missing, and takes its time.
pub(super) fn most_pixels(format: ImageFormat, bytes: u64) -> u64 {
    // A code of LZW has at most 12 bits and stands for at most 4,096 values.
    let lzw = bytes.saturating_mul(4096 * 8 / 12);
    // Deflate, with one bit a pixel.
    let deflated = bytes.saturating_mul(8 * DEFLATE_RATIO);
    match format {
        // A byte is one pixel, or a run of 62 at most.
        ImageFormat::Qoi => bytes.saturating_mul(62),
        // Eight pixels of one bit.
        ImageFormat::Pnm => bytes.saturating_mul(8),
        // A frame that covers a part of the canvas.
        ImageFormat::Gif => lzw.max(ALIKE),
        // A run is two bytes; rows can be left out.
        ImageFormat::Bmp => bytes.saturating_mul(128).max(ALIKE),
        // LZW with one bit a pixel; a blank line of a fax is one bit.
        ImageFormat::Tiff => lzw.saturating_mul(8).max(ALIKE),
        // Pixels whose code has no bits.
        ImageFormat::WebP => deflated.max(ALIKE),
        // A JPEG packs less: it has at least a bit for each block of 8×8.
        _ => deflated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_ending_in_any_case() {
        for name in ["a.png", "b.JPG", "c.d.Jfif", "e.jpe", "f.WEBP", "g.tif"] {
            assert!(is_picture(Path::new(name)), "{name}");
        }
        for name in ["png", "a.heic", "b.txt", "c.png.part", ".png"] {
            assert!(!is_picture(Path::new(name)), "{name}");
        }
    }
}
