//! Layers and networks of a user's own, by the names that flow files give them.

use super::spec::Settings;
use crate::Result;
use crate::backend::{Device, Element, ImageShape, Initializer};
use crate::bijector::Bijector;
use crate::nets::Net;
use std::collections::BTreeMap;

type BuildLayer<E, D> =
    Box<dyn Fn(&Settings, ImageShape, &Initializer<D>) -> Result<Box<dyn Bijector<E, D>>> + Send + Sync>;
type BuildNet<E, D> =
    Box<dyn Fn(&Settings, (usize, usize), &Initializer<D>) -> Result<Box<dyn Net<E, D>>> + Send + Sync>;

/// What `Custom("name", …)` means in a flow file. Empty unless a program adds to it.
pub struct Registry<E: Element, D: Device<E>> {
    layers: BTreeMap<String, BuildLayer<E, D>>,
    nets: BTreeMap<String, BuildNet<E, D>>,
}

impl<E: Element, D: Device<E>> Default for Registry<E, D> {
    fn default() -> Self {
        Self { layers: BTreeMap::new(), nets: BTreeMap::new() }
    }
}

impl<E: Element, D: Device<E>> Registry<E, D> {
    /// Lets `Custom("name", (…))` among layers stand for what `build` makes, from the options in the file and the
    /// shape that reaches the layer.
    pub fn layer(
        mut self,
        name: &str,
        build: impl Fn(&Settings, ImageShape, &Initializer<D>) -> Result<Box<dyn Bijector<E, D>>> + Send + Sync + 'static,
    ) -> Self {
        self.layers.insert(name.to_owned(), Box::new(build));
        self
    }

    /// Lets `net: Custom("name", (…))` in a coupling stand for what `build` makes, from the options in the file and
    /// the channels `(in, out)` that the coupling asks for.
    pub fn net(
        mut self,
        name: &str,
        build: impl Fn(&Settings, (usize, usize), &Initializer<D>) -> Result<Box<dyn Net<E, D>>> + Send + Sync + 'static,
    ) -> Self {
        self.nets.insert(name.to_owned(), Box::new(build));
        self
    }

    pub(super) fn find_layer(&self, name: &str) -> Option<&BuildLayer<E, D>> {
        self.layers.get(name)
    }

    pub(super) fn find_net(&self, name: &str) -> Option<&BuildNet<E, D>> {
        self.nets.get(name)
    }

    pub(super) fn layer_names(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    pub(super) fn net_names(&self) -> impl Iterator<Item = &str> {
        self.nets.keys().map(String::as_str)
    }
}

impl<E: Element, D: Device<E>> std::fmt::Debug for Registry<E, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("layers", &self.layers.keys()).field("nets", &self.nets.keys()).finish()
    }
}
