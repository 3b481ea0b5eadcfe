//! What is said behind the place of data: `npy:FILE?levels=16`, `images:DIR?train=NAME&test=NAME`.

use std::fmt;
use std::path::Path;

use crate::error::Error;

/// What is wrong with what is said behind a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misspoken {
    /// This cannot be said of such data.
    Unknown(String),
    /// This is said without a value.
    NoValue(String),
    /// This is said twice.
    Twice(String),
}

impl fmt::Display for Misspoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "`{option}` cannot be said of it"),
            Self::NoValue(name) => write!(f, "`{name}` has no value"),
            Self::Twice(name) => write!(f, "`{name}` is said twice"),
        }
    }
}

impl Misspoken {
    /// The error for a source, of which these can be said.
    pub fn of(self, source: &str, known: &[&str]) -> Error {
        let forms: Vec<String> = known.iter().map(|name| format!("{name}=…")).collect();
        let forms = if forms.is_empty() { "nothing".into() } else { forms.join(" or ") };
        Error::Usage(format!("data '{source}': {self}; {forms} can be, behind `?` and parted by `&`"))
    }
}

/// A place, and what is said of it: names and their values.
pub(super) type Said<'a> = (&'a Path, Vec<(&'a str, &'a str)>);

/// The place that a source names, and what is said of it. A place that is there as it is written is that place, with a `?`
/// in its name or without.
///
/// # Errors
/// [`Misspoken`] for what is none of `known`, or has no value, or is said twice.
pub(super) fn split<'a>(place: &'a str, known: &[&str]) -> Result<Said<'a>, Misspoken> {
    let Some((before, options)) = place.rsplit_once('?').filter(|_| !Path::new(place).exists()) else {
        return Ok((Path::new(place), Vec::new()));
    };
    let mut said: Vec<(&str, &str)> = Vec::new();
    for option in options.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        if !known.contains(&name) {
            return Err(Misspoken::Unknown(option.into()));
        }
        if value.is_empty() {
            return Err(Misspoken::NoValue(name.into()));
        }
        if said.iter().any(|(before, _)| *before == name) {
            return Err(Misspoken::Twice(name.into()));
        }
        said.push((name, value));
    }
    Ok((Path::new(before), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_stands_behind_the_place() {
        let known = ["levels", "labels"];
        assert_eq!(split("a/x.npy", &known).unwrap(), (Path::new("a/x.npy"), vec![]));
        let (place, said) = split("x.npy?levels=16&labels=coarse", &known).unwrap();
        assert_eq!((place, said), (Path::new("x.npy"), vec![("levels", "16"), ("labels", "coarse")]));
        for (text, wrong) in [
            ("x?level=16", Misspoken::Unknown("level=16".into())),
            ("x?levels", Misspoken::NoValue("levels".into())),
            ("x?levels=", Misspoken::NoValue("levels".into())),
            ("x?levels=1&levels=2", Misspoken::Twice("levels".into())),
        ] {
            assert_eq!(split(text, &known).unwrap_err(), wrong);
            let error = wrong.of("npy:x", &known);
            assert!(error.is_input() && error.to_string().contains("levels=… or labels=…"), "{text}: {error}");
        }
        let nothing = split("x?y", &[]).unwrap_err().of("idx:x?y", &[]).to_string();
        assert!(nothing.contains("`y` cannot be said of it; nothing can be"), "{nothing}");
    }

    #[test]
    fn a_question_mark_may_be_in_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("what?levels=2");
        std::fs::write(&path, "").unwrap();
        assert_eq!(split(path.to_str().unwrap(), &["levels"]).unwrap().0, path);
    }
}
