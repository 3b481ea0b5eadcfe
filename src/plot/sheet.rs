//! Picture sheets: grids of images, enlarged until small ones can be seen.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};
use plotters::prelude::{BitMapBackend, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Shown, cannot_draw, crossed, text, width_of, write_picture};
use crate::error::{Error, Result};

/// Pixels between images, and around them.
const GAP: usize = 2;
/// Images are enlarged by a whole factor until their longer side has this many pixels.
const SIDE: usize = 64;
pub(super) const CAPTION_SIZE: u32 = 18;
/// Pixels on either side of a caption.
pub(super) const MARGIN: u32 = 8;
pub(super) const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Images in a grid of `columns`, row by row, on white: levels `0..bins` become black to full intensity.
///
/// `images` is `[n, height, width, channels]`, row major, and `shape` is `[height, width, channels]`; one channel is
/// shown as grey, three as red, green and blue.
///
/// # Errors
/// [`Error::Usage`] where there is no image or no column, where channels are not 1 or 3, or levels do not fit.
pub fn sheet(images: &[u8], shape: [usize; 3], bins: u32, columns: usize) -> Result<RgbImage> {
    grid(images, shape, (bins, columns), &[])
}

/// As [`sheet`], with a cross in place of the images numbered `not_finite`.
fn grid(images: &[u8], shape: [usize; 3], (bins, columns): (u32, usize), not_finite: &[usize]) -> Result<RgbImage> {
    let [height, width, channels] = shape;
    let pixels = height * width * channels;
    if pixels == 0 || images.is_empty() || !images.len().is_multiple_of(pixels) || columns == 0 {
        return refuse(format!("{} levels are not images of {shape:?} in {columns} columns", images.len()));
    }
    if channels != 1 && channels != 3 {
        return refuse(format!("images have {channels} channels; only 1 (grey) and 3 (colour) can be shown"));
    }
    if !(2..=256).contains(&bins) {
        return refuse(format!("{bins} grey levels; expected 2 to 256"));
    }
    if let Some(level) = images.iter().find(|&&level| u32::from(level) >= bins) {
        return refuse(format!("there is a grey level {level}, and only {bins} grey levels, counted from 0"));
    }

    let count = images.len() / pixels;
    let (columns, rows) = (columns.min(count), count.div_ceil(columns));
    let factor = enlargement(shape, SIDE);
    let extent = |images: usize, side: usize| u32::try_from(GAP + images * (side * factor + GAP)).ok();
    let (Some(sheet_width), Some(sheet_height)) = (extent(columns, width), extent(rows, height)) else {
        return refuse(format!("{rows} by {columns} images of {shape:?} are too many for one picture"));
    };
    let shade = |level: u8| (u32::from(level) * 255 / (bins - 1)) as u8;
    let mut sheet = RgbImage::from_pixel(sheet_width, sheet_height, WHITE);
    for (i, image) in images.chunks_exact(pixels).enumerate() {
        let (top, left) = (GAP + i / columns * (height * factor + GAP), GAP + i % columns * (width * factor + GAP));
        let (size, is_crossed) = ([width * factor, height * factor], not_finite.contains(&i));
        for (x, y) in (0..size[1]).flat_map(|y| (0..size[0]).map(move |x| (x, y))) {
            let at = ((y / factor) * width + x / factor) * channels;
            let color = match channels {
                _ if is_crossed => crossed::color([x, y], size),
                1 => Rgb([shade(image[at]); 3]),
                _ => Rgb([image[at], image[at + 1], image[at + 2]].map(shade)),
            };
            sheet.put_pixel((left + x) as u32, (top + y) as u32, color);
        }
    }
    Ok(sheet)
}

/// The whole factor that brings the longer side of an image to at least `side` pixels.
pub(super) fn enlargement([height, width, _]: [usize; 3], side: usize) -> usize {
    side.div_ceil(height.max(width).max(1))
}

fn refuse<T>(reason: String) -> Result<T> {
    Err(Error::Usage(format!("picture sheet: {reason}")))
}

/// A row of a picture sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// At its left; may be empty.
    pub caption: String,
    /// Its images, `[n, height, width, channels]`; long rows are broken.
    pub levels: Vec<u8>,
    /// Which of these, by number from 0, are no images, for they have values that are not finite: a cross stands for each.
    pub not_finite: Vec<usize>,
}

