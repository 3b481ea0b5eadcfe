//! The pictures of a split, by class and name.

use std::path::{Path, PathBuf};

use super::super::folder_name;
use super::kinds::KINDS;
use super::listing::{Entries, Others, collect};
use crate::error::{Error, Result};

/// The pictures of a folder; at first in the order of classes and names.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub paths: Vec<PathBuf>,
    pub labels: Vec<u16>,
    pub classes: Vec<String>,
}

/// What is in a folder beside its pictures.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// Files that are no pictures.
    pub others: Others,
    /// Sub-folders without pictures, by name.
    pub empty: Vec<String>,
}

impl List {
    /// All pictures of a folder, whose sub-folders are classes as far as there are pictures in them.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is no picture, or pictures are both beside classes and in them; [`Error::Io`] for what
    /// cannot be read.
    pub fn read(folder: &Path, beside: &mut Beside) -> Result<Self> {
        let entries = Entries::of(folder)?;
        let (mut list, mut others) = (Self::default(), entries.others);
        for class in &entries.folders {
            let before = list.paths.len();
            collect(class, &mut list.paths, &mut others)?;
            let name = folder_name(class);
            if list.paths.len() == before {
                beside.empty.push(name);
                continue;
            }
            let label = u16::try_from(list.classes.len())
                .map_err(|_| Error::bad_file(folder, format!("{} classes are too many", entries.folders.len())))?;
            list.labels.resize(list.paths.len(), label);
            list.classes.push(name);
        }
        beside.others.add(&others);
        match (entries.pictures.first(), list.paths.is_empty()) {
            (Some(picture), false) => {
                let reason = "a picture beside sub-folders: put it into one, they are the classes";
                Err(Error::bad_file(picture, reason))
            }
            (Some(_), true) => Ok(Self { paths: entries.pictures, ..Self::default() }),
            (None, false) => Ok(list),
            (None, true) => Err(Error::bad_file(folder, no_picture(!entries.folders.is_empty(), &others))),
        }
    }

    /// The same pictures under the labels of other classes, which may be more.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a class that is not among them, or where only one of the two has classes.
    pub fn labelled_as(self, classes: &[String], folder: &Path) -> Result<Self> {
        let label = |name: &String| classes.iter().position(|class| class == name).map(|label| label as u16);
        let new: Option<Vec<u16>> = self.classes.iter().map(label).collect();
        match new {
            Some(new) if self.classes.is_empty() == classes.is_empty() => {
                let labels = self.labels.iter().map(|&label| new[usize::from(label)]).collect();
                Ok(Self { paths: self.paths, labels, classes: classes.to_vec() })
            }
            _ => {
                let reason = format!("its classes are {:?}, and those to train on are {classes:?}", self.classes);
                Err(Error::bad_file(folder, reason))
            }
        }
    }

    /// These pictures, in this order.
    pub fn select(&self, order: &[usize]) -> Self {
        let paths = order.iter().filter_map(|&i| self.paths.get(i).cloned()).collect();
        let labels = order.iter().filter_map(|&i| self.labels.get(i).copied()).collect();
        Self { paths, labels, classes: self.classes.clone() }
    }

    /// The classes taking turns, so that each has its share in any part, such as the last images, held out to validate.
    pub fn in_turns(&self) -> Self {
        let mut sizes = vec![0u64; self.classes.len()];
        let place = |&label: &u16| {
            sizes[usize::from(label)] += 1;
            sizes[usize::from(label)]
        };
        let places: Vec<u64> = self.labels.iter().map(place).collect();
        // Sorted by how far through its class each is, (2 · place − 1) / size, without rounding.
        let part = |i: usize| (2 * places[i] - 1, sizes[usize::from(self.labels[i])]);
        let mut order: Vec<usize> = (0..self.paths.len()).collect();
        if !self.labels.is_empty() {
            order.sort_by(|&a, &b| {
                let ((a, size_of_a), (b, size_of_b)) = (part(a), part(b));
                (a * size_of_b).cmp(&(b * size_of_a))
            });
        }
        self.select(&order)
    }
}

/// What to say of a folder without pictures.
fn no_picture(has_folders: bool, others: &Others) -> String {
    let place = if has_folders { "in this folder or those within" } else { "in this folder" };
    let found = match others.total() {
        0 => "it holds no file".to_owned(),
        _ => format!("found {}", others.words()),
    };
    format!("there is no picture {place}, no {KINDS}; {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns_in_proportion() {
        let list = List {
            paths: (0..8).map(|i| PathBuf::from(i.to_string())).collect(),
            labels: vec![0, 0, 0, 0, 0, 0, 1, 1],
            classes: vec!["a".into(), "b".into()],
        };
        assert_eq!(list.in_turns().labels, [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(list.in_turns().paths[2], PathBuf::from("6"));
        assert_eq!(List { labels: vec![], classes: vec![], ..list }.in_turns().paths.len(), 8);
    }

    #[test]
    fn a_class_has_the_label_that_it_has_in_training() {
        let list = |labels: &[u16], classes: &[&str]| List {
            paths: labels.iter().map(|label| PathBuf::from(label.to_string())).collect(),
            labels: labels.to_vec(),
            classes: classes.iter().map(ToString::to_string).collect(),
        };
        let train: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let test = list(&[0, 1, 1], &["a", "c"]).labelled_as(&train, Path::new("test")).unwrap();
        assert_eq!((test.labels, test.classes), (vec![0, 2, 2], train.clone()));
        for wrong in [list(&[0], &["d"]), list(&[], &[])] {
            assert!(wrong.labelled_as(&train, Path::new("test")).is_err());
        }
        assert!(list(&[0], &["a"]).labelled_as(&[], Path::new("test")).is_err());
        assert!(list(&[], &[]).labelled_as(&[], Path::new("test")).is_ok());
    }
}
