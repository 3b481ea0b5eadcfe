//! What is wrong with a flow or ablation file, where, and what to do: ron's errors in plain words.

use std::ops::Range;

use miette::{NamedSource, SourceSpan};
use ron::error::{Error as Ron, SpannedError};

use super::{
    located::offset,
    suggest::suggestion,
    tokens::{self, Tokens},
};

/// What a file is meant to be, for messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileKind {
    /// Such as `flow`.
    pub(crate) noun: &'static str,
    /// The same with its article.
    pub(crate) what: &'static str,
    /// How such a file reads, in short.
    pub(crate) start: &'static str,
}

/// A flow file.
pub(crate) const FLOW: FileKind = FileKind {
    noun: "flow",
    what: "a flow",
    start: "a flow file reads `Flow(image: (height: …, width: …, channels: …), layers: […])`",
};

/// A flow file that is not RON, not a flow, or a flow whose shapes do not fit; or an ablation file or a list of sources
/// likewise.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{name}:{line}:{column}: {message}")]
pub struct FlowFileError {
    name: String,
    line: usize,
    column: usize,
    message: String,
    #[help]
    help: Option<String>,
    #[source_code]
    text: NamedSource<String>,
    #[label("here")]
    span: SourceSpan,
}

impl FlowFileError {
    /// An error about these bytes of a file. Only their first line is shown.
    pub(crate) fn new(name: &str, text: &str, range: Range<usize>, message: String, help: Option<String>) -> Self {
        let before = text.get(..range.start).unwrap_or_default();
        let shown = text.get(range).and_then(|range| range.lines().next()).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            name: name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            help,
            text: NamedSource::new(name, text.to_owned()),
            span: (before.len(), shown.len()).into(),
        }
    }

    /// What ron says of a file, in plain words.
    pub(crate) fn from_ron(name: &str, text: &str, error: SpannedError, kind: FileKind) -> Self {
        let at = offset(text, error.span.end);
        let Diagnosis { range, message, help } = diagnose(text, at, error.code, kind);
        Self::new(name, text, range, message, help)
    }

    /// The same error at other bytes of another file, where this one's text came from.
    pub(crate) fn moved(self, name: &str, text: &str, range: Range<usize>) -> Self {
        Self::new(name, text, range, self.message, self.help)
    }

    /// The bytes that it is about.
    pub(crate) fn range(&self) -> Range<usize> {
        self.span.offset()..self.span.offset() + self.span.len()
    }

    /// The line of the error, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column of the error, in characters from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

struct Diagnosis {
    range: Range<usize>,
    message: String,
    help: Option<String>,
}

/// ron stops *behind* a word that it could read and that means nothing, and *before* one that it could not read.
fn diagnose(text: &str, at: usize, error: Ron, kind: FileKind) -> Diagnosis {
    let tokens = Tokens::of(text);
    let behind = tokens.before(at);
    let of = |range: Range<usize>, message: String, help: Option<String>| Diagnosis { range, message, help };
    match error {
        Ron::NoSuchEnumVariant { expected, found, outer } => {
            let kind = outer.as_deref().unwrap_or("name");
            of(behind, format!("unknown {kind} `{found}`"), Some(rename(&found, expected)))
        }
        Ron::NoSuchStructField { expected, found, outer } => {
            let owner = outer.map_or("this".to_owned(), |outer| format!("`{outer}`"));
            let help = match expected {
                [] => format!("it takes no options: write `{}()`", owner.trim_matches('`')),
                _ => suggestion(&found, expected.iter().copied()),
            };
            of(behind, format!("{owner} has no option `{found}`"), Some(help))
        }
        Ron::MissingStructField { field, outer } => {
            let owner = outer.map_or("this".to_owned(), |outer| format!("`{outer}`"));
            let help = format!("add `{field}: …` between its parentheses");
            of(tokens.opening(at), format!("{owner} lacks `{field}`"), Some(help))
        }
        Ron::DuplicateStructField { field, .. } => {
            of(behind, format!("`{field}` is given twice"), Some("keep one".to_owned()))
        }
        Ron::Message(message) | Ron::InvalidValueForType { expected: message, .. } => of(behind, message, None),
        Ron::IntegerOutOfBounds => {
            let message = format!("{} is out of range here", &text[behind.clone()]);
            of(behind, message, None)
        }
        Ron::ExpectedDifferentLength { .. } => {
            let opening = tokens.opening(at);
            let message = format!("`{}…)` lacks a value", &text[opening.clone()]);
            let help =
                "write `Repeat(3, [layers])`, `Use(\"name\")`, `Custom(\"name\")` or `Custom(\"name\", (options))`";
            of(opening, message, Some(help.to_owned()))
        }
        Ron::ExpectedStructLike if tokens::is_name(&text[behind.clone()]) => {
            let word = text[behind.clone()].to_owned();
            of(behind, format!("`{word}` needs parentheses"), Some(format!("write `{word}()`")))
        }
        Ron::ExpectedDifferentStructName { expected, found } => {
            let help = (behind.start == tokens.first()).then(|| kind.start.to_owned());
            of(behind, format!("expected `{expected}(…)`, found `{found}`"), help)
        }
        Ron::ExpectedStringEnd => of(
            tokens.after(at).unwrap_or(behind),
            "this text is not closed".to_owned(),
            Some("it wants a `\"`".to_owned()),
        ),
        Ron::UnclosedBlockComment => {
            let start = text.rfind("/*").unwrap_or(at);
            of(start..text.len(), "this comment is not closed".to_owned(), Some("it wants a `*/`".to_owned()))
        }
        Ron::ExceededRecursionLimit => of(
            tokens.after(at).unwrap_or(behind),
            "nested too deeply: a file may nest about 20 lists".to_owned(),
            Some("name the inner lists in `define` and refer to them with `Use`".to_owned()),
        ),
        other => unreadable(text, at, &tokens, &other, kind),
    }
}

