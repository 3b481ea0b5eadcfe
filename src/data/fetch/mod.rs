//! Fetching a data set: each file from the first of its sources that gives it whole, checked by size and SHA-256 before
//! it takes its name.
//!
//! A file that is fetched is `NAME.part` until it is right. What is there of one is kept when the connection breaks or the
//! program is stopped, and only the rest is asked for next. A lock on the set's folder keeps other processes away.

mod http;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;

use super::sources::{Source, SourceFile};
use super::store::{RECEIPT, Store, is_there, part};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use http::{Answer, ask, host};

pub use http::{CERTIFICATES, Connecting};

/// How often a source may break off in a row before the next is asked.
const TRIES: u32 = 4;

/// So many bytes from a broken connection are worth another try, however often it broke.
const PROGRESS: u64 = 1 << 20;

/// How the names of folders begin that archives are unpacked in.
const BESIDE: &str = ".flowstone-";

/// What happens while data are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEvent {
    /// Another process is fetching into this folder; this one waits for it.
    Waiting(PathBuf),
    /// A file was there, and is right.
    AlreadyThere {
        /// Its name.
        file: String,
    },
    /// A source is asked for a file.
    Asked {
        /// Its name.
        file: String,
        /// The address that is asked.
        url: String,
        /// Bytes of it that are there.
        have: u64,
        /// Bytes that it will have.
        bytes: u64,
    },
    /// Bytes came.
    Received {
        /// Bytes of the file that are there.
        have: u64,
    },
    /// Something did not work, and what is done about it.
    Trouble {
        /// The file's name.
        file: String,
        /// What went wrong, and what follows.
        what: String,
    },
    /// A file is there, whole and right.
    Fetched {
        /// Its name.
        file: String,
    },
    /// An archive is being unpacked.
    Unpacking {
        /// Its name.
        file: String,
    },
}

/// Fetches the set of this name into the default cache folder, if it is not there: [`Store::fetch`]. The folder that its
/// data are in.
///
/// ```no_run
/// flowstone::data::fetch("cifar10", &mut |event| println!("{event:?}"))?;
/// let data = flowstone::data::open("cifar10")?;
/// # Ok::<(), flowstone::Error>(())
/// ```
///
/// # Errors
/// As [`Store::new`] and [`Store::fetch`].
pub fn fetch(name: &str, show: &mut dyn FnMut(FetchEvent)) -> Result<PathBuf> {
    Store::new(None, None)?.fetch(name, show)
}

impl Store {
    /// Fetches what is not there of the set of this name, and checks what is. `show` is told what happens. The folder that
    /// the data are in.
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that is not in the list; [`Error::Fetch`] where no source gives a file, with what each
    /// said; [`Error::BadFile`] for an archive that cannot be unpacked, or certificates that are none; [`Error::Io`] where
    /// the folder cannot be written.
    pub fn fetch(&self, name: &str, show: &mut dyn FnMut(FetchEvent)) -> Result<PathBuf> {
        self.fetch_by(&Connecting::from_environment(), name, show)
    }

    /// The same over connections of this kind.
    ///
    /// # Errors
    /// As [`Store::fetch`].
    pub fn fetch_by(&self, connecting: &Connecting, name: &str, show: &mut dyn FnMut(FetchEvent)) -> Result<PathBuf> {
        let agent = connecting.agent()?;
        let set = self.find(name)?;
        let place = self.place(set);
        fs::create_dir_all(&place).map_err(Error::io(&place))?;
        let _lock = lock(&place, show)?;
        remove_leftovers(&place)?;
        let mut fetching = Fetching { set, place, agent, pause: connecting.pause, unreachable: Vec::new(), show };
        for (i, file) in set.files.iter().enumerate() {
            fetching.file(i, file)?;
        }
        let folder = self.data_folder(set);
        if !folder.is_dir() {
            let reason = format!("'{}' has no such folder once it is fetched; see `folder` in its list", *set.name);
            return Err(Error::bad_file(folder, reason));
        }
        Ok(folder)
    }
}

/// Keeps other processes from a folder until it is dropped. Where the disk has no locks, they are not kept away.
fn lock(place: &Path, show: &mut dyn FnMut(FetchEvent)) -> Result<File> {
    let path = place.join(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            show(FetchEvent::Waiting(place.to_path_buf()));
            file.lock().map_err(Error::io(&path))?;
        }
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
    }
    Ok(file)
}

