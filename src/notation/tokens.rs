//! The words of a flow file, as far as it takes to say where an error stands.

use std::ops::Range;

/// The words, strings and signs of a text, without white space and comments.
pub struct Tokens<'a> {
    text: &'a str,
    ranges: Vec<Range<usize>>,
}

impl<'a> Tokens<'a> {
    /// Splits a text, whether it is RON or not.
    pub fn of(text: &'a str) -> Self {
        let (mut ranges, mut at) = (Vec::new(), 0);
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let length = if c.is_whitespace() {
                c.len_utf8()
            } else if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                block_comment(rest)
            } else {
                let length = match c {
                    '"' => string(rest),
                    c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                    c => c.len_utf8(),
                };
                ranges.push(at..at + length);
                length
            };
            at += length;
        }
        Self { text, ranges }
    }

    /// The bytes of every token, in order.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Where the first token begins.
    pub fn first(&self) -> usize {
        self.ranges.first().map_or(0, |range| range.start)
    }

    /// The last token that begins before a byte; empty at the start of the text.
    pub fn before(&self, at: usize) -> Range<usize> {
        self.ranges.iter().rev().find(|range| range.start < at).cloned().unwrap_or(0..0)
    }

    /// The first token that ends behind a byte.
    pub fn after(&self, at: usize) -> Option<Range<usize>> {
        self.ranges.iter().find(|range| range.end > at).cloned()
    }

    /// The bracket that is open at a byte, with the name before it; empty where none is.
    pub fn opening(&self, at: usize) -> Range<usize> {
        let mut open = Vec::new();
        let mut previous = 0..0;
        for range in self.ranges.iter().take_while(|range| range.start < at) {
            match &self.text[range.clone()] {
                "(" if is_name(&self.text[previous.clone()]) => open.push(previous.start..range.end),
                "(" | "[" | "{" => open.push(range.clone()),
                ")" | "]" | "}" => drop(open.pop()),
                _ => {}
            }
            previous = range.clone();
        }
        open.pop().unwrap_or(0..0)
    }
}

/// Whether a token is a name, such as a layer's.
pub fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}

/// The length of the comment that a text begins with. RON's comments nest.
fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        match rest.get(..2) {
            Some("/*") => (depth, at) = (depth + 1, at + 2),
            Some("*/") if depth == 1 => return at + 2,
            Some("*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    text.len()
}

/// The length of the quoted string that a text begins with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_whole() {
        let text = "é(/* ( /* */ */ \"a\\\"(\", // [\n-1.5e-3)";
        let tokens = Tokens::of(text);
        let words: Vec<_> = tokens.ranges.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(words, ["é", "(", "\"a\\\"(\"", ",", "-1.5e-3", ")"]);
        assert_eq!(&text[tokens.opening(text.len() - 1)], "é(");
        assert_eq!(tokens.opening(text.len()), 0..0);
    }
}
