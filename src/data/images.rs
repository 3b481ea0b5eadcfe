//! Images of one size: in memory, or read from their files when they are asked for.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

use super::contexts::Contexts;
use super::image_source::{ImageSource, Joined, Place};
use super::origin::Origin;
use super::portion::spread;
use super::preparation::Preparation;
use super::samples::{Elements, Samples};
use crate::error::{Error, Result};
use crate::files::Fingerprint;

/// Images that [`Images::identity`] looks at, of a set that is read from files.
pub const SAMPLED: usize = 16;

/// Images looked at together where a set is gone through.
const CHUNK: usize = 256;

/// Images of one size, as integer grey levels, perhaps with a class each.
///
/// They are in memory ([`Images::new`]) or read when they are asked for ([`Images::streamed`]); which it is changes
/// nothing but memory and time. A copy is cheap: levels in memory are shared.
#[derive(Clone, Debug)]
pub struct Images {
    store: Levels,
    shape: [usize; 3],
    /// What an element is: it takes so many bytes of what is stored.
    elements: Elements,
    labels: Option<Arc<[u16]>>,
    contexts: Option<Contexts>,
    files: Option<Arc<[Arc<Path>]>>,
    origin: Option<Origin>,
    fingerprint: OnceLock<String>,
    taken: Option<Taken>,
}

/// Where images stand that stand for a larger set.
#[derive(Clone, Debug)]
struct Taken {
    places: Arc<[usize]>,
    of: usize,
}

#[derive(Clone, Debug)]
enum Levels {
    /// All levels, `[n, height, width, channels]`, row major.
    Held(Arc<Vec<u8>>),
    /// Images of a source, by number, and what is done with each after it is read.
    Streamed { source: Arc<dyn ImageSource>, which: Arc<[usize]>, preparations: Vec<Preparation> },
}

impl Images {
    /// Images from `levels` of shape `[n, height, width, channels]`, row major, and `n` labels if there are any.
    ///
    /// # Errors
    /// [`Error::Shape`] where a side is zero, or the numbers of levels and labels do not fit `[height, width, channels]`.
    pub fn new(levels: Vec<u8>, shape: [usize; 3], labels: Option<Vec<u16>>) -> Result<Self> {
        let pixels = pixels_of(shape)?;
        if !levels.len().is_multiple_of(pixels) {
            return Err(refuse(format!("whole images of {pixels} levels"), format!("{} levels", levels.len())));
        }
        let count = levels.len() / pixels;
        Self {
            store: Levels::Held(Arc::new(levels)),
            shape,
            elements: Elements::Levels,
            labels: None,
            contexts: None,
            files: None,
            origin: None,
            fingerprint: OnceLock::new(),
            taken: None,
        }
        .labelled(labels, count)
    }

