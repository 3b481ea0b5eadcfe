//! What an array says of itself: the dictionary that NumPy writes before its values.

use std::io::Read;
use std::path::Path;

use crate::data::bytes::{read_rest, size_of, unreadable};
use crate::error::{Error, Result};

/// The longest header that is read, in bytes; an array of images has one of about a hundred.
const LONGEST: u64 = 1 << 16;

/// The longest text that is read as a name, in characters.
const LONGEST_TEXT: usize = 1 << 16;

/// What sort of values an array has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Bool,
    Unsigned,
    Signed,
    Float,
    /// Text, four bytes a character.
    Unicode,
    /// Text, a byte a character.
    Bytes,
}

/// The kind of an array's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub sort: Sort,
    /// Bytes of a value.
    pub size: usize,
    pub is_big_endian: bool,
    /// As the header spells it.
    pub text: String,
}

impl Kind {
    /// A kind as NumPy spells it, such as `|u1`, `u1`, `>i8` or `<U3`; `None` for what is no number and no text.
    fn parse(text: &str) -> Option<Self> {
        let (order, rest) = match text.chars().next()? {
            order @ ('<' | '>' | '=' | '|') => (order, &text[1..]),
            _ => ('=', text),
        };
        if rest == "?" {
            return Some(Self { sort: Sort::Bool, size: 1, is_big_endian: false, text: text.to_owned() });
        }
        let (sort, size) = rest.split_at_checked(1)?;
        let size: usize = size.parse().ok()?;
        let (sort, size) = match (sort, size) {
            ("b", 1) => (Sort::Bool, 1),
            ("u", 1 | 2 | 4 | 8) => (Sort::Unsigned, size),
            ("i", 1 | 2 | 4 | 8) => (Sort::Signed, size),
            ("f", 2 | 4 | 8) => (Sort::Float, size),
            ("U", 1..=LONGEST_TEXT) => (Sort::Unicode, 4 * size),
            ("S" | "a", 1..=LONGEST_TEXT) => (Sort::Bytes, size),
            _ => return None,
        };
        let is_big_endian = order == '>' || order == '=' && cfg!(target_endian = "big");
        Some(Self { sort, size, is_big_endian, text: text.to_owned() })
    }

    /// Whether these are grey levels as they are.
    pub fn is_levels(&self) -> bool {
        self.sort == Sort::Unsigned && self.size == 1
    }

    pub fn is_text(&self) -> bool {
        matches!(self.sort, Sort::Unicode | Sort::Bytes)
    }
}

/// What an array says of itself.
#[derive(Clone, Debug)]
pub(in crate::data) struct Header {
    pub(super) kind: Kind,
    pub shape: Vec<u64>,
    /// Whether the first axis is the fastest.
    pub(super) is_fortran: bool,
    /// The bytes of its values.
    pub size: u64,
    /// The bytes before them.
    pub length: u64,
}

impl Header {
    /// Reads a header; the file can be at most `most` bytes long.
    pub(super) fn read(path: &Path, mut reader: impl Read, most: u64) -> Result<Self> {
        let wrong = |reason: String| Error::bad_file(path, reason);
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(unreadable(path))?;
        if start[..6] != *b"\x93NUMPY" {
            return Err(wrong("not an array of NumPy: it does not begin with \\x93NUMPY".into()));
        }
        let mut length = [0; 4];
        let digits = if start[6] == 1 { 2 } else { 4 };
        reader.read_exact(&mut length[..digits]).map_err(unreadable(path))?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > LONGEST {
            return Err(wrong(format!("its header would be {length} bytes long: that is no array")));
        }
        let header = read_rest(path, reader.by_ref().take(length), length, most, "its header is said to be long")?;
        // Versions 1 and 2 are Latin-1, version 3 is UTF-8; what matters is ASCII in all.
        let header = String::from_utf8_lossy(&header);
        let Fields { descr, shape, is_fortran } =
            Fields::parse(&header).ok_or_else(|| wrong("its header is not the dictionary that NumPy writes".into()))?;
        if descr.starts_with('[') {
            return Err(wrong("it is a structured array, of fields; save one array of numbers".into()));
        }
        let kind = Kind::parse(&descr).ok_or_else(|| {
            let what = unread(&descr);
            wrong(format!(
                "it holds values of kind {descr}, {what}; save grey levels as numpy.uint8, and names of classes by x.astype(str)"
            ))
        })?;
        let size = size_of(&shape, kind.size as u64)
            .ok_or_else(|| wrong(format!("its header says {shape:?} of {descr}: no file is so long")))?;
        Ok(Self { kind, is_fortran: is_fortran && shape.len() > 1, shape, size, length: 8 + digits as u64 + length })
    }

    /// What it says, for messages.
    pub(in crate::data) fn says(&self) -> String {
        format!("its header says {:?} of {}", self.shape, self.kind.text)
    }

