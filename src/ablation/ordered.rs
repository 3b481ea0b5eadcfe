//! Names with their values, in the order in which a file has them.

use crate::notation::{Located, NodeId};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// One name with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// The name.
    pub name: String,
    /// Where the name was written.
    pub node: NodeId,
    /// The value.
    pub value: T,
}

/// A map of a file, in its order; no name is in it twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Ordered<T>(pub Vec<Entry<T>>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<Entry<T>> = Vec::new();
                while let Some(Located { value: name, node }) = map.next_key::<Located<String>>()? {
                    if entries.iter().any(|entry| entry.name == name) {
                        return Err(A::Error::custom(format!("`{name}` is given twice")));
                    }
                    entries.push(Entry { name, node, value: map.next_value()? });
                }
                Ok(Ordered(entries))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}
