//! Tables: vectors of real numbers from a CSV file, a line of headings and then a vector a line.
//!
//! Columns are parted by commas, semicolons or tabs. All are features but those that are left out, those that are contexts,
//! and the one of labels, whose values are the names of classes. What is missing or no number is one error with its line and its column.

use std::collections::BTreeSet;
use std::path::Path;

use super::attributes::separated;
use super::split::train_and_test;
use super::{Contexts, DataSet, Images, file_name};
use crate::error::{Error, Result};
use crate::files::{read_text, write_atomically};

/// What can be said behind a table's place.
pub(super) const SAID: [&str; 4] = ["label", "without", "context", "test"];

/// How text spells a value that is missing.
const MISSING: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", "?", "-"];

/// A table as its file has it.
struct Table {
    /// The names of the features.
    features: Vec<String>,
    /// `[rows, features]`
    values: Vec<f64>,
    /// The class of each row by name, where a column has labels.
    labels: Option<Vec<String>>,
    /// `[rows, columns]` of the columns that are contexts; empty without any.
    contexts: Vec<f32>,
}

/// Reads a table. Every tenth row is to test on, or, where `test=FILE` is said, all rows of that table.
///
/// # Errors
/// [`Error::BadFile`] with line and column for what is missing, is no number or does not fit; [`Error::Usage`] for a column
/// that the table does not have.
pub fn load(path: &Path, said: &[(&str, &str)]) -> Result<DataSet> {
    let value = |name: &str| said.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let listed = |name: &str| -> Vec<&str> { value(name).map(|names| names.split(',').collect()).unwrap_or_default() };
    let (without, context) = (listed("without"), listed("context"));
    let read = |path: &Path| Table::read(path, value("label"), &without, &context);
    let whole = read(path)?;
    whole.expect_to_vary(path)?;
    let test = value("test").map(|test| Ok::<_, Error>((Path::new(test), read(Path::new(test))?))).transpose()?;
    if let Some((place, table)) = &test
        && table.features != whole.features
    {
        let reason =
            format!("its features are {:?}, those of {} are {:?}", table.features, path.display(), whole.features);
        return Err(Error::bad_file(*place, reason));
    }
    let tables = [Some(&whole), test.as_ref().map(|(_, table)| table)];
    let classes = classes(tables.into_iter().flatten().filter_map(|table| table.labels.as_deref()).flatten());
    let (train, test) = match &test {
        Some((place, table)) => (whole.images(path, &classes)?, table.images(place, &classes)?),
        None => {
            let all = whole.images(path, &classes)?;
            let (train, test) = train_and_test(all.len());
            (all.select(train)?, all.select(test)?)
        }
    };
    Ok(DataSet { name: file_name(path), train, test, bins: 0, classes, features: whole.features, remarks: Vec::new() })
}

/// Writes vectors `[n, features]` as a table: a line of headings, then a vector a line, each number with all digits that it
/// needs to be read back.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_table(path: &Path, names: &[String], values: &[f64]) -> Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = || {
        table.write_record(names)?;
        values.chunks_exact(names.len().max(1)).try_for_each(|row| table.write_record(row.iter().map(f64::to_string)))
    };
    write().map_err(|error| Error::Device(error.to_string()))?;
    let bytes = table.into_inner().map_err(|error| Error::Device(error.to_string()))?;
    write_atomically(path, &bytes)
}

/// The names of classes: numbers in their order, other names in the alphabet's.
fn classes<'a>(labels: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = labels.collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    if numbers.is_some() {
        let number = |name: &String| name.parse().unwrap_or(f64::NAN);
        names.sort_by(|a, b| number(a).total_cmp(&number(b)));
    }
    names
}

