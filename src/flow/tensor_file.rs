//! The files that hold tensors: models, checkpoints, latents and directions.
//!
//! Each is a safetensors file whose metadata has one entry, `flowstone`: JSON, with the format's version and what the file
//! says of itself. From version 2 on it has a hash too, `blake3`: BLAKE3 of the whole file, in which the hash's own 64 digits
//! are zeros. So a bit that rots anywhere in the file is noticed when it is opened. Version 1 had no hash, and is read.

use crate::backend::Element;
use crate::{Error, Result, files};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

/// The version of the format that this program writes.
pub const FORMAT_VERSION: u32 = 2;

/// Before the hash in a file's header, where JSON stands within a string of JSON.
const BEFORE_HASH: &[u8] = br#"\"blake3\":\""#;
/// The digits of a hash, in hexadecimal.
const DIGITS: usize = 2 * blake3::OUT_LEN;

/// A tensor on the host: its shape and its values.
pub type HostTensor<E> = (Vec<usize>, Vec<E>);

/// What a file of tensors is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// A trained flow.
    Model,
    /// The state of a run.
    Checkpoint,
    /// Latents of pictures.
    Latents,
    /// A direction in latent space.
    Direction,
}

impl TensorKind {
    /// Of a file that says this of itself: by the field that each kind alone has.
    fn of(says: &serde_json::Value) -> Option<Self> {
        match says.get("content").and_then(serde_json::Value::as_str) {
            Some("latents") => Some(Self::Latents),
            Some("direction") => Some(Self::Direction),
            _ if says.get("updates").is_some() => Some(Self::Checkpoint),
            _ if says.get("averaged").is_some() => Some(Self::Model),
            _ => None,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Model => "a model",
            Self::Checkpoint => "the checkpoint of a run",
            Self::Latents => "latents of pictures",
            Self::Direction => "a direction in latent space",
        }
    }

    /// Where to find one.
    fn advice(self) -> &'static str {
        match self {
            Self::Model => "name a run's folder, or the `model.safetensors` in it",
            Self::Checkpoint => "a run's folder has one, `checkpoint.safetensors`",
            Self::Latents => "`flowstone encode` writes them",
            Self::Direction => "`flowstone manipulate --save` writes one",
        }
    }
}

/// Writes tensors and one JSON entry of metadata, called `flowstone`, to a safetensors file, with its hash.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written; what was there before is then still there.
pub fn write_tensors<E: Element>(
    path: &Path,
    tensors: &BTreeMap<String, HostTensor<E>>,
    metadata: &impl Serialize,
) -> Result<()> {
    let bytes: Vec<(&String, &[usize], Vec<u8>)> =
        tensors.iter().map(|(name, (shape, values))| (name, shape.as_slice(), E::to_le_bytes(values))).collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let dtype = if E::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        TensorView::new(dtype, shape.to_vec(), bytes).map(|view| (*name, view))
    });
    let unwritable = |error: &dyn fmt::Display| Error::bad_file(path, format!("cannot be written: {error}"));
    let views: Vec<_> = views.collect::<std::result::Result<_, _>>().map_err(|error| unwritable(&error))?;
    let says = serde_json::to_string(metadata).map_err(|error| unwritable(&error))?;
    // First, so that it is found without reading what a flow file or a name may hold.
    let says = format!("{{\"blake3\":\"{}\",{}", "0".repeat(DIGITS), says.trim_start_matches('{'));
    let metadata = HashMap::from([("flowstone".to_owned(), says)]);
    let mut file = safetensors::serialize(views, Some(metadata)).map_err(|error| unwritable(&error))?;
    let at = place_of_hash(&file).ok_or_else(|| unwritable(&"its metadata has no room for a hash"))?;
    let hash = hash_of(&file, at);
    file[at..at + DIGITS].copy_from_slice(hash.as_bytes());
    files::write_atomically(path, &file)
}

/// Where the digits of a file's hash begin, if it has one.
fn place_of_hash(file: &[u8]) -> Option<usize> {
    let (_, header) = header_of(file)?;
    let at = header.windows(BEFORE_HASH.len()).position(|window| window == BEFORE_HASH)? + BEFORE_HASH.len();
    header.get(at..at + DIGITS).map(|_| size_of::<u64>() + at)
}

