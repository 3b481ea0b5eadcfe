//! The formats that pictures are written in, which their names say.

use std::io::Cursor;
use std::path::Path;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;

use super::cannot_draw;
use crate::error::{Error, Result};
use crate::files::{ending, write_atomically};

/// The endings of pictures.
pub const PICTURES: [&str; 4] = ["png", "jpg", "jpeg", "webp"];
/// The endings of animations.
pub const ANIMATIONS: [&str; 3] = ["png", "apng", "gif"];
/// The endings of figures; a name without one of these is written as SVG and as PNG.
pub const FIGURES: [&str; 5] = ["svg", "png", "jpg", "jpeg", "webp"];

/// Of 100. Sheets have sharp edges, which JPEG keeps badly below this.
const JPEG_QUALITY: u8 = 95;

/// Writes a picture as its name's ending says: PNG, which a name without an ending gets too, or WebP, both of which keep
/// every shade; or JPEG, which does not.
///
/// # Errors
/// [`Error::Usage`] for another ending; [`Error::Io`] where it cannot be written.
pub(super) fn write_picture(path: &Path, picture: &RgbImage) -> Result<()> {
    let mut bytes = Cursor::new(Vec::new());
    let encoded = match ending(path).as_deref() {
        None | Some("png") => picture.write_to(&mut bytes, image::ImageFormat::Png),
        Some("jpg" | "jpeg") => picture.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)),
        Some("webp") => picture.write_with_encoder(WebPEncoder::new_lossless(&mut bytes)),
        Some(other) => {
            let message = "pictures are written as .png, .jpg, .jpeg or .webp";
            return Err(Error::Usage(format!("{}: {message}, not as .{other}", path.display())));
        }
    };
    encoded.map_err(cannot_draw)?;
    write_atomically(path, &bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_what_its_ending_says() {
        let folder = tempfile::tempdir().unwrap();
        let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([(6 * x) as u8, (8 * y) as u8, (x * y % 256) as u8]));
        for (name, beginning, largest) in [
            ("a.png", &b"\x89PNG"[..], 0),
            ("plain", b"\x89PNG", 0),
            ("a.webp", b"RIFF", 0),
            ("a.jpg", b"\xff\xd8\xff", 60),
            ("a.JPEG", b"\xff\xd8\xff", 60),
        ] {
            let path = folder.path().join(name);
            write_picture(&path, &picture).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert!(bytes.starts_with(beginning), "{name}");
            let again = image::load_from_memory(&bytes).unwrap().to_rgb8();
            let differences = again.iter().zip(picture.iter()).map(|(a, b)| a.abs_diff(*b));
            assert!(differences.clone().max().unwrap() <= largest, "{name}: {:?}", differences.max());
        }
        let error = write_picture(&folder.path().join("a.bmp"), &picture).unwrap_err();
        assert!(error.is_input() && !folder.path().join("a.bmp").exists(), "{error}");
    }
}
