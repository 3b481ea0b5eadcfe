//! In which way data are opened.

/// The size of pictures, and how much is held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// `[height, width, channels]` that pictures of any size are brought to; `None`: those of the first one. Data that have
    /// a size keep it.
    pub shape: Option<[usize; 3]>,
    /// How pictures are brought there.
    pub cut: Cut,
    /// Bytes: a split that takes more is not held in memory, but read from its files when it is asked for. Only folders of
    /// pictures and NumPy's arrays can be; other sets are small.
    pub memory: u64,
    /// Whether pictures that cannot be read are left out, and told of in the set's remarks, instead of being an error. Those
    /// that are not held are then all decoded once when they are opened.
    pub skip_unreadable: bool,
}

/// How a picture of any size is brought to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// Its shorter side is brought to the size, and the middle is cut out.
    #[default]
    Middle,
    /// Its shorter side is brought to this many pixels, where it is said, and a window is cut out when the picture is
    /// read, where [`Images::gather_at`](super::Images::gather_at) says. Pictures are then never held.
    Window {
        /// `None`: pictures keep their size.
        shorter_side: Option<usize>,
    },
}

impl Opening {
    /// The bytes that a split may take in memory by default: 2 GiB.
    pub const MEMORY: u64 = 2 << 30;

    /// Whether so many bytes are held.
    pub(super) fn holds(&self, bytes: u64) -> bool {
        bytes <= self.memory
    }
}

impl Default for Opening {
    fn default() -> Self {
        Self { shape: None, cut: Cut::Middle, memory: Self::MEMORY, skip_unreadable: false }
    }
}
