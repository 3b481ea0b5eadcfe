//! The geometry of a figure: what part of the lines is shown, and where their labels go.

use std::ops::Range;

use super::Series;

pub(super) type Point = (f64, f64);

/// The values that `x` and `y` run over in all series, with margins in `y`; `None` without a point to show.
///
/// Values of the first tenth of `x` are cut off where they would squeeze all later ones into a third of the height, as
/// the loss of an untrained model would.
pub(super) fn ranges(series: &[Series]) -> Option<(Range<f64>, Range<f64>)> {
    let points = || series.iter().flat_map(Series::points_and_spread);
    let x = span(points().map(|((x, _), _)| x))?;
    let heights = |from: f64| {
        let late = points().filter(move |((x, _), _)| *x >= from);
        span(late.flat_map(|((_, y), spread)| [y - spread, y + spread]))
    };
    let all = heights(x.start)?;
    let late = heights(x.start + 0.1 * (x.end - x.start)).unwrap_or(all.clone());
    let (all_height, late_height) = (all.end - all.start, late.end - late.start);
    let y = if 0.0 < late_height && late_height < all_height / 3.0 { late } else { all };
    let margin = 0.05 * (y.end - y.start);
    Some((widen(x), widen(y.start - margin..y.end + margin)))
}

/// From the least to the greatest value.
fn span(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    values.fold(None, |range, value| match range {
        None => Some(value..value),
        Some(range) => Some(range.start.min(value)..range.end.max(value)),
    })
}

/// The same range, opened where it is too narrow for its axis to have ticks.
fn widen(range: Range<f64>) -> Range<f64> {
    let magnitude = range.start.abs().max(range.end.abs());
    if range.end - range.start > 1e-9 * magnitude {
        return range;
    }
    let margin = if magnitude > 0.0 { 0.1 * magnitude } else { 1.0 };
    range.start - margin..range.end + margin
}

/// Whether a point can be shown at all.
pub(super) fn is_shown(point: Point) -> bool {
    // Well inside what f64 holds, so that no difference overflows.
    point.0.abs() < 1e300 && point.1.abs() < 1e300
}

