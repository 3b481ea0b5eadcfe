//! A density over two features as a picture: a grid of ln p, with points over it.

use std::ops::Range;
use std::path::Path;

use image::{RgbImage, imageops};
use plotters::prelude::*;

use super::axis::Axis;
use super::curve::{FINE, TEXT, TITLE};
use super::{INK, cannot_draw, text, width_of, write_picture};
use crate::error::{Error, Result};

/// Width and height in pixels.
const SIZE: (u32, u32) = (760, 700);
/// Nats below the greatest ln p at which the colour becomes white.
const DEPTH: f64 = 8.0;
/// From the least to the greatest ln p: white, then darker and darker blue.
const COLORS: [(f64, f64, f64); 4] =
    [(255.0, 255.0, 255.0), (158.0, 202.0, 225.0), (49.0, 130.0, 189.0), (8.0, 29.0, 88.0)];
/// Of points: vermillion, as in [`PALETTE`](super::PALETTE).
const POINT: RGBColor = RGBColor(213, 94, 0);
/// The most steps from tick to tick on each axis.
const STEPS: usize = 6;

/// ln p on a grid, with points over it.
#[derive(Clone, Debug)]
pub struct Density {
    /// Above the picture; may be empty.
    pub title: String,
    /// What the features are called: the horizontal one and the vertical one.
    pub names: [String; 2],
    /// From where to where each goes.
    pub ranges: [Range<f64>; 2],
    /// Cells in a row and in a column.
    pub side: usize,
    /// ln p in the middle of each cell, rows from the lowest up, `[side, side]`.
    pub log_density: Vec<f64>,
    /// Drawn over it.
    pub points: Vec<(f64, f64)>,
}

impl Density {
    /// The middles of the cells, in the order of [`Density::log_density`].
    pub fn cells([x, y]: &[Range<f64>; 2], side: usize) -> impl Iterator<Item = (f64, f64)> {
        let at = move |range: &Range<f64>, i: usize| {
            range.start + (i as f64 + 0.5) * (range.end - range.start) / side as f64
        };
        (0..side * side).map(move |i| (at(x, i % side), at(y, i / side)))
    }

    /// Writes the picture as the name's ending says: PNG, JPEG or WebP.
    ///
    /// # Errors
    /// [`Error::Usage`] where no ln p is finite, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut picture = RgbImage::new(SIZE.0 * FINE, SIZE.1 * FINE);
        let (width, height) = picture.dimensions();
        self.draw(&BitMapBackend::with_buffer(&mut picture, (width, height)).into_drawing_area())?;
        write_picture(path.as_ref(), &imageops::thumbnail(&picture, SIZE.0, SIZE.1))
    }

    fn draw(&self, area: &DrawingArea<BitMapBackend, plotters::coord::Shift>) -> Result<()> {
        let greatest = self.log_density.iter().copied().filter(|l| l.is_finite()).reduce(f64::max);
        let Some(greatest) = greatest else {
            return Err(Error::Usage("nothing to draw: no ln p on the grid is finite".into()));
        };
        area.fill(&WHITE).map_err(cannot_draw)?;
        let style = text(TEXT)?;
        let [x, y] = self.ranges.clone();
        let (x_axis, y_axis) = (Axis::new(x.clone(), STEPS), Axis::new(y.clone(), STEPS));
        let ticks = width_of(y_axis.labels(), &style)?;
        let mut builder = ChartBuilder::on(area);
        builder.margin(TEXT / 2);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(TITLE)?);
        }
        let mut chart = builder
            .x_label_area_size(TEXT * 5 / 2)
            .y_label_area_size(ticks + TEXT * 2)
            .build_cartesian_2d(x_axis, y_axis)
            .map_err(cannot_draw)?;
        let (step_x, step_y) = ((x.end - x.start) / self.side as f64, (y.end - y.start) / self.side as f64);
        let cells = Self::cells(&self.ranges, self.side).zip(&self.log_density).map(|((x, y), log_density)| {
            let corners = [(x - 0.5 * step_x, y - 0.5 * step_y), (x + 0.5 * step_x, y + 0.5 * step_y)];
            Rectangle::new(corners, color(1.0 + (log_density - greatest) / DEPTH).filled())
        });
        chart.draw_series(cells).map_err(cannot_draw)?;
        let inside = self.points.iter().filter(|(a, b)| x.contains(a) && y.contains(b));
        let dots = inside.map(|point| Circle::new(*point, FINE as i32 * 3 / 2, POINT.mix(0.7).filled()));
        chart.draw_series(dots).map_err(cannot_draw)?;
        chart
            .configure_mesh()
            .disable_mesh()
            .set_all_tick_mark_size(5 * FINE)
            .axis_style(INK.stroke_width(FINE))
            .label_style(style.clone())
            .axis_desc_style(style)
            .x_desc(&self.names[0])
            .y_desc(&self.names[1])
            .draw()
            .map_err(cannot_draw)?;
        area.present().map_err(cannot_draw)
    }
}

/// The colour of a share of the way from white to the darkest; what is no number is white.
fn color(share: f64) -> RGBColor {
    let place = share.clamp(0.0, 1.0) * (COLORS.len() - 1) as f64;
    let place = if place.is_nan() { 0.0 } else { place };
    let from = (place as usize).min(COLORS.len() - 2);
    let part = place - from as f64;
    let mixed = |a: f64, b: f64| (a + part * (b - a)).round() as u8;
    let ((r, g, b), (s, h, c)) = (COLORS[from], COLORS[from + 1]);
    RGBColor(mixed(r, s), mixed(g, h), mixed(b, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_likeliest_is_darkest_and_what_is_no_number_is_white() {
        let light = |RGBColor(r, g, b): RGBColor| u32::from(r) + u32::from(g) + u32::from(b);
        let shades: Vec<u32> = [0.0, 0.2, 0.5, 0.8, 1.0].map(|share| light(color(share))).to_vec();
        assert!(shades.is_sorted_by(|a, b| a > b), "{shades:?}");
        assert_eq!((light(color(f64::NAN)), light(color(f64::NEG_INFINITY)), color(2.0)), (765, 765, color(1.0)));
    }

    #[test]
    fn a_density_is_drawn_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let ranges = [-3.0..3.0, -3.0..3.0];
        let log_density = Density::cells(&ranges, 60).map(|(x, y)| -0.5 * ((x - 1.5).powi(2) + y * y) / 0.04).collect();
        let density = Density {
            title: "a bump".into(),
            names: ["x".into(), "y".into()],
            ranges,
            side: 60,
            log_density,
            points: Vec::new(),
        };
        let path = folder.path().join("d.png");
        density.save(&path).unwrap();
        let picture = image::open(&path).unwrap().to_rgb8();
        let dark: Vec<u32> =
            picture.enumerate_pixels().filter(|(.., p)| p.0[0] < 60 && p.0[2] > 80).map(|(x, ..)| x).collect();
        let mean = dark.iter().sum::<u32>() / dark.len() as u32;
        assert!(mean > picture.width() / 2, "right of the middle: {mean} of {}", picture.width());
        assert!(Density { log_density: vec![f64::NAN; 3600], ..density }.save(&path).is_err());
    }
}
