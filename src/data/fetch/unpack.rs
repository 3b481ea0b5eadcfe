//! Unpacking an archive that is not trusted: nothing is written outside the folder that it is given, and no more than
//! an archive of its size can well hold.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use tar::{Archive, EntryType};

use crate::data::bytes::Gunzip;
use crate::error::{Error, Result};
use crate::files::open;

/// How many times its own size an archive may unpack to. Pictures hardly shrink; text shrinks to a fifth.
const RATIO: u64 = 16;

/// What any archive may unpack to: a small one is hardly more than the padding of its entries.
const ALWAYS: u64 = 1 << 24;

/// Unpacks a `.tar.gz` into a folder that is there and empty. Only files and folders are taken; owners, times and
/// permissions are not.
///
/// # Errors
/// [`Error::BadFile`] for an archive that is damaged, has an entry of another kind or with a place outside the folder, or
/// unpacks to too much; [`Error::Io`] where something cannot be read or written.
pub fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let refuse = |reason: String| Error::bad_file(archive, reason);
    let damaged = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => refuse("the archive is cut short".into()),
        _ => refuse(format!("the archive is damaged: {error}")),
    };
    let (file, length) = open(archive)?;
    let most = length.saturating_mul(RATIO).max(ALWAYS);
    // One byte more, to tell an archive that is at its end from one that goes on.
    let mut unpacked = Gunzip::new(BufReader::new(file)).take(most + 1);
    let mut entries = Archive::new(&mut unpacked);
    for entry in entries.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let path = entry.path().ok().and_then(|path| inside(folder, &path));
        let Some(path) = path else { return Err(refuse(format!("'{name}' would be outside the folder"))) };
        match kind {
            EntryType::Directory => fs::create_dir_all(&path).map_err(Error::io(&path))?,
            EntryType::Regular | EntryType::Continuous => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(Error::io(parent))?;
                }
                let mut file = File::create_new(&path).map_err(|error| match error.kind() {
                    io::ErrorKind::AlreadyExists => refuse(format!("'{name}' is there twice")),
                    _ => Error::io(&path)(error),
                })?;
                let size = entry.size();
                if copy(&mut entry, &mut file, &damaged, &path)? < size {
                    return Err(refuse(format!("the archive is cut short, or unpacks to more than {most} bytes")));
                }
                file.sync_all().map_err(Error::io(&path))?;
            }
            // What git writes about the archive as a whole.
            EntryType::XGlobalHeader => {}
            _ => {
                return Err(refuse(format!(
                    "'{name}' is no file and no folder, but {kind:?}; only these are unpacked"
                )));
            }
        }
    }
    match unpacked.limit() {
        0 => Err(refuse(format!("the archive unpacks to more than {most} bytes, which is more than it can well hold"))),
        _ => Ok(()),
    }
}

/// The path of an entry in a folder; none for one that leaves it.
fn inside(folder: &Path, entry: &Path) -> Option<PathBuf> {
    let mut path = folder.to_path_buf();
    for part in entry.components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Copies what is left of an entry; the number of bytes. What goes wrong on either side is told apart.
fn copy(from: &mut impl Read, to: &mut File, damaged: &dyn Fn(io::Error) -> Error, path: &Path) -> Result<u64> {
    let (mut buffer, mut copied) = (vec![0; 1 << 16], 0);
    loop {
        match from.read(&mut buffer).map_err(damaged)? {
            0 => return Ok(copied),
            n => {
                io::Write::write_all(to, &buffer[..n]).map_err(Error::io(path))?;
                copied += n as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use tar::{Builder, Header};
    use tempfile::TempDir;

    /// An archive of entries of any kind and name, right or wrong.
    fn archive(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (kind, name, bytes) in entries {
            let mut header = Header::new_ustar();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.set_mode(0o4777);
            header.as_ustar_mut().unwrap().linkname[..4].copy_from_slice(b"/etc");
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    /// Unpacks into `into` beside the archive; the folder, and what came of it.
    fn unpacked(bytes: &[u8]) -> (TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let (archive, into) = (folder.path().join("a.tar.gz"), folder.path().join("into"));
        fs::write(&archive, bytes).unwrap();
        fs::create_dir(&into).unwrap();
        let result = unpack(&archive, &into);
        (folder, result)
    }

    use EntryType::{Directory, Regular};

    #[test]
    fn files_and_folders_are_unpacked_with_ordinary_permissions() {
        let (folder, result) = unpacked(&archive(&[
            (EntryType::XGlobalHeader, "pax_global_header", b""),
            (Directory, "./a/", b""),
            (Regular, "./a/x", b"one"),
            (Regular, "b/c/y", b""),
        ]));
        result.unwrap();
        let into = folder.path().join("into");
        assert_eq!(fs::read(into.join("a/x")).unwrap(), b"one");
        assert_eq!(fs::read(into.join("b/c/y")).unwrap(), b"");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(into.join("a/x").metadata().unwrap().permissions().mode() & 0o7111, 0);
        }
    }

    #[test]
    fn an_archive_cannot_write_outside_its_folder() {
        let outside = "would be outside the folder";
        for (kind, name, words) in [
            (Regular, "../x", outside),
            (Regular, "a/../../x", outside),
            (Regular, "/tmp/flowstone-x", outside),
            (Directory, "..", outside),
            (EntryType::Symlink, "x", "'x' is no file and no folder, but Symlink"),
            (EntryType::Link, "x", "no file and no folder"),
            (EntryType::Fifo, "x", "no file and no folder"),
            (EntryType::Char, "x", "no file and no folder"),
        ] {
            let (folder, result) = unpacked(&archive(&[(kind, name, b""), (Regular, "x/passwd", b"mine")]));
            let error = result.unwrap_err();
            let message = error.to_string();
            assert!(error.is_input() && message.contains(words) && message.contains("a.tar.gz"), "{name}: {message}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{name}: only the archive and `into`");
            assert_eq!(fs::read_dir(folder.path().join("into")).unwrap().count(), 0, "{name}");
        }
    }

    #[test]
    fn an_archive_that_is_damaged_or_too_good_is_refused() {
        let noise: Vec<u8> = (0..100_000u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        let right = archive(&[(Regular, "x", &noise)]);
        let zeros = vec![0; ALWAYS as usize + 1];
        let mut behind = GzEncoder::new(Vec::new(), Compression::default());
        behind.write_all(&zeros).unwrap();
        for (what, bytes, words) in [
            ("nothing", vec![], "cut short"),
            ("no gzip", b"hello, this is text".to_vec(), "damaged"),
            ("half of it", right[..right.len() / 2].to_vec(), "cut short"),
            ("the same file twice", archive(&[(Regular, "x", b"1"), (Regular, "x", b"2")]), "'x' is there twice"),
            ("a bomb", archive(&[(Regular, "x", &zeros)]), "unpacks to more than 16777216 bytes"),
        ] {
            let message = unpacked(&bytes).1.unwrap_err().to_string();
            assert!(message.contains(words), "{what}: {message}");
        }
        // Nothing but zeros is an archive of nothing, however many there are.
        assert!(unpacked(&behind.finish().unwrap()).1.is_ok());
    }
}