/// The line through `points` within `y`, in pieces; it is also broken where a point is not finite.
pub(super) fn clip(points: &[Point], y: &Range<f64>) -> Vec<Vec<Point>> {
    let (mut pieces, mut piece, mut previous) = (Vec::new(), Vec::new(), None);
    for &point in points {
        let shown = is_shown(point).then_some(point);
        let stroke = match (previous, shown) {
            (Some(from), Some(to)) => cut(from, to, y),
            (None, Some(only)) if y.contains(&only.1) => Some((only, only)),
            _ => None,
        };
        if piece.is_empty() {
            piece.extend(stroke.map(|(from, _)| from));
        }
        piece.extend(stroke.map(|(_, to)| to).filter(|to| piece.last() != Some(to)));
        if piece.last() != Some(&point) {
            pieces.push(std::mem::take(&mut piece));
        }
        previous = shown;
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The part of a stroke within `y`.
fn cut(from: Point, to: Point, y: &Range<f64>) -> Option<(Point, Point)> {
    let rise = to.1 - from.1;
    if rise == 0.0 {
        return y.contains(&from.1).then_some((from, to));
    }
    let (bottom, top) = ((y.start - from.1) / rise, (y.end - from.1) / rise);
    let (enter, leave) = (bottom.min(top), bottom.max(top));
    let at = |t: f64| (from.0 + t * (to.0 - from.0), (from.1 + t * rise).clamp(y.start, y.end));
    let start = if enter <= 0.0 { from } else { at(enter) };
    let end = if leave >= 1.0 { to } else { at(leave) };
    (enter <= 1.0 && leave >= 0.0).then_some((start, end))
}

/// The outlines of the band around a series, within `y`, in pieces.
pub(super) fn bands(series: &Series, y: &Range<f64>) -> Vec<Vec<Point>> {
    let Some(spread) = &series.spread else {
        return Vec::new();
    };
    let both: Vec<_> = series.points.iter().zip(spread).collect();
    both.split(|(point, spread)| !is_shown(**point) || !spread.is_finite())
        .filter(|run| run.len() > 1)
        .map(|run| {
            let edge = |sign: f64| {
                run.iter().map(move |((x, middle), spread)| (*x, (middle + sign * **spread).clamp(y.start, y.end)))
            };
            edge(1.0).chain(edge(-1.0).rev()).collect()
        })
        .collect()
}

/// Moves sorted `heights` until neighbours are `gap` apart, within `bounds` if they have the room.
pub(super) fn spaced(heights: &[i32], gap: i32, bounds: &Range<i32>) -> Vec<i32> {
    let gap = gap.min((bounds.end - bounds.start) / heights.len().max(1) as i32);
    let mut spaced = heights.to_vec();
    // Neighbours that are too close share their excess: each is pushed half the way, again and again until all is calm.
    for _ in 0..200 {
        for i in 1..spaced.len() {
            let excess = gap - (spaced[i] - spaced[i - 1]);
            if excess > 0 {
                spaced[i - 1] -= excess / 2;
                spaced[i] += excess - excess / 2;
            }
        }
    }
    let mut least = bounds.start;
    for height in &mut spaced {
        *height = least.max(*height);
        least = *height + gap;
    }
    let mut most = bounds.end;
    for height in spaced.iter_mut().rev() {
        *height = most.min(*height);
        most = *height - gap;
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(heights: &[f64]) -> Series {
        Series { points: heights.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect(), ..Series::default() }
    }

    #[test]
    fn early_values_do_not_flatten_the_curve() {
        let mut heights = vec![1e6, 8.0];
        heights.extend((0..98).map(|step| 4.0 - step as f64 / 98.0));
        let (x, y) = ranges(&[series(&heights)]).unwrap();
        assert_eq!(x, 0.0..99.0);
        assert!(2.9 < y.start && y.end < 4.2, "{y:?}");
    }

    #[test]
    fn a_gentle_curve_is_shown_whole_with_its_spread_and_margins() {
        let mut line = series(&[5.0, 4.0, 3.0]);
        line.spread = Some(vec![1.0; 3]);
        let (_, y) = ranges(&[line]).unwrap();
        assert!((y.start - 1.8).abs() < 1e-9 && (y.end - 6.2).abs() < 1e-9, "{y:?}");
    }

    #[test]
    fn points_that_are_not_finite_are_not_shown() {
        assert_eq!(ranges(&[series(&[f64::NAN, f64::INFINITY])]), None);
        assert_eq!(ranges(&[]), None);
        let (x, y) = ranges(&[series(&[f64::NAN, 2.0, f64::NEG_INFINITY])]).unwrap();
        assert!(x.start < 1.0 && x.end > 1.0 && y.start < 2.0 && y.end > 2.0);
    }

    #[test]
    fn a_line_is_cut_where_it_leaves_and_broken_where_it_is_not_finite() {
        let line = [(0.0, 4.0), (1.0, 0.0), (2.0, 1.0), (3.0, f64::NAN), (4.0, 1.0), (5.0, 9.0), (6.0, 9.0)];
        let pieces = clip(&line, &(0.0..2.0));
        assert_eq!(pieces, [vec![(0.5, 2.0), (1.0, 0.0), (2.0, 1.0)], vec![(4.0, 1.0), (4.125, 2.0)]]);
        assert_eq!(clip(&[(0.0, -1.0), (1.0, 3.0)], &(0.0..2.0)), [vec![(0.25, 0.0), (0.75, 2.0)]]);
        assert_eq!(clip(&[(0.0, 1.0)], &(0.0..2.0)), [vec![(0.0, 1.0)]]);
        assert!(clip(&[(0.0, 5.0), (1.0, 3.0)], &(0.0..2.0)).is_empty());
    }

    #[test]
    fn a_band_surrounds_each_unbroken_run() {
        let mut line = series(&[1.0, 1.0, f64::NAN, 1.0]);
        line.spread = Some(vec![0.5, 3.0, 0.0, 1.0]);
        assert_eq!(bands(&line, &(0.0..2.0)), [vec![(0.0, 1.5), (1.0, 2.0), (1.0, 0.0), (0.0, 0.5)]]);
    }

    #[test]
    fn labels_move_apart_and_stay_within_bounds() {
        assert_eq!(spaced(&[50, 80], 20, &(0..100)), [50, 80]);
        assert_eq!(spaced(&[50, 50], 20, &(0..100)), [40, 60]);
        for heights in [[0, 0, 0, 1], [99, 99, 100, 100], [10, 11, 80, 81], [40, 41, 42, 43]] {
            let labels = spaced(&heights, 20, &(0..100));
            assert!(labels.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{labels:?}");
            assert!(labels[0] >= 0 && labels[3] <= 100, "{labels:?}");
        }
    }
}
