//! Folders of pictures.
//!
//! A picture is turned as its camera says, its shorter side is brought to the flow's size and the middle is cut out; or it
//! is brought to another size and cut at random, as RealNVP does with LSUN (L. Dinh, J. Sohl-Dickstein and S. Bengio, 2017,
//! arXiv:1605.08803, section 4.1). Grey and colour become what the flow has: grey is `0.2126 R + 0.7152 G + 0.0722 B`.
//! Sixteen bits become eight, CMYK becomes RGB, and transparency is ignored. A picture of the flow's size is read as it is;
//! a smaller one is refused, since enlarging makes pixels that say nothing.

mod decode;
mod fit;
mod kinds;
mod list;
mod listing;
mod parts;
mod reading;
mod request;
#[cfg(test)]
mod samples;
mod splits;
#[cfg(test)]
mod tests;
mod whole;

use std::path::PathBuf;

use image::DynamicImage;

pub(super) use kinds::ENDINGS;

use super::{DataSet, Opening, folder_name};
use crate::error::{Error, Result};
use decode::decode;
use list::List;
use reading::{Unreadable, images};
use request::Request;
use splits::Found;

/// Opens the pictures of a folder as images of the shape that is asked for, or of the size and colours of the first one:
/// decoded now, or when they are asked for where they take more memory than they may.
///
/// `source` is `DIR`, `DIR?train=NAME&test=NAME` or `DIR?split=none`. Sub-folders are classes, in the order of their names.
/// Where their names are those of splits, such as `train` and `test`, or splits are named, these are the splits; otherwise
/// every tenth picture, by class and name, is to test on. In each split the classes take turns. What was decided, and what
/// is left out, is in the set's remarks.
///
/// # Errors
/// [`Error::BadFile`] for a folder without pictures, pictures both beside and in classes, names that leave it open what
/// the splits are, splits whose classes differ, and pictures that cannot be decoded or are too small, all at once unless they
/// are to be skipped; [`Error::Usage`] for a number of channels other than 1 and 3; [`Error::Io`] for what cannot be read.
pub fn load(source: &str, opening: &Opening) -> Result<DataSet> {
    let request = Request::parse(source)?;
    let Found { train, test, mut remarks } = Found::of(&request)?;
    let shape = opening.shape.map_or_else(|| first_shape(&train, &test), Ok)?;
    if shape[2] != 1 && shape[2] != 3 {
        let asked = shape[2];
        return Err(Error::Usage(format!("pictures have 1 channel (grey) or 3 (colour), and {asked} are asked for")));
    }
    let (classes, mut unreadable) = (train.classes.clone(), Unreadable::default());
    let train = images(train, shape, opening, &mut unreadable)?;
    let test = images(test, shape, opening, &mut unreadable)?;
    remarks.extend(unreadable.skipped(&request.folder, opening.skip_unreadable)?);
    let name = folder_name(&request.folder);
    remarks.iter_mut().for_each(|remark| *remark = format!("{name}: {remark}"));
    Ok(DataSet { name, train, test, bins: 256, classes, features: Vec::new(), remarks })
}

/// The files of the pictures that [`load`] reads, to train on and to test on, in the same order, with those that it may skip.
///
/// # Errors
/// As [`load`], but for pictures that cannot be decoded.
pub fn files(source: &str) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let found = Found::of(&Request::parse(source)?)?;
    Ok((found.train.paths, found.test.paths))
}

/// The folder that a source names.
///
/// # Errors
/// [`Error::Usage`] for what is said wrong behind it.
pub fn folder(source: &str) -> Result<PathBuf> {
    Request::parse(source).map(|request| request.folder)
}

/// `[height, width, channels]` of the first picture that can be decoded.
fn first_shape(train: &List, test: &List) -> Result<[usize; 3]> {
    let shape = |picture: DynamicImage| {
        let channels = if picture.color().has_color() { 3 } else { 1 };
        [picture.height() as usize, picture.width() as usize, channels]
    };
    let mut failure = None;
    for path in train.paths.iter().chain(&test.paths) {
        match decode(path) {
            Ok(picture) => return Ok(shape(picture)),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or_else(|| Ok([1, 1, 1]), Err)
}