/// Removes what was being unpacked when the program was stopped.
fn remove_leftovers(place: &Path) -> Result<()> {
    for entry in fs::read_dir(place).map_err(Error::io(place))? {
        let path = entry.map_err(Error::io(place))?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BESIDE)) {
            fs::remove_dir_all(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// A set that is being fetched.
struct Fetching<'a> {
    set: &'a Source,
    place: PathBuf,
    agent: Agent,
    pause: Duration,
    /// Hosts that were not reached: they are asked last.
    unreachable: Vec<String>,
    show: &'a mut dyn FnMut(FetchEvent),
}

/// What became of a file at one source.
enum Outcome {
    Right,
    Failed(String),
}

impl Fetching<'_> {
    /// Fetches the set's file of this number, unless it is there, and unpacks it.
    fn file(&mut self, number: usize, file: &SourceFile) -> Result<()> {
        let path = self.place.join(file.name.as_str());
        let name = file.name.value.clone();
        let unpacked = file.unpack && is_there(&self.place, file);
        if unpacked || is_right(&path, file)? {
            (self.show)(FetchEvent::AlreadyThere { file: name.clone() });
        } else {
            self.download(number, file, &path)?;
            (self.show)(FetchEvent::Fetched { file: name.clone() });
        }
        if file.unpack && !unpacked {
            (self.show)(FetchEvent::Unpacking { file: name });
            self.unpack(file, &path)?;
        }
        Ok(())
    }

    /// Asks one source after the other, until the file is at `path`.
    fn download(&mut self, number: usize, file: &SourceFile, path: &Path) -> Result<()> {
        let part = part(&self.place, file);
        let mut urls: Vec<&String> = file.urls.iter().collect();
        urls.sort_by_key(|url| self.unreachable.contains(&host(url)));
        let mut said = Vec::new();
        for (i, url) in urls.iter().enumerate() {
            match self.source(file, url, &part)? {
                Outcome::Right => {
                    fs::rename(&part, path).map_err(Error::io(path))?;
                    return Ok(());
                }
                Outcome::Failed(reason) => {
                    if i + 1 < urls.len() {
                        self.trouble(file, format!("{}: {reason}; asking the next source", host(url)));
                    }
                    said.push(format!("{}: {reason}", host(url)));
                }
            }
        }
        Err(self.nobody_gives(number, &said))
    }

    /// Asks one source for what `part` lacks, again where it breaks off, and once more for all where it gives wrong bytes to
    /// what was there.
    fn source(&mut self, file: &SourceFile, url: &str, part: &Path) -> Result<Outcome> {
        let size = || part.metadata().map_or(0, |metadata| metadata.len());
        if size() > file.bytes {
            self.trouble(file, "what was there of it is longer than the whole, and is left out".to_owned());
            fs::remove_file(part).map_err(Error::io(part))?;
        }
        let (mut broken, mut from) = (0, size());
        loop {
            let have = size();
            // All may be there, if the program was stopped before it was checked.
            let answer = if have < file.bytes {
                let asked =
                    FetchEvent::Asked { file: file.name.value.clone(), url: url.to_owned(), have, bytes: file.bytes };
                (self.show)(asked);
                let show = &mut self.show;
                ask(&self.agent, url, part, file.bytes, &mut |have| show(FetchEvent::Received { have }))?
            } else {
                Answer::Whole
            };
            match answer {
                Answer::Whole if is_right(part, file)? => return Ok(Outcome::Right),
                Answer::Whole => {
                    fs::remove_file(part).map_err(Error::io(part))?;
                    let wrong = "the bytes are not those of the list (their SHA-256 is another), and are not kept";
                    if from == 0 {
                        return Ok(Outcome::Failed(wrong.into()));
                    }
                    self.trouble(file, format!("{wrong}; once more from the start"));
                    from = 0;
                }
                Answer::Broken(reason) => {
                    broken = if size() >= have.saturating_add(PROGRESS) { 1 } else { broken + 1 };
                    if broken >= TRIES {
                        return Ok(Outcome::Failed(reason));
                    }
                    self.trouble(file, format!("{}: {reason}; trying again", host(url)));
                    std::thread::sleep(self.pause * (1 << (broken - 1)));
                }
                Answer::Refused(reason) => return Ok(Outcome::Failed(reason)),
                Answer::Unreachable(reason) => {
                    self.unreachable.push(host(url));
                    return Ok(Outcome::Failed(format!("cannot be reached ({reason})")));
                }
            }
        }
    }

    /// Unpacks an archive beside its place, puts the folder there, and removes the archive.
    fn unpack(&self, file: &SourceFile, archive: &Path) -> Result<()> {
        let place = &self.place;
        let beside = tempfile::Builder::new().prefix(BESIDE).tempdir_in(place).map_err(Error::io(place))?;
        // The temporary folder is for its owner alone; one within it is as folders are.
        let (new, old) = (beside.path().join("new"), beside.path().join("old"));
        fs::create_dir(&new).map_err(Error::io(&new))?;
        unpack::unpack(archive, &new)?;
        write_atomically(new.join(RECEIPT), format!("{}\n", file.sha256).as_bytes())?;
        let target = place.join(file.result());
        if target.exists() {
            fs::rename(&target, &old).map_err(Error::io(&target))?;
        }
        fs::rename(&new, &target).map_err(Error::io(&target))?;
        fs::remove_file(archive).map_err(Error::io(archive))
    }

    fn trouble(&mut self, file: &SourceFile, what: String) {
        (self.show)(FetchEvent::Trouble { file: file.name.value.clone(), what });
    }

    /// The error for a file that no source gives, with how to go on by hand.
    fn nobody_gives(&self, number: usize, said: &[String]) -> Error {
        let missing = self.set.files[number..].iter().filter(|file| !is_there(&self.place, file));
        let by_hand: Vec<_> =
            missing.map(|file| format!("\n  {} from\n    {}", *file.name, file.urls.join("\n    or "))).collect();
        let (set, place) = (self.set.name.value.clone(), self.place.display());
        Error::Fetch {
            what: format!("{} of {set}", *self.set.files[number].name),
            reason: said.join("; "),
            advice: format!(
                "give the same command again to go on, or put these files into {place} by hand and give it then:{}",
                by_hand.concat()
            ),
        }
    }
}

/// Whether a file is there and has the size and the SHA-256 that the list says.
fn is_right(path: &Path, file: &SourceFile) -> Result<bool> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() == file.bytes => Ok(sha256(path)? == file.sha256),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io(path)(error)),
    }
}

/// The SHA-256 of a file, in hexadecimal digits.
fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(Error::io(path))? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}
