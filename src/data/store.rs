//! The cache folder: which data sets were fetched, where they are, and how they are read by name.
//!
//! A set has a folder of its name in it. `FLOWSTONE_DATA` names the cache folder; without it, it is `flowstone` in the
//! platform's own.

use std::fs;
use std::path::{Path, PathBuf};

use etcetera::{AppStrategy, AppStrategyArgs, app_strategy::choose_native_strategy};

use super::sources::{Format, Source, SourceFile, SourceList};
use super::{DataSet, cifar10, idx};
use crate::error::{Error, Result};

/// The variable of the environment that names the cache folder.
pub const VARIABLE: &str = "FLOWSTONE_DATA";

/// The name of a list in the cache folder, which takes the place of the program's own.
const LIST: &str = "sources.ron";

/// How the folder of an unpacked archive says which archive it was; its checksum is in it.
pub(super) const RECEIPT: &str = ".sha256";

/// A cache folder, and the list of what can be in it.
#[derive(Clone, Debug)]
pub struct Store {
    /// The cache folder; it need not be there.
    pub folder: PathBuf,
    /// What can be fetched into it.
    pub list: SourceList,
}

/// How much of a data set is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// All of it.
    Whole,
    /// So many bytes of it.
    Part(u64),
    /// Nothing.
    Nothing,
}

impl Store {
    /// The cache folder that is given, or else named by `FLOWSTONE_DATA`, or else the platform's own; with the list that
    /// is given, or else lies in it as `sources.ron`, or else comes with the program.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no such folder, as without a home; as [`SourceList::read`] for a wrong list.
    pub fn new(folder: Option<&Path>, list: Option<&Path>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => folder.to_path_buf(),
            None => default_folder()?,
        };
        let beside = folder.join(LIST);
        let list = match list {
            Some(path) => SourceList::read(path)?,
            None if beside.exists() => SourceList::read(&beside)?,
            None => SourceList::built_in()?,
        };
        Ok(Self { folder, list })
    }

    /// The set of this name.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is not in the list, with the nearest one that is.
    pub fn find(&self, name: &str) -> Result<&Source> {
        self.list.find(name).ok_or_else(|| {
            let (origin, help) = (self.list.origin(), self.list.suggestion(name));
            Error::Usage(format!("no data set is called `{name}` in {origin}; {help}"))
        })
    }

    /// The folder of a set.
    pub fn place(&self, set: &Source) -> PathBuf {
        self.folder.join(set.name.as_str())
    }

    /// The folder that a set is read from.
    pub fn data_folder(&self, set: &Source) -> PathBuf {
        // To join nothing would end it with a slash.
        if set.folder.is_empty() { self.place(set) } else { self.place(set).join(&set.folder) }
    }

    /// The folder that a set can be read from: in the cache, or elsewhere; none where it is in neither.
    pub fn found(&self, set: &Source) -> Option<PathBuf> {
        let fetched = Some(self.data_folder(set)).filter(|at| self.presence(set) == Presence::Whole && at.is_dir());
        fetched.or_else(|| set.elsewhere.iter().find(|at| at.is_dir()).cloned())
    }

    /// How much of a set is there, by the sizes of its files; [`Store::fetch`] looks at their checksums.
    pub fn presence(&self, set: &Source) -> Presence {
        let place = self.place(set);
        if set.files.iter().all(|file| is_there(&place, file)) {
            return Presence::Whole;
        }
        let size = |path: PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        let bytes = |file: &SourceFile| match is_there(&place, file) {
            true => file.bytes,
            false => size(part(&place, file)).min(file.bytes),
        };
        match set.files.iter().map(bytes).sum() {
            0 => Presence::Nothing,
            bytes => Presence::Part(bytes),
        }
    }

    /// Reads a set that was fetched, or is elsewhere.
    ///
    /// # Errors
    /// [`Error::Usage`] where it is not there, with how to fetch it; otherwise as its reader.
    pub fn load(&self, set: &Source) -> Result<DataSet> {
        let name = set.name.as_str();
        let Some(folder) = self.found(set) else {
            let state = if self.presence(set) == Presence::Nothing { "not" } else { "not wholly" };
            let place = self.place(set);
            return Err(Error::Usage(format!(
                "data '{name}' are {state} in {}: get them with `flowstone data fetch {name}`, or name a folder that has \
                 them, as {}:DIR",
                place.display(),
                set.format.prefix()
            )));
        };
        let data = match set.format {
            Format::Cifar10 => cifar10::load(&folder)?,
            Format::Idx => idx::load(&folder)?,
        };
        let classes = if set.classes.len() == data.classes.len() { set.classes.clone() } else { data.classes };
        Ok(DataSet { name: name.to_owned(), classes, ..data })
    }
}

