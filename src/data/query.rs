//! What is said behind the place of data: `npy:FILE?levels=16`.

use std::path::Path;

use crate::error::{Error, Result};

/// The place that a source names, and what is said of it. A place that is there as it is written is that place, with a `?`
/// in its name or without.
///
/// # Errors
/// [`Error::Usage`] for what is none of `known`, or has no value, or is said twice.
pub(super) fn split<'a>(place: &'a str, known: &[&str]) -> Result<(&'a Path, Vec<(&'a str, &'a str)>)> {
    let Some((before, options)) = place.rsplit_once('?').filter(|_| !Path::new(place).exists()) else {
        return Ok((Path::new(place), Vec::new()));
    };
    let mut said: Vec<(&str, &str)> = Vec::new();
    for option in options.split('&') {
        match option.split_once('=') {
            Some((name, value)) if known.contains(&name) && !value.is_empty() && said.iter().all(|s| s.0 != name) => {
                said.push((name, value));
            }
            _ => {
                let forms: Vec<String> = known.iter().map(|name| format!("{name}=…")).collect();
                let forms = if forms.is_empty() {
                    "nothing can be".into()
                } else {
                    format!("{}, once, can be", forms.join(" or "))
                };
                return Err(Error::Usage(format!("data '{place}': `{option}` is said of it, and {forms}")));
            }
        }
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
        for wrong in ["x?level=16", "x?levels", "x?levels=", "x?levels=1&levels=2"] {
            let error = split(wrong, &known).unwrap_err().to_string();
            assert!(error.contains("levels=… or labels=…"), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_question_mark_may_be_in_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("what?levels=2");
        std::fs::write(&path, "").unwrap();
        assert_eq!(split(path.to_str().unwrap(), &["levels"]).unwrap().0, path);
    }
}