/// The text at the cursor is not what the syntax wants there.
fn unreadable(text: &str, at: usize, tokens: &Tokens, error: &Ron, kind: FileKind) -> Diagnosis {
    let Some(range) = tokens.after(at) else { return cut_short(text, tokens, kind) };
    let behind = tokens.before(range.start);
    let word = &text[behind.clone()];
    match error {
        Ron::ExpectedComma if &text[range.clone()] == "(" && tokens::is_name(word) => {
            let message = format!("`{word}` takes no parentheses");
            Diagnosis { range: behind.clone(), message, help: Some(format!("write `{word}`")) }
        }
        _ => {
            // Inside a word: a whole number was read, and a fraction follows.
            let expected = if range.start < at { "a whole number".to_owned() } else { plain(error) };
            let help = (range.start == tokens.first()).then(|| kind.start.to_owned());
            Diagnosis { message: format!("expected {expected}, found `{}`", brief(&text[range.clone()])), range, help }
        }
    }
}

/// The file ends too early.
fn cut_short(text: &str, tokens: &Tokens, kind: FileKind) -> Diagnosis {
    let range = tokens.opening(text.len());
    let close = match text[range.clone()].chars().last() {
        Some('(') => ')',
        Some('[') => ']',
        Some('{') => '}',
        _ => {
            let message = format!("expected {}, found the end of the file", kind.what);
            return Diagnosis { range: text.len()..text.len(), message, help: Some(kind.start.to_owned()) };
        }
    };
    let help = Some(format!("it wants a `{close}`"));
    Diagnosis { range, message: "the file ends before this is closed".to_owned(), help }
}

/// The beginning of what a file says, fit for a message.
fn brief(text: &str) -> String {
    let shown: String = text.chars().take_while(|c| *c != '\n').take(40).collect();
    shown.replace(char::is_control, "\u{fffd}")
}

/// What was expected, in plain words.
fn plain(error: &Ron) -> String {
    let words = match error {
        Ron::ExpectedArray => "a list, `[…]`",
        Ron::ExpectedArrayEnd => "`,` or `]`",
        Ron::ExpectedBoolean => "`true` or `false`",
        Ron::ExpectedComma => "`,` or the end of the list",
        Ron::ExpectedFloat => "a number",
        Ron::ExpectedInteger | Ron::InvalidIntegerDigit { .. } => "a whole number",
        Ron::ExpectedMap => "names with their values, `{…}`",
        Ron::ExpectedMapColon => "`:`",
        Ron::ExpectedMapEnd => "`,` or `}`",
        Ron::ExpectedStructLike | Ron::ExpectedNamedStructLike(_) => "`(`",
        Ron::ExpectedStructLikeEnd | Ron::ExpectedOptionEnd => "`,` or `)`",
        Ron::ExpectedString => "a text in quotes",
        Ron::ExpectedIdentifier | Ron::InvalidIdentifier(_) | Ron::SuggestRawIdentifier(_) => {
            "a name (of a layer, an option or a choice)"
        }
        Ron::TrailingCharacters => "the end of the file",
        Ron::UnexpectedChar(_) => "a value",
        Ron::InvalidEscape(_) => "a text whose escapes are known",
        other => return format!("RON ({other})"),
    };
    words.to_owned()
}

