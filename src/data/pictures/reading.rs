//! The pictures of a split as images: decoded now or when they are asked for, and those that cannot be.

use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::bytes::reserve;
use super::super::{Cut, ImageSource, Images, Opening, Place};
use super::fit::Fit;
use super::list::List;
use crate::error::{Error, Result};

/// Pictures that a message names.
const NAMED: usize = 20;

/// The files of pictures, and what is made of them.
#[derive(Debug)]
struct Pictures {
    paths: Arc<[Arc<Path>]>,
    fit: Fit,
}

impl ImageSource for Pictures {
    fn count(&self) -> usize {
        self.paths.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.fit.shape
    }

    fn read(&self, i: usize, place: Place) -> Result<Vec<u8>> {
        self.fit.read(&self.paths[i], place)
    }
}

/// The pictures of a split as images of a shape. Those that are held are decoded now, on all threads. Of the others only the
/// heads of the files are looked at, unless those that cannot be read are to be skipped: which these are is known when all
/// have been decoded once.
///
/// Pictures that cannot be read are left out of the images, and added to `unreadable`.
///
/// # Errors
/// [`Error::BadFile`] where there is no memory for them.
pub(super) fn images(list: List, shape: [usize; 3], opening: &Opening, unreadable: &mut Unreadable) -> Result<Images> {
    let fit = Fit { shape, cut: opening.cut };
    let pixels: usize = shape.iter().product();
    let bytes = pixels as u64 * list.paths.len() as u64;
    let is_held = opening.cut == Cut::Middle && opening.holds(bytes);
    let mut levels = Vec::new();
    let failed: Vec<(usize, Error)> = if is_held && pixels > 0 {
        if let Some(first) = list.paths.first() {
            reserve(first, &mut levels, bytes)?;
        }
        levels.resize(bytes as usize, 0);
        let read = |(i, levels): (usize, &mut [u8])| match fit.read(&list.paths[i], Place::Middle) {
            Ok(image) => {
                levels.copy_from_slice(&image);
                None
            }
            Err(error) => Some((i, error)),
        };
        levels.par_chunks_exact_mut(pixels).enumerate().filter_map(read).collect()
    } else {
        let check = |path: &Path| match opening.skip_unreadable {
            true => fit.read(path, Place::Middle).map(drop),
            false => fit.expect_sides(path),
        };
        list.paths.par_iter().enumerate().filter_map(|(i, path)| Some((i, check(path).err()?))).collect()
    };
    let mut is_read = vec![true; list.paths.len()];
    failed.iter().for_each(|(i, _)| is_read[*i] = false);
    let which: Vec<usize> = (0..is_read.len()).filter(|i| is_read[*i]).collect();
    for (to, from) in which.iter().enumerate().filter(|_| is_held) {
        levels.copy_within(from * pixels..(from + 1) * pixels, to * pixels);
    }
    levels.truncate(which.len() * pixels);
    unreadable.add(list.paths.len(), failed.into_iter().map(|(_, error)| error));
    let List { paths, labels, .. } = list.select(&which);
    let labels = Some(labels).filter(|labels| !labels.is_empty());
    let paths: Arc<[Arc<Path>]> = paths.into_iter().map(Arc::from).collect();
    let images = if is_held && pixels > 0 {
        Images::new(levels, shape, labels)
    } else {
        Images::streamed(Arc::new(Pictures { paths: Arc::clone(&paths), fit }), labels)
    };
    images.map(|images| images.in_files(paths))
}

/// Pictures that cannot be read, with the reason of each.
#[derive(Debug, Default)]
pub(super) struct Unreadable {
    errors: Vec<Error>,
    /// How many pictures were looked at.
    of: usize,
}

impl Unreadable {
    fn add(&mut self, of: usize, errors: impl Iterator<Item = Error>) {
        self.of += of;
        self.errors.extend(errors);
    }

    /// What to say of those that are skipped; nothing where all can be read.
    ///
    /// # Errors
    /// Where there are some and they are not to be skipped, or there are no others: the one, or [`Error::BadFile`] of the
    /// folder, which lists them.
    pub fn skipped(mut self, folder: &Path, skip: bool) -> Result<Option<String>> {
        match self.errors.len() {
            0 => Ok(None),
            n if skip && n < self.of => Ok(Some(self.words(folder, " and left out"))),
            1 if self.of > 1 => Err(match self.errors.remove(0) {
                Error::BadFile { path, reason } => Error::bad_file(path, format!("{reason}; {ADVICE}")),
                error => error,
            }),
            1 => Err(self.errors.remove(0)),
            n => {
                let advice = if n < self.of { format!("\n{ADVICE}") } else { String::new() };
                Err(Error::bad_file(folder, self.words(folder, "") + &advice))
            }
        }
    }

    fn words(&self, folder: &Path, done: &str) -> String {
        let (count, of) = (self.errors.len(), self.of);
        let are = if count == 1 { "is" } else { "are" };
        let mut words = format!("{count} of {of} pictures {are} unreadable{done}:");
        let line = |error: &Error| {
            let (path, reason) = match error {
                Error::BadFile { path, reason } => (path.as_path(), reason.clone()),
                Error::Io { path, reason } => (path.as_path(), reason.to_string()),
                error => (folder, error.to_string()),
            };
            format!("\n  {}: {reason}", path.strip_prefix(folder).unwrap_or(path).display())
        };
        let mut lines: Vec<String> = self.errors.iter().map(line).collect();
        lines.sort();
        lines.truncate(NAMED);
        words += &lines.concat();
        if count > NAMED {
            words += &format!("\n  and {} more", count - NAMED);
        }
        words
    }
}

const ADVICE: &str = "--skip-unreadable goes on without what is unreadable";
