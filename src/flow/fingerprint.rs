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
        let tensors = self.flow.tensors(device)?;
        let bytes = tensors.iter().flat_map(|(name, (_, values))| {
            name.bytes().chain(values.iter().flat_map(|value| value.as_f64().to_le_bytes()))
        });
        Ok(files::fingerprint(self.file.text.bytes().chain(bytes)))
    }
}
