//! A picture sheet with a title and headings over its columns.

use std::path::Path;

use image::{RgbImage, imageops};
use plotters::prelude::{BitMapBackend, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::sheet::{CAPTION_SIZE, MARGIN, WHITE};
use super::{Sheet, Shown, cannot_draw, text, width_of, write_picture};
use crate::error::Result;

/// Pixels of a line of text, above and below.
const LEADING: u32 = 10;
/// Headings that are wider than a column are set smaller, down to this.
const SMALLEST: u32 = 11;

/// A sheet under a title and headings.
#[derive(Clone, Debug)]
pub struct Captioned {
    /// Above all; may be empty.
    pub title: String,
    /// Above each column; none where it is empty.
    pub headings: Vec<String>,
    /// The pictures.
    pub sheet: Sheet,
}

impl Captioned {
    /// Draws title, headings and sheet.
    ///
    /// # Errors
    /// As [`Sheet::draw`].
    pub fn draw(&self) -> Result<RgbImage> {
        let (sheet, left) = self.sheet.lay_out()?;
        let column = self.sheet.column_width() as u32;
        let title_style = text(CAPTION_SIZE)?.pos(Pos::new(HPos::Left, VPos::Center));
        let (heading_size, heading_width) = self.heading_size(column)?;
        let line = |lines: bool, size: u32| if lines { size + LEADING } else { 0 };
        let title = line(!self.title.is_empty(), CAPTION_SIZE);
        let top = title + line(!self.headings.is_empty(), heading_size);
        // What is wider than the sheet, a long title or the last heading, gets the room it needs.
        let title_width = if title > 0 { width_of([&self.title], &title_style)? + 2 * MARGIN } else { 0 };
        let last = left + column * self.headings.len() as u32 + heading_width.saturating_sub(column) / 2;
        let width = sheet.width().max(title_width).max(if self.headings.is_empty() { 0 } else { last });
        let mut picture = RgbImage::from_pixel(width, sheet.height() + top, WHITE);
        imageops::replace(&mut picture, &sheet, 0, top.into());
        let size = picture.dimensions();
        let area = BitMapBackend::with_buffer(&mut picture, size).into_drawing_area();
        area.draw_text(&self.title, &title_style, (MARGIN as i32, (title / 2) as i32)).map_err(cannot_draw)?;
        let style = text(heading_size)?.pos(Pos::new(HPos::Center, VPos::Center));
        for (i, heading) in self.headings.iter().enumerate() {
            let middle = left + column * i as u32 + column / 2;
            area.draw_text(heading, &style, (middle as i32, ((title + top) / 2) as i32)).map_err(cannot_draw)?;
        }
        area.present().map_err(cannot_draw)?;
        drop(area);
        Ok(picture)
    }

    /// The same with what is shown of its images.
    ///
    /// # Errors
    /// As [`Shown::of`].
    pub fn shown(self, shown: &Shown) -> Result<Self> {
        Ok(Self { sheet: self.sheet.shown(shown)?, ..self })
    }

    /// Draws it and writes it as its name's ending says: PNG, JPEG or WebP; without an ending PNG.
    ///
    /// # Errors
    /// As [`Captioned::draw`] and [`Sheet::save`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_picture(path.as_ref(), &self.draw()?)
    }

    /// The largest size at which every heading fits its column, and the width of the longest.
    fn heading_size(&self, column: u32) -> Result<(u32, u32)> {
        let mut size = CAPTION_SIZE;
        loop {
            let width = width_of(&self.headings, &text(size)?)?;
            if width + 4 <= column || size == SMALLEST {
                return Ok((size, width));
            }
            size -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Row;

    fn captioned(title: &str, headings: &[&str]) -> Captioned {
        let sheet = Sheet { rows: vec![Row::new("", vec![255; 2])], shape: [1, 1, 1], bins: 256, columns: 2 };
        Captioned { title: title.into(), headings: headings.iter().map(|h| (*h).to_owned()).collect(), sheet }
    }

    #[test]
    fn title_and_headings_are_above_the_sheet_and_leave_it_as_it_is() {
        let bare = captioned("", &[]).draw().unwrap();
        assert_eq!(bare, captioned("", &[]).sheet.draw().unwrap());
        let whole = captioned("a", &["0", "1"]).draw().unwrap();
        assert_eq!(whole.width(), bare.width());
        let top = whole.height() - bare.height();
        assert_eq!(top, 2 * (CAPTION_SIZE + LEADING));
        assert_eq!(imageops::crop_imm(&whole, 0, top, bare.width(), bare.height()).to_image(), bare);
        let dark = |rows: std::ops::Range<u32>, columns: std::ops::Range<u32>| {
            rows.flat_map(|y| columns.clone().map(move |x| (x, y))).any(|(x, y)| whole.get_pixel(x, y)[0] < 160)
        };
        assert!(dark(0..top / 2, 0..66) && dark(top / 2..top, 0..66) && dark(top / 2..top, 66..134));
    }

    #[test]
    fn long_headings_are_set_smaller_and_a_long_title_widens_the_picture() {
        let long = captioned(&"long title ".repeat(9), &["picture 12", "picture 13"]);
        assert!(long.heading_size(66).unwrap().0 < CAPTION_SIZE);
        assert!(long.draw().unwrap().width() > 400);
    }
}