/// Where a file is while it is fetched.
pub(super) fn part(place: &Path, file: &SourceFile) -> PathBuf {
    place.join(format!("{}.part", *file.name))
}

/// Whether a file is there in its right size, or what it was unpacked to is there.
pub(super) fn is_there(place: &Path, file: &SourceFile) -> bool {
    let path = place.join(file.result());
    match file.unpack {
        true => fs::read_to_string(path.join(RECEIPT)).is_ok_and(|receipt| receipt.trim_end() == file.sha256),
        false => path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.bytes),
    }
}

/// The cache folder where none is given.
fn default_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    let app = AppStrategyArgs { app_name: "flowstone".into(), ..AppStrategyArgs::default() };
    let strategy = choose_native_strategy(app)
        .map_err(|error| Error::Usage(format!("there is no cache folder ({error}); name one in {VARIABLE}")))?;
    Ok(strategy.cache_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache folder with a list of one set, `letters`, of two files of 3 bytes.
    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let sum = "0".repeat(64);
            format!("(name: \"{name}\", bytes: 3, sha256: \"{sum}\", urls: [\"http://h/{name}\"])")
        };
        let files = format!("[{}, {}]", file("a"), file("b"));
        let text = format!("Sources([(name: \"letters\", what: \"Letters\", format: Idx, files: {files})])");
        fs::write(folder.path().join(LIST), text).unwrap();
        let store = Store::new(Some(folder.path()), None).unwrap();
        (folder, store)
    }

    #[test]
    fn a_list_in_the_cache_folder_takes_the_place_of_the_programs_and_one_that_is_given_of_both() {
        let (folder, store) = store();
        assert!(store.find("letters").is_ok() && store.list.origin().ends_with(LIST));
        let message = store.find("lettres").unwrap_err().to_string();
        assert!(message.contains("did you mean `letters`?") && message.contains(LIST), "{message}");
        let other = folder.path().join("other.ron");
        fs::write(&other, "Sources([])").unwrap();
        assert!(Store::new(Some(folder.path()), Some(&other)).unwrap().list.sets.is_empty());
        let empty = Store::new(Some(&folder.path().join("none")), None).unwrap();
        assert!(empty.find("cifar10").is_ok() && empty.list.name.is_none());
    }

    #[test]
    fn what_is_there_is_told_from_what_is_not() {
        let (folder, store) = store();
        let set = store.find("letters").unwrap();
        let place = folder.path().join("letters");
        assert_eq!(store.presence(set), Presence::Nothing);
        assert!(store.load(set).unwrap_err().to_string().contains("are not in"));
        fs::create_dir(&place).unwrap();
        fs::write(place.join("a"), "abc").unwrap();
        fs::write(place.join("b.part"), "a").unwrap();
        assert_eq!(store.presence(set), Presence::Part(4));
        let error = store.load(set).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("not wholly in") && message.contains("`flowstone data fetch letters`"), "{message}");
        assert!(error.is_input() && message.contains("as idx:DIR") && message.contains(place.to_str().unwrap()));
        fs::write(place.join("b"), "abc").unwrap();
        assert_eq!(store.presence(set), Presence::Whole);
    }
}