/// The digits of the hash of a file whose own stand at `at`.
fn hash_of(file: &[u8], at: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&file[..at]).update(&[b'0'; DIGITS]).update_rayon(&file[at + DIGITS..]);
    hasher.finalize().to_hex().to_string()
}

/// The length of a safetensors header, and the header.
fn header_of(file: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = file.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    Some((length, rest.get(..length)?))
}

/// Reads a safetensors file: its tensors, converted to `E`, and its `flowstone` metadata.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::BadFile`] if it is not such a file, or its hash is not that of its contents.
pub fn read_tensors<E: Element, M: DeserializeOwned>(
    path: &Path,
    expected: TensorKind,
) -> Result<(BTreeMap<String, HostTensor<E>>, M)> {
    let bytes = files::read(path)?;
    let bad = |reason: String| Error::bad_file(path, reason);
    let stranger = |reason: String| match files::looks_like(&bytes) {
        Some(found) if found != files::SAFETENSORS => {
            bad(format!("it is {found}; expected {}: {}", expected.words(), expected.advice()))
        }
        _ => bad(format!("not a safetensors file: {reason}")),
    };
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| stranger(error.to_string()))?;
    let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get("flowstone"));
    let metadata = metadata.ok_or_else(|| bad("a safetensors file, but not one of Flowstone's".into()))?;
    let says: serde_json::Value =
        serde_json::from_str(metadata).map_err(|error| bad(format!("its metadata cannot be read: {error}")))?;
    expect_whole(path, &bytes, &says)?;
    match TensorKind::of(&says) {
        Some(found) if found != expected => {
            let (found, advice) = (found.words(), expected.advice());
            return Err(bad(format!("it is {found}; expected {}: {advice}", expected.words())));
        }
        None if matches!(expected, TensorKind::Latents | TensorKind::Direction) => {
            return Err(bad(format!("it does not say what it holds; expected {}", expected.words())));
        }
        _ => {}
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|error| stranger(error.to_string()))?;
    if let Some(name) = name_twice(&bytes) {
        return Err(bad(format!("tensor `{name}` is there twice")));
    }
    let metadata =
        serde_json::from_value(says).map_err(|error| bad(format!("its metadata cannot be read: {error}")))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|b| E::of(f64::from(f32::from_le_bytes(*b)))).collect(),
            Dtype::F64 => view.data().as_chunks().0.iter().map(|b| E::of(f64::from_le_bytes(*b))).collect(),
            other => return Err(bad(format!("tensor `{name}` is {other:?}; expected F32 or F64"))),
        };
        tensors.insert(name, (view.shape().to_vec(), values));
    }
    Ok((tensors, metadata))
}

/// Refuses a file of another version, and one whose hash is not that of its contents.
fn expect_whole(path: &Path, bytes: &[u8], says: &serde_json::Value) -> Result<()> {
    let bad = |reason: String| Err(Error::bad_file(path, reason));
    match says.get("version").and_then(serde_json::Value::as_u64) {
        Some(1) => return Ok(()),
        Some(version) if version == u64::from(FORMAT_VERSION) => {}
        Some(version) => {
            return bad(format!("has format version {version}; this program reads 1 and {FORMAT_VERSION}"));
        }
        None => return bad("its metadata cannot be read: its version is missing".into()),
    }
    let (Some(told), Some(at)) = (says.get("blake3").and_then(serde_json::Value::as_str), place_of_hash(bytes)) else {
        return bad("its hash is missing: it was changed since it was written".into());
    };
    // The digits themselves, not what JSON may make of them.
    if bytes[at..at + DIGITS] != *told.as_bytes() || hash_of(bytes, at) != told {
        return bad(
            "its hash is not that of its contents: it was changed or damaged since it was written. Copy it again \
                    from where it came, or go back to an older one"
                .into(),
        );
    }
    Ok(())
}

