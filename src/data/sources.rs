//! The list of data sets that can be fetched: their files, how large these are, their checksums and where they are.
//!
//! One comes with the program, `sources.ron`; it is a RON file so that anybody can print, edit and give it back. What it
//! says is checked where it stands, before anything is fetched.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use ureq::http::Uri;

use crate::error::Result;
use crate::files::read_text;
use crate::notation::{FileKind, FlowFileError, Located, locate, read, suggestion};

/// The list that comes with the program.
pub const BUILT_IN: &str = include_str!("sources.ron");

const SOURCES: FileKind = FileKind {
    noun: "list of sources",
    what: "a list of sources",
    start: "such a list reads `Sources([(name: \"…\", what: \"…\", format: Idx, files: […])])`; \
            `flowstone data sources` prints one",
};

/// A list of data sets that can be fetched, with the text that it was read from.
#[derive(Clone, Debug)]
pub struct SourceList {
    /// Its path; none for the one that comes with the program.
    pub name: Option<String>,
    /// The file as it is.
    pub text: String,
    /// What it lists.
    pub sets: Vec<Source>,
}

/// A data set that can be fetched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename = "Set", deny_unknown_fields)]
pub struct Source {
    /// What it is called on the command line and in recipes; its folder has the same name.
    #[serde(deserialize_with = "set_name")]
    pub name: Located<String>,
    /// What it is, in a line.
    pub what: String,
    /// How it is read.
    pub format: Format,
    /// Where in the set's folder its data are; nothing for the folder itself.
    #[serde(default, deserialize_with = "inner_folder")]
    pub folder: String,
    /// Folders outside the cache that may hold its data, as packages of a system put them; looked at where it was not
    /// fetched.
    #[serde(default)]
    pub elsewhere: Vec<PathBuf>,
    /// What its classes are called, in the order of their labels; nothing where they are numbered or have names already.
    #[serde(default)]
    pub classes: Vec<String>,
    /// A flow to begin with.
    #[serde(default)]
    pub flow: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    pub home: Option<String>,
    /// What its authors ask for.
    #[serde(default)]
    pub terms: Option<String>,
    /// What it is made of.
    pub files: Vec<SourceFile>,
}

/// A file of a data set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename = "File", deny_unknown_fields)]
pub struct SourceFile {
    /// Its name on disk.
    #[serde(deserialize_with = "file_name")]
    pub name: Located<String>,
    /// Its size.
    #[serde(deserialize_with = "size")]
    pub bytes: u64,
    /// Its SHA-256, in 64 lower-case hexadecimal digits.
    #[serde(deserialize_with = "sha256")]
    pub sha256: String,
    /// Where it can be had; tried in this order.
    #[serde(deserialize_with = "addresses")]
    pub urls: Vec<String>,
    /// Whether it is an archive, `.tar.gz`, to be unpacked into a folder of its name.
    #[serde(default)]
    pub unpack: bool,
}

/// How a data set is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename = "format")]
pub enum Format {
    /// As `cifar10:DIR`.
    Cifar10,
    /// As `idx:DIR`.
    Idx,
}

/// As RON has it.
#[derive(Deserialize)]
struct Sources(Vec<Source>);

impl SourceList {
    /// The list that comes with the program.
    ///
    /// # Errors
    /// None, as a test checks; [`Error::FlowFile`](crate::Error::FlowFile) were it wrong.
    pub fn built_in() -> Result<Self> {
        Ok(Self { name: None, ..Self::parse("sources.ron", BUILT_IN)? })
    }

