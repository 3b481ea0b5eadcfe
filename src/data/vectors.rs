//! Vectors of real numbers, opened by name: `csv:FILE`, and NumPy's `npy:FILE` and `npz:FILE` of `[n, features]`.

use super::{DataSet, arrays, query, table, toy};
use crate::error::{Error, Result};

/// How data of vectors are named, and what they are.
const KNOWN: [(&str, &str); 4] = [
    ("toy:NAME", "moons, rings, checkerboard or spirals, drawn by the program"),
    ("csv:FILE", "a line of headings, then a vector a line; ?label=COLUMN, ?context=A,B, ?without=A,B, ?test=FILE"),
    ("npy:FILE", "numbers [n, features]"),
    ("npz:FILE", "such an array, with labels"),
];

/// Reads the vectors that `source` names.
///
/// # Errors
/// [`Error::Usage`] for a source that has none; whatever the reader reports otherwise.
pub fn open_vectors(source: &str) -> Result<DataSet> {
    let (kind, place) = source.split_once(':').unwrap_or((source, ""));
    if kind == "toy" {
        return toy::load(place);
    }
    let known: &[&str] = if kind == "csv" { &table::SAID } else { &[] };
    let (path, said) = query::split(place, known).map_err(|wrong| wrong.of(source, known))?;
    match kind {
        "csv" | "npy" | "npz" if place.is_empty() => {
            Err(Error::Usage(format!("data '{source}': which file is not said: write {kind}:FILE")))
        }
        "csv" => table::load(path, &said),
        "npy" => arrays::reals::load_npy(path),
        "npz" => arrays::reals::load_npz(path),
        _ => {
            let known = KNOWN.map(|(form, what)| format!("{form} ({what})")).join(", ");
            Err(Error::Usage(format!("data '{source}' are no vectors, and the flow is of vectors. Known are: {known}")))
        }
    }
}

/// Whether the data of this name can be nothing but vectors: tables and toys. Arrays can be images too.
pub fn are_vectors(source: &str) -> bool {
    source.split_once(':').is_some_and(|(kind, _)| matches!(kind, "csv" | "toy"))
}