    /// Vectors of real numbers, `[n, features]`, as images of one pixel, and `n` labels if there are any.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are no features, or the numbers of values and labels do not fit.
    pub fn reals(values: &[f64], features: usize, labels: Option<Vec<u16>>) -> Result<Self> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let shape = [1, 1, features];
        pixels_of(shape)?;
        if !values.len().is_multiple_of(features) {
            return Err(refuse(format!("whole rows of {features} features"), format!("{} values", values.len())));
        }
        let unlabelled = Self { shape, elements: Elements::Reals, ..Self::new(bytes, [1, 1, 8 * features], None)? };
        unlabelled.labelled(labels, values.len() / features)
    }

    /// All images of a source, which are read when they are asked for, and a label for each if there are any.
    ///
    /// ```
    /// use flowstone::data::{Images, Place, ImageSource};
    /// use std::sync::Arc;
    ///
    /// /// Images of a single level each.
    /// #[derive(Debug)]
    /// struct Even(usize);
    ///
    /// impl ImageSource for Even {
    ///     fn count(&self) -> usize {
    ///         self.0
    ///     }
    ///     fn shape(&self) -> [usize; 3] {
    ///         [8, 8, 1]
    ///     }
    ///     fn read(&self, i: usize, _: Place) -> flowstone::Result<Vec<u8>> {
    ///         Ok(vec![(i % 256) as u8; 64])
    ///     }
    /// }
    ///
    /// let images = Images::streamed(Arc::new(Even(1_000_000)), None)?;
    /// assert_eq!(images.gather(&[7, 999_999])?[63..65], [7, 63]);
    /// # Ok::<(), flowstone::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Images::new`].
    pub fn streamed(source: Arc<dyn ImageSource>, labels: Option<Vec<u16>>) -> Result<Self> {
        let (shape, count) = (source.shape(), source.count());
        pixels_of(shape)?;
        let store = Levels::Streamed { source, which: (0..count).collect(), preparations: Vec::new() };
        Self {
            store,
            shape,
            elements: Elements::Levels,
            labels: None,
            contexts: None,
            files: None,
            origin: None,
            fingerprint: OnceLock::new(),
            taken: None,
        }
        .labelled(labels, count)
    }

    fn labelled(self, labels: Option<Vec<u16>>, count: usize) -> Result<Self> {
        match labels {
            Some(labels) if labels.len() != count => {
                Err(refuse(format!("{count} labels, one an image"), format!("{} labels", labels.len())))
            }
            labels => Ok(Self { labels: labels.map(Into::into), ..self }),
        }
    }

    /// The same images with other labels.
    pub(super) fn with_labels(&self, labels: Vec<u16>) -> Result<Self> {
        let (count, unlabelled) = (self.len(), Self { fingerprint: OnceLock::new(), ..self.clone() });
        unlabelled.labelled(Some(labels), count)
    }

    /// The same images with a context for each.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is not one for each.
    pub fn with_contexts(self, contexts: Contexts) -> Result<Self> {
        if contexts.len() != self.len() {
            return Err(refuse(format!("{} contexts, one an image", self.len()), contexts.len().to_string()));
        }
        Ok(Self { contexts: Some(contexts), fingerprint: OnceLock::new(), ..self })
    }

    /// The context of each image; `None` where images have none.
    pub fn contexts(&self) -> Option<&Contexts> {
        self.contexts.as_ref()
    }

    /// The contexts of these images, one after the other; `None` where images have none, or an index is out of range.
    pub fn contexts_of(&self, indices: &[usize]) -> Option<Vec<f32>> {
        self.contexts.as_ref()?.of(indices)
    }

    /// The same images, each in the file of its own that it was read from.
    pub(super) fn in_files(self, files: Arc<[Arc<Path>]>) -> Self {
        Self { files: Some(files).filter(|files| files.len() == self.len()), ..self }
    }

    /// The same images, all of one file and in its order, with their labels in another file.
    pub(super) fn read_from(self, images: impl Into<PathBuf>, labels: impl Into<PathBuf>) -> Self {
        let origin = Origin::new(self.len(), images, labels);
        self.with_origin(origin)
    }

    /// The same images, each where it stands in the files that they were read from.
    pub(super) fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        match &self.store {
            Levels::Held(levels) => levels.len() / self.bytes_per_image(),
            Levels::Streamed { which, .. } => which.len(),
        }
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether images are read when they are asked for, and not in memory.
    pub fn is_streamed(&self) -> bool {
        matches!(&self.store, Levels::Streamed { source, .. } if !source.is_held())
    }

    /// `[height, width, channels]` of each image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The number of levels in an image: height × width × channels, its dimensions in bits/dim.
    pub fn pixels_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of an image as it is stored.
    pub(super) fn bytes_per_image(&self) -> usize {
        self.pixels_per_image() * self.elements.bytes()
    }

    /// Whether they are vectors of real numbers, and no images.
    pub fn are_reals(&self) -> bool {
        self.elements == Elements::Reals
    }

    fn expect_levels(&self) -> Result<()> {
        match self.elements {
            Elements::Levels => Ok(()),
            Elements::Reals => {
                Err(Error::Usage("these data are vectors of real numbers: they have no grey levels".into()))
            }
        }
    }

    /// The grey levels or the real numbers of these, one after the other, in this order.
    ///
    /// # Errors
    /// As [`Images::gather`], but for real numbers.
    pub fn samples(&self, indices: &[usize]) -> Result<Samples> {
        self.samples_at(indices, |_| Place::Middle)
    }

    /// The same, cut as [`Images::gather_at`] cuts.
    ///
    /// # Errors
    /// As [`Images::samples`].
    pub fn samples_at(&self, indices: &[usize], place: impl Fn(usize) -> Place + Sync) -> Result<Samples> {
        Ok(self.elements.read(self.bytes_at(indices, place)?))
    }

    /// All levels, `[n, height, width, channels]`, row major.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn levels(&self) -> Result<Cow<'_, [u8]>> {
        self.expect_levels()?;
        match &self.store {
            Levels::Held(levels) => Ok(Cow::Borrowed(levels)),
            Levels::Streamed { .. } => self.gather(&(0..self.len()).collect::<Vec<_>>()).map(Cow::Owned),
        }
    }

    /// The levels of image `i`, `[height, width, channels]`.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn image(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        self.expect_levels()?;
        let pixels = self.pixels_per_image();
        match &self.store {
            Levels::Held(levels) if i < self.len() => Ok(Cow::Borrowed(&levels[i * pixels..(i + 1) * pixels])),
            _ => self.gather(&[i]).map(Cow::Owned),
        }
    }

    /// The class of each image; `None` where images have none.
    pub fn labels(&self) -> Option<&[u16]> {
        self.labels.as_deref()
    }

    /// The class of image `i`; `None` where images have none, or there is no such image.
    pub fn label(&self, i: usize) -> Option<usize> {
        self.labels.as_ref()?.get(i).map(|&label| label.into())
    }

    /// The file of image `i`; `None` where images are not in a file each, or there is no such image.
    pub fn file(&self, i: usize) -> Option<&Path> {
        self.files.as_ref()?.get(i).map(AsRef::as_ref)
    }

    /// Where the label of image `i` stands, for messages: `labels.npy at [12]`, or the file of its own that it is the label
    /// of; `None` where that is not known.
    pub fn label_place(&self, i: usize) -> Option<String> {
        let file = self.file(i).map(|file| file.display().to_string());
        file.or_else(|| self.origin.as_ref()?.label(i))
    }

    /// The file of each image, as far as each has one of its own.
    pub fn files(&self) -> Option<impl Iterator<Item = &Path>> {
        self.files.as_ref().map(|files| files.iter().map(AsRef::as_ref))
    }

    /// The levels of these images one after the other, in this order.
    ///
    /// # Errors
    /// [`Error::Usage`] for an index that is out of range, or where these are vectors of real numbers; where images are read,
    /// what their source reports.
    pub fn gather(&self, indices: &[usize]) -> Result<Vec<u8>> {
        self.gather_at(indices, |_| Place::Middle)
    }

    /// The same, where images that are cut out of larger ones when they are read are cut at the place that `place` gives
    /// for each number.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn gather_at(&self, indices: &[usize], place: impl Fn(usize) -> Place + Sync) -> Result<Vec<u8>> {
        self.expect_levels()?;
        self.bytes_at(indices, place)
    }

    /// These as they are stored: for what tells them apart, or moves them about.
    pub(super) fn bytes(&self, indices: &[usize]) -> Result<Vec<u8>> {
        self.bytes_at(indices, |_| Place::Middle)
    }

    fn bytes_at(&self, indices: &[usize], place: impl Fn(usize) -> Place + Sync) -> Result<Vec<u8>> {
        self.expect_in_range(indices)?;
        let pixels = self.bytes_per_image();
        match &self.store {
            Levels::Held(levels) => {
                let mut gathered = Vec::with_capacity(indices.len() * pixels);
                indices.iter().for_each(|i| gathered.extend_from_slice(&levels[i * pixels..(i + 1) * pixels]));
                Ok(gathered)
            }
            Levels::Streamed { source, which, preparations } => {
                let mut gathered = vec![0; indices.len() * pixels];
                let read = |(levels, &i): (&mut [u8], &usize)| -> Result<()> {
                    let place = place(i);
                    let (mut image, mut shape) = (source.read(which[i], place)?, source.shape());
                    for preparation in preparations {
                        if let Preparation::Below(levels) = *preparation {
                            self.expect_below(i, &image, shape, levels)?;
                        }
                        (image, shape) = (preparation.of(image, shape, place), preparation.shape(shape));
                    }
                    if image.len() != pixels {
                        return Err(refuse(format!("{pixels} levels of image {i}"), format!("{} levels", image.len())));
                    }
                    levels.copy_from_slice(&image);
                    Ok(())
                };
                let failure = gathered.par_chunks_exact_mut(pixels).zip(indices).find_map_first(|at| read(at).err());
                failure.map_or(Ok(gathered), Err)
            }
        }
    }

    fn expect_in_range(&self, indices: &[usize]) -> Result<()> {
        match indices.iter().find(|&&i| i >= self.len()) {
            Some(i) => Err(Error::Usage(format!("there is no image {i}: there are {}, counted from 0", self.len()))),
            None => Ok(()),
        }
    }

    /// Refuses an image with a level that is not below so many, with its place.
    fn expect_below(&self, i: usize, image: &[u8], [_, width, channels]: [usize; 3], levels: u32) -> Result<()> {
        let Some(at) = image.iter().position(|level| u32::from(*level) >= levels) else { return Ok(()) };
        let file = self.file(i).map(|file| file.display().to_string());
        let image_place = file.or_else(|| self.origin.as_ref()?.image(i)).unwrap_or_else(|| format!("image {i}"));
        let (row, column, channel) = (at / channels / width, at / channels % width, at % channels);
        Err(Error::Usage(format!(
            "{image_place} has level {} at row {row}, column {column}, channel {channel}, and the data are read as images of \
             {levels} levels, 0 to {}; `levels` in the recipe says how many they have",
            image[at],
            levels - 1
        )))
    }

    /// The classes of these images, in this order; `None` where images have none, or an index is out of range.
    pub fn labels_of(&self, indices: &[usize]) -> Option<Vec<usize>> {
        indices.iter().map(|&i| self.label(i)).collect()
    }

    /// These images, in this order, with their labels.
    ///
    /// # Errors
    /// [`Error::Usage`] for an index that is out of range.
    pub fn select(&self, indices: impl IntoIterator<Item = usize>) -> Result<Self> {
        let indices: Vec<usize> = indices.into_iter().collect();
        self.expect_in_range(&indices)?;
        let labels = self.labels.as_ref().map(|labels| indices.iter().map(|&i| labels[i]).collect());
        let contexts = self.contexts.as_ref().and_then(|contexts| contexts.select(&indices));
        let files = self.files.as_ref().map(|files| indices.iter().map(|&i| Arc::clone(&files[i])).collect());
        let origin = self.origin.as_ref().map(|origin| origin.select(&indices));
        let store = match &self.store {
            Levels::Held(levels) if indices.iter().copied().eq(0..self.len()) => Levels::Held(Arc::clone(levels)),
            Levels::Held(_) => Levels::Held(Arc::new(self.bytes(&indices)?)),
            Levels::Streamed { source, which, preparations } => Levels::Streamed {
                source: Arc::clone(source),
                which: indices.iter().map(|&i| which[i]).collect(),
                preparations: preparations.clone(),
            },
        };
        let (shape, elements, fingerprint) = (self.shape, self.elements, OnceLock::new());
        Ok(Self { store, shape, elements, labels, contexts, files, origin, fingerprint, taken: None })
    }

    /// These images and then those of another set; with labels if both have them.
    ///
    /// # Errors
    /// [`Error::Shape`] where they are not of one size.
    pub fn followed_by(&self, others: &Self) -> Result<Self> {
        Self::joined(vec![self.clone(), others.clone()])
    }

    /// The images of several sets, one set after the other; with labels if all have them.
    ///
    /// # Errors
    /// [`Error::Shape`] where they are not of one size.
    pub(super) fn joined(mut parts: Vec<Self>) -> Result<Self> {
        let shape = parts.first().map(|first| first.shape).unwrap_or_default();
        let elements = parts.first().map(|first| first.elements).unwrap_or_default();
        if let Some(part) = parts.iter().find(|part| part.shape != shape || part.elements != elements) {
            return Err(refuse(format!("{shape:?}"), format!("{:?}", part.shape)));
        }
        if parts.iter().any(|part| !part.is_empty()) {
            parts.retain(|part| !part.is_empty());
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let labels: Option<Vec<&[u16]>> = parts.iter().map(Self::labels).collect();
        let labels = labels.map(|labels| labels.concat());
        let contexts: Option<Vec<&Contexts>> = parts.iter().map(Self::contexts).collect();
        let contexts = contexts.and_then(|contexts| Contexts::joined(&contexts));
        let files: Option<Vec<&[Arc<Path>]>> = parts.iter().map(|part| part.files.as_deref()).collect();
        let files = files.map(|files| files.concat().into());
        let origins: Option<Vec<_>> = parts.iter().map(|part| Some((part.origin.clone()?, part.len()))).collect();
        let origin = origins.map(|origins| Origin::joined(&origins));
        let held: Option<Vec<&[u8]>> = parts
            .iter()
            .map(|part| match &part.store {
                Levels::Held(levels) => Some(levels.as_slice()),
                Levels::Streamed { .. } => None,
            })
            .collect();
        let joined = match held {
            Some(held) if elements == Elements::Levels => Self::new(held.concat(), shape, labels),
            Some(held) => {
                let [height, width, channels] = shape;
                let bytes = Self::new(held.concat(), [height, width, channels * elements.bytes()], labels)?;
                Ok(Self { shape, elements, ..bytes })
            }
            None => Self::streamed(Arc::new(Joined { parts, shape }), labels),
        }?;
        Ok(Self { contexts, files, origin, ..joined })
    }

    /// Sixteen hexadecimal digits (FNV-1a of shape, labels and levels) that tell one set of images from another. To know
    /// it, images that are not in memory are all read once.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn fingerprint(&self) -> Result<String> {
        if let Some(known) = self.fingerprint.get() {
            return Ok(known.clone());
        }
        let mut hash = Fingerprint::default();
        self.shape.iter().for_each(|&side| hash.add(&(side as u64).to_le_bytes()));
        hash.add(&[self.labels.is_some().into()]);
        if self.are_reals() {
            hash.add(b"reals");
        }
        self.labels.iter().flat_map(|labels| labels.iter()).for_each(|label| hash.add(&label.to_le_bytes()));
        self.contexts.iter().for_each(|contexts| contexts.add_to(&mut hash));
        for start in (0..self.len()).step_by(CHUNK) {
            hash.add(&self.bytes(&(start..(start + CHUNK).min(self.len())).collect::<Vec<_>>())?);
        }
        Ok(self.fingerprint.get_or_init(|| hash.to_string()).clone())
    }

    /// What tells one set of images from another at the start of a run: the [fingerprint](Images::fingerprint) where they are
    /// in memory. Where they are read from files, which may take long, it is `sample-` and the fingerprint of their number,
    /// their labels and [`SAMPLED`] of them, spread evenly: other images with the same labels between those are not noticed.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn identity(&self) -> Result<String> {
        if !self.is_streamed() {
            return self.fingerprint();
        }
        let sampled: Vec<usize> =
            (0..SAMPLED.min(self.len())).map(|i| i * self.len() / SAMPLED.min(self.len())).collect();
        let mut hash = Fingerprint::default();
        hash.add(&(self.len() as u64).to_le_bytes());
        self.labels.iter().flat_map(|labels| labels.iter()).for_each(|label| hash.add(&label.to_le_bytes()));
        self.contexts.iter().for_each(|contexts| contexts.add_to(&mut hash));
        hash.add(self.select(sampled)?.fingerprint()?.as_bytes());
        Ok(format!("sample-{hash}"))
    }

    /// `n` of these images that stand for all, in their order. Put in the order of their classes, each class in the order
    /// of the set, they are those at `⌊(k + 1/2) · count/n⌋`: each class has its share, to within one image. They keep their
    /// places, so that noise that is drawn for one is that of the same image among all. All of them where there are no
    /// more.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn spread(&self, n: usize) -> Result<Self> {
        if n >= self.len() {
            return Ok(self.clone());
        }
        let chosen = spread(self.labels(), self.len(), n);
        let places = chosen.iter().map(|&i| self.place(i)).collect();
        Ok(Self { taken: Some(Taken { places, of: self.len() }), ..self.select(chosen)? })
    }

    /// The place of image `i` in the set that [`Images::spread`] took these from; `i` where they are a set of their own.
    pub fn place(&self, i: usize) -> usize {
        self.taken.as_ref().and_then(|taken| taken.places.get(i)).copied().unwrap_or(i)
    }

    /// How [`Images::spread`] took these, in words: `100 of 10000, evenly from each class`; `None` where they are a set of
    /// their own.
    pub fn taken(&self) -> Option<String> {
        let how = if self.labels.is_some() { "evenly from each class" } else { "evenly spaced" };
        self.taken.as_ref().map(|taken| format!("{} of {}, {how}", self.len(), taken.of))
    }

    /// Takes the images at these places away, as a second set; places ascend.
    ///
    /// # Errors
    /// As [`Images::select`].
    pub(super) fn take_away(&mut self, places: &[usize]) -> Result<Self> {
        let taken = self.select(places.iter().copied())?;
        let mut rest = Vec::with_capacity(self.len() - places.len());
        let mut next = places.iter().peekable();
        rest.extend((0..self.len()).filter(|i| next.next_if_eq(&i).is_none()));
        let pixels = self.bytes_per_image();
        *self = match &mut self.store {
            // Not `select`: a set that fills memory is not to be copied.
            Levels::Held(levels) => {
                let all = Arc::make_mut(levels);
                rest.iter().enumerate().for_each(|(to, &i)| all.copy_within(i * pixels..(i + 1) * pixels, to * pixels));
                all.truncate(rest.len() * pixels);
                let labels = self.labels.as_ref().map(|labels| rest.iter().map(|&i| labels[i]).collect());
                let contexts = self.contexts.as_ref().and_then(|contexts| contexts.select(&rest));
                let files = self.files.as_ref().map(|files| rest.iter().map(|&i| Arc::clone(&files[i])).collect());
                let origin = self.origin.as_ref().map(|origin| origin.select(&rest));
                let store = Levels::Held(Arc::clone(levels));
                let (shape, elements, fingerprint) = (self.shape, self.elements, OnceLock::new());
                Self { store, shape, elements, labels, contexts, files, origin, fingerprint, taken: None }
            }
            Levels::Streamed { .. } => self.select(rest)?,
        };
        Ok(taken)
    }

    /// Each image prepared: now, or when it is read.
    pub(super) fn prepared(mut self, preparation: Preparation) -> Result<Self> {
        let old = self.shape;
        self.shape = preparation.shape(old);
        pixels_of(self.shape)?;
        self.fingerprint = OnceLock::new();
        match &mut self.store {
            Levels::Streamed { preparations, .. } => preparations.push(preparation),
            Levels::Held(levels) => {
                if let Preparation::DropBits(bits) = preparation {
                    Arc::make_mut(levels).par_iter_mut().for_each(|level| *level >>= bits);
                } else {
                    let of = |image: &[u8]| preparation.of(image.to_vec(), old, Place::Middle);
                    *levels = Arc::new(levels.par_chunks_exact(old.iter().product()).flat_map_iter(of).collect());
                }
            }
        }
        Ok(self)
    }

    /// The same images, refused where one has a level that is not below so many: now where they are in memory, otherwise
    /// when one is read.
    ///
    /// # Errors
    /// [`Error::Usage`] with the first such level's place.
    pub(super) fn below(self, levels: u32) -> Result<Self> {
        if let Levels::Held(held) = &self.store {
            let pixels = self.pixels_per_image();
            let is_outside = |image: &[u8]| image.iter().any(|level| u32::from(*level) >= levels);
            if let Some(i) = held.par_chunks_exact(pixels).position_first(is_outside) {
                self.expect_below(i, &held[i * pixels..(i + 1) * pixels], self.shape, levels)?;
            }
            return Ok(self);
        }
        self.prepared(Preparation::Below(levels))
    }

    /// The same images in memory: all of them are read now.
    pub(super) fn held(self) -> Result<Self> {
        if matches!(self.store, Levels::Held(_)) {
            return Ok(self);
        }
        let levels = self.bytes(&(0..self.len()).collect::<Vec<_>>())?;
        Ok(Self { store: Levels::Held(Arc::new(levels)), ..self })
    }

    /// The same images as a set that is read when it is asked for, so that what follows can be done at a place of its own
    /// each time.
    pub(super) fn reread(self) -> Result<Self> {
        if matches!(self.store, Levels::Streamed { .. }) {
            return Ok(self);
        }
        let labels = self.labels.as_ref().map(|labels| labels.to_vec());
        let (files, origin) = (self.files.clone(), self.origin.clone());
        Ok(Self { files, origin, ..Self::streamed(Arc::new(self), labels)? })
    }
}

