//! The data of a recipe, as its flow wants them.

use crate::data::{self, DataSet};
use crate::flow::FlowFile;
use crate::{Error, Result};

/// Reads the data set that is named, or else the recipe's own: shrunk as the recipe says, in the flow's grey levels.
///
/// # Errors
/// [`Error::Usage`] where no data are named, or they cannot be made to fit; otherwise as [`data::open`].
pub fn open_data(file: &FlowFile, name: Option<&str>) -> Result<DataSet> {
    let recipe = &file.spec.train;
    let name = name.or(recipe.data.as_deref());
    let name =
        name.ok_or_else(|| Error::Usage("which data is not said: give --data, or `data` in the recipe".into()))?;
    data::open(name)?.shrunk(recipe.shrink)?.with_bins(file.spec.image.bins())
}