    /// Refuses another number of bytes than it says.
    pub(super) fn expect_size(&self, path: &Path, found: u64) -> Result<()> {
        crate::data::bytes::expect_size(path, found, self.size, &self.says())
    }

    /// How many values there are.
    pub(in crate::data) fn count(&self) -> u64 {
        self.size / self.kind.size as u64
    }
}

/// What the values of a kind are that is not read.
fn unread(descr: &str) -> &'static str {
    match descr.trim_start_matches(['<', '>', '=', '|']).chars().next() {
        Some('O') => "Python objects, which only Python can read",
        Some('c') => "complex numbers",
        Some('f') => "floating-point numbers of more than 64 bits",
        Some('M' | 'm') => "dates or times",
        Some('V') => "raw bytes that say no type",
        Some('U' | 'S' | 'a') => "texts that are empty or very long",
        _ => "which is none of NumPy's",
    }
}

/// The fields of the dictionary.
struct Fields {
    descr: String,
    shape: Vec<u64>,
    is_fortran: bool,
}

impl Fields {
    /// From a header such as `{'descr': '|u1', 'fortran_order': False, 'shape': (10, 32, 32, 3), }`; the quotes may be double,
    /// and lengths may end in `L`, as Python 2 wrote them.
    fn parse(header: &str) -> Option<Self> {
        let after = |name: &str| {
            let (_, rest) = ["'", "\""].iter().find_map(|quote| header.split_once(&format!("{quote}{name}{quote}")))?;
            rest.trim_start().strip_prefix(':').map(str::trim_start)
        };
        let descr = after("descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => descr[1..].split_once(quote)?.0,
            // A list of fields; what is in it does not matter.
            '[' => "[",
            _ => return None,
        };
        let (shape, _) = after("shape")?.strip_prefix('(')?.split_once(')')?;
        let axes = shape.split(',').map(str::trim).filter(|axis| !axis.is_empty());
        let length = |axis: &str| axis.strip_suffix(['L', 'l']).unwrap_or(axis).parse().ok();
        let shape = axes.map(length).collect::<Option<Vec<u64>>>()?;
        Some(Self { descr: descr.to_owned(), shape, is_fortran: after("fortran_order")?.starts_with("True") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str, version: u8) -> Result<Header> {
        let length = text.len() as u32;
        let digits = if version == 1 { 2 } else { 4 };
        let bytes = [b"\x93NUMPY", &[version, 0][..], &length.to_le_bytes()[..digits], text.as_bytes()].concat();
        Header::read(Path::new("a.npy"), &bytes[..], 1 << 20)
    }

    #[test]
    fn headers_are_read_as_numpy_reads_them() {
        for text in [
            "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 2, 3), }",
            "{'descr': 'u1', 'fortran_order': False, 'shape': (40L, 2L, 3L)}",
            "{\"descr\": \"<u1\", \"fortran_order\": False, \"shape\": (40, 2, 3)}",
            "{ 'shape':(40,2,3),'fortran_order':False,'descr':'=u1' }",
        ] {
            for version in [1, 2, 3] {
                let header = header(text, version).unwrap();
                assert!(header.kind.is_levels() && header.shape == [40, 2, 3] && !header.is_fortran, "{text}");
                assert_eq!((header.size, header.count()), (240, 240));
            }
        }
        assert!(header("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3)}", 1).unwrap().is_fortran);
        assert!(!header("{'descr': '<f8', 'fortran_order': True, 'shape': (6,)}", 1).unwrap().is_fortran, "no matter");
    }

    #[test]
    fn kinds_have_their_size_order_and_sort() {
        for (text, sort, size, is_big_endian) in [
            ("|u1", Sort::Unsigned, 1, false),
            (">i8", Sort::Signed, 8, true),
            ("<U3", Sort::Unicode, 12, false),
            ("|S5", Sort::Bytes, 5, false),
            ("|b1", Sort::Bool, 1, false),
            ("?", Sort::Bool, 1, false),
            ("<f2", Sort::Float, 2, false),
        ] {
            let kind = Kind::parse(text).unwrap();
            assert_eq!((kind.sort, kind.size, kind.is_big_endian), (sort, size, is_big_endian), "{text}");
        }
        assert!(["|O", "<c8", "<M8[ns]", "u3", "", "<"].iter().all(|text| Kind::parse(text).is_none()));
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused_with_a_true_sentence() {
        for (text, words) in [
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "structured array"),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "Python objects"),
            ("{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", "complex numbers"),
            ("{'descr': '<f16', 'fortran_order': False, 'shape': (2,)}", "more than 64 bits"),
            ("{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,)}", "dates or times"),
            ("{'descr': '|V2', 'fortran_order': False, 'shape': (2,)}", "raw bytes"),
            ("{'descr': '|u1', 'shape': (2,)}", "dictionary"),
            ("{'descr': '|u1', 'fortran_order': False, 'shape': (-2,)}", "dictionary"),
        ] {
            let error = header(text, 1).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
