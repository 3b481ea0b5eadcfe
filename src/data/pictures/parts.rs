//! What the names of sub-folders say: to train on, to test on, or a class.

use std::path::{Path, PathBuf};

use super::super::folder_name;
use super::list::{Beside, List};
use super::listing::{Entries, Others, holds_pictures};
use super::request::{written, written_whole};
use crate::error::{Error, Result};

/// The words that name a split, whatever their case.
const WORDS: [(&str, Part); 8] = [
    ("train", Part::Train),
    ("training", Part::Train),
    ("test", Part::Test),
    ("testing", Part::Test),
    ("val", Part::Validation),
    ("valid", Part::Validation),
    ("validation", Part::Validation),
    ("dev", Part::Validation),
];
/// Ways to read a folder that a message lists.
const LISTED: usize = 6;

/// What a sub-folder's name says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    Validation,
}

/// A word alone, or with something behind it that begins with no letter: `train2017`, `Test-images`, but not `trains`.
fn part(name: &str) -> Option<Part> {
    let name = name.to_lowercase();
    let is = |word: &str| name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
    WORDS.into_iter().find(|(word, _)| is(word)).map(|(_, part)| part)
}

/// Whether a name is a word and nothing else, but for digits: no class is called so.
fn is_nothing_but_a_word(name: &str) -> bool {
    let letters = name.trim_end_matches(|c: char| !c.is_alphabetic()).to_lowercase();
    WORDS.into_iter().any(|(word, _)| word == letters)
}

/// The sub-folders of a folder by what their names say.
#[derive(Debug)]
pub(super) struct Parts {
    folder: PathBuf,
    /// With pictures in them.
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
    validation: Vec<PathBuf>,
    classes: Vec<PathBuf>,
    /// Named as what is to test on, without pictures.
    empty_test: Option<PathBuf>,
    /// Pictures beside them.
    pub pictures: usize,
    pub others: Others,
}

impl Parts {
    pub fn of(folder: &Path) -> Result<Self> {
        let entries = Entries::of(folder)?;
        let mut parts = Self {
            folder: folder.to_path_buf(),
            train: Vec::new(),
            test: Vec::new(),
            validation: Vec::new(),
            classes: Vec::new(),
            empty_test: None,
            pictures: entries.pictures.len(),
            others: entries.others,
        };
        let is_named = entries.folders.iter().any(|path| part(&folder_name(path)).is_some());
        for path in entries.folders {
            let part = part(&folder_name(&path));
            // Nobody needs to know where no name is that of a split.
            if is_named && !holds_pictures(&path)? {
                let is_test = matches!(part, Some(Part::Test | Part::Validation));
                parts.empty_test = parts.empty_test.or(is_test.then_some(path));
                continue;
            }
            match part {
                Some(Part::Train) => parts.train.push(path),
                Some(Part::Test) => parts.test.push(path),
                Some(Part::Validation) => parts.validation.push(path),
                None => parts.classes.push(path),
            }
        }
        Ok(parts)
    }

