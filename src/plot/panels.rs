//! Figures side by side over one vertical scale, to be compared.

use std::ffi::OsString;
use std::path::Path;

use image::{RgbImage, imageops};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::curve::{FINE, SIZE, TEXT, TITLE, label_width};
use super::{Figure, Series, cannot_draw, frame, text, write_picture};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Panels in a row.
const COLUMNS: usize = 2;
/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (660, 560);

/// Figures with one pair of axes each, all over the same ranges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panels {
    /// Above all of them; may be empty.
    pub title: String,
    /// Their horizontal axis, with its unit.
    pub x_label: String,
    /// Their vertical axis, with its unit.
    pub y_label: String,
    /// The title and the lines of each.
    pub panels: Vec<(String, Vec<Series>)>,
}

impl Panels {
    /// Writes both `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no finite point; [`Error::Io`] where a file cannot be written.
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        let with = |ending: &str| -> OsString { [stem.as_ref().as_os_str(), ending.as_ref()].into_iter().collect() };
        let (width, height) = self.size();
        let fine = (width * FINE, height * FINE);
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, fine).into_drawing_area())?;
        let attributes = |(width, height)| format!("width=\"{width}\" height=\"{height}\"");
        write_atomically(with(".svg"), svg.replacen(&attributes(fine), &attributes((width, height)), 1).as_bytes())?;
        let mut picture = RgbImage::new(fine.0, fine.1);
        self.draw(&BitMapBackend::with_buffer(&mut picture, fine).into_drawing_area())?;
        write_picture(with(".png").as_ref(), &imageops::thumbnail(&picture, width, height))
    }

    fn columns(&self) -> usize {
        self.panels.len().clamp(1, COLUMNS)
    }

    fn rows(&self) -> usize {
        self.panels.len().div_ceil(self.columns()).max(1)
    }

    fn title_height(&self) -> u32 {
        if self.title.is_empty() { 0 } else { 2 * TITLE / FINE }
    }

    fn size(&self) -> (u32, u32) {
        let panel = if self.panels.len() == 1 { SIZE } else { PANEL };
        (self.columns() as u32 * panel.0, self.rows() as u32 * panel.1 + self.title_height())
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()> {
        let all: Vec<Series> = self.panels.iter().flat_map(|(_, series)| series.iter().cloned()).collect();
        let Some(ranges) = frame::ranges(&all) else {
            return Err(Error::Usage(format!("nothing to draw: '{}' has no finite point", self.y_label)));
        };
        let label_width = label_width(&all)?;
        area.fill(&WHITE).map_err(cannot_draw)?;
        let (top, rest) = area.split_vertically(self.title_height() * FINE);
        if !self.title.is_empty() {
            let style = text(TITLE)?.pos(Pos::new(HPos::Center, VPos::Center));
            let (width, height) = top.dim_in_pixel();
            top.draw_text(&self.title, &style, (width as i32 / 2, (height / 2 + TEXT / 8) as i32))
                .map_err(cannot_draw)?;
        }
        let places = rest.split_evenly((self.rows(), self.columns()));
        for (place, (title, series)) in places.iter().zip(&self.panels) {
            let figure = Figure {
                title: title.clone(),
                x_label: self.x_label.clone(),
                y_label: self.y_label.clone(),
                series: series.clone(),
            };
            figure.draw_in(place, ranges.clone(), label_width)?;
        }
        area.present().map_err(cannot_draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(label: &str, height: f64) -> Vec<Series> {
        vec![Series { label: label.into(), points: vec![(0.0, height), (1.0, height + 1.0)], ..Series::default() }]
    }

    #[test]
    fn panels_share_their_scale_and_are_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let panels = Panels {
            title: "both".into(),
            panels: vec![("low".into(), series("a", 1.0)), ("high".into(), series("b", 8.0))],
            ..Panels::default()
        };
        panels.save(folder.path().join("two")).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("two.svg")).unwrap();
        for words in ["both", "low", "high"] {
            assert!(svg.contains(words), "{words}");
        }
        // The ticks of both are from 1 to 9.
        assert_eq!(svg.matches(">\n9\n<").count(), 2, "{svg}");
        let picture = image::open(folder.path().join("two.png")).unwrap();
        assert_eq!((picture.width(), picture.height()), (2 * PANEL.0, PANEL.1 + panels.title_height()));
        assert!(Panels::default().save(folder.path().join("none")).is_err());
    }
}