/// Names that layers have elsewhere.
const ELSEWHERE: [(&str, &str); 7] = [
    ("Conv1x1", "InvertibleConv"),
    ("Inv1x1", "InvertibleConv"),
    ("Permute", "Shuffle"),
    ("Permutation", "Shuffle"),
    ("Flip", "Reverse"),
    ("FactorOut", "Split"),
    ("BatchNorm", "ActNorm"),
];

fn rename(found: &str, expected: &[&str]) -> String {
    let elsewhere = ELSEWHERE.iter().find(|(alias, name)| alias.eq_ignore_ascii_case(found) && expected.contains(name));
    suggestion(elsewhere.map_or(found, |(_, name)| name), expected.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Error, flow::FlowFile};

    fn refusal(text: &str) -> FlowFileError {
        match FlowFile::parse("f.ron", text) {
            Err(Error::FlowFile(error)) => *error,
            other => panic!("{text}\n{other:?}"),
        }
    }

    /// A wrong file, and where and how it must be refused. The file follows a first line that is right.
    const WRONG: &[(&str, usize, usize, &str, &str)] = &[
        ("layers: [Affinecoupling()])", 2, 10, "unknown layer `Affinecoupling`", "did you mean `AffineCoupling`?"),
        ("layers: [\n  InvertibleConv1x1()])", 3, 3, "unknown layer", "did you mean `InvertibleConv`?"),
        ("layers: [Conv1x1()])", 2, 10, "unknown layer `Conv1x1`", "did you mean `InvertibleConv`?"),
        ("layers: [Fourier()])", 2, 10, "unknown layer `Fourier`", "there are: ActNorm"),
        ("layers: [AffineCoupling(scale: Tanh)])", 2, 32, "unknown scale `Tanh`", "did you mean `ClampedTanh`?"),
        ("layers: [Reverse // ()\n, Squeeze()])", 2, 10, "`Reverse` needs parentheses", "write `Reverse()`"),
        ("layers: [AffineCoupling(scale: ClampedTanh)])", 2, 32, "needs parentheses", "write `ClampedTanh()`"),
        ("layers: [AffineCoupling(scale: Exp())])", 2, 32, "`Exp` takes no parentheses", "write `Exp`"),
        ("layers: [AffineCoupling(widht: 3)])", 2, 25, "`AffineCoupling` has no option `widht`", "mean `width`?"),
        ("layers: [Reverse(x: 1)])", 2, 18, "`Reverse` has no option `x`", "takes no options"),
        ("layers: [AffineCoupling(width: 0)])", 2, 32, "at least 1, found 0", ""),
        ("layers: [AffineCoupling(width: -1)])", 2, 32, "-1 is out of range", ""),
        ("layers: [AffineCoupling(width: 8.5)])", 2, 32, "expected a whole number, found `8.5`", ""),
        ("layers: [AffineCoupling(width: \"8\")])", 2, 32, "expected a whole number, found `\"8\"`", ""),
        ("layers: [AffineCoupling(edge_channel: yes)])", 2, 39, "expected `true` or `false`, found `yes`", ""),
        ("layers: [AffineCoupling(3)])", 2, 25, "expected a name", ""),
        ("layers: [Squeeze() Split()])", 2, 20, "expected `,` or the end of the list, found `Split`", ""),
        ("layers: [Squeeze(), Split()\n)", 3, 1, "found `)`", ""),
        ("layers: [Squeeze(), Split(", 2, 21, "the file ends before this is closed", "wants a `)`"),
        ("layers: [Repeat(3)])", 2, 10, "lacks a value", "Repeat(3, [layers])"),
        ("layers: [Repeat(0, [])])", 2, 17, "at least 1, found 0", ""),
        ("layers: [Repeat(3, Squeeze())])", 2, 20, "expected a list", ""),
        ("layers: [Use(step)])", 2, 14, "expected a text in quotes, found `step`", ""),
        ("layers: [Custom(\"a\", (x: ))])", 2, 26, "expected a value, found `)`", ""),
        ("layers: [Use(\"a])", 2, 14, "this text is not closed", ""),
        ("layers: [], /* x", 2, 13, "this comment is not closed", ""),
        ("layers: [], define: {\"a\": [],\n \"a\": []})", 3, 2, "`a` is defined twice", ""),
        ("layers: [], define: {\"a\": Squeeze()})", 2, 27, "expected a list", ""),
        ("layer: [])", 2, 1, "`Flow` has no option `layer`", "did you mean `layers`?"),
        ("layers: [], image: 1)", 2, 13, "`image` is given twice", ""),
        ("layers: []) x", 2, 13, "expected the end of the file, found `x`", ""),
        ("layers: [], train: (batch: 0))", 2, 28, "at least 1, found 0", ""),
        ("layers: [], train: (learning_rate: -1))", 2, 36, "above 0, found -1", ""),
        ("layers: [], train: (learning_rate: NaN))", 2, 36, "above 0, found NaN", ""),
        ("layers: [], train: (clip_gradient_norm: inf))", 2, 41, "finite", ""),
        ("layers: [], train: (optimizer:\n Adam(beta1: 1.0)))", 3, 14, "from 0 to below 1", ""),
        ("layers: [], train: (optimizer: SGD()))", 2, 32, "unknown optimizer `SGD`", "Adam, Adamax"),
        ("layers: [], train: (averaging: Ema()))", 2, 32, "`Ema` lacks `decay`", "decay: …"),
        ("layers: [], train: (data: digits))", 2, 27, "expected a text in quotes, found `digits`", ""),
        ("layers: [], prior:\n Gaussian(classifier: true))", 3, 2, "a classifier needs classes", "classes: 10"),
    ];

    #[test]
    fn wrong_files_are_refused_at_the_right_place() {
        for (rest, line, column, message, help) in WRONG {
            let error = refusal(&format!("Flow(image: (height: 8, width: 8, channels: 1),\n{rest}"));
            assert_eq!((error.line(), error.column()), (*line, *column), "{rest}: {error}");
            assert!(error.message().contains(message), "{rest}: {error}");
            assert!(error.advice().unwrap_or_default().contains(help), "{rest}: {:?}", error.advice());
            assert!(error.to_string().starts_with(&format!("f.ron:{line}:{column}: ")));
        }
    }

    #[test]
    fn what_is_no_flow_at_all_is_refused() {
        for (text, line, column, message) in [
            ("", 1, 1, "the end of the file"),
            (" // only a comment\n", 2, 1, "the end of the file"),
            ("Flow", 1, 5, "the end of the file"),
            ("hello world", 1, 1, "expected `Flow(…)`, found `hello`"),
            ("{\"image\": 3}", 1, 1, "expected `(`, found `{`"),
            ("\0\u{1}", 1, 1, "found `\u{fffd}`"),
            ("Flow(layers: [])", 1, 1, "a flow needs `image` or `vector`"),
            ("Flow(image: (height: 8), layers: [])", 1, 13, "`image` lacks `width`"),
            ("Flow(image: (height: 8, width: 8, channels: 1, bits: 9), layers: [])", 1, 54, "1 to 8 bits, found 9"),
            ("Flow(image: (height: 8, width: 8, channels: 1, bins: 1), layers: [])", 1, 54, "2 to 256 bins, found 1"),
            ("Flow(image: (height: 8, width: 8, channels: 1, bits: 5, bins: 32), layers: [])", 1, 13, "both given"),
            ("Flow(image: (height: 99999, width: 99999, channels: 1), layers: [])", 1, 13, "2^28"),
        ] {
            let error = refusal(text);
            assert_eq!((error.line(), error.column()), (line, column), "{text}: {error}");
            assert!(error.message().contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let head = "Flow(image: (height: 8, width: 8, channels: 1), layers: [";
        for deep in ["Repeat(2, [".repeat(10_000), format!("Custom(\"a\", {}", "[".repeat(10_000))] {
            assert!(refusal(&format!("{head}{deep}")).message().contains("nested too deeply"));
        }
    }
}
