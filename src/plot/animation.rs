//! Animations: APNG, which keeps every grey level and which browsers show like any PNG; or GIF, which every program shows,
//! in 256 colours a frame.

use std::path::Path;

use super::sheet::enlargement;
use super::{Row, cannot_draw, crossed};
use crate::error::{Error, Result};
use crate::files::{ending, write_atomically};

/// Frames are enlarged by a whole factor until their longer side has this many pixels.
const SIDE: usize = 256;

/// Writes images as the frames of an animation that runs for ever, each `1/per_second` seconds long: a GIF, whose frames
/// last whole hundredths of a second, where the file's name ends in `.gif`, an APNG where it ends in `.png`, `.apng` or not
/// at all.
///
/// `frames` has the images, whose `shape` is `[height, width, channels]`; levels `0..bins` become black to full intensity.
/// Those that are not finite are crossed out.
///
/// # Errors
/// [`Error::Usage`] where there is no frame, channels are not 1 or 3, levels do not fit, or the name has another ending;
/// [`Error::Io`] where the file cannot be written.
pub fn save_animation(
    path: impl AsRef<Path>,
    Row { levels: frames, not_finite, .. }: &Row,
    shape: [usize; 3],
    bins: u32,
    per_second: u16,
) -> Result<()> {
    let [height, width, channels] = shape;
    let pixels = height * width * channels;
    let color = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => {
            return Err(Error::Usage(format!("animation: images have {channels} channels; only 1 and 3 can be shown")));
        }
    };
    let fits = pixels > 0 && !frames.is_empty() && frames.len().is_multiple_of(pixels) && (2..=256).contains(&bins);
    if !fits || frames.iter().any(|&level| u32::from(level) >= bins) {
        let n = frames.len();
        return Err(Error::Usage(format!("animation: {n} levels are not images of {shape:?} in {bins} grey levels")));
    }
    let factor = enlargement(shape, SIDE);
    let sides = (u32::try_from(width * factor).ok(), u32::try_from(height * factor).ok());
    let (Some(wide), Some(high)) = sides else {
        return Err(Error::Usage(format!("animation: images of {shape:?} are too large")));
    };
    let shades = |(i, frame): (usize, &[u8])| match not_finite.contains(&i) {
        true => cross(shape, factor),
        false => enlarged(frame, shape, bins, factor),
    };
    let shown = frames.chunks_exact(pixels).enumerate().map(shades);
    match ending(path.as_ref()).as_deref() {
        None | Some("png" | "apng") => {}
        Some("gif") => return write_atomically(path, &gif(shown, shape, factor, per_second)?),
        Some(other) => {
            let path = path.as_ref().display();
            return Err(Error::Usage(format!(
                "{path}: animations are written as .gif, .png or .apng, not as .{other}"
            )));
        }
    }
    let count = u32::try_from(frames.len() / pixels).map_err(cannot_draw)?;
    let mut bytes = Vec::new();
    let encode = || -> std::result::Result<(), png::EncodingError> {
        let mut encoder = png::Encoder::new(&mut bytes, wide, high);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_animated(count, 0)?;
        encoder.set_frame_delay(1, per_second)?;
        let mut writer = encoder.write_header()?;
        shown.into_iter().try_for_each(|shades| writer.write_image_data(&shades))?;
        writer.finish()
    };
    encode().map_err(cannot_draw)?;
    write_atomically(path, &bytes)
}

/// Frames of shades as a GIF. Up to 256 shades or colours are kept as they are.
fn gif(frames: impl Iterator<Item = Vec<u8>>, shape: [usize; 3], factor: usize, per_second: u16) -> Result<Vec<u8>> {
    let [height, width, channels] = shape;
    let sides = (u16::try_from(width * factor).ok(), u16::try_from(height * factor).ok());
    let (Some(wide), Some(high)) = sides else {
        return Err(Error::Usage(format!("animation: images of {shape:?} are too large for a GIF; name it .png")));
    };
    let mut encoder = gif::Encoder::new(Vec::new(), wide, high, &[]).map_err(cannot_draw)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(cannot_draw)?;
    for shades in frames {
        let mut frame = if channels == 1 {
            let greys: Vec<u8> = (0..=255).flat_map(|shade| [shade; 3]).collect();
            gif::Frame::from_palette_pixels(wide, high, shades, greys, None)
        } else {
            gif::Frame::from_rgb_speed(wide, high, &shades, 10)
        };
        frame.delay = (100 / per_second.max(1)).max(1);
        encoder.write_frame(&frame).map_err(cannot_draw)?;
    }
    encoder.into_inner().map_err(cannot_draw)
}

