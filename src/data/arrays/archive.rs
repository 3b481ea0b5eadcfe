//! An `.npz`: a ZIP archive of arrays.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use zip::{CompressionMethod, ZipArchive};

use super::header::Header;
use super::labels::Labels;
use super::notes::Notes;
use super::{contexts, images, images_of, told, values};
use crate::data::bytes::{DEFLATE_RATIO, read_rest, unreadable};
use crate::data::rows::{Bytes, Rows};
use crate::data::{Images, Opening};
use crate::error::{Error, Result};
use crate::files::open;

/// An open `.npz`.
pub(in crate::data) struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    length: u64,
}

impl<'a> Archive<'a> {
    pub(in crate::data) fn open(path: &'a Path) -> Result<Self> {
        let (file, length) = open(path)?;
        let zip = ZipArchive::new(BufReader::new(file))
            .map_err(|error| Error::bad_file(path, format!("not an .npz archive: {error}")))?;
        Ok(Self { path, zip, length })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// The names of some files in it.
    pub(super) fn names(&self) -> Vec<&str> {
        self.zip.file_names().take(20).collect()
    }

    /// Where an array is, for messages.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.npy"))
    }

    /// Images, with these labels, which are those of the second name.
    pub(super) fn images(
        &mut self,
        [name, of_labels]: [&str; 2],
        labels: Option<Vec<u16>>,
        opening: &Opening,
        notes: &mut Notes,
    ) -> Result<Images> {
        let (header, path) = (self.header(name)?, self.place(name));
        let (count, shape, order) = images(&header, opening).map_err(|wrong| wrong.of(&path))?;
        notes.remarks.extend(told(&path, &header, shape, order));
        let bytes = self.bytes(name, &header, opening.holds(header.count()), notes)?;
        let images = images_of(Rows { path: path.clone(), bytes, count, shape, order }, labels)?;
        Ok(images.read_from(path, self.place(of_labels)))
    }

    /// The images with their contexts, if there is an array of this name.
    pub(super) fn with_contexts(&mut self, images: Images, name: &str) -> Result<Images> {
        if !self.has(name) {
            return Ok(images);
        }
        let (inner, most) = (self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        let mut entry = self.entry(name)?;
        let header = Header::read(&inner, &mut entry, most)?;
        let contexts = contexts::read(&inner, &header, entry, most)?;
        images.with_contexts(contexts).map_err(|error| Error::bad_file(inner, error.to_string()))
    }

    /// What an array says of itself.
    pub(in crate::data) fn header(&mut self, name: &str) -> Result<Header> {
        let (inner, most) = (self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        Header::read(&inner, self.entry(name)?, most)
    }

    /// The values of an array: in memory, or where they are in the archive. Those that are packed cannot be read from the
    /// middle on, and are unpacked to a temporary file.
    pub(in crate::data) fn bytes(
        &mut self,
        name: &str,
        header: &Header,
        held: bool,
        notes: &mut Notes,
    ) -> Result<Bytes> {
        let (path, inner, most) = (self.path, self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        if !header.kind.is_levels() || header.is_fortran {
            return values::levels(&inner, header, &mut |work| work(&mut self.values(name, header)?), held, notes);
        }
        if held {
            let mut entry = self.entry(name)?;
            Header::read(&inner, &mut entry, most)?;
            return read_rest(&inner, entry, header.size, most, &header.says()).map(Bytes::Memory);
        }
        let mut entry = self.entry(name)?;
        if entry.compression() == CompressionMethod::Stored {
            header.expect_size(&inner, entry.size().saturating_sub(header.length))?;
            return Ok(Bytes::File(Mutex::new(open(path)?.0), entry.data_start() + header.length));
        }
        header.expect_size(&inner, entry.size().min(most).saturating_sub(header.length))?;
        let mut unpacked = tempfile::tempfile().map_err(Error::io(std::env::temp_dir()))?;
        let mut chunk = vec![0; 1 << 20];
        let mut found = 0;
        loop {
            let read = entry.read(&mut chunk).map_err(unreadable(&inner))?;
            found += read as u64;
            if read == 0 || found > header.length + header.size {
                header.expect_size(&inner, found.saturating_sub(header.length))?;
                return Ok(Bytes::File(Mutex::new(unpacked), header.length));
            }
            unpacked.write_all(&chunk[..read]).map_err(Error::io(std::env::temp_dir()))?;
        }
    }

    /// The values of an array, from their first byte on.
    fn values(&mut self, name: &str, header: &Header) -> Result<impl Read> {
        let inner = self.place(name);
        let mut entry = self.entry(name)?;
        io::copy(&mut entry.by_ref().take(header.length), &mut io::sink()).map_err(unreadable(&inner))?;
        Ok(entry)
    }

    fn entry(&mut self, name: &str) -> Result<zip::read::ZipFile<'_, BufReader<File>>> {
        let inner = self.place(name);
        let entry = self.zip.by_name(&format!("{name}.npy"));
        entry.map_err(|error| Error::bad_file(inner, format!("it cannot be unpacked: {error}")))
    }

    /// An array, whatever its values are.
    pub(super) fn array(&mut self, name: &str) -> Result<(Header, Vec<u8>)> {
        let (inner, most) = (self.place(name), self.length.saturating_mul(DEFLATE_RATIO));
        let mut entry = self.entry(name)?;
        let header = Header::read(&inner, &mut entry, most)?;
        let bytes = read_rest(&inner, entry, header.size, most, &header.says())?;
        Ok((header, bytes))
    }

    /// Labels, one an image.
    pub(in crate::data) fn labels(&mut self, name: &str) -> Result<Labels> {
        let (header, bytes) = self.array(name)?;
        Labels::of(&header, &bytes).map_err(|wrong| wrong.of(&self.place(name)))
    }
}