/// Equal where they are of one size and have the same labels and levels; of images that are not in memory, where they are
/// the same ones of the same source.
impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        let stores = match (&self.store, &other.store) {
            (Levels::Held(a), Levels::Held(b)) => a == b,
            (
                Levels::Streamed { source: a, which: which_a, preparations: prepared_a },
                Levels::Streamed { source: b, which: which_b, preparations: prepared_b },
            ) => Arc::ptr_eq(a, b) && which_a == which_b && prepared_a == prepared_b,
            _ => false,
        };
        stores && self.shape == other.shape && self.labels == other.labels
    }
}

/// The number of levels of an image, of which there must be some.
fn pixels_of(shape: [usize; 3]) -> Result<usize> {
    match shape.iter().product() {
        0 => Err(refuse("sides of at least 1".into(), format!("{shape:?}"))),
        pixels => Ok(pixels),
    }
}

fn refuse(expected: String, found: String) -> Error {
    Error::Shape { layer: "images".into(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        Images::new((0..24).collect(), [2, 1, 3], Some(vec![5, 6, 7, 8])).unwrap()
    }

    /// The same, held and read.
    fn both() -> [Images; 2] {
        let read = images().reread().unwrap();
        assert!(matches!(read.store, Levels::Streamed { .. }) && !read.is_streamed(), "it is read from memory");
        [images(), read]
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(Images::new(vec![0; 23], [2, 1, 3], None).is_err());
        assert!(Images::new(vec![], [2, 0, 3], None).is_err());
        let error = Images::new(vec![0; 24], [2, 1, 3], Some(vec![1])).unwrap_err();
        assert_eq!(error.to_string(), "images: expected 4 labels, one an image, found 1 labels");
        assert!(Images::streamed(Arc::new(images()), Some(vec![1])).is_err());
    }

    #[test]
    fn gathered_images_come_in_the_order_asked_for() {
        for images in both() {
            assert_eq!((images.len(), images.pixels_per_image()), (4, 6));
            assert_eq!(images.gather(&[3, 0]).unwrap(), [18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5]);
            assert_eq!(images.labels_of(&[3, 0]), Some(vec![8, 5]));
            assert_eq!((images.label(1), images.label(4)), (Some(6), None));
            let two = images.select([3, 0]).unwrap();
            assert_eq!((two.image(0).unwrap(), two.label(1)), (images.image(3).unwrap(), Some(5)));
            let five = images.followed_by(&images.select([0]).unwrap()).unwrap();
            let (last, first) = (five.image(4).unwrap(), images.image(0).unwrap());
            assert_eq!((five.len(), last, five.label(4)), (5, first, Some(5)));
            assert!(images.followed_by(&Images::new(vec![0], [1, 1, 1], None).unwrap()).is_err());
            assert!(images.select(3..5).unwrap_err().to_string().contains("no image 4"));
            assert!(images.image(4).is_err() && images.gather(&[4]).is_err());
        }
    }

    #[test]
    fn to_be_read_or_held_changes_no_level_and_no_fingerprint() {
        let preparations = [Preparation::Resize([3, 3]), Preparation::Shrink(3), Preparation::DropBits(2)];
        let [held, read] = both().map(|images| {
            preparations.into_iter().fold(images, |images, preparation| images.prepared(preparation).unwrap())
        });
        assert_eq!((held.shape(), read.shape()), ([1, 1, 3], [1, 1, 3]));
        assert_eq!(held.levels().unwrap(), read.levels().unwrap());
        assert_eq!(held.fingerprint().unwrap(), read.fingerprint().unwrap());
        assert_ne!(held.fingerprint().unwrap(), images().fingerprint().unwrap());
        assert_ne!(held, read);
        assert_eq!(read, read.clone());
    }

    #[test]
    fn what_is_taken_away_is_no_longer_there() {
        for mut images in both() {
            let first_and_third = images.clone().take_away(&[0, 2]).unwrap();
            assert_eq!(first_and_third.labels(), Some(&[5, 7][..]));
            let rest = images.take_away(&[3]).unwrap();
            assert_eq!((images.len(), images.labels()), (3, Some(&[5, 6, 7][..])));
            assert_eq!((rest.levels().unwrap().to_vec(), rest.labels()), ((18..24).collect(), Some(&[8][..])));
            assert_eq!(images.levels().unwrap().to_vec(), (0..18).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn a_fingerprint_tells_levels_labels_and_shapes_apart() {
        let of = |levels: Vec<u8>, shape, labels| Images::new(levels, shape, labels).unwrap().fingerprint().unwrap();
        let prints = [
            of(vec![1, 2], [1, 2, 1], None),
            of(vec![2, 1], [1, 2, 1], None),
            of(vec![1, 2], [2, 1, 1], None),
            of(vec![1, 2], [1, 2, 1], Some(vec![0])),
            of(vec![1, 2], [1, 2, 1], Some(vec![1])),
        ];
        for (i, print) in prints.iter().enumerate() {
            assert_eq!(print.len(), 16);
            assert!(!prints[..i].contains(print));
        }
        assert_eq!(prints[0], of(vec![1, 2], [1, 2, 1], None));
    }

    #[test]
    fn the_identity_of_a_set_in_files_is_of_its_number_its_labels_and_a_sample() {
        /// Images of a level each, as if in files.
        #[derive(Debug)]
        struct Files(Vec<u8>);

        impl ImageSource for Files {
            fn count(&self) -> usize {
                self.0.len()
            }

            fn shape(&self) -> [usize; 3] {
                [1, 1, 1]
            }

            fn read(&self, i: usize, _: Place) -> Result<Vec<u8>> {
                Ok(vec![self.0[i]])
            }
        }

        let set = |levels: Vec<u8>, labels: Vec<u16>| Images::streamed(Arc::new(Files(levels)), Some(labels)).unwrap();
        let levels: Vec<u8> = (0..200).collect();
        let identity = |levels: &[u8], label: u16| set(levels.to_vec(), vec![label; levels.len()]).identity().unwrap();
        let right = identity(&levels, 1);
        assert!(right.starts_with("sample-") && right == identity(&levels, 1));
        assert_ne!(right, identity(&levels[..199], 1));
        assert_ne!(right, identity(&levels, 2));
        let mut other = levels.clone();
        other[0] = 9;
        assert_ne!(right, identity(&other, 1));
        let held = Images::new(levels, [1, 1, 1], None).unwrap();
        assert_eq!(held.identity().unwrap(), held.fingerprint().unwrap());
    }

    #[test]
    fn windows_are_cut_where_they_are_asked_for() {
        let images = Images::new((0..16).collect(), [4, 4, 1], None).unwrap().reread().unwrap();
        let windows = images.prepared(Preparation::Resize([2, 2])).unwrap();
        assert_eq!(windows.gather(&[0]).unwrap(), [5, 6, 9, 10], "the middle");
        assert_eq!(windows.gather_at(&[0], |_| Place::At([0.0, 0.99])).unwrap(), [2, 3, 6, 7]);
    }
}