impl Table {
    fn read(path: &Path, label: Option<&str>, without: &[&str], context: &[&str]) -> Result<Self> {
        let text = read_text(path)?;
        let mut lines = separated(path, &text)?.into_iter();
        let Some((_, headings)) = lines.next() else {
            return Err(Error::bad_file(path, "it is empty: expected a line of headings, and then a vector a line"));
        };
        if !headings.is_empty() && headings.iter().all(|heading| heading.parse::<f64>().is_ok()) {
            let reason =
                "line 1: its headings are numbers: expected a line with the columns' names before the first vector";
            return Err(Error::bad_file(path, reason));
        }
        for name in label.iter().chain(without).chain(context) {
            if !headings.iter().any(|heading| heading == name) {
                return Err(Error::Usage(format!("{} has no column `{name}`; it has {headings:?}", path.display())));
            }
        }
        let is_context = |name: &str| context.contains(&name);
        let is_feature = |name: &str| label != Some(name) && !without.contains(&name) && !is_context(name);
        let mut table = Self {
            features: headings.iter().filter(|name| is_feature(name)).cloned().collect(),
            values: Vec::new(),
            labels: label.map(|_| Vec::new()),
            contexts: Vec::new(),
        };
        if table.features.is_empty() {
            return Err(Error::bad_file(path, "it has no column of features"));
        }
        for (line, fields) in lines {
            if fields.len() != headings.len() {
                let reason = format!("line {line}: it has {} columns, the headings {}", fields.len(), headings.len());
                return Err(Error::bad_file(path, reason));
            }
            for (column, (name, field)) in (1..).zip(headings.iter().zip(fields)) {
                let value = || {
                    let wrong = |wrong| format!("line {line}, column {column} (`{name}`): {wrong}");
                    number(&field).map_err(|reason| Error::bad_file(path, wrong(reason)))
                };
                if is_feature(name) {
                    table.values.push(value()?);
                } else if is_context(name) {
                    table.contexts.push(value()? as f32);
                } else if let (true, Some(labels)) = (label == Some(name), &mut table.labels) {
                    labels.push(field);
                }
            }
        }
        if table.values.is_empty() {
            return Err(Error::bad_file(path, "it has headings, and no vector"));
        }
        Ok(table)
    }