    /// All sub-folders with pictures.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.train, &self.test, &self.validation, &self.classes].into_iter().flatten().map(PathBuf::as_path)
    }

    /// What can be to test on: what is called so, or else what is to validate on.
    fn to_test(&self) -> &[PathBuf] {
        if self.test.is_empty() { &self.validation } else { &self.test }
    }

    /// A folder's name within the whole.
    pub fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// The folders to train on and to test on; none where there are no splits. What is asked for is taken.
    pub fn pair(&self, train: Option<&str>, test: Option<&str>) -> Result<Option<(PathBuf, PathBuf)>> {
        if train.is_none() && test.is_none() {
            return self.pair_by_names();
        }
        let asked = |name: &str| {
            let path = self.folder.join(name);
            if path.is_dir() { Ok(path) } else { Err(Error::bad_file(path, "there is no such sub-folder")) }
        };
        let (train, test) = (train.map(asked).transpose()?, test.map(asked).transpose()?);
        // What is not asked for is the one that is named so.
        let other = |found: &[PathBuf], asked: &Option<PathBuf>| {
            found.iter().filter(|path| Some(*path) != asked.as_ref()).cloned().collect::<Vec<_>>()
        };
        let trains = train.clone().map_or_else(|| other(&self.train, &test), |train| vec![train]);
        let tests = test.clone().map_or_else(|| other(self.to_test(), &train), |test| vec![test]);
        match (&trains[..], &tests[..]) {
            ([train], [test]) => Ok(Some((train.clone(), test.clone()))),
            (trains, tests) => {
                let name = |found: &[PathBuf]| found.first().map_or_else(|| "NAME".into(), |path| self.name(path));
                let form = written(&self.folder, &name(trains), &name(tests));
                Err(Error::bad_file(&self.folder, format!("say which sub-folder the other split is, as {form}")))
            }
        }
    }

    fn pair_by_names(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        match (&self.train[..], self.to_test()) {
            ([train], [test]) if self.classes.is_empty() => Ok(Some((train.clone(), test.clone()))),
            (_, []) => match self.empty_test.as_ref().filter(|_| !self.train.is_empty()) {
                // Which is refused: pictures to train on would be read as a class.
                Some(empty) => List::read(empty, &mut Beside::default()).map(|_| None),
                None => Ok(None),
            },
            // Nothing is there to train on but what is to test on.
            ([], tests) => match tests.iter().find(|path| is_nothing_but_a_word(&folder_name(path))) {
                Some(test) => Err(self.without_training(test)),
                None => Ok(None),
            },
            (trains, tests) => Err(self.unclear(trains, tests)),
        }
    }

    /// What to say where folders that are named as splits are read as classes.
    pub fn taken_for_classes(&self) -> Vec<String> {
        let (test, named) = (self.to_test(), [&self.train, &self.test, &self.validation].into_iter().flatten());
        let names: Vec<String> = named.map(|path| folder_name(path)).collect();
        if names.is_empty() {
            return Vec::new();
        }
        let lacking = if test.is_empty() { "test on" } else { "train on" };
        let reads = format!("images:{}", self.folder.join(&names[0]).display());
        vec![format!(
            "{} read as a class, since no sub-folder beside it is to {lacking}; {reads} reads that folder alone",
            match &names[..] {
                [name] => format!("sub-folder {name} is"),
                names => format!("sub-folders {} are each", names.join(", ")),
            }
        )]
    }

    /// The error for pictures to test on that would be trained on.
    fn without_training(&self, test: &Path) -> Error {
        let name = self.name(test);
        let reason = format!(
            "sub-folder {name} is named as pictures to test on, and none beside it as pictures to train on. Put those \
             into a sub-folder `train`, or write one of\n  images:{}: that folder alone\n  {}: every sub-folder is a \
             class, and every tenth picture is to test on",
            test.display(),
            written_whole(&self.folder)
        );
        Error::bad_file(&self.folder, reason)
    }

    /// The error for names that leave it open what is to train on and what to test on.
    fn unclear(&self, trains: &[PathBuf], tests: &[PathBuf]) -> Error {
        let pairs = trains.iter().flat_map(|train| tests.iter().map(move |test| (train, test)));
        let mut readings: Vec<String> = pairs
            .take(LISTED)
            .map(|(train, test)| {
                let rest: Vec<String> =
                    self.all().filter(|path| path != train && path != test).map(|path| self.name(path)).collect();
                let form = written(&self.folder, &self.name(train), &self.name(test));
                if rest.is_empty() { form } else { format!("{form}: without {}", rest.join(", ")) }
            })
            .collect();
        let whole = written_whole(&self.folder);
        readings.push(format!("{whole}: every sub-folder is a class, and every tenth picture is to test on"));
        let names: Vec<String> = self.all().map(|path| self.name(path)).collect();
        let reason = format!(
            "it is not clear which sub-folders are to train on and which to test on, of {}. Write one of\n  {}",
            names.join(", "),
            readings.join("\n  ")
        );
        Error::bad_file(&self.folder, reason)
    }
}
