//! What a data set's samples are made of: grey levels, or real numbers.

/// The elements of samples, one sample after the other, `[n, height, width, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Grey levels of images.
    Levels(Vec<u8>),
    /// Real numbers of vectors.
    Reals(Vec<f64>),
}

/// What an element is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Elements {
    /// A grey level: one byte.
    #[default]
    Levels,
    /// A real number: eight bytes, as a little-endian double.
    Reals,
}

impl Elements {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::Levels => 1,
            Self::Reals => size_of::<f64>(),
        }
    }

    /// What bytes mean.
    pub fn read(self, bytes: Vec<u8>) -> Samples {
        match self {
            Self::Levels => Samples::Levels(bytes),
            Self::Reals => Samples::Reals(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()),
        }
    }
}