impl Row {
    /// A row of images.
    pub fn new(caption: impl Into<String>, levels: Vec<u8>) -> Self {
        Self { caption: caption.into(), levels, not_finite: Vec::new() }
    }
}

/// A picture sheet of rows with captions at their left.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The rows, from above.
    pub rows: Vec<Row>,
    /// `[height, width, channels]` of an image; 1 or 3 channels.
    pub shape: [usize; 3],
    /// The number of grey levels, 2 to 256.
    pub bins: u32,
    /// The number of images side by side.
    pub columns: usize,
}

impl Sheet {
    /// Draws the sheet.
    ///
    /// # Errors
    /// As [`sheet`], and [`Error::Usage`] where there is no row.
    pub fn draw(&self) -> Result<RgbImage> {
        Ok(self.lay_out()?.0)
    }

    /// The sheet, and how many pixels from its left side the images begin.
    pub(super) fn lay_out(&self) -> Result<(RgbImage, u32)> {
        let style = text(CAPTION_SIZE)?.pos(Pos::new(HPos::Right, VPos::Center));
        let longest = width_of(self.rows.iter().map(|row| &row.caption), &style)?;
        let caption_width = if longest > 0 { longest + 2 * MARGIN } else { 0 };
        let of_row = |row: &Row| grid(&row.levels, self.shape, (self.bins, self.columns), &row.not_finite);
        let grids = self.rows.iter().map(of_row).collect::<Result<Vec<_>>>()?;
        let Some(width) = grids.iter().map(RgbImage::width).max() else {
            return refuse("there is no row".into());
        };
        let gap = GAP as u32;
        let height = gap + grids.iter().map(|grid| grid.height() - gap).sum::<u32>();
        let mut sheet = RgbImage::from_pixel(caption_width + width, height, WHITE);
        let mut top = 0;
        let mut captions = Vec::new();
        for (grid, Row { caption, .. }) in grids.iter().zip(&self.rows) {
            imageops::replace(&mut sheet, grid, caption_width.into(), top.into());
            captions.push((caption, (longest + MARGIN, top + grid.height() / 2)));
            top += grid.height() - gap;
        }
        let size = sheet.dimensions();
        let area = BitMapBackend::with_buffer(&mut sheet, size).into_drawing_area();
        for (caption, (right, middle)) in captions {
            area.draw_text(caption, &style, (right as i32, middle as i32)).map_err(cannot_draw)?;
        }
        area.present().map_err(cannot_draw)?;
        drop(area);
        Ok((sheet, caption_width))
    }

    /// Pixels from one column to the next.
    pub(super) fn column_width(&self) -> usize {
        self.shape[1] * enlargement(self.shape, SIDE) + GAP
    }

    /// The same sheet with what is shown of its images.
    ///
    /// # Errors
    /// As [`Shown::of`].
    pub fn shown(mut self, shown: &Shown) -> Result<Self> {
        let shape = self.shape;
        for row in &mut self.rows {
            (row.levels, self.shape) = shown.of(std::mem::take(&mut row.levels), shape)?;
        }
        Ok(self)
    }

    /// The numbers of the images that are none, counted from 0 through all rows, and of how many images they are.
    pub fn not_finite(&self) -> (Vec<usize>, usize) {
        let (mut numbers, mut count) = (Vec::new(), 0);
        for row in &self.rows {
            numbers.extend(row.not_finite.iter().map(|number| count + number));
            count += row.levels.len() / self.shape.iter().product::<usize>().max(1);
        }
        (numbers, count)
    }