    /// Reads a list.
    ///
    /// # Errors
    /// [`Error::FlowFile`](crate::Error::FlowFile) with the line where the file is wrong; as [`read_text`] where it cannot
    /// be read.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path.display().to_string(), read_text(path)?)
    }

    /// Reads a list from a text; the name is for messages.
    ///
    /// # Errors
    /// [`Error::FlowFile`](crate::Error::FlowFile) with the line where the text is wrong.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (name, text) = (name.into(), text.into());
        let Sources(sets) =
            read(&text).map_err(|error| Box::new(FlowFileError::from_ron(&name, &text, error, SOURCES)))?;
        if let Some((place, message, help)) = contradiction(&sets) {
            let range = locate::<Sources>(&text, place.node).unwrap_or(0..0);
            return Err(Box::new(FlowFileError::new(&name, &text, range, message, Some(help.to_owned()))).into());
        }
        Ok(Self { name: Some(name), text, sets })
    }

    /// The set of this name.
    pub fn find(&self, name: &str) -> Option<&Source> {
        self.sets.iter().find(|set| *set.name == name)
    }

    /// What to say of a name that is not in the list: the nearest that is, and all.
    pub fn suggestion(&self, name: &str) -> String {
        suggestion(name, self.sets.iter().map(|set| set.name.as_str()))
    }

    /// Where the list is from, for messages.
    pub fn origin(&self) -> &str {
        self.name.as_deref().unwrap_or("the list that comes with the program")
    }
}

impl Source {
    /// How many bytes are fetched for it.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).fold(0, u64::saturating_add)
    }
}

impl SourceFile {
    /// The name of what is on disk in the end: the file, or the folder that it is unpacked into.
    pub fn result(&self) -> &str {
        let archive = if self.unpack { without_ending(&self.name) } else { None };
        archive.unwrap_or(&self.name)
    }
}

impl Format {
    /// How a folder of it is named on the command line, before its colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Idx => "idx",
        }
    }
}

/// The name of an archive without `.tar.gz`.
fn without_ending(name: &str) -> Option<&str> {
    name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".tgz")).filter(|stem| !stem.is_empty())
}

/// The first thing in a list that contradicts another: where, what, and what to do.
fn contradiction(sets: &[Source]) -> Option<(&Located<String>, String, &'static str)> {
    let mut names = HashSet::new();
    for set in sets {
        if !names.insert(set.name.as_str()) {
            return Some((&set.name, format!("`{}` is listed twice", *set.name), "keep one"));
        }
        if set.files.is_empty() {
            return Some((&set.name, format!("`{}` has no files", *set.name), "list at least one in `files`"));
        }
        let mut results = HashSet::new();
        for file in &set.files {
            if file.unpack && without_ending(&file.name).is_none() {
                let message = format!("`{}` cannot be unpacked: its name does not end with .tar.gz", *file.name);
                return Some((&file.name, message, "name it as the archive it is, or leave `unpack` out"));
            }
            // On some disks the names A and a are one.
            if !results.insert(file.result().to_lowercase()) {
                let message = format!("`{}` is there twice in `{}`", file.result(), *set.name);
                return Some((&file.name, message, "give each file of a set a name of its own"));
            }
        }
    }
    None
}

/// Whether a name can be that of a file on any system, and of no file that is made while fetching.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= 100 && name.chars().all(plain) && !name.starts_with('.') && !name.ends_with('.') && !name.is_empty()
}

/// Reads a text that must be as `expected` says.
fn text<'de, D: Deserializer<'de>>(
    deserializer: D,
    expected: &str,
    holds: fn(&str) -> bool,
) -> std::result::Result<Located<String>, D::Error> {
    let text = Located::<String>::deserialize(deserializer)?;
    if holds(&text) { Ok(text) } else { Err(D::Error::custom(format!("expected {expected}, found `{}`", *text))) }
}

fn set_name<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Located<String>, D::Error> {
    let expected = "a name of lower-case letters, digits and hyphens other than `digits`, which are built in";
    let holds = |name: &str| is_plain(name) && name != "digits" && !name.contains(|c: char| c.is_ascii_uppercase());
    text(deserializer, expected, holds)
}