/// A cross in place of an image, as shades of 0 to 255.
fn cross([height, width, channels]: [usize; 3], factor: usize) -> Vec<u8> {
    let size = [width * factor, height * factor];
    let pixels = (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| [x, y]));
    pixels.flat_map(|at| std::iter::repeat_n(crossed::shade(at, size), channels)).collect()
}

/// An image with each pixel a square of `factor × factor`, as shades of 0 to 255.
fn enlarged(image: &[u8], [height, width, channels]: [usize; 3], bins: u32, factor: usize) -> Vec<u8> {
    let shade = |level: u8| (u32::from(level) * 255 / (bins - 1)) as u8;
    let mut shades = Vec::with_capacity(image.len() * factor * factor);
    for (y, x) in (0..height * factor).flat_map(|y| (0..width * factor).map(move |x| (y, x))) {
        let at = (y / factor * width + x / factor) * channels;
        shades.extend(image[at..at + channels].iter().map(|&level| shade(level)));
    }
    shades
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_enlarged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        save_animation(&path, &Row::new("", vec![0, 16, 16, 0, 8, 8, 8, 8]), [2, 2, 1], 17, 10).unwrap();
        let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        assert_eq!(reader.info().animation_control().map(|control| control.num_frames), Some(2));
        let mut frame = vec![0; 256 * 256];
        reader.next_frame(&mut frame).unwrap();
        assert_eq!([frame[0], frame[127], frame[128], frame[255 * 256]], [0, 0, 255, 255]);
        reader.next_frame(&mut frame).unwrap();
        assert!(frame.iter().all(|&shade| shade == 127));
    }

    #[test]
    fn a_gif_has_the_same_frames() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.GIF");
        for (shape, levels) in [([2, 2, 1], vec![0, 16, 16, 0, 8, 8, 8, 8]), ([1, 1, 3], vec![16, 0, 8, 0, 0, 16])] {
            save_animation(&path, &Row::new("", levels.clone()), shape, 17, 24).unwrap();
            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::RGBA);
            let mut decoder = options.read_info(std::fs::File::open(&path).unwrap()).unwrap();
            assert_eq!((decoder.width(), decoder.height()), (256, 256));
            for frame in levels.chunks(levels.len() / 2) {
                let (expected, found) =
                    (enlarged(frame, shape, 17, 256 / shape[0]), decoder.read_next_frame().unwrap());
                let found = found.unwrap();
                assert_eq!(found.delay, 4);
                let colors = found.buffer.chunks_exact(4).flat_map(|color| color[..shape[2]].iter().copied());
                assert!(colors.eq(expected), "{shape:?}");
            }
            assert!(decoder.read_next_frame().unwrap().is_none());
        }
    }

    #[test]
    fn a_frame_that_is_no_image_is_crossed_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        let frames = Row { not_finite: vec![1], ..Row::new("", vec![0; 6]) };
        save_animation(&path, &frames, [1, 1, 3], 256, 10).unwrap();
        let mut decoder = gif::DecodeOptions::new();
        decoder.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = decoder.read_info(std::fs::File::open(&path).unwrap()).unwrap();
        let mut shade = || decoder.read_next_frame().unwrap().unwrap().buffer[4 * (100 * 256 + 20)];
        assert_eq!((shade(), shade() > 200), (0, true));
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        for (levels, shape, bins) in
            [(vec![0; 2], [1, 1, 2], 2), (vec![], [1, 1, 1], 2), (vec![2], [1, 1, 1], 2), (vec![0; 3], [2, 1, 1], 2)]
        {
            assert!(save_animation(&path, &Row::new("", levels), shape, bins, 10).unwrap_err().is_input(), "{shape:?}");
        }
        let webp = folder.path().join("a.webp");
        let error = save_animation(&webp, &Row::new("", vec![0]), [1, 1, 1], 2, 10).unwrap_err();
        assert!(error.to_string().contains(".gif") && !webp.exists(), "{error}");
        assert!(!path.exists());
    }
}
