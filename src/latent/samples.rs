//! Samples in rows: over temperatures, over classes, or with all but one latent held.

use super::code::decode;
use super::points::Points;
use crate::backend::{Device, Element};
use crate::flow::{Flow, Temperatures};
use crate::plot::Sheet;
use crate::train::sample_labels;
use crate::{Error, Result};

/// Which classes are drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classes {
    /// One drawn for each sample, where the flow has classes.
    Any,
    /// A row of each.
    All,
    /// A row of each of these.
    These(Vec<usize>),
}

impl std::str::FromStr for Classes {
    type Err = String;

    /// `all`, `3` or `3,5,8`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let numbers: std::result::Result<Vec<usize>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        numbers.map(Self::These).map_err(|_| "expected `all`, a class's number, or several as `3,5`".into())
    }
}

/// What to draw. Of temperatures, classes and latents only one may be several: it makes the rows.
#[derive(Clone, Debug)]
pub struct Request {
    /// Samples in a row. Default 64 in a single one, 10 in each of several.
    pub count: Option<usize>,
    /// One, or one a row.
    pub temperatures: Vec<Temperatures>,
    /// Which classes.
    pub classes: Classes,
    /// Latents that are drawn anew from column to column, a row for each, while all others stay: what each level holds.
    /// `all` for each of the flow's. None: every sample is drawn by itself.
    pub resampled: Vec<String>,
    /// Decides every random number.
    pub seed: u64,
}

/// A row of a sheet, not yet decoded.
#[derive(Clone, Debug)]
pub struct Drawing<E> {
    /// What it shows; empty where there is but one.
    pub caption: String,
    /// Its latents.
    pub points: Points<E>,
    /// The class of each where the flow is class-conditional.
    pub labels: Option<Vec<usize>>,
}

impl Request {
    /// The rows. Samples in one column share their random numbers, so that rows can be compared.
    ///
    /// # Errors
    /// [`Error::Usage`] for latents and classes that the flow does not have, and for rows of more than one kind.
    pub fn rows<E: Element, D: Device<E>>(&self, flow: &Flow<E, D>) -> Result<Vec<Drawing<E>>> {
        if self.count == Some(0) {
            return Err(Error::Usage("0 samples: expected at least one".into()));
        }
        let classes: Vec<Option<usize>> = match (&self.classes, flow.classes()) {
            (Classes::Any, _) => vec![None],
            (Classes::These(these), _) => these.iter().map(|&class| Some(class)).collect(),
            (Classes::All, Some(classes)) => (0..classes).map(Some).collect(),
            (Classes::All, None) => {
                return Err(Error::Usage("all classes were asked for, but this flow has no classes".into()));
            }
        };
        let kinds = [self.temperatures.len() > 1, classes.len() > 1, !self.resampled.is_empty()];
        if kinds.into_iter().filter(|several| *several).count() > 1 {
            let message = "rows are of several temperatures, of several classes, or of latents to resample; not of two";
            return Err(Error::Usage(message.into()));
        }
        let count = self.count.unwrap_or(if kinds.contains(&true) { 10 } else { 64 });
        let mut rows = Vec::new();
        for temperatures in &self.temperatures {
            for &class in &classes {
                let points = Points::drawn(flow, 0..count as u64, temperatures, self.seed)?;
                let labels = sample_labels(flow, count, class, self.seed)?;
                let caption = match class.filter(|_| kinds[1]) {
                    Some(class) => format!("class {class}"),
                    None if kinds[0] => format!("temperature {temperatures}"),
                    None => String::new(),
                };
                rows.push(Drawing { caption, points, labels });
            }
        }
        match rows.pop() {
            Some(drawn) if self.resampled == ["all"] => {
                flow.latent_shapes().iter().map(|(name, _)| drawn.resampling(flow, name)).collect()
            }
            Some(drawn) if kinds[2] => self.resampled.iter().map(|name| drawn.resampling(flow, name)).collect(),
            Some(last) => {
                rows.push(last);
                Ok(rows)
            }
            None => Err(Error::Usage("no temperature to sample at".into())),
        }
    }

    /// What was drawn.
    pub fn sentence<E: Element>(&self, rows: &[Drawing<E>]) -> String {
        let samples: usize = rows.iter().map(|row| row.points.len()).sum();
        match &self.temperatures[..] {
            [temperatures] if rows.len() == 1 => format!("{samples} samples at temperature {temperatures}"),
            [temperatures] => format!("{samples} samples in {} rows, at temperature {temperatures}", rows.len()),
            _ => format!("{samples} samples in {} rows, one for each temperature", rows.len()),
        }
    }
}

impl<E: Element> Drawing<E> {
    /// The first sample in every column, but with the latent `name` of that column's own sample.
    fn resampling<D: Device<E>>(&self, flow: &Flow<E, D>, name: &str) -> Result<Self> {
        let which = flow.latent_position(name)?;
        let mut points = Points::new(self.points.latents().to_vec());
        for (column, _) in self.points.rows().iter().enumerate() {
            points.extend(self.points.select(0)?)?;
            points.copy_latent(which, column, &self.points, column);
        }
        let labels = self.labels.as_ref().map(|labels| vec![labels.first().copied().unwrap_or(0); labels.len()]);
        Ok(Self { caption: format!("{name} anew"), points, labels })
    }
}

/// Rows decoded, as grey levels `[n, height, width, channels]`, in the order of the rows.
///
/// # Errors
/// As [`decode`].
pub fn decode_rows<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    rows: &[Drawing<E>],
) -> Result<Vec<(String, Vec<u8>)>> {
    let row =
        |row: &Drawing<E>| Ok((row.caption.clone(), decode(flow, device, &row.points, row.labels.as_deref())?.levels));
    rows.iter().map(row).collect()
}

/// A sheet of decoded rows; a single row without a caption becomes a square.
pub fn sample_sheet<E: Element, D: Device<E>>(flow: &Flow<E, D>, rows: Vec<(String, Vec<u8>)>) -> Sheet {
    let shape = flow.image_shape();
    let longest = rows.iter().map(|(_, levels)| levels.len() / shape.dims()).max().unwrap_or(0);
    let square = rows.len() == 1 && rows.iter().all(|(caption, _)| caption.is_empty());
    let columns = if square { (longest as f64).sqrt().ceil() as usize } else { longest };
    Sheet { rows, shape: [shape.height, shape.width, shape.channels], bins: flow.bins(), columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_all_or_numbers() {
        assert_eq!("all".parse(), Ok(Classes::All));
        assert_eq!("3".parse(), Ok(Classes::These(vec![3])));
        assert_eq!("3, 5".parse(), Ok(Classes::These(vec![3, 5])));
        assert!(["", "x", "3,", "-1", "All"].iter().all(|text| text.parse::<Classes>().is_err()));
    }
}
