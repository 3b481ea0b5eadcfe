//! Ablation files: found by path or by the name of one that comes with the program, and read.

use super::ordered::{Entry, Ordered};
use super::settings::trimmed;
use super::spec::{AblationSpec, Raw};
use crate::flow::{FlowFile, find};
use crate::notation::{FileKind, FlowFileError, Located, NodeId, locate, read};
use crate::{Error, Result};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

/// The ablations that come with the program: their names and texts.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("cifar10-small", include_str!("../../flows/ablation/cifar10-small.ron")),
    ("digits", include_str!("../../flows/ablation/digits.ron")),
    ("lu", include_str!("../../flows/ablation/lu.ron")),
    ("memory", include_str!("../../flows/ablation/memory.ron")),
    ("paper", include_str!("../../flows/ablation/paper.ron")),
    ("paper-or-code", include_str!("../../flows/ablation/paper-or-code.ron")),
    ("scale-map", include_str!("../../flows/ablation/scale-map.ron")),
];

const ABLATION: FileKind = FileKind {
    noun: "ablation",
    what: "an ablation",
    start: "an ablation file reads `Ablation(flow: \"…\", vary: {\"…\": {\"…\": …}}, seeds: [0, 1, 2], budget: Epochs(10))`",
};

/// An ablation file that has been read: its text, and what the text says.
#[derive(Clone, Debug)]
pub struct AblationFile {
    /// Its path, or the name of a built-in ablation.
    pub name: String,
    /// The file as it is.
    pub text: String,
    /// What it declares.
    pub spec: AblationSpec,
}

/// Something to set in a flow, and where the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// A definition, or a setting.
    pub(super) name: String,
    /// The bytes of the name.
    pub(super) name_at: Range<usize>,
    /// The bytes of the value.
    pub(super) value_at: Range<usize>,
}

impl AblationFile {
    /// Reads the file of this path, or else the built-in ablation of this name.
    ///
    /// # Errors
    /// [`Error::FlowFile`] with the line where the file is wrong, [`Error::Usage`] if there is none.
    pub fn read(path_or_name: &str) -> Result<Self> {
        let (name, text) = find(path_or_name, ABLATION, &BUILT_IN)?;
        Self::parse(name, text)
    }

    /// Reads an ablation from a text; the name is for messages, and the flow is looked for beside it.
    ///
    /// # Errors
    /// [`Error::FlowFile`] with the line where the text is wrong.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (name, text) = (name.into(), text.into());
        let spec = read(&text).map_err(|error| Box::new(FlowFileError::from_ron(&name, &text, error, ABLATION)))?;
        let file = Self { name, text, spec };
        file.check()?;
        Ok(file)
    }

    /// The name without folder and ending.
    pub fn stem(&self) -> &str {
        Path::new(&self.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or("ablation")
    }

    /// The flow that is varied.
    ///
    /// # Errors
    /// [`Error::FlowFile`] if there is none, or it is wrong.
    pub fn base(&self) -> Result<FlowFile> {
        let beside = Path::new(&self.name).parent().map(|folder| folder.join(self.spec.flow.as_str()));
        let found = beside.filter(|path| path.is_file()).and_then(|path| path.to_str().map(str::to_owned));
        match FlowFile::read(&found.unwrap_or_else(|| self.spec.flow.value.clone())) {
            Err(Error::Usage(message)) => Err(self.error_at(self.place(self.spec.flow.node), message, None)),
            other => other,
        }
    }

    /// An error about these bytes of the file.
    pub(super) fn error_at(&self, range: Range<usize>, message: impl Into<String>, help: Option<String>) -> Error {
        Box::new(FlowFileError::new(&self.name, &self.text, range, message.into(), help)).into()
    }

    /// The bytes that a value was read from.
    pub(super) fn place(&self, node: NodeId) -> Range<usize> {
        self.place_in::<AblationSpec>(0..self.text.len(), node)
    }

    fn place_in<T: DeserializeOwned>(&self, part: Range<usize>, node: NodeId) -> Range<usize> {
        let text = &self.text[part.clone()];
        let range = locate::<T>(text, node).map_or(0..0, |range| trimmed(text, range));
        part.start + range.start..part.start + range.end
    }

    /// What `set` says.
    pub(super) fn set(&self) -> Vec<Change> {
        let entries = self.spec.set.0.iter();
        entries.map(|entry| self.change(&entry.name, entry.node, entry.value.node)).collect()
    }

    /// What a value of a factor says: the setting that the factor is named after, or several in braces.
    ///
    /// # Errors
    /// [`Error::FlowFile`] where braces do not hold settings with their values.
    pub(super) fn changes(&self, factor: &Entry<Ordered<Located<Raw>>>, value: &Located<Raw>) -> Result<Vec<Change>> {
        let part = self.place(value.node);
        if !self.text[part.clone()].starts_with('{') {
            return Ok(vec![self.change(&factor.name, factor.node, value.node)]);
        }
        type Several = Ordered<Located<Raw>>;
        let inner = &self.text[part.clone()];
        let several: Several = read(inner).map_err(|error| {
            let error = FlowFileError::from_ron(&self.name, inner, error, ABLATION);
            let range = part.start + error.range().start..part.start + error.range().end;
            Box::new(error.moved(&self.name, &self.text, range))
        })?;
        let place = |node| self.place_in::<Several>(part.clone(), node);
        let change = |entry: Entry<Located<Raw>>| Change {
            name: entry.name,
            name_at: place(entry.node),
            value_at: place(entry.value.node),
        };
        Ok(several.0.into_iter().map(change).collect())
    }

    fn change(&self, name: &str, name_node: NodeId, value: NodeId) -> Change {
        Change { name: name.to_owned(), name_at: self.place(name_node), value_at: self.place(value) }
    }

    fn check(&self) -> Result<()> {
        let AblationSpec { vary, seeds, budget, .. } = &self.spec;
        let refuse =
            |node, message: String, help: &str| Err(self.error_at(self.place(node), message, Some(help.into())));
        if vary.0.is_empty() {
            return Err(self.error_at(
                0..0,
                "`vary` names nothing to vary",
                Some("name a factor and its values".into()),
            ));
        }
        if let Some(factor) = vary.0.iter().find(|factor| factor.value.0.is_empty()) {
            return refuse(factor.node, format!("`{}` has no values", factor.name), "give each value a name");
        }
        if seeds.is_empty() {
            return refuse(seeds.node, "there are no seeds".into(), "write `[0, 1, 2]`");
        }
        let mut seen = HashSet::new();
        if let Some(twice) = seeds.iter().find(|seed| !seen.insert(**seed)) {
            return refuse(seeds.node, format!("seed {twice} is given twice"), "runs of one seed are the same");
        }
        if !budget.is_positive() {
            return refuse(budget.node, "the budget is nothing".into(), "write `Epochs(10)`, with a number above 0");
        }
        Ok(())
    }
}
