//! Vectors of several features: each pair of features as points, each feature as a histogram, two sets in two colours.

use std::ops::Range;
use std::path::Path;

use image::{RgbImage, imageops};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::curve::{FINE, TEXT};
use super::{INK, PALETTE, cannot_draw, text, write_picture};
use crate::error::{Error, Result};

/// Width and height of a panel in pixels.
const PANEL: u32 = 220;
/// Bins of a histogram.
const BINS: usize = 30;
/// Features that are drawn; a picture of more is too large to look at.
pub const MOST: usize = 8;

/// Two sets of vectors to be compared, such as data and samples.
#[derive(Clone, Debug)]
pub struct Corner {
    /// What the features are called.
    pub names: Vec<String>,
    /// The name of each set and its vectors, `[n, features]`.
    pub sets: [(String, Vec<f64>); 2],
}

impl Corner {
    /// Writes the picture as the name's ending says: PNG, JPEG or WebP. Of more than [`MOST`] features the first are drawn.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no finite number to draw, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let drawn = self.names.len().min(MOST);
        let side = (drawn as u32).max(1) * PANEL;
        let mut picture = RgbImage::new(side * FINE, side * FINE);
        self.draw(&BitMapBackend::with_buffer(&mut picture, (side * FINE, side * FINE)).into_drawing_area(), drawn)?;
        write_picture(path.as_ref(), &imageops::thumbnail(&picture, side, side))
    }

    fn draw(&self, area: &DrawingArea<BitMapBackend, Shift>, drawn: usize) -> Result<()> {
        let ranges: Option<Vec<Range<f64>>> = (0..drawn).map(|feature| self.range(feature)).collect();
        let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) else {
            return Err(Error::Usage("nothing to draw: a feature has no finite number".into()));
        };
        area.fill(&WHITE).map_err(cannot_draw)?;
        let panels = area.split_evenly((drawn, drawn));
        for (i, panel) in panels.iter().enumerate() {
            let (row, column) = (i / drawn, i % drawn);
            match column.cmp(&row) {
                std::cmp::Ordering::Less => self.points(panel, (column, row), &ranges)?,
                std::cmp::Ordering::Equal => self.histogram(panel, row, &ranges[row])?,
                std::cmp::Ordering::Greater if (row, column) == (0, drawn - 1) => self.legend(panel)?,
                std::cmp::Ordering::Greater => {}
            }
        }
        area.present().map_err(cannot_draw)
    }

    fn values(&self, set: usize, feature: usize) -> impl Iterator<Item = f64> {
        self.sets[set].1.iter().skip(feature).step_by(self.names.len().max(1)).copied()
    }

    /// From where to where a feature of the first set goes, with a margin; the other set is cut off there.
    fn range(&self, feature: usize) -> Option<Range<f64>> {
        let finite = || self.values(0, feature).filter(|value| value.is_finite());
        let (least, most) = (finite().reduce(f64::min)?, finite().reduce(f64::max)?);
        let margin = if most > least { 0.1 * (most - least) } else { 1.0 };
        Some(least - margin..most + margin)
    }

    fn points(
        &self,
        panel: &DrawingArea<BitMapBackend, Shift>,
        (x, y): (usize, usize),
        ranges: &[Range<f64>],
    ) -> Result<()> {
        let mut chart = chart(panel, ranges[x].clone(), ranges[y].clone(), (&self.names[x], &self.names[y]))?;
        for set in [0, 1] {
            let color = color(set).mix(0.45);
            let inside = |(a, b): &(f64, f64)| ranges[x].contains(a) && ranges[y].contains(b);
            let points = self.values(set, x).zip(self.values(set, y)).filter(inside);
            chart
                .draw_series(points.map(|point| Circle::new(point, FINE as i32, color.filled())))
                .map_err(cannot_draw)?;
        }
        Ok(())
    }

    fn histogram(&self, panel: &DrawingArea<BitMapBackend, Shift>, feature: usize, range: &Range<f64>) -> Result<()> {
        let shares = [0, 1].map(|set| shares(self.values(set, feature), range));
        let highest = shares.iter().flatten().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let name = &self.names[feature];
        let mut chart = chart(panel, range.clone(), 0.0..1.1 * highest, (name, ""))?;
        let step = (range.end - range.start) / BINS as f64;
        for (set, shares) in shares.iter().enumerate() {
            let at = |bin: usize| range.start + bin as f64 * step;
            let steps = shares.iter().enumerate().flat_map(|(bin, share)| [(at(bin), *share), (at(bin + 1), *share)]);
            chart.draw_series(LineSeries::new(steps, color(set).stroke_width(FINE))).map_err(cannot_draw)?;
        }
        Ok(())
    }

    fn legend(&self, panel: &DrawingArea<BitMapBackend, Shift>) -> Result<()> {
        let (width, _) = panel.dim_in_pixel();
        for (set, (name, _)) in self.sets.iter().enumerate() {
            let color = color(set);
            let style = text(TEXT)?.color(&color).pos(Pos::new(HPos::Right, VPos::Top));
            let place = (width as i32 - TEXT as i32 / 2, (TEXT / 2 + set as u32 * TEXT * 3 / 2) as i32);
            panel.draw_text(name, &style, place).map_err(cannot_draw)?;
        }
        Ok(())
    }
}

