//! Which pictures of a folder are to train on, and which to test on.

use std::path::{Path, PathBuf};

use super::super::folder_name;
use super::super::split::train_and_test;
use super::list::{Beside, List};
use super::listing::{Entries, holds_pictures};
use super::request::{Request, Splits, written, written_whole};
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

/// The two splits of a folder, in the order of their set, and what to say of how they were found.
#[derive(Debug)]
pub(super) struct Found {
    pub train: List,
    pub test: List,
    pub remarks: Vec<String>,
}

impl Found {
    /// Looks for the splits of a folder, or takes those that are asked for.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there are no pictures, classes differ or names leave it open what is to train on; otherwise
    /// [`Error::Io`] for what cannot be read.
    pub fn of(request: &Request) -> Result<Self> {
        let folder = &request.folder;
        let found = match &request.splits {
            Splits::None => Self::without_splits(folder, Vec::new()),
            Splits::Found { train, test } => {
                let parts = Parts::of(folder)?;
                match parts.pair(train.as_deref(), test.as_deref())? {
                    Some((train, test)) => Self::of_two(&parts, &train, &test),
                    None => Self::without_splits(folder, parts.taken_for_classes()),
                }
            }
        };
        found.map(|Self { train, test, remarks }| Self { train: train.in_turns(), test: test.in_turns(), remarks })
    }

    /// Every tenth picture is to test on.
    fn without_splits(folder: &Path, mut remarks: Vec<String>) -> Result<Self> {
        let mut beside = Beside::default();
        let all = List::read(folder, &mut beside)?;
        let (train, test) = train_and_test(all.paths.len());
        remarks.extend(beside.words(""));
        Ok(Self { train: all.select(&train), test: all.select(&test), remarks })
    }

    /// Two sub-folders are the splits.
    fn of_two(parts: &Parts, train_folder: &Path, test_folder: &Path) -> Result<Self> {
        let (mut beside_train, mut beside_test) = (Beside::default(), Beside::default());
        let train = List::read(train_folder, &mut beside_train)?;
        let test = List::read(test_folder, &mut beside_test)?;
        // A class without pictures says nothing, whether its folder is there or not.
        beside_test.empty = train.classes.iter().filter(|class| !test.classes.contains(class)).cloned().collect();
        let test = test.labelled_as(&train.classes, test_folder)?;
        let (train_name, test_name) = (parts.name(train_folder), parts.name(test_folder));
        let mut remarks = vec![format!("sub-folder {train_name} is to train on, {test_name} to test on")];
        let left_out: Vec<String> =
            parts.all().filter(|path| *path != train_folder && *path != test_folder).map(folder_name).collect();
        if !left_out.is_empty() {
            remarks.push(format!("left out, and neither trained nor tested on: {}", left_out.join(", ")));
        }
        if parts.pictures > 0 {
            remarks.push(format!("left out: {} beside the sub-folders", pictures(parts.pictures)));
        }
        beside_train.others.add(&parts.others.others);
        beside_train.others.add(&std::mem::take(&mut beside_test.others));
        remarks.extend(beside_train.words(&format!("{train_name}/")));
        remarks.extend(beside_test.words(&format!("{test_name}/")));
        Ok(Self { train, test, remarks })
    }
}

impl Beside {
    /// What is left out, a sentence each; `prefix` stands before the names of classes.
    fn words(&self, prefix: &str) -> Vec<String> {
        let mut words = Vec::new();
        if !self.empty.is_empty() {
            let names: Vec<String> = self.empty.iter().map(|name| format!("{prefix}{name}")).collect();
            words.push(format!("without pictures: {}", names.join(", ")));
        }
        match self.others.total() {
            0 => {}
            1 => words.push(format!("1 file is left out, as it is no picture: {}", self.others.words())),
            n => words.push(format!("{n} files are left out, as they are no pictures: {}", self.others.words())),
        }
        words
    }
}

/// So many pictures, in words.
fn pictures(count: usize) -> String {
    if count == 1 { "1 picture".into() } else { format!("{count} pictures") }
}

