//! Text as programs write it: UTF-8 with a mark at its beginning or without one, and UTF-16 with one.

use std::path::Path;

use super::read;
use crate::error::{Error, Result};

/// Reads a whole text file, as [`text`] has it.
///
/// # Errors
/// As [`read`]; [`Error::BadFile`], with the line, if it is not text.
pub fn read_text(path: &Path) -> Result<String> {
    text(&read(path)?).map_err(|reason| Error::bad_file(path, reason))
}

/// The text that these bytes are, without the mark that it may begin with: places in it are those that an editor shows.
///
/// # Errors
/// What is wrong, with the line.
pub fn text(bytes: &[u8]) -> std::result::Result<String, String> {
    match bytes {
        // Before UTF-16, whose mark begins it.
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err("it is text in UTF-32; save it as UTF-8".into()),
        [0xff, 0xfe, rest @ ..] if !rest.is_empty() => from_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] if !rest.is_empty() => from_utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => from_utf8(rest),
        _ => from_utf8(bytes),
    }
}

fn from_utf8(bytes: &[u8]) -> std::result::Result<String, String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("line {line}: it is not text in UTF-8")
    })
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> std::result::Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let (mut text, mut line) = (String::with_capacity(bytes.len() / 2), 1);
    for character in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        let character =
            character.map_err(|_| format!("line {line}: it is not text in UTF-16, as its first bytes say"))?;
        line += usize::from(character == '\n');
        text.push(character);
    }
    match rest {
        [] => Ok(text),
        _ => Err(format!("line {line}: it is not text in UTF-16, as its first bytes say: it ends within a character")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "größe: 3,\r\n𝛼\n";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn a_mark_says_how_text_is_written_and_is_no_part_of_it() {
        let marked = [b"\xef\xbb\xbf", WORDS.as_bytes()].concat();
        for bytes in [WORDS.as_bytes().to_vec(), marked, utf16(WORDS, u16::to_le_bytes), utf16(WORDS, u16::to_be_bytes)]
        {
            assert_eq!(text(&bytes).as_deref(), Ok(WORDS));
        }
        assert_eq!([&b""[..], b"\xef\xbb\xbf"].map(text), [(); 2].map(|()| Ok(String::new())));
    }

    #[test]
    fn what_is_not_text_is_told_with_its_line() {
        let cut = utf16(WORDS, u16::to_le_bytes);
        for (bytes, words) in [
            (&b"a\nb\n\xe4"[..], "line 3: it is not text in UTF-8"),
            (&cut[..cut.len() - 1], "line 2: it is not text in UTF-16"),
            (b"\xfe\xff\0\n\xd8\0\0a", "line 2: it is not text in UTF-16"),
            (b"\xff\xfe\0\0a\0\0\0", "it is text in UTF-32"),
        ] {
            let message = text(bytes).unwrap_err();
            assert!(message.starts_with(words), "{message}");
        }
    }
}
