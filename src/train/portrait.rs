//! What a flow of vectors has learned, as a picture beside the data.

use super::evaluate::{Labels, score};
use super::run::sample_labels;
use crate::backend::{Device, Element};
use crate::data::{Images, Samples};
use crate::flow::{Conditions, Dequantize, Flow};
use crate::plot::{Corner, Density};
use crate::{Error, Result};
use std::ops::Range;
use std::path::Path;

/// Cells of a grid in each direction.
const SIDE: usize = 160;
/// Vectors of the data that are drawn, at most.
const DRAWN: usize = 1000;

/// Draws a flow of vectors: of two features ln p on a grid, with data over it; of any other number, or where each vector has
/// a context of its own, data and as many samples for each pair of features, given the data's contexts.
///
/// # Errors
/// [`Error::Usage`] for a flow of images, or vectors that are not the flow's; [`Error::Io`] where the file cannot be
/// written.
pub fn draw_vectors<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    data: &Images,
    title: &str,
    seed: u64,
    path: &Path,
) -> Result<()> {
    super::expect_images(flow, data)?;
    let shown = data.spread(DRAWN)?;
    let Samples::Reals(vectors) = shown.samples(&(0..shown.len()).collect::<Vec<_>>())? else {
        return Err(Error::Usage("a flow of images has samples to look at, and no density".into()));
    };
    let names = flow.names_of_features();
    if let ([x, y], 0) = (&names[..], flow.context_numbers()) {
        let ranges = [range(&vectors, 0), range(&vectors, 1)];
        let cells: Vec<f64> = Density::cells(&ranges, SIDE).flat_map(|(x, y)| [x, y]).collect();
        let log_density = score(flow, device, &Images::reals(&cells, 2, None)?, Labels::Mixture, Dequantize::Midpoint)?;
        let points = vectors.chunks_exact(2).map(|v| (v[0], v[1])).collect();
        let names = [x.clone(), y.clone()];
        return Density { title: title.to_owned(), names, ranges, side: SIDE, log_density, points }.save(path);
    }
    let all: Vec<usize> = (0..shown.len()).collect();
    let (labels, context) = (sample_labels(flow, shown.len(), None, seed)?, shown.contexts_of(&all));
    let conditions = Conditions { labels: labels.as_deref(), context: context.as_deref() };
    let samples = flow.sample_vectors(device, 0..shown.len() as u64, 1.0, conditions, seed)?;
    Corner { names, sets: [("data".into(), vectors), ("samples".into(), samples)] }.save(path)
}

/// From where to where a feature of two goes, with a margin.
fn range(vectors: &[f64], feature: usize) -> Range<f64> {
    let of = || vectors.iter().skip(feature).step_by(2).copied();
    let (least, most) = (of().fold(f64::INFINITY, f64::min), of().fold(f64::NEG_INFINITY, f64::max));
    let margin = if most > least { 0.15 * (most - least) } else { 1.0 };
    least - margin..most + margin
}
