//! Where in a flow file a value was written.
//!
//! RON values carry no positions. But a file is always read in the same order, so it is enough to
//! number the values as they are read: [`locate`] finds one again by reading the same text once more
//! and stopping at its number.

use std::{cell::Cell, ops::Range};

use ron::{Options, error::Position, extensions::Extensions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _};

/// The number of a value, in the order in which its file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeId(Option<u32>);

impl NodeId {
    /// A value that was not read from a file: a default, or built by a program.
    pub const NOWHERE: Self = Self(None);
}

/// A value that knows where it was written. Reads and writes as the value alone, and is equal to another
/// of the same value from anywhere.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub node: NodeId,
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Self { value, node: NodeId::NOWHERE }
    }
}

impl<T: Default> Default for Located<T> {
    fn default() -> Self {
        T::default().into()
    }
}

impl<T> std::ops::Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> std::ops::DerefMut for Located<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Serialize> Serialize for Located<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Stop {
    Never,
    Before(u32),
    After(u32),
}

/// What a reader stopped on purpose says: no file can say it by itself.
const STOPPED: &str = "\0stopped";

thread_local! {
    /// The number of the next value to be read on this thread, and where to stop.
    static READING: Cell<(u32, Stop)> = const { Cell::new((0, Stop::Never)) };
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (number, stop) = READING.get();
        READING.set((number.saturating_add(1), stop));
        if stop == Stop::Before(number) {
            return Err(D::Error::custom(STOPPED));
        }
        let value = T::deserialize(deserializer)?;
        if stop == Stop::After(number) {
            return Err(D::Error::custom(STOPPED));
        }
        Ok(Self { value, node: NodeId(Some(number)) })
    }
}

/// How flow files are read and written: `field: 5` for an optional field, `Layer(field: 5)` for a layer with options.
pub(crate) fn options() -> Options {
    Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

fn read_until<T: DeserializeOwned>(text: &str, stop: Stop) -> Result<T, ron::error::SpannedError> {
    READING.set((0, stop));
    let result = options().from_str(text);
    READING.set((0, Stop::Never));
    result
}

/// Reads a value whose [`Located`] parts can be found again with [`locate`].
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, ron::error::SpannedError> {
    read_until(text, Stop::Never)
}

/// The bytes of `text` that the value was read from, where `text` was read as a `T`.
pub fn locate<T: DeserializeOwned>(text: &str, node: NodeId) -> Option<Range<usize>> {
    let number = node.0?;
    // ron's cursor has skipped white space when a value begins, and has not when it ends: both are exact.
    let stopped_at = |stop| match read_until::<T>(text, stop) {
        Err(error) if error.code.to_string() == STOPPED => Some(offset(text, error.span.end)),
        _ => None,
    };
    Some(stopped_at(Stop::Before(number))?..stopped_at(Stop::After(number))?)
}

/// The byte at a line and column of ron's.
pub(crate) fn offset(text: &str, position: Position) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(position.line.saturating_sub(1)).map(str::len).sum();
    let line = &text[line_start..];
    line_start + line.char_indices().nth(position.col.saturating_sub(1)).map_or(line.len(), |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Debug)]
    enum Tree {
        Leaf(#[allow(dead_code)] u32),
        Node(Vec<Located<Tree>>),
    }

    fn flatten(tree: &Located<Tree>, into: &mut Vec<NodeId>) {
        into.push(tree.node);
        if let Tree::Node(children) = &tree.value {
            children.iter().for_each(|child| flatten(child, into));
        }
    }

    #[test]
    fn every_value_is_found_where_it_was_written() {
        let text = "\n  Node([ // é, a comment, Leaf(9)\n    Leaf(1),Leaf( 2 ) ,\n/* ü */ Node([Leaf\n(3)]), ])  \n";
        let tree: Located<Tree> = read(text).unwrap();
        let mut nodes = Vec::new();
        flatten(&tree, &mut nodes);
        let found: Vec<_> = nodes.into_iter().map(|node| &text[locate::<Located<Tree>>(text, node).unwrap()]).collect();
        assert_eq!(found[0], text.trim());
        assert_eq!(found[1..], ["Leaf(1)", "Leaf( 2 )", "Node([Leaf\n(3)])", "Leaf\n(3)"]);
    }

    #[test]
    fn what_was_not_read_is_nowhere() {
        assert_eq!(locate::<Located<Tree>>("Leaf(1)", NodeId::NOWHERE), None);
        assert_eq!(locate::<Located<Tree>>("Leaf(1)", NodeId(Some(1))), None);
    }
}
