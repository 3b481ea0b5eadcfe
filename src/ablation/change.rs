//! From a flow and what is to be set in it to another flow.

use super::file::{AblationFile, Change};
use super::settings::{Setting, settings};
use crate::flow::FlowFile;
use crate::flow::spec::FlowSpec;
use crate::notation::suggestion;
use crate::{Error, Result};
use std::ops::Range;

/// What the ablation itself says of every run, and how.
const GIVEN: [(&str, &str); 3] = [("seed", "seeds"), ("length", "budget"), ("time_limit", "budget")];

/// The flow with all changes made: first the definitions, then the settings, each in the order given.
///
/// # Errors
/// [`Error::FlowFile`] where the ablation names what the flow does not have, or a value is wrong.
pub(super) fn changed(file: &AblationFile, base: &FlowFile, changes: &[Change]) -> Result<FlowSpec> {
    let is_definition = |change: &&Change| base.spec.define.contains_key(&change.name);
    let (definitions, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(is_definition);
    let mut spec = base.spec.clone();
    for change in definitions {
        spec = put(
            file,
            &spec,
            change,
            |setting| matches!(setting.path.as_slice(), [_, define, name] if define == "define" && *name == change.name),
        )?;
    }
    for change in others {
        if let Some((_, given_by)) = GIVEN.iter().find(|(name, _)| change.name.rsplit('.').next() == Some(name)) {
            let message = format!("`{}` is not a setting of a variant", change.name);
            return Err(file.error_at(change.name_at.clone(), message, Some(format!("it is given by `{given_by}`"))));
        }
        spec = put(file, &spec, change, |setting| setting.is_called(&change.name))?;
    }
    Ok(spec)
}

/// The flow with one value put wherever the setting stands.
fn put(file: &AblationFile, spec: &FlowSpec, change: &Change, is_it: impl Fn(&Setting) -> bool) -> Result<FlowSpec> {
    let text = spec.to_ron()?;
    let all = settings(&text);
    let places: Vec<Range<usize>> = all.iter().filter(|s| is_it(s)).map(|s| s.value.clone()).collect();
    if places.is_empty() {
        return Err(unknown(file, spec, change, &all));
    }
    let value = &file.text[change.value_at.clone()];
    let (mut patched, mut from, mut put) = (String::new(), 0, Vec::new());
    // A setting may be within another of the same name: only the outer one is set.
    for place in places {
        if place.start >= from {
            patched += &text[from..place.start];
            put.push(patched.len()..patched.len() + value.len());
            patched += value;
            from = place.end;
        }
    }
    patched += &text[from..];
    FlowFile::parse(&file.name, patched).map(|flow| flow.spec).map_err(|error| explain(file, change, &put, error))
}

/// An error of the changed flow, as one of the ablation file: at its place within the value if it has one.
fn explain(file: &AblationFile, change: &Change, put: &[Range<usize>], error: Error) -> Error {
    let Error::FlowFile(error) = error else { return error };
    let (range, value) = (error.range(), &change.value_at);
    let within = put.iter().find(|put| put.start <= range.start && range.end <= put.end);
    let place = match within {
        Some(put) => value.start + range.start - put.start..value.start + range.end - put.start,
        None => value.clone(),
    };
    Box::new(error.moved(&file.name, &file.text, place)).into()
}

fn unknown(file: &AblationFile, spec: &FlowSpec, change: &Change, all: &[Setting]) -> Error {
    let own = change.name.rsplit('.').next().unwrap_or(&change.name);
    let is_setting = |name: &&str| name.starts_with(char::is_lowercase) || *name == "Repeat";
    let mut names: Vec<&str> =
        all.iter().filter_map(|s| s.path.last()).map(String::as_str).filter(is_setting).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !spec.define.contains_key(*name) && !GIVEN.iter().any(|(given, _)| given == name));
    let names = spec.define.keys().map(String::as_str).chain(names);
    let message = format!("the flow has no definition and no setting called `{}`", change.name);
    file.error_at(change.name_at.clone(), message, Some(suggestion(own, names)))
}
