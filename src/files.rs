//! Reading files, and writing them so that a reader, or a crash, never meets half of one; and telling contents apart.

mod output;
mod text;

pub use output::{ending, expect_output};
pub use text::{read_text, text};

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// Reads a whole file; what has no end, as a device, is refused.
///
/// # Errors
/// [`Error::Io`] with the path if it cannot be read, [`Error::BadFile`] if it is not an ordinary file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.0.read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok(bytes)
}

/// Opens an ordinary file, with its length in bytes; what has no end, as a device, is refused before it is opened, for
/// to open a pipe waits for its other end.
///
/// # Errors
/// As [`read`].
pub fn open(path: &Path) -> Result<(File, u64)> {
    let metadata = path.metadata().map_err(Error::io(path))?;
    if !metadata.is_file() {
        let found = if metadata.is_dir() { "a folder" } else { "a device or a pipe" };
        return Err(Error::bad_file(path, format!("expected a file, found {found}")));
    }
    Ok((File::open(path).map_err(Error::io(path))?, metadata.len()))
}

/// What [`looks_like`] says of models, checkpoints and latents.
pub const SAFETENSORS: &str = "a safetensors file, as models are";

/// What a file is by its first bytes, in words, for messages about one that is not what was expected.
pub fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 9] = [
        (b"\x93NUMPY", "an array of NumPy"),
        (b"PK\x03\x04", "a ZIP archive, as .npz is"),
        (b"\x1f\x8b", "packed by gzip"),
        (b"\x89PNG", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"%PDF", "a PDF"),
        (b"<svg", "an SVG drawing"),
        (b"\x80\x02", "a pickle of Python"),
    ];
    if bytes.get(8) == Some(&b'{') && bytes[..8].ends_with(&[0; 4]) {
        return Some(SAFETENSORS);
    }
    if let Some((_, words)) = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning)) {
        return Some(words);
    }
    // Declarations may stand after comments and attributes.
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(1 << 16))?).ok()?;
    let mut lines = text.lines().map(str::trim_start);
    let first = lines.find(|line| !(line.is_empty() || line.starts_with("//") || line.starts_with("#!")))?;
    [("Flow(", "a flow file"), ("Ablation(", "an ablation file"), ("{\"kind\":", "the metrics of a run")]
        .into_iter()
        .find_map(|(beginning, words)| first.starts_with(beginning).then_some(words))
}

/// Writes `bytes` to `path`: the old content, or all of the new, whatever happens.
///
/// The bytes go to a temporary file in the same folder, which is flushed to the disk and then renamed over `path`.
///
/// # Errors
/// [`Error::Io`] with the path; the old file, if there was one, is then untouched. The folder must exist.
pub fn write_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let folder = output::folder_of(path);
    let write = || -> std::io::Result<()> {
        let mut beside = new_file_in(folder)?;
        // Not through the temporary file itself, whose errors are about a name that nobody gave.
        beside.as_file_mut().write_all(bytes)?;
        beside.as_file().sync_all()?;
        beside.persist(path).map_err(|failure| failure.error)?;
        sync_folder(folder)
    };
    write().map_err(Error::io(path))
}

/// Removes what writers that were killed have left in a folder. Nobody else may be writing there.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read or a file not be removed.
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        if is_leftover(&entry.file_name().to_string_lossy()) {
            std::fs::remove_file(entry.path()).map_err(Error::io(entry.path()))?;
        }
    }
    Ok(())
}

/// Whether a file of this name is what a writer that was killed has left.
pub fn is_leftover(name: &str) -> bool {
    name.starts_with(BESIDE)
}

/// How the names of temporary files begin.
const BESIDE: &str = ".flowstone-";

/// A temporary file with the permissions of an ordinary one; it is deleted unless persisted.
fn new_file_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o644);
    }
    // Opened here, since the errors of `tempfile_in` are about a name that nobody gave.
    tempfile::Builder::new().prefix(BESIDE).make_in(folder, |path| options.open(path))
}

/// Makes the rename itself last; only Unix lets a folder be opened for this.
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Sixteen hexadecimal digits that tell one content from another: the FNV-1a hash of the bytes that were added.
#[derive(Clone, Copy, Debug)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fingerprint {
    /// More of the content.
    pub fn add(&mut self, bytes: &[u8]) {
        let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 = bytes.iter().fold(self.0, hash);
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_content_replaces_old_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("curve.svg");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_what_was_there_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("inside"), b"old").unwrap();
        let error = write_atomically(&taken, b"new").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read(taken.join("inside")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_and_is_not_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing/curve.svg");
        let error = write_atomically(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("missing") && !error.to_string().contains(BESIDE), "{error}");
        assert!(!folder.path().join("missing").exists());
    }

    #[test]
    fn what_a_killed_writer_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model"), b"whole").unwrap();
        std::fs::write(folder.path().join(".flowstone-x1y2"), b"ha").unwrap();
        remove_leftovers(folder.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["model"]);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file_where_the_umask_lets_them() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.npy");
        std::fs::write(folder.path().join("plain"), b"").unwrap();
        write_atomically(&path, b"").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o044;
        assert_eq!(mode(&path), mode(&folder.path().join("plain")));
    }
}