fn file_name<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Located<String>, D::Error> {
    let expected = "a file's name of letters, digits, hyphens and dots, without a folder, not ending with .part";
    text(deserializer, expected, |name| is_plain(name) && !name.to_lowercase().ends_with(".part"))
}

fn inner_folder<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    let is_within = |name: &str| {
        !name.contains('\\') && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
    };
    Ok(text(deserializer, "a folder within the set's own, as `a/b`", is_within)?.value)
}

fn sha256<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<String, D::Error> {
    let holds = |text: &str| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    Ok(text(deserializer, "a SHA-256, 64 hexadecimal digits", holds)?.value.to_lowercase())
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<u64, D::Error> {
    let bytes = u64::deserialize(deserializer)?;
    let holds = (1..=1 << 40).contains(&bytes);
    if holds { Ok(bytes) } else { Err(D::Error::custom(format!("expected 1 to 2^40 bytes, found {bytes}"))) }
}

/// An address that can be asked for a file.
struct Address(String);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let holds = |text: &str| {
            let uri = text.parse::<Uri>();
            uri.is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
            })
        };
        Ok(Self(text(deserializer, "an address, `https://…` or `http://…`", holds)?.value))
    }
}

fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<String>, D::Error> {
    let addresses = Vec::<Address>::deserialize(deserializer)?;
    match addresses.is_empty() {
        true => Err(D::Error::custom("expected at least one address")),
        false => Ok(addresses.into_iter().map(|Address(text)| text).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    #[test]
    fn the_built_in_list_is_right_and_whole() {
        let list = SourceList::built_in().unwrap();
        let names: Vec<_> = list.sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["cifar10", "mnist", "fashion-mnist"]);
        for set in &list.sets {
            assert!(set.home.is_some() && set.terms.is_some() && !set.what.contains('\n'), "{}", *set.name);
            let flow = set.flow.as_deref().unwrap();
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("flows/{flow}.ron")).is_file(), "{flow}");
            for file in &set.files {
                // The one that has no certificate; its checksums make up for it.
                let known = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
                let secure = |url: &String| url.starts_with("https://") || url.starts_with(known);
                assert!(file.urls.iter().all(secure) && file.urls.len() > 1, "{}", *file.name);
                assert!(file.urls.iter().all(|url| url.ends_with(file.name.as_str())), "{}", *file.name);
            }
        }
        let checksums: HashSet<_> = list.sets.iter().flat_map(|set| &set.files).map(|file| &file.sha256).collect();
        assert_eq!(checksums.len(), 9, "each file has its own");
    }

    /// A list of one set of one file.
    fn list(set: &str, file: &str) -> String {
        format!("Sources([(\n {set},\n files: [(\n{file})])])")
    }

    const SET: &str = "name: \"a\", what: \"A\", format: Idx";
    const FILE: &str = "name: \"f\", bytes: 3, urls: [\"http://h/f\"]";

    #[test]
    fn a_wrong_list_is_one_error_where_it_stands() {
        let sum = "0".repeat(64);
        let file = |change: &dyn Fn(String) -> String| list(SET, &change(format!("{FILE}, sha256: \"{sum}\"")));
        let set = |set: &str| list(set, &format!("{FILE}, sha256: \"{sum}\""));
        let twice = format!("[({SET}, files: [(name: \"f\", bytes: 3, urls: [\"http://h/f\"], sha256: \"{sum}\")]),\n");
        for (text, line, column, words) in [
            (String::new(), 1, 1, "expected a list of sources, found the end of the file"),
            ("Sorces([])".into(), 1, 1, "expected `Sources(…)`, found `Sorces`"),
            ("Sources([(name: 3)])".into(), 1, 17, "expected a text in quotes"),
            ("Sources([(name: \"a\")])".into(), 1, 10, "`Set` lacks `what`"),
            (set(&SET.replace("\"a\"", "\"a b\"")), 2, 8, "expected a name of lower-case letters"),
            (set(&SET.replace("\"a\"", "\"../a\"")), 2, 8, "expected a name"),
            (set(&SET.replace("\"a\"", "\"digits\"")), 2, 8, "built in"),
            (set(&SET.replace("Idx", "Png")), 2, 32, "unknown format `Png`"),
            (set(&format!("{SET}, fodler: \"x\"")), 2, 37, "`Set` has no option `fodler`"),
            (set(&format!("{SET}, folder: \"x/../..\"")), 2, 45, "a folder within the set's own"),
            (set(&format!("{SET}, folder: \"/etc\"")), 2, 45, "a folder within the set's own"),
            (set(&format!("{SET}, classes: \"x\"")), 2, 46, "expected a list"),
            (file(&|file| file.replace("bytes: 3", "bytes: 0")), 4, 19, "1 to 2^40 bytes, found 0"),
            (file(&|file| file.replace("bytes: 3", "bytes: -3")), 4, 19, "out of range"),
            (file(&|file| file.replace("bytes: 3, ", "")), 3, 10, "`File` lacks `bytes`"),
            (file(&|file| file.replace("\"f\"", "\"/f\"")), 4, 7, "without a folder"),
            (file(&|file| file.replace("\"f\"", "\"f.part\"")), 4, 7, "not ending with .part"),
            (file(&|file| file.replace("http://h/f", "ftp://h/f")), 4, 29, "an address, `https://…`"),
            (file(&|file| file.replace("http://h/f", "https://")), 4, 29, "an address, `https://…`"),
            (file(&|file| file.replace("\"http://h/f\"", "")), 4, 29, "at least one address"),
            (file(&|file| file.replace("00\"", "0\"")), 4, 52, "64 hexadecimal digits"),
            (file(&|file| file.replace("00\"", "0g\"")), 4, 52, "64 hexadecimal digits"),
            (file(&|file| file + ", unpack: true"), 4, 7, "its name does not end with .tar.gz"),
            (
                file(&|file| file.clone() + "), (" + &file.replace("\"f\"", "\"F\"")),
                4,
                128,
                "`F` is there twice in `a`",
            ),
            (list(SET, "").replace("(\n)", ""), 2, 8, "`a` has no files"),
            (
                format!("Sources({twice}{})", twice.replacen('[', "", 1).replace(",\n", "]")),
                2,
                8,
                "`a` is listed twice",
            ),
        ] {
            let error = match SourceList::parse("s.ron", &text) {
                Err(Error::FlowFile(error)) => *error,
                other => panic!("{text}\n{other:?}"),
            };
            assert!(error.message().contains(words), "{text}: {error}");
            assert_eq!((error.line(), error.column()), (line, column), "{text}: {error}");
        }
    }

    #[test]
    fn an_archive_is_unpacked_into_a_folder_of_its_name() {
        let list = SourceList::built_in().unwrap();
        let file = &list.find("cifar10").unwrap().files[0];
        assert_eq!(file.result(), "cifar-10-binary");
        assert_eq!(SourceFile { unpack: false, ..file.clone() }.result(), "cifar-10-binary.tar.gz");
    }

    proptest! {
        #[test]
        fn a_list_that_was_edited_is_read_or_refused(
            at in 0.0..1.0f64, cut in 0..20usize, paste in "[(){}\\[\\]:,\"'/*a-z0-9 -]{0,6}",
        ) {
            let text: Vec<char> = BUILT_IN.chars().collect();
            let start = (at * text.len() as f64) as usize;
            let (before, after) = (text[..start].iter(), text[(start + cut).min(text.len())..].iter());
            let edited: String = before.copied().chain(paste.chars()).chain(after.copied()).collect();
            if let Ok(list) = SourceList::parse("s.ron", edited) {
                prop_assert!(list.sets.iter().flat_map(|set| &set.files).all(|file| file.sha256.len() == 64));
            }
        }
    }
}
