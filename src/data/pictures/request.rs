//! A folder of pictures as it is asked for: `DIR`, `DIR?train=NAME&test=NAME` or `DIR?split=none`.

use std::path::{Path, PathBuf};

use crate::data::query;
use crate::error::{Error, Result};

/// A folder, and what its sub-folders are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub folder: PathBuf,
    pub splits: Splits,
}

/// What the sub-folders of a folder are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Splits {
    /// Splits where their names say so. What is named is that one, and only the other is looked for.
    Found { train: Option<String>, test: Option<String> },
    /// Classes, whatever their names.
    None,
}

/// How it is written, for messages.
const FORMS: &str = "write DIR?train=NAME&test=NAME, with the names of two sub-folders, or DIR?split=none";

impl Request {
    /// A folder that is there is that folder, with a `?` in its name or without.
    pub fn parse(text: &str) -> Result<Self> {
        let (folder, said) =
            query::split(text, &["train", "test", "split"]).map_err(|wrong| bad(text, &wrong.to_string()))?;
        let value = |name| said.iter().find(|(said, _)| *said == name).map(|(_, value)| decoded(value));
        let (train, test, split) = (value("train"), value("test"), value("split"));
        if split.as_ref().is_some_and(|split| split != "none") {
            return Err(bad(text, "`split` can only be `none`"));
        }
        let is_whole = split.is_some();
        if is_whole && (train.is_some() || test.is_some()) {
            return Err(bad(text, "`split=none` stands alone"));
        }
        if train.is_some() && train == test {
            return Err(bad(text, "one sub-folder cannot be both to train on and to test on"));
        }
        let splits = if is_whole { Splits::None } else { Splits::Found { train, test } };
        Ok(Self { folder: folder.into(), splits })
    }
}

fn bad(text: &str, reason: &str) -> Error {
    Error::Usage(format!("data 'images:{text}': {reason}; {FORMS}"))
}

/// How to ask for two sub-folders of a folder, in quotes, since a shell has its own meaning for `&` and `?`.
pub(super) fn written(folder: &Path, train: &str, test: &str) -> String {
    format!("\"images:{}?train={}&test={}\"", folder.display(), encoded(train), encoded(test))
}

/// How to ask for sub-folders to be classes.
pub(super) fn written_whole(folder: &Path) -> String {
    format!("\"images:{}?split=none\"", folder.display())
}

/// The characters that part options, in a name, by their number, as in the addresses of the web.
const ENCODED: [(&str, &str); 3] = [("%", "%25"), ("&", "%26"), ("?", "%3F")];

fn encoded(name: &str) -> String {
    ENCODED.iter().fold(name.to_owned(), |name, (character, code)| name.replace(character, code))
}

fn decoded(name: &str) -> String {
    let name = name.replace("%3f", "%3F");
    ENCODED.iter().rev().fold(name, |name, (character, code)| name.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(train: Option<&str>, test: Option<&str>) -> Splits {
        Splits::Found { train: train.map(str::to_owned), test: test.map(str::to_owned) }
    }

    #[test]
    fn sub_folders_are_named_behind_the_folder() {
        for (text, splits) in [
            ("photos", found(None, None)),
            ("photos?train=a&test=b", found(Some("a"), Some("b"))),
            ("photos?test=b c", found(None, Some("b c"))),
            ("photos?split=none", Splits::None),
        ] {
            assert_eq!(Request::parse(text).unwrap(), Request { folder: "photos".into(), splits }, "{text}");
        }
    }

    #[test]
    fn what_is_said_wrong_is_answered_with_the_forms() {
        for text in [
            "a?train=b&train=c",
            "a?tests=b",
            "a?train=",
            "a?train=b&test=b",
            "a?split=none&test=b",
            "a?split=half",
            "a?test",
        ] {
            let error = Request::parse(text).unwrap_err();
            assert!(matches!(&error, Error::Usage(words) if words.contains(FORMS)), "{text}: {error}");
        }
    }

    #[test]
    fn a_folder_with_a_question_mark_in_its_name_is_that_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("who?train=me");
        std::fs::create_dir(&path).unwrap();
        let text = path.to_str().unwrap();
        assert_eq!(Request::parse(text).unwrap().folder, path);
        let both = Request::parse(&format!("{text}?train=a")).unwrap();
        assert_eq!((both.folder, both.splits), (path, found(Some("a"), None)));
    }

    proptest::proptest! {
        #[test]
        fn any_name_can_be_written(train in "[a-c%&?=2356F ]{1,6}", test in "[a-c%&?= ]{7,8}") {
            let written = written(Path::new("photos"), &train, &test);
            let text = written.trim_matches('"').strip_prefix("images:").unwrap();
            proptest::prop_assert_eq!(Request::parse(text).unwrap().splits, found(Some(&train), Some(&test)));
        }
    }
}
