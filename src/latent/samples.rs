//! Samples in rows: over temperatures, over classes, or with all but one latent held, be it those of a real picture.

use super::code::{decode_given, encode};
use super::pictures::Pictures;
use super::points::Points;
use crate::backend::{Device, Element};
use crate::data::Contexts;
use crate::flow::{Conditions, Flow, Model, Temperatures, class_words};
use crate::plot::{Row, Sheet};
use crate::train::{expect_contexts_of, sample_labels};
use crate::{Error, Result};

/// The context of each of so many samples, from the first again where there are fewer.
///
/// # Errors
/// [`Error::Usage`] for contexts that are not what the flow is conditioned on.
pub fn contexts_for<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    contexts: &Contexts,
    count: usize,
) -> Result<Option<Vec<f32>>> {
    expect_contexts_of(flow, contexts)?;
    Ok(contexts.of(&(0..count).map(|i| i % contexts.len().max(1)).collect::<Vec<_>>()))
}

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

impl Classes {
    /// `all`, or classes of a model by name or number, as `3`, `cat` or `3,cat`.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class that the model does not have.
    pub fn named<E: Element, D: Device<E>>(text: &str, model: &Model<E, D>) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        // A name may have a comma in it.
        let whole = model.class(text).map(|class| vec![class]);
        whole.or_else(|_| text.split(',').map(|part| model.class(part.trim())).collect()).map(Self::These)
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
    /// The names of the flow's classes, for captions; may be empty.
    pub class_names: Vec<String>,
    /// Latents that are drawn anew from column to column, a row for each, while all others stay: what each level holds.
    /// `all` for each of the flow's. None: every sample is drawn by itself.
    pub resampled: Vec<String>,
    /// The context of each sample, from the first again where there are more; for a flow conditioned on vectors or images.
    pub contexts: Option<Contexts>,
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
    /// The context of each, one after the other, where the flow is conditioned on vectors or images.
    pub context: Option<Vec<f32>>,
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
        let many = self.contexts.as_ref().map_or(64, Contexts::len);
        let count = self.count.unwrap_or(if kinds.contains(&true) { 10 } else { many });
        let context = self.contexts_for(flow, count)?;
        let mut rows = Vec::new();
        for temperatures in &self.temperatures {
            for &class in &classes {
                let points = Points::drawn(flow, 0..count as u64, temperatures, self.seed)?;
                let labels = sample_labels(flow, count, class, self.seed)?;
                let caption = match class.filter(|_| kinds[1]) {
                    Some(class) => class_words(&self.class_names, class),
                    None if kinds[0] => format!("temperature {temperatures}"),
                    None => String::new(),
                };
                rows.push(Drawing { caption, points, labels, context: context.clone() });
            }
        }
        match rows.pop() {
            Some(drawn) if kinds[2] => {
                let first = drawn.points.select(0)?;
                self.latents(flow)?.into_iter().map(|which| drawn.resampling(which, &first, 0)).collect()
            }
            Some(last) => {
                rows.push(last);
                Ok(rows)
            }
            None => Err(Error::Usage("no temperature to sample at".into())),
        }
    }

    /// What each latent of real pictures holds: a row for each of the latents to resample of each picture, the picture
    /// first and then with that latent drawn anew. `labels` are the pictures' classes where the flow is class-conditional.
    ///
    /// # Errors
    /// As [`Request::rows`] and [`encode`]; [`Error::Usage`] for more than one temperature, and where no latent is to be
    /// resampled.
    pub fn rows_of_pictures<E: Element, D: Device<E>>(
        &self,
        flow: &Flow<E, D>,
        device: &D,
        pictures: &Pictures,
        labels: Option<&[usize]>,
    ) -> Result<Vec<Drawing<E>>> {
        let ([temperatures], false, 1..) = (&self.temperatures[..], self.resampled.is_empty(), pictures.len()) else {
            let message = "pictures are drawn anew at one temperature, with latents to resample";
            return Err(Error::Usage(message.into()));
        };
        let count = self.count.unwrap_or(10);
        if count == 0 {
            return Err(Error::Usage("0 samples: expected at least one".into()));
        }
        let points = encode(flow, device, &pictures.images, labels)?;
        let drawn = Points::drawn(flow, 0..count as u64, temperatures, self.seed)?;
        let mut rows = Vec::new();
        for (i, caption) in pictures.captions.iter().enumerate() {
            let picture = points.select(i)?;
            let labels = labels.and_then(|labels| labels.get(i)).map(|&label| vec![label; count]);
            let context = pictures.images.contexts_of(&[i]).map(|context| context.repeat(count));
            let drawn = Drawing { caption: String::new(), points: drawn.clone(), labels, context };
            for which in self.latents(flow)? {
                let row = drawn.resampling(which, &picture, 1)?;
                rows.push(Drawing { caption: format!("{caption}: {}", row.caption), ..row });
            }
        }
        Ok(rows)
    }

    /// The context of each of so many samples.
    fn contexts_for<E: Element, D: Device<E>>(&self, flow: &Flow<E, D>, count: usize) -> Result<Option<Vec<f32>>> {
        Ok(self.contexts.as_ref().map(|contexts| contexts_for(flow, contexts, count)).transpose()?.flatten())
    }

    /// The places of the latents to resample.
    fn latents<E: Element, D: Device<E>>(&self, flow: &Flow<E, D>) -> Result<Vec<usize>> {
        if self.resampled == ["all"] {
            return Ok((0..flow.latent_shapes().len()).collect());
        }
        self.resampled.iter().map(|name| flow.latent_position(name)).collect()
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
    /// The point `held` in every column, but with the latent at `which` of that column's own sample; before these, so many
    /// times, the point as it is.
    fn resampling(&self, which: usize, held: &Points<E>, before: usize) -> Result<Self> {
        let mut points = Points::new(self.points.latents().to_vec());
        for column in 0..before + self.points.len() {
            points.extend(held.clone())?;
            if let Some(sample) = column.checked_sub(before) {
                points.copy_latent(which, column, &self.points, sample);
            }
        }
        let name = self.points.latents().get(which).map_or("", |(name, _)| name);
        let class = self.labels.as_ref().and_then(|labels| labels.first().copied());
        let labels = class.map(|class| vec![class; points.len()]);
        let one = self.context.as_ref().and_then(|context| context.get(..context.len() / self.points.len().max(1)));
        let context = one.map(|one| one.repeat(points.len()));
        Ok(Self { caption: format!("{name} anew"), points, labels, context })
    }
}

/// Rows decoded, in their order.
///
/// # Errors
/// As [`decode_given`].
pub fn decode_rows<E: Element, D: Device<E>>(flow: &Flow<E, D>, device: &D, rows: &[Drawing<E>]) -> Result<Vec<Row>> {
    let decoded = |row: &Drawing<E>| {
        let conditions = Conditions { labels: row.labels.as_deref(), context: row.context.as_deref() };
        decode_given(flow, device, &row.points, conditions)
    };
    rows.iter().map(|row| Ok(decoded(row)?.into_row(row.caption.clone()))).collect()
}

/// A sheet of decoded rows; a single row without a caption becomes a square.
pub fn sample_sheet<E: Element, D: Device<E>>(flow: &Flow<E, D>, rows: Vec<Row>) -> Sheet {
    let shape = flow.image_shape();
    let longest = rows.iter().map(|row| row.levels.len() / shape.dims()).max().unwrap_or(0);
    let square = rows.len() == 1 && rows.iter().all(|row| row.caption.is_empty());
    let columns = if square { (longest as f64).sqrt().ceil() as usize } else { longest };
    Sheet { rows, shape: [shape.height, shape.width, shape.channels], bins: flow.bins(), columns }
}