type Chart<'a> = ChartContext<'a, BitMapBackend<'a>, Cartesian2d<Axis, Axis>>;

/// The axes of a panel.
fn chart<'a>(
    panel: &DrawingArea<BitMapBackend<'a>, Shift>,
    x: Range<f64>,
    y: Range<f64>,
    (x_name, y_name): (&str, &str),
) -> Result<Chart<'a>> {
    let style = text(TEXT * 2 / 3)?;
    let y_area = if y_name.is_empty() { TEXT } else { TEXT * 3 };
    let mut chart = ChartBuilder::on(panel)
        .margin(TEXT / 4)
        .x_label_area_size(TEXT * 2)
        .y_label_area_size(y_area)
        .build_cartesian_2d(Axis::new(x, 3), Axis::new(y, 3))
        .map_err(cannot_draw)?;
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().axis_style(INK.stroke_width(FINE)).label_style(style.clone()).axis_desc_style(style);
    if y_name.is_empty() {
        mesh.y_labels(0);
    }
    mesh.x_desc(x_name).y_desc(y_name).draw().map_err(cannot_draw)?;
    Ok(chart)
}

/// The share of values in each bin.
fn shares(values: impl Iterator<Item = f64>, range: &Range<f64>) -> [f64; BINS] {
    let (mut shares, mut n) = ([0.0; BINS], 0.0);
    for value in values {
        n += 1.0;
        let place = (value - range.start) / (range.end - range.start) * BINS as f64;
        if (0.0..BINS as f64).contains(&place) {
            shares[place as usize] += 1.0;
        }
    }
    shares.map(|count| count / f64::max(n, 1.0))
}

fn color(set: usize) -> RGBColor {
    let (red, green, blue) = PALETTE[set];
    RGBColor(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_values_and_what_is_outside_is_in_no_bin() {
        let shares = shares([0.5, 0.6, 29.5, -1.0, f64::NAN].into_iter(), &(0.0..30.0));
        assert_eq!((shares[0], shares[29], shares.iter().sum::<f64>()), (0.4, 0.2, 0.6000000000000001));
    }

    #[test]
    fn a_corner_has_a_panel_for_each_pair() {
        let folder = tempfile::tempdir().unwrap();
        let values: Vec<f64> = (0..90).map(|i| f64::from(i * 37 % 90)).collect();
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let corner = Corner { names, sets: [("data".into(), values.clone()), ("samples".into(), values)] };
        let path = folder.path().join("c.png");
        corner.save(&path).unwrap();
        let picture = image::open(&path).unwrap();
        assert_eq!((picture.width(), picture.height()), (3 * PANEL, 3 * PANEL));
        let empty = Corner { sets: [("a".into(), vec![f64::NAN; 3]), ("b".into(), vec![])], ..corner };
        assert!(empty.save(&path).is_err());
    }
}
