//! Labels: whole numbers, names, or rows with a one.

use std::collections::BTreeMap;

use super::Wrong;
use super::header::{Header, Kind, Sort};
use super::values::{in_c_order, number};

/// The labels of a split, as an array has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) enum Labels {
    /// Classes by number.
    Numbers(Vec<u16>),
    /// Classes by name.
    Names(Vec<String>),
    /// Classes by number, from rows that have a 1 where the class is.
    OneHot(Vec<u16>),
}

impl Labels {
    /// From the values of an array, `[n]` or `[n, 1]`, or one-hot `[n, classes]`.
    pub(super) fn of(header: &Header, bytes: &[u8]) -> Result<Self, Wrong> {
        let Header { kind, shape, .. } = header;
        let columns = match shape[..] {
            [_] | [_, 1] => 1,
            [_, columns] if columns > 0 && !kind.is_text() => columns as usize,
            _ => return Err(Wrong(format!("expected labels, one an image; found {} {shape:?}", kind.text))),
        };
        let values: Vec<&[u8]> = bytes.chunks_exact(kind.size).collect();
        if kind.is_text() {
            return values.into_iter().map(|value| name(kind, value)).collect::<Result<_, _>>().map(Self::Names);
        }
        let mut numbers: Vec<f64> = values.into_iter().map(|value| number(kind, value)).collect();
        if header.is_fortran {
            numbers = in_c_order(&numbers, shape);
        }
        if columns == 1 {
            return numbers
                .iter()
                .enumerate()
                .map(|(i, &value)| label(i, value))
                .collect::<Result<_, _>>()
                .map(Self::Numbers);
        }
        numbers
            .chunks_exact(columns)
            .enumerate()
            .map(|(i, row)| hot(i, row))
            .collect::<Result<_, _>>()
            .map(Self::OneHot)
    }
}

/// A label that is a whole number.
fn label(place: usize, value: f64) -> Result<u16, Wrong> {
    if value.fract() == 0.0 && (0.0..=f64::from(u16::MAX)).contains(&value) {
        return Ok(value as u16);
    }
    Err(Wrong(format!("label {value} at [{place}]: expected whole numbers from 0 to 65535")))
}

/// The class of a row that has a 1 where it is, and else zeros.
fn hot(place: usize, row: &[f64]) -> Result<u16, Wrong> {
    let ones: Vec<usize> = row.iter().enumerate().filter(|(_, value)| **value == 1.0).map(|(i, _)| i).collect();
    match (&ones[..], row.iter().all(|value| *value == 0.0 || *value == 1.0)) {
        (&[class], true) if class <= usize::from(u16::MAX) => Ok(class as u16),
        _ => Err(Wrong(format!(
            "expected labels, [n], or one-hot rows; row {place} of {} numbers has not one 1 and else zeros. Save \
             labels.argmax(axis=1)",
            row.len()
        ))),
    }
}

/// A name without what fills it up.
fn name(kind: &Kind, value: &[u8]) -> Result<String, Wrong> {
    let text = match kind.sort {
        Sort::Unicode => {
            let character = |bytes: &[u8; 4]| {
                let code = if kind.is_big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
                char::from_u32(code)
            };
            value.as_chunks().0.iter().map(character).collect::<Option<String>>()
        }
        _ => std::str::from_utf8(value).ok().map(str::to_owned),
    };
    text.map(|text| text.trim_end_matches('\0').to_owned())
        .ok_or_else(|| Wrong("expected names of classes; there is one that is no text".into()))
}

/// Labels of each split by number, and the names of the classes.
type Numbered<const N: usize> = ([Option<Vec<u16>>; N], Vec<String>);

/// Labels by number with the names of the classes, of all splits alike: names in their order are classes 0, 1, …; numbers
/// have none.
pub(super) fn by_number<const N: usize>(splits: [Option<Labels>; N]) -> Result<Numbered<N>, Wrong> {
    let named = splits.iter().flatten().filter(|labels| matches!(labels, Labels::Names(_))).count();
    if named > 0 && named < splits.iter().flatten().count() {
        return Err(Wrong("labels of one split are names, and of the other numbers".into()));
    }
    let names = splits.iter().flatten().flat_map(|labels| match labels {
        Labels::Names(names) => &names[..],
        _ => &[],
    });
    let mut places: BTreeMap<String, u16> = names.map(|name| (name.clone(), 0)).collect();
    if places.len() > usize::from(u16::MAX) {
        return Err(Wrong(format!("its labels are {} names: there can be 65535 classes", places.len())));
    }
    places.values_mut().zip(0..).for_each(|(place, number)| *place = number);
    let numbers = splits.map(|labels| {
        labels.map(|labels| match labels {
            Labels::Numbers(labels) | Labels::OneHot(labels) => labels,
            Labels::Names(names) => names.iter().map(|name| places[name]).collect(),
        })
    });
    Ok((numbers, places.into_keys().collect()))
}
