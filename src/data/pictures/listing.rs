//! What is in a folder: pictures, sub-folders, and files that are no pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::folder_name;
use super::kinds::{ending, is_picture};
use crate::error::{Error, Result};

/// Folders within folders; more are taken for a loop of links.
const DEEPEST: usize = 8;
/// What file managers leave behind; and what is hidden, by the dot that its name begins with.
const LEFTOVERS: [&str; 3] = ["__macosx", "thumbs.db", "desktop.ini"];
/// Kinds of files that a sentence names.
const NAMED: usize = 8;

/// What is directly in a folder, each in the order of names.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub pictures: Vec<PathBuf>,
    pub folders: Vec<PathBuf>,
    pub others: Others,
}

impl Entries {
    pub fn of(folder: &Path) -> Result<Self> {
        let mut paths = paths_in(folder)?.collect::<Result<Vec<_>>>()?;
        paths.sort();
        let mut entries = Self::default();
        for path in paths {
            if path.is_dir() {
                entries.folders.push(path);
            } else if is_picture(&path) {
                entries.pictures.push(path);
            } else {
                entries.others.count(&path);
            }
        }
        Ok(entries)
    }
}

/// What is in a folder, in no order; what is hidden or a leftover is left out.
fn paths_in(folder: &Path) -> Result<impl Iterator<Item = Result<PathBuf>>> {
    if folder.is_file() {
        return Err(Error::bad_file(folder, "expected a folder of pictures, found a file"));
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let folder = folder.to_path_buf();
    let paths = entries.map(move |entry| entry.map(|entry| entry.path()).map_err(Error::io(&folder)));
    Ok(paths.filter(|path| !path.as_ref().is_ok_and(|path| is_unseen(&folder_name(path)))))
}

fn is_unseen(name: &str) -> bool {
    name.starts_with('.') || LEFTOVERS.contains(&&*name.to_lowercase())
}

/// Adds all pictures in a folder and the folders within, and counts other files.
pub(super) fn collect(folder: &Path, pictures: &mut Vec<PathBuf>, others: &mut Others) -> Result<()> {
    collect_to(folder, pictures, others, DEEPEST)
}

fn collect_to(folder: &Path, pictures: &mut Vec<PathBuf>, others: &mut Others, depth: usize) -> Result<()> {
    let entries = Entries::of(within(folder, depth)?)?;
    pictures.extend(entries.pictures);
    others.add(&entries.others);
    entries.folders.iter().try_for_each(|folder| collect_to(folder, pictures, others, depth - 1))
}

/// Whether there is a picture in a folder or the folders within.
pub(super) fn holds_pictures(folder: &Path) -> Result<bool> {
    holds_pictures_to(folder, DEEPEST)
}

fn holds_pictures_to(folder: &Path, depth: usize) -> Result<bool> {
    let mut folders = Vec::new();
    for path in paths_in(within(folder, depth)?)? {
        let path = path?;
        match path.is_dir() {
            true => folders.push(path),
            false if is_picture(&path) => return Ok(true),
            false => {}
        }
    }
    for folder in folders {
        if holds_pictures_to(&folder, depth - 1)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A folder that is not too deep.
fn within(folder: &Path, depth: usize) -> Result<&Path> {
    let too_deep = || Error::bad_file(folder, format!("more than {DEEPEST} folders deep: do links run in a circle?"));
    if depth == 0 { Err(too_deep()) } else { Ok(folder) }
}

/// Files that are no pictures, counted by the endings of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others(BTreeMap<String, usize>);

impl Others {
    fn count(&mut self, path: &Path) {
        let kind = ending(path).map_or_else(|| "without an ending".to_owned(), |ending| format!(".{ending}"));
        *self.0.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, others: &Self) {
        others.0.iter().for_each(|(kind, count)| *self.0.entry(kind.clone()).or_default() += count);
    }

    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// Such as `12 .heic, 3 .txt`: the most frequent first.
    pub fn words(&self) -> String {
        let mut kinds: Vec<(&String, usize)> = self.0.iter().map(|(kind, count)| (kind, *count)).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut words: Vec<String> = kinds.iter().take(NAMED).map(|(kind, count)| format!("{count} {kind}")).collect();
        let rest: usize = kinds.iter().skip(NAMED).map(|(_, count)| count).sum();
        words.extend((rest > 0).then(|| format!("{rest} of other kinds")));
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_files_are_counted_by_their_endings() {
        let mut others = Others::default();
        for name in ["a.txt", "b.HEIC", "c.heic", "README"] {
            others.count(Path::new(name));
        }
        assert_eq!((others.total(), &*others.words()), (4, "2 .heic, 1 .txt, 1 without an ending"));
        (0..10).for_each(|i| others.count(&PathBuf::from(format!("a.{i}"))));
        assert!(others.words().ends_with("1 .5, 1 .6, 5 of other kinds"), "{}", others.words());
    }

    #[test]
    fn folders_are_not_followed_forever() {
        let folder = tempfile::tempdir().unwrap();
        let deep = (0..DEEPEST).fold(folder.path().to_path_buf(), |path, _| path.join("a"));
        std::fs::create_dir_all(&deep).unwrap();
        let error = holds_pictures(folder.path()).unwrap_err().to_string();
        assert!(error.contains("more than 8 folders deep"), "{error}");
        assert!(collect(folder.path(), &mut Vec::new(), &mut Others::default()).is_err());
        assert!(!holds_pictures(&folder.path().join("a")).unwrap());
    }
}
