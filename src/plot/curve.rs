//! Learning curves, labelled where the lines end.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::path::{Path, PathBuf};

use image::{RgbImage, imageops};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::frame::{self, Point};
use super::{FIGURES, INK, PALETTE, cannot_draw, text, width_of, write_picture};
use crate::error::{Error, Result};
use crate::files::{ending, write_atomically};

/// Width and height of a figure in pixels.
pub(super) const SIZE: (u32, u32) = (960, 640);
/// Figures are drawn this much larger, in whole pixels: the SVG has finer lines for it, and the PNG smoother ones.
pub(super) const FINE: u32 = 2;
pub(super) const TEXT: u32 = 21 * FINE;
pub(super) const TITLE: u32 = 25 * FINE;
const LINE: u32 = 3 * FINE;
const DASH: u32 = 9 * FINE;
/// Between the plot and the labels, crossed by a thin line from each end to its label.
const LEADER: u32 = 24 * FINE;
const GRID: RGBColor = RGBColor(225, 225, 225);
/// The most steps from tick to tick on each axis.
const STEPS: (usize, usize) = (6, 10);

/// One line of a [`Figure`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What the line is, written at its end; an empty one is not.
    pub label: String,
    /// Its points, by increasing x; those with a coordinate that is not finite are left out and break the line.
    pub points: Vec<(f64, f64)>,
    /// Whether the line is dashed, such as a training loss beside the test loss.
    pub dashed: bool,
    /// Half the height of a band around the line, for each point.
    pub spread: Option<Vec<f64>>,
    /// Which colour of [`PALETTE`], from which one starts again; by default, the series' position in the figure.
    pub color: Option<usize>,
}

impl Series {
    /// The points that can be shown, with their spreads.
    pub(super) fn points_and_spread(&self) -> impl Iterator<Item = (Point, f64)> {
        let spread = |i: usize| self.spread.as_ref().and_then(|spread| spread.get(i)).copied();
        let finite = |spread: f64| if spread.is_finite() { spread } else { 0.0 };
        let both = self.points.iter().enumerate().map(move |(i, point)| (*point, finite(spread(i).unwrap_or(0.0))));
        both.filter(|(point, _)| frame::is_shown(*point))
    }
}

/// Lines over one pair of axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// The title; may be empty.
    pub title: String,
    /// The horizontal axis, with its unit.
    pub x_label: String,
    /// The vertical axis, with its unit, such as `test bits/dim`.
    pub y_label: String,
    /// The lines, in the order of colours.
    pub series: Vec<Series>,
}

