//! Which pictures of a folder are to train on, and which to test on.

use std::path::Path;

use super::super::folder_name;
use super::super::split::train_and_test;
use super::list::{Beside, List};
use super::parts::Parts;
use super::request::{Request, Splits};
use crate::error::Result;

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
        beside_train.others.add(&parts.others);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;
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