    /// Refuses a feature that is the same in every row: its density would be infinite.
    fn expect_to_vary(&self, path: &Path) -> Result<()> {
        for (i, name) in self.features.iter().enumerate() {
            let mut values = self.values.iter().skip(i).step_by(self.features.len());
            let first = values.next();
            if values.len() > 0 && values.all(|value| Some(value) == first) {
                let value = first.copied().unwrap_or_default();
                return Err(Error::bad_file(
                    path,
                    format!(
                        "the feature `{name}` is {value} in every line: its density has no finite value; leave it out \
                         (`?without={name}`)"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn images(&self, path: &Path, classes: &[String]) -> Result<Images> {
        let class = |name: &String| classes.iter().position(|class| class == name).map(|class| class as u16);
        let labels = self.labels.as_ref().map(|labels| labels.iter().map(class).collect::<Option<Vec<_>>>());
        let labels = labels.flatten().filter(|_| classes.len() <= usize::from(u16::MAX));
        let vectors = Images::reals(&self.values, self.features.len(), labels)?.read_from(path, path);
        match self.contexts.len() * self.features.len() / self.values.len() {
            0 => Ok(vectors),
            columns => vectors.with_contexts(Contexts::new(self.contexts.clone(), &[columns])?),
        }
    }
}

/// A finite number.
fn number(field: &str) -> std::result::Result<f64, String> {
    match field.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ if MISSING.contains(&field.to_lowercase().as_str()) => {
            Err(format!("`{field}` is a missing value: fill it in, or leave out the line or the column (`?without=…`)"))
        }
        _ => Err(format!(
            "`{field}` is no finite number: leave the column out (`?without=…`), or, where it names classes, say so \
             (`?label=…`)"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Samples;
    use std::path::PathBuf;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn refusal(text: &str, said: &[(&str, &str)]) -> String {
        let (_folder, path) = file(text);
        let error = load(&path, said).unwrap_err();
        assert!(error.is_input());
        error.to_string()
    }

    #[test]
    fn columns_are_features_but_for_the_labels_and_those_left_out() {
        let (_folder, path) = file("id;x;kind;y\n7;1.5;b;-2\n8;1e3;a;.25\n9;-0;b;3\n");
        let set = load(&path, &[("label", "kind"), ("without", "id")]).unwrap();
        assert_eq!((set.features, set.classes), (vec!["x".into(), "y".into()], vec!["a".into(), "b".into()]));
        assert_eq!(set.test.samples(&[0, 1, 2]).unwrap(), Samples::Reals(vec![1.5, -2.0, 1e3, 0.25, 0.0, 3.0]));
        assert_eq!((set.test.labels().unwrap(), set.train.len()), (&[1, 0, 1][..], 0));
    }

    #[test]
    fn columns_can_be_the_contexts_of_their_rows() {
        let (_folder, path) = file("a,x,b\n1,2,3\n4,5,6\n");
        let set = load(&path, &[("context", "a,b")]).unwrap();
        assert_eq!((set.features, set.test.contexts_of(&[1])), (vec!["x".into()], Some(vec![4.0, 6.0])));
    }

    #[test]
    fn classes_that_are_numbers_are_in_their_order() {
        let (_folder, path) = file("x,c\n1,10\n2,9\n3,-1\n");
        assert_eq!(load(&path, &[("label", "c")]).unwrap().classes, ["-1", "9", "10"]);
    }

    #[test]
    fn a_table_that_was_written_reads_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let (names, values) = (["a, \"b\"".to_owned(), "c".to_owned()], [0.1, -1e-300, 1.0 / 3.0, 2e15]);
        write_table(&path, &names, &values).unwrap();
        let set = load(&path, &[]).unwrap();
        assert_eq!(
            (set.test.samples(&[0, 1]).unwrap(), set.features),
            (Samples::Reals(values.to_vec()), names.to_vec())
        );
    }

    #[test]
    fn rows_to_test_on_may_be_in_a_table_of_their_own() {
        let (folder, path) = file("x,y\n1,2\n3,4\n");
        let other = folder.path().join("test.csv");
        std::fs::write(&other, "x,y\n5,6\n").unwrap();
        let set = load(&path, &[("test", other.to_str().unwrap())]).unwrap();
        assert_eq!((set.train.len(), set.test.samples(&[0]).unwrap()), (2, Samples::Reals(vec![5.0, 6.0])));
        std::fs::write(&other, "x,z\n5,6\n").unwrap();
        let error = load(&path, &[("test", other.to_str().unwrap())]).unwrap_err().to_string();
        assert!(error.contains("its features are"), "{error}");
    }

    #[test]
    fn what_is_no_number_is_told_with_line_and_column() {
        for (text, told) in [
            ("x,y\n1,2\n3,\n", "line 3, column 2 (`y`): `` is a missing value"),
            ("x,y\n1,2\n\nNaN,4\n", "line 4, column 1 (`x`): `NaN` is a missing value"),
            ("x,y\n1,red\n", "line 2, column 2 (`y`): `red` is no finite number"),
            ("x,y\n1,inf\n", "line 2, column 2 (`y`): `inf` is no finite number"),
            ("x,y\n1\n", "line 2: it has 1 columns, the headings 2"),
            ("1,2\n3,4\n", "line 1: its headings are numbers"),
            ("x,y\n1,2\n3,2\n", "the feature `y` is 2 in every line"),
            ("x,y\n", "no vector"),
            ("", "it is empty"),
        ] {
            let message = refusal(text, &[]);
            assert!(message.contains(told), "{text:?}: {message}");
        }
        assert!(refusal("x,y\n1,2\n", &[("label", "z")]).contains("no column `z`; it has"));
    }
}
