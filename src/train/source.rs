//! The data of a recipe, as its flow wants them.

use crate::data::{self, DataSet};
use crate::flow::FlowFile;
use crate::flow::spec::Fit;
use crate::{Error, Result};

/// Reads the data set that is named, or else the recipe's own: shrunk, padded or cropped as the recipe says, in the
/// flow's grey levels. Pictures of any size are brought to the flow's.
///
/// # Errors
/// [`Error::Usage`] where no data are named, or they cannot be made to fit; otherwise as [`data::open`].
pub fn open_data(file: &FlowFile, name: Option<&str>) -> Result<DataSet> {
    let recipe = &file.spec.train;
    let name = name.or(recipe.data.as_deref());
    let name =
        name.ok_or_else(|| Error::Usage("which data is not said: give --data, or `data` in the recipe".into()))?;
    let image = &file.spec.image;
    let before = |side: usize| side.saturating_mul(recipe.shrink);
    let shape = [before(image.height), before(image.width), image.channels];
    let data = data::open_as(name, Some(shape))?.shrunk(recipe.shrink)?;
    let data = match recipe.fit {
        Fit::Exact => data,
        Fit::Pad => data.padded([image.height, image.width])?,
        Fit::Crop => data.cropped([image.height, image.width])?,
    };
    data.with_bins(image.bins())
}