/// The sub-folders of a folder by what their names say.
#[derive(Debug)]
struct Parts {
    folder: PathBuf,
    /// With pictures in them.
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
    validation: Vec<PathBuf>,
    classes: Vec<PathBuf>,
    /// Named as what is to test on, without pictures.
    empty_test: Option<PathBuf>,
    /// Pictures beside them.
    pictures: usize,
    others: Beside,
}

impl Parts {
    fn of(folder: &Path) -> Result<Self> {
        let entries = Entries::of(folder)?;
        let mut parts = Self {
            folder: folder.to_path_buf(),
            train: Vec::new(),
            test: Vec::new(),
            validation: Vec::new(),
            classes: Vec::new(),
            empty_test: None,
            pictures: entries.pictures.len(),
            others: Beside { others: entries.others, empty: Vec::new() },
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
    fn all(&self) -> impl Iterator<Item = &Path> {
        [&self.train, &self.test, &self.validation, &self.classes].into_iter().flatten().map(PathBuf::as_path)
    }

    /// What can be to test on: what is called so, or else what is to validate on.
    fn to_test(&self) -> &[PathBuf] {
        if self.test.is_empty() { &self.validation } else { &self.test }
    }

    /// A folder's name within the whole.
    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// The folders to train on and to test on; none where there are no splits. What is asked for is taken.
    fn pair(&self, train: Option<&str>, test: Option<&str>) -> Result<Option<(PathBuf, PathBuf)>> {
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
    fn taken_for_classes(&self) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// A folder of these files, without anything in them.
    fn folder(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn found(folder: &TempDir, options: &str) -> Result<Found> {
        Found::of(&Request::parse(&format!("{}{options}", folder.path().display()))?)
    }

    /// The names of the folders with these pictures that are trained on and tested on.
    fn folders_of(folder: &TempDir, options: &str) -> [Vec<String>; 2] {
        let found = found(folder, options).unwrap();
        [found.train, found.test].map(|list| {
            let first = |path: &PathBuf| {
                let within = path.strip_prefix(folder.path()).unwrap();
                within.components().next().unwrap().as_os_str().to_str().unwrap().to_owned()
            };
            let mut names: Vec<String> = list.paths.iter().map(first).collect();
            names.sort();
            names.dedup();
            names
        })
    }

    fn with_a_picture_each(names: &[&str]) -> TempDir {
        folder(
            &names
                .iter()
                .map(|name| format!("{name}/a.png"))
                .collect::<Vec<_>>()
                .iter()
                .map(|name| &**name)
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn the_usual_names_are_splits_whatever_their_case() {
        for [train, test] in [
            ["train", "test"],
            ["Training", "Testing"],
            ["TRAIN", "Valid"],
            ["train2017", "val2017"],
            ["train_32x32", "valid_32x32"],
            ["train-images", "test-images"],
            ["training", "validation"],
            ["train", "dev"],
        ] {
            let folder = with_a_picture_each(&[train, test]);
            assert_eq!(folders_of(&folder, ""), [[train.to_owned()], [test.to_owned()]]);
            let remark = format!("sub-folder {train} is to train on, {test} to test on");
            assert_eq!(found(&folder, "").unwrap().remarks, [remark]);
        }
    }

    #[test]
    fn names_that_only_begin_like_a_split_are_classes() {
        for names in [["testudo", "trains"], ["trainer", "valley"], ["device", "testify"]] {
            let folder = with_a_picture_each(&names);
            let found = found(&folder, "").unwrap();
            assert_eq!((found.test.classes, found.remarks.len()), (names.map(str::to_owned).into(), 0));
        }
    }

    #[test]
    fn what_is_named_as_a_split_without_another_is_a_class_and_told_unless_it_is_to_test_on() {
        for names in [&["train"][..], &["bus", "train"], &["beaker", "test-tube"], &["train_a", "train_b"]] {
            let folder = with_a_picture_each(names);
            let found = found(&folder, "").unwrap();
            assert_eq!(found.test.classes, names);
            assert!(found.remarks[0].contains(" read as a class"), "{:?}", found.remarks);
        }
        for names in [&["test"][..], &["cat", "dog", "Test"], &["val2017"], &["dev", "test"]] {
            let folder = with_a_picture_each(names);
            let error = found(&folder, "").unwrap_err().to_string();
            assert!(error.contains("named as pictures to test on") && error.contains("?split=none\""), "{error}");
            assert_eq!(found(&folder, "?split=none").unwrap().test.classes.len(), names.len());
        }
        let folder = folder(&["train/a.png", "test/labels.csv"]);
        let error = found(&folder, "").unwrap_err().to_string();
        assert!(
            error.contains("test: there is no picture in this folder") && error.ends_with("found 1 .csv"),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_clear_is_refused_with_every_reading() {
        for (names, readings) in [
            (
                &["test", "train", "train_toy"][..],
                &["?train=train&test=test\": without train_toy", "?train=train_toy&test=test\""][..],
            ),
            (&["test", "train", "vehicles"], &["?train=train&test=test\": without vehicles"]),
            (&["train", "val", "valid"], &["?train=train&test=val\"", "?train=train&test=valid\""]),
        ] {
            let folder = with_a_picture_each(names);
            let error = found(&folder, "").unwrap_err();
            assert!(error.is_input(), "{error}");
            for reading in readings.iter().chain(&["?split=none\": every sub-folder is a class"]) {
                let words = format!("\"images:{}{reading}", folder.path().display());
                assert!(error.to_string().contains(&words), "{words} in {error}");
            }
            assert_eq!(found(&folder, "?split=none").unwrap().test.classes, names);
        }
    }

    #[test]
    fn what_is_asked_for_is_taken_and_the_rest_is_told() {
        let folder = with_a_picture_each(&["test", "train", "train_toy", "x&y?"]);
        for (options, [train, test]) in [
            ("?train=train&test=test", ["train", "test"]),
            ("?train=train_toy", ["train_toy", "test"]),
            ("?train=train&test=x%26y%3F", ["train", "x&y?"]),
            ("?train=test&test=train", ["test", "train"]),
        ] {
            assert_eq!(folders_of(&folder, options), [[train.to_owned()], [test.to_owned()]]);
            let remarks = found(&folder, options).unwrap().remarks;
            assert!(remarks[1].starts_with("left out, and neither trained nor tested on: "), "{remarks:?}");
        }
        let of = |options: &str| found(&folder, options).unwrap_err().to_string();
        assert!(of("?test=test").contains("say which sub-folder the other split is"));
        assert!(of("?train=nowhere&test=test").contains("nowhere: there is no such sub-folder"));
    }

    #[test]
    fn beside_two_splits_nothing_is_left_out_without_a_word() {
        let folder = folder(&["train/a.png", "val/b.png", "test/c.png", "d.png", "e.csv", "labels/f.txt"]);
        assert_eq!(folders_of(&folder, ""), [["train"], ["test"]]);
        assert_eq!(
            found(&folder, "").unwrap().remarks[1..],
            [
                "left out, and neither trained nor tested on: val",
                "left out: 1 picture beside the sub-folders",
                "1 file is left out, as it is no picture: 1 .csv"
            ]
        );
        assert_eq!(folders_of(&folder, "?test=val"), [["train"], ["val"]]);
    }

    #[test]
    fn classes_without_pictures_are_told_and_keep_the_labels_of_training() {
        let folder = folder(&[
            "train/a/1.png",
            "train/b/2.png",
            "train/c/3.png",
            "test/a/4.png",
            "test/c/5.png",
            "train/d/x.txt",
        ]);
        fs::create_dir(folder.path().join("test/b")).unwrap();
        let both = found(&folder, "").unwrap();
        assert_eq!((both.test.labels, both.test.classes), (vec![0, 2], ["a", "b", "c"].map(str::to_owned).into()));
        assert!(both.remarks.contains(&"without pictures: train/d".to_owned()), "{:?}", both.remarks);
        assert!(both.remarks.contains(&"without pictures: test/b".to_owned()), "{:?}", both.remarks);
        fs::write(folder.path().join("test/d.png"), "").unwrap();
        assert!(found(&folder, "").is_err(), "a picture beside classes");
    }
}