/// A name that a safetensors header has twice: JSON allows it, and readers would take either.
fn name_twice(bytes: &[u8]) -> Option<String> {
    struct Names(Option<String>);

    impl<'de> Deserialize<'de> for Names {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            deserializer.deserialize_map(Names(None))
        }
    }

    impl<'de> Visitor<'de> for Names {
        type Value = Self;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("tensors by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self, A::Error> {
            let (mut seen, mut twice) = (HashSet::new(), None);
            while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
                twice = if seen.contains(&name) { Some(name.clone()) } else { twice };
                seen.insert(name);
            }
            Ok(Self(twice))
        }
    }

    serde_json::from_slice::<Names>(header_of(bytes)?.1).ok()?.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{NoiseKey, Purpose};
    use rand::Rng;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Says {
        version: u32,
        averaged: bool,
        flow: String,
    }

    fn tensors() -> BTreeMap<String, HostTensor<f32>> {
        let values = |n: usize| (0..n).map(|i| i as f32 * 0.37 - 1.0).collect();
        BTreeMap::from([("a".to_owned(), (vec![3, 2], values(6))), ("b.c".to_owned(), (vec![5], values(5)))])
    }

    fn written(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("m");
        let says = Says { version: FORMAT_VERSION, averaged: false, flow: "Flow(\"x\": \\\"blake3\\\")".into() };
        write_tensors(&path, &tensors(), &says).unwrap();
        path
    }

    #[test]
    fn what_is_written_is_read_and_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let first = std::fs::read(&path).unwrap();
        let (read, says) = read_tensors::<f32, Says>(&path, TensorKind::Model).unwrap();
        assert_eq!(read, tensors());
        assert!(says.flow.contains("blake3"));
        assert_eq!(std::fs::read(written(folder.path())).unwrap(), first);
    }

    /// Every bit of a small file, which is some ten thousand.
    #[test]
    fn no_flipped_bit_is_read_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let right = std::fs::read(&path).unwrap();
        assert!(8 * right.len() > 1000);
        for bit in 0..8 * right.len() {
            let mut bytes = right.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            match read_tensors::<f32, Says>(&path, TensorKind::Model) {
                Err(error) => assert!(error.is_input(), "bit {bit}: {error}"),
                Ok(_) => panic!("bit {bit} was read over"),
            }
        }
    }

    #[test]
    fn bytes_that_are_added_cut_off_or_changed_by_the_hundred_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let right = std::fs::read(&path).unwrap();
        let mut rng = NoiseKey::new(1, Purpose::Check).rng(0);
        for _ in 0..200 {
            let mut bytes = right.clone();
            match rng.gen_range(0..3) {
                0 => bytes.truncate(rng.gen_range(0..right.len())),
                1 => bytes.extend(vec![0; rng.gen_range(1..9)]),
                _ => bytes.rotate_left(rng.gen_range(1..right.len())),
            }
            std::fs::write(&path, &bytes).unwrap();
            assert!(read_tensors::<f32, Says>(&path, TensorKind::Model).unwrap_err().is_input());
        }
    }

    #[test]
    fn version_1_had_no_hash_and_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old");
        let values = [1.0_f32, 2.0].map(f32::to_le_bytes).concat();
        let view = TensorView::new(Dtype::F32, vec![2], &values).unwrap();
        let says = |version: u32| format!("{{\"version\":{version},\"averaged\":false,\"flow\":\"\"}}");
        let file = |version| {
            safetensors::serialize([("a", &view)], Some(HashMap::from([("flowstone".to_owned(), says(version))])))
        };
        std::fs::write(&path, file(1).unwrap()).unwrap();
        assert_eq!(read_tensors::<f32, Says>(&path, TensorKind::Model).unwrap().0["a"].1, [1.0, 2.0]);
        std::fs::write(&path, file(2).unwrap()).unwrap();
        let error = read_tensors::<f32, Says>(&path, TensorKind::Model).unwrap_err().to_string();
        assert!(error.contains("its hash is missing"), "{error}");
        std::fs::write(&path, file(3).unwrap()).unwrap();
        let error = read_tensors::<f32, Says>(&path, TensorKind::Model).unwrap_err().to_string();
        assert!(error.contains("has format version 3; this program reads 1 and 2"), "{error}");
    }

    #[test]
    fn what_a_file_is_instead_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let complaint = |kind| read_tensors::<f32, Says>(&path, kind).unwrap_err().to_string();
        assert!(
            complaint(TensorKind::Latents).contains("it is a model; expected latents of pictures: `flowstone encode`")
        );
        std::fs::write(&path, "// mine\nFlow(layers: [])").unwrap();
        assert!(complaint(TensorKind::Model).contains("it is a flow file; expected a model: name a run's folder"));
        std::fs::write(&path, b"\x93NUMPY\x01\x00").unwrap();
        assert!(complaint(TensorKind::Model).contains("it is an array of NumPy"));
    }
}