impl Figure {
    /// Writes the figure as SVG, nominally 960 by 640 pixels.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no finite point, or a spread is not as long as its points; [`Error::Io`] where
    /// the file cannot be written.
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<()> {
        let size = (SIZE.0 * FINE, SIZE.1 * FINE);
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, size).into_drawing_area())?;
        let attributes = |(width, height)| format!("width=\"{width}\" height=\"{height}\"");
        write_atomically(path, svg.replacen(&attributes(size), &attributes(SIZE), 1).as_bytes())
    }

    /// Writes the figure in pixels, 960 by 640: as PNG, or as JPEG or WebP where its name ends so.
    ///
    /// # Errors
    /// As [`Figure::save_svg`].
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut picture = RgbImage::new(SIZE.0 * FINE, SIZE.1 * FINE);
        let size = picture.dimensions();
        self.draw(&BitMapBackend::with_buffer(&mut picture, size).into_drawing_area())?;
        write_picture(path.as_ref(), &imageops::thumbnail(&picture, SIZE.0, SIZE.1))
    }

    /// Writes both `stem.svg` and `stem.png`.
    ///
    /// # Errors
    /// As [`Figure::save_svg`].
    pub fn save(&self, stem: impl AsRef<Path>) -> Result<()> {
        // Appended, since a stem such as `rate-0.001` has what looks like an extension.
        let with = |ending: &str| -> OsString { [stem.as_ref().as_os_str(), OsStr::new(ending)].into_iter().collect() };
        self.save_svg(with(".svg"))?;
        self.save_png(with(".png"))
    }

    /// Writes the figure as the name's ending says, SVG, PNG, JPEG or WebP; as [`Figure::save`] where the name has none of
    /// these endings. The files that were written.
    ///
    /// # Errors
    /// As [`Figure::save_svg`].
    pub fn save_as(&self, path: &Path) -> Result<Vec<PathBuf>> {
        match ending(path).as_deref() {
            Some("svg") => self.save_svg(path)?,
            Some(ending) if FIGURES.contains(&ending) => self.save_png(path)?,
            _ => {
                self.save(path)?;
                return Ok(["svg", "png"].map(|ending| format!("{}.{ending}", path.display()).into()).to_vec());
            }
        }
        Ok(vec![path.to_path_buf()])
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<()> {
        let misfit = |series: &&Series| series.spread.as_ref().is_some_and(|v| v.len() != series.points.len());
        if let Some(series) = self.series.iter().find(misfit) {
            return Err(Error::Usage(format!("'{}': expected a spread for each of its points", series.label)));
        }
        let Some((x, y)) = frame::ranges(&self.series) else {
            return Err(Error::Usage(format!("nothing to draw: '{}' has no finite point", self.y_label)));
        };
        area.fill(&WHITE).map_err(cannot_draw)?;
        let label_width = label_width(&self.series)?;
        self.draw_in(area, (x, y), label_width)?;
        area.present().map_err(cannot_draw)
    }

    /// Draws into a part of a picture, over these ranges, with so many pixels for the labels of lines.
    pub(super) fn draw_in<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (x, y): (Range<f64>, Range<f64>),
        label_width: u32,
    ) -> Result<()> {
        let style = text(TEXT)?;
        let (x_axis, y_axis) = (Axis::new(x, STEPS.0), Axis::new(y.clone(), STEPS.1));
        let tick_width = width_of(y_axis.labels(), &style)?;

        let mut builder = ChartBuilder::on(area);
        builder.margin(TEXT / 2).margin_right(LEADER + label_width + TEXT / 2);
        if !self.title.is_empty() {
            builder.caption(&self.title, text(TITLE)?);
        }
        let mut chart = builder
            .x_label_area_size(TEXT * 5 / 2)
            .y_label_area_size(tick_width + TEXT * 2)
            .build_cartesian_2d(x_axis, y_axis)
            .map_err(cannot_draw)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(5 * FINE)
            .bold_line_style(GRID.stroke_width(FINE))
            .axis_style(INK.stroke_width(FINE))
            .label_style(style.clone())
            .axis_desc_style(style.clone())
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .draw()
            .map_err(cannot_draw)?;

        // Of the whole picture, where this may be a part of it.
        let (area_columns, area_rows) = area.get_pixel_range();
        let mut ends = Vec::new();
        for (position, series) in self.series.iter().enumerate() {
            let (red, green, blue) = PALETTE[series.color.unwrap_or(position) % PALETTE.len()];
            let color = RGBColor(red, green, blue);
            for band in frame::bands(series, &y) {
                chart.draw_series([Polygon::new(band, color.mix(0.18).filled())]).map_err(cannot_draw)?;
            }
            let pen = color.stroke_width(if series.dashed { LINE * 2 / 3 } else { LINE });
            for piece in frame::clip(&series.points, &y) {
                match (piece.as_slice(), series.dashed) {
                    ([only], _) => chart.draw_series([Circle::new(*only, LINE, color.filled())]).map(drop),
                    (_, true) => chart.draw_series(DashedLineSeries::new(piece, DASH, DASH / 2, pen)).map(drop),
                    (_, false) => chart.draw_series(LineSeries::new(piece, pen)).map(drop),
                }
                .map_err(cannot_draw)?;
            }
            if let Some(((x, last), _)) = series.points_and_spread().last().filter(|_| !series.label.is_empty()) {
                let (column, row) = chart.plotting_area().map_coordinate(&(x, last.clamp(y.start, y.end)));
                ends.push(((column - area_columns.start, row - area_rows.start), color, &series.label));
            }
        }
        let (columns, rows) = chart.plotting_area().get_pixel_range();
        let columns = columns.start - area_columns.start..columns.end - area_columns.start;
        let rows = rows.start - area_rows.start..rows.end - area_rows.start;
        ends.sort_by_key(|((_, height), ..)| *height);
        let heights: Vec<i32> = ends.iter().map(|((_, height), ..)| *height).collect();
        let (edge, right) = (columns.end, columns.end + LEADER as i32);
        for ((end, color, label), height) in ends.into_iter().zip(frame::spaced(&heights, TEXT as i32, &rows)) {
            // Dotted within the plot, where a line that ended early might else seem to go on.
            let pen = color.mix(0.6).stroke_width(FINE);
            let within = DashedPathElement::new([end, (edge, end.1)], FINE, 5 * FINE, pen);
            area.draw(&within).map_err(cannot_draw)?;
            let beyond = vec![(edge, end.1), (right - LEADER as i32 / 4, height)];
            area.draw(&PathElement::new(beyond, pen)).map_err(cannot_draw)?;
            let style = style.pos(Pos::new(HPos::Left, VPos::Center)).color(&color);
            area.draw_text(label, &style, (right, height)).map_err(cannot_draw)?;
        }
        Ok(())
    }
}

