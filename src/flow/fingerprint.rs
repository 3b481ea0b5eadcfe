//! What tells one model from another.

use super::Model;
use crate::backend::{Device, Element};
use crate::{Result, files};

impl<E: Element, D: Device<E>> Model<E, D> {
    /// Sixteen hexadecimal digits of the flow file and of every parameter's name and values, as doubles. Two models with
    /// the same one map images alike. It does not depend on the precision that the model was loaded in, but on whether
    /// its weights are averaged or raw.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn fingerprint(&self, device: &D) -> Result<String> {
        let mut hash = files::Fingerprint::default();
        hash.add(self.file.text.as_bytes());
        for (name, (_, values)) in self.flow.tensors(device)? {
            hash.add(name.as_bytes());
            values.iter().for_each(|value| hash.add(&value.as_f64().to_le_bytes()));
        }
        Ok(hash.to_string())
    }
}