    /// Draws the sheet and writes it as its name's ending says: PNG, JPEG or WebP; without an ending PNG.
    ///
    /// # Errors
    /// As [`Sheet::draw`]; [`Error::Usage`] for another ending; [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_picture(path.as_ref(), &self.draw()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_become_shades_and_images_are_enlarged_in_place() {
        let picture = sheet(&[0, 16, 8, 4, 1, 1, 1, 1], [2, 2, 1], 17, 5).unwrap();
        assert_eq!(picture.dimensions(), (2 * 64 + 3 * 2, 64 + 2 * 2), "two images of two pixels, 32 times enlarged");
        assert_eq!(picture.get_pixel(0, 0), &WHITE);
        for ((x, y), shade) in
            [((2, 2), 0), ((33, 33), 0), ((34, 2), 255), ((2, 34), 127), ((65, 65), 63), ((68, 2), 15)]
        {
            assert_eq!(picture.get_pixel(x, y), &Rgb([shade; 3]), "at {x}, {y}");
        }
    }

    #[test]
    fn three_channels_are_red_green_and_blue() {
        let picture = sheet(&[[0, 1, 2], [3, 4, 255]].concat(), [1, 1, 3], 256, 1).unwrap();
        assert_eq!(picture.dimensions(), (68, 134));
        assert_eq!(picture.get_pixel(2, 2), &Rgb([0, 1, 2]));
        assert_eq!(picture.get_pixel(2, 68), &Rgb([3, 4, 255]));
    }

    #[test]
    fn what_cannot_be_shown_is_refused() {
        for (levels, shape, bins, columns) in [
            (2, [1, 1, 2], 2, 1),
            (4, [1, 1, 4], 2, 1),
            (3, [2, 1, 1], 2, 1),
            (0, [1, 1, 1], 2, 1),
            (2, [0, 1, 1], 2, 1),
            (2, [1, 1, 1], 2, 0),
            (2, [1, 1, 1], 1, 1),
            (2, [1, 1, 1], 257, 1),
        ] {
            let error = sheet(&vec![0; levels], shape, bins, columns).unwrap_err();
            assert!(matches!(error, Error::Usage(_)), "{levels} levels of {shape:?}: {error}");
        }
        assert!(sheet(&[17], [1, 1, 1], 17, 1).unwrap_err().to_string().contains("grey level 17"));
    }

    #[test]
    fn captions_widen_the_sheet_and_are_drawn() {
        let row = |caption: &str| Row::new(caption, vec![255; 2]);
        let mut rows = Sheet { rows: vec![row(""), row("")], shape: [1, 1, 1], bins: 256, columns: 2 };
        assert_eq!(rows.draw().unwrap().dimensions(), (134, 134));
        rows.rows[1].caption = "T = 0.7".into();
        let picture = rows.draw().unwrap();
        assert!(picture.width() > 160);
        let dark = |rows: std::ops::Range<u32>| {
            rows.flat_map(|y| (0..picture.width()).map(move |x| (x, y))).any(|(x, y)| picture.get_pixel(x, y)[0] < 128)
        };
        assert!(dark(67..134) && !dark(0..67));
        assert!(Sheet { rows: vec![], ..rows }.draw().is_err());
    }

    #[test]
    fn what_is_no_image_is_crossed_out_and_counted_through_all_rows() {
        let row = |not_finite: Vec<usize>| Row { not_finite, ..Row::new("", vec![0; 3]) };
        let sheet = Sheet { rows: vec![row(vec![2]), row(vec![0, 1])], shape: [1, 1, 1], bins: 256, columns: 3 };
        assert_eq!(sheet.not_finite(), (vec![2, 3, 4], 6));
        let picture = sheet.draw().unwrap();
        for cell in 0..6 {
            let (left, top) = (2 + cell % 3 * 66, 2 + cell / 3 * 66);
            let black = (0..64).all(|x| picture.get_pixel(left + x, top + 20) == &Rgb([0; 3]));
            assert_eq!(black, ![2, 3, 4].contains(&cell), "{cell}");
        }
    }

    #[test]
    fn a_sheet_of_five_channels_is_shown_by_those_that_are_chosen() {
        let sheet = Sheet { rows: vec![Row::new("", vec![1, 2, 3, 4, 5])], shape: [1, 1, 5], bins: 256, columns: 1 };
        assert!(sheet.draw().is_err());
        let shown = Shown::choose(Some(&"4,0,1".parse().unwrap()), 5).unwrap();
        assert_eq!(sheet.shown(&shown).unwrap().draw().unwrap().get_pixel(9, 9), &Rgb([5, 1, 2]));
    }

    #[test]
    fn a_sheet_is_written_as_its_name_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let sheet = Sheet { rows: vec![Row::new("", vec![9])], shape: [1, 1, 1], bins: 256, columns: 1 };
        sheet.save(&path).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8().get_pixel(2, 2), &Rgb([9; 3]));
    }
}
