//! What is wrong with a flow file, where, and what to do: ron's errors in plain words.

use std::ops::Range;

use miette::{NamedSource, SourceSpan};
use ron::error::{Error as Ron, SpannedError};

use super::{
    located::offset,
    suggest::suggestion,
    tokens::{self, Tokens},
};

/// A flow file that is not RON, not a flow, or a flow whose shapes do not fit.
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
    pub fn new(name: &str, text: &str, range: Range<usize>, message: String, help: Option<String>) -> Self {
        let start = text.floor_char_boundary(range.start);
        let end = text.floor_char_boundary(range.end).max(start);
        let shown = text[start..end].lines().next().unwrap_or_default().len();
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            name: name.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            message,
            help,
            text: NamedSource::new(name, text.to_owned()),
            span: (start, shown).into(),
        }
    }

    /// What ron says of a file, in plain words.
    pub(crate) fn from_ron(name: &str, text: &str, error: SpannedError) -> Self {
        let at = offset(text, error.span.end);
        let Diagnosis { range, message, help } = diagnose(text, at, error.code);
        Self::new(name, text, range, message, help)
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
fn diagnose(text: &str, at: usize, error: Ron) -> Diagnosis {
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
            let found = &text[behind.clone()];
            of(behind.clone(), format!("{found} is out of range here"), None)
        }
        Ron::ExpectedDifferentLength { found, .. } => {
            let help =
                "write `Repeat(3, [layers])`, `Use(\"name\")`, `Custom(\"name\")` or `Custom(\"name\", (options))`";
            of(tokens.opening(at), format!("something is missing: {found} given here"), Some(help.to_owned()))
        }
        Ron::ExpectedStructLike if tokens::is_name(&text[behind.clone()]) => {
            let word = &text[behind.clone()];
            of(behind.clone(), format!("`{word}` needs parentheses"), Some(format!("write `{word}()`")))
        }
        Ron::ExceededRecursionLimit => of(
            tokens.after(at).unwrap_or(behind),
            "nested too deeply: a file may nest about 20 lists".to_owned(),
            Some("name the inner lists in `define` and refer to them with `Use`".to_owned()),
        ),
        other => unreadable(text, at, &tokens, &other),
    }
}

/// The text at the cursor is not what the syntax wants there.
fn unreadable(text: &str, at: usize, tokens: &Tokens, error: &Ron) -> Diagnosis {
    let Some(range) = tokens.after(at) else {
        let open = tokens.opening(text.len());
        return match text.get(open.clone()) {
            None | Some("") => Diagnosis {
                range: text.len()..text.len(),
                message: "the file is empty".to_owned(),
                help: Some(START.to_owned()),
            },
            Some(_) => Diagnosis {
                message: "the file ends before this is closed".to_owned(),
                help: Some(format!("{}", plain(error))),
                range: open,
            },
        };
    };
    let behind = tokens.before(range.start);
    let (word, before) = (&text[range.clone()], &text[behind.clone()]);
    let expected = plain(error);
    let help = match error {
        Ron::ExpectedComma if word == "(" && tokens::is_name(before) => {
            let message = format!("`{before}` takes no parentheses");
            return Diagnosis { range: behind, message, help: Some(format!("write `{before}`")) };
        }
        Ron::ExpectedDifferentStructName { .. } | Ron::ExpectedNamedStructLike(_) if range.start == tokens.first() => {
            Some(START.to_owned())
        }
        _ => None,
    };
    Diagnosis { message: format!("expected {expected}, found `{word}`"), range, help }
}

const START: &str = "a flow file reads `Flow(image: (height: …, width: …, channels: …), layers: […])`";

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
        Ron::ExpectedStringEnd => "the closing quote",
        Ron::ExpectedIdentifier | Ron::InvalidIdentifier(_) | Ron::SuggestRawIdentifier(_) => "a name",
        Ron::UnclosedBlockComment => "the end of a comment, `*/`",
        Ron::TrailingCharacters => "the end of the file",
        Ron::Eof => "more",
        Ron::ExpectedDifferentStructName { expected, .. } => return format!("`{expected}(…)`"),
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
