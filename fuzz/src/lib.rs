//! What the fuzz targets share: files for readers, what a reader may answer, and mutations of a safetensors file.

use flowstone::{Error, Result};
use serde::de::IgnoredAny;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// Reads a folder that holds these files: what is read, or nothing where it was refused as it should be.
///
/// # Panics
/// Where the refusal is not of wrong input, or does not say of which.
pub fn read_folder<T>(files: &[(&str, &[u8])], read: impl FnOnce(&Path) -> Result<T>) -> Option<T> {
    let folder = folder();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    answered(read(folder.path()), &folder.path().to_string_lossy())
}

/// Reads a file of this name that holds `bytes`; otherwise as [`read_folder`].
pub fn read_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> Result<T>) -> Option<T> {
    read_folder(&[(name, bytes)], |folder| read(&folder.join(name)))
}

/// What was read, or nothing where it was refused with an error of wrong input that says of which.
///
/// # Panics
/// Where it was refused in another way.
pub fn answered<T>(result: Result<T>, place: &str) -> Option<T> {
    let error = match result {
        Ok(read) => return Some(read),
        Err(error) => error,
    };
    let message = error.to_string();
    // A data set that was read and is of no use goes by its name, a flow or ablation file by the name that it was given.
    let says_where = match &error {
        Error::FlowFile(_) | Error::Usage(_) => true,
        _ => message.contains(place),
    };
    assert!(error.is_input() && says_where, "{message}: {error:?}");
    None
}

/// A new folder, in memory where the system has a place for that.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap_or_else(|error| panic!("no folder for files: {error}"))
}

/// Mutates a safetensors file, and makes its first eight bytes say where its header ends, which no mutation of the
/// header's length would come by. One in eight is left to say what it says.
pub fn mutate_safetensors(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if let Some((length, rest)) = data[..size].split_first_chunk_mut::<8>().filter(|_| !seed.is_multiple_of(8)) {
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        if values.next().is_some_and(|value| value.is_ok()) {
            *length = (values.byte_offset() as u64).to_le_bytes();
        }
    }
    size
}

/// Reads an IDX data set with `bytes` for its images, and again with `bytes` for its labels; `ending` is of these files.
pub fn read_idx(bytes: &[u8], ending: &str) {
    let images = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2], &[7; 8][..]].concat();
    let labels = [0, 0, 8, 1, 0, 0, 0, 2, 0, 1];
    for which in ["images-idx3", "labels-idx1"] {
        let name = |split: &str, kind: &str| format!("{split}-{kind}-ubyte");
        let fuzzed = name("train", which) + ending;
        let right = [
            (name("train", "images-idx3"), &images[..]),
            (name("train", "labels-idx1"), &labels[..]),
            (name("t10k", "images-idx3"), &images[..]),
            (name("t10k", "labels-idx1"), &labels[..]),
        ];
        let mut files: Vec<(&str, &[u8])> = right.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        files.retain(|(name, _)| !fuzzed.starts_with(name));
        files.push((&fuzzed, bytes));
        read_folder(&files, |folder| flowstone::data::open(&format!("idx:{}", folder.display())));
    }
}
