//! Images that lie in a file one after the other, read where they are.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::bytes::unreadable;
use super::{ImageSource, Place};
use crate::error::Result;

/// Images of uint8, one after the other.
#[derive(Debug)]
pub(super) struct Rows {
    /// What to call the file in messages.
    pub path: PathBuf,
    pub bytes: Bytes,
    pub count: usize,
    pub shape: [usize; 3],
    pub order: Order,
}

/// Where they are.
#[derive(Debug)]
pub(super) enum Bytes {
    Memory(Vec<u8>),
    /// In a file, from this byte on.
    File(Mutex<File>, u64),
}

/// The order of an image's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// `[height, width, channels]`.
    Interleaved,
    /// `[channels, height, width]`.
    Planes,
}

impl ImageSource for Rows {
    fn count(&self) -> usize {
        self.count
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn read(&self, i: usize, _: Place) -> Result<Vec<u8>> {
        let pixels = self.shape.iter().product::<usize>();
        let mut image = vec![0; pixels];
        match &self.bytes {
            Bytes::Memory(bytes) => image.copy_from_slice(&bytes[i * pixels..(i + 1) * pixels]),
            Bytes::File(file, start) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let at = start + (i * pixels) as u64;
                file.seek(SeekFrom::Start(at))
                    .and_then(|_| file.read_exact(&mut image))
                    .map_err(unreadable(&self.path))?;
            }
        }
        let [height, width, channels] = self.shape;
        Ok(match self.order {
            Order::Interleaved => image,
            Order::Planes => {
                let plane = height * width;
                (0..plane)
                    .flat_map(|at| (0..channels).map(move |c| (at, c)))
                    .map(|(at, c)| image[c * plane + at])
                    .collect()
            }
        })
    }
}
