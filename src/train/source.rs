//! The data of a recipe, as its flow wants them.

use crate::data::{self, Cut, DataSet, LevelsOf, Opening};
use crate::flow::FlowFile;
use crate::flow::spec::{Fit, Loading, SampleSpec};
use crate::{Error, Result};
use std::path::Path;

/// Reads the data set that is named, or else the recipe's own: shrunk, padded or cropped as the recipe says, in the
/// flow's grey levels. Pictures of any size are brought to the flow's.
///
/// # Errors
/// [`Error::Usage`] where no data are named, or they cannot be made to fit; otherwise as [`data::open`].
pub fn open_data(file: &FlowFile, name: Option<&str>) -> Result<DataSet> {
    open_data_as(file, name, false)
}

/// The same; whether pictures that cannot be read are left out is the caller's to say, since no recipe does.
///
/// # Errors
/// As [`open_data`].
pub fn open_data_as(file: &FlowFile, name: Option<&str>, skip_unreadable: bool) -> Result<DataSet> {
    let recipe = &file.spec.train;
    let of_recipe = name.is_none();
    let name = name.or(recipe.data.as_deref());
    let name =
        name.ok_or_else(|| Error::Usage("which data is not said: give --data, or `data` in the recipe".into()))?;
    let image = match file.spec.samples() {
        SampleSpec::Image(image) => image,
        SampleSpec::Vector(_) => {
            let opened = data::open_vectors(name);
            return opened.map_err(|error| if of_recipe { of_the_recipe(file, name, error) } else { error });
        }
    };
    let before = |side: usize| side.saturating_mul(recipe.shrink);
    let opening = Opening {
        shape: Some([before(image.height), before(image.width), image.channels]),
        cut: match recipe.fit {
            Fit::RandomCrop { shorter_side } => Cut::Window { shorter_side },
            Fit::Exact | Fit::Pad | Fit::Crop => Cut::Middle,
        },
        memory: match recipe.loading {
            Loading::Auto { mib } => (mib as u64).saturating_mul(1 << 20),
            Loading::Memory => u64::MAX,
            Loading::Stream => 0,
        },
        skip_unreadable,
    };
    let opened = data::open_as(name, &opening);
    let opened = opened.map_err(|error| if of_recipe { of_the_recipe(file, name, error) } else { error })?;
    let counted = match (data::levels_of(name)?, recipe.levels) {
        (LevelsOf::Told(levels), _) | (_, Some(levels)) => opened.of_levels(levels)?,
        (LevelsOf::Values, None) => opened.of_likely_levels(image.bins())?,
        (LevelsOf::Itself, None) => opened,
    };
    let data = counted.shrunk(recipe.shrink)?;
    let data = match recipe.fit {
        Fit::Exact => data,
        Fit::Pad => data.padded([image.height, image.width])?,
        Fit::Crop => data.cropped([image.height, image.width])?,
        Fit::RandomCrop { .. } => data.windowed([image.height, image.width])?,
    };
    data.with_bins(image.bins())?.telling_constant()
}

/// Says of an error about the recipe's own data that they are the recipe's, where a relative place of theirs is not there:
/// it was meant from another folder.
fn of_the_recipe(file: &FlowFile, source: &str, error: Error) -> Error {
    let is_missing = matches!(&error, Error::Io { reason, .. } if reason.kind() == std::io::ErrorKind::NotFound);
    if !is_missing || !source.split_once(':').is_some_and(|(_, place)| Path::new(place).is_relative()) {
        return error;
    }
    let here = std::env::current_dir().unwrap_or_default();
    Error::Usage(format!(
        "{error}: the data `{source}` are those of the recipe of `{}`, and are not in {}; say where they are with --data",
        file.name,
        here.display()
    ))
}