/// The pixels that the labels of these lines need.
pub(super) fn label_width(series: &[Series]) -> Result<u32> {
    width_of(series.iter().map(|series| &series.label), &text(TEXT)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> Figure {
        let curve = |label: &str, floor: f64, dashed| Series {
            label: label.into(),
            points: (1..100).map(|step| (f64::from(step), floor + 3.0 / f64::from(step))).collect(),
            dashed,
            ..Series::default()
        };
        Figure {
            title: "Digits".into(),
            x_label: "step".into(),
            y_label: "test bits/dim".into(),
            series: vec![curve("train <10 %>", 3.3, true), curve("test", 3.4, false)],
        }
    }

    #[test]
    fn both_files_are_written_and_the_svg_says_what_is_what() {
        let folder = tempfile::tempdir().unwrap();
        figure().save(folder.path().join("rate-0.001")).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("rate-0.001.svg")).unwrap();
        for words in ["width=\"960\" height=\"640\"", "Digits", "step", "test bits/dim", "train &lt;10 %&gt;", "</svg>"]
        {
            assert!(svg.contains(words), "{words}");
        }
        let picture = image::open(folder.path().join("rate-0.001.png")).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), SIZE);
        let (red, green, blue) = PALETTE[1];
        assert!(picture.pixels().any(|pixel| pixel.0 == [red, green, blue]), "the second line has the second colour");
    }

    #[test]
    fn a_figure_without_points_is_refused_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        let mut empty = figure();
        empty.series.iter_mut().for_each(|series| series.points = vec![(0.0, f64::NAN)]);
        assert!(matches!(empty.save_svg(&path), Err(Error::Usage(_))));
        empty.series.clear();
        assert!(matches!(empty.save_png(&path), Err(Error::Usage(_))));
        assert!(!path.exists());
    }

    #[test]
    fn a_spread_of_another_length_is_refused() {
        let mut figure = figure();
        figure.series[0].spread = Some(vec![0.1]);
        assert!(figure.save_svg("never.svg").unwrap_err().to_string().contains("train <10 %>"));
    }

    #[test]
    fn odd_lines_are_drawn_too() {
        let folder = tempfile::tempdir().unwrap();
        for points in
            [vec![(5.0, 2.0)], vec![(0.0, 0.0), (1.0, 0.0)], vec![(0.0, 1e299), (1.0, -1e299)], vec![(1e9, 1e-9)]]
        {
            let series = vec![Series { points, ..Series::default() }];
            Figure { series, ..Figure::default() }.save(folder.path().join("odd")).unwrap();
        }
    }
}
