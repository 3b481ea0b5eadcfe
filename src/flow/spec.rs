//! What a flow file can say: the image, the layers, the prior and the training.

use crate::notation::{Located, options};
use std::collections::BTreeMap;

use ron::ser::PrettyConfig;
use serde::{Deserialize, Serialize};

use super::bounds;
pub use super::{context_spec::*, layer_spec::*, recipe::*};
use crate::error::{Error, Result};

/// Lists of layers by name, for [`LayerSpec::Use`].
pub type Definitions = BTreeMap<String, Vec<Layer>>;

/// A flow, as its file declares it.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename = "Flow", deny_unknown_fields)]
pub struct FlowSpec {
    /// The images it models. A flow has either these or vectors.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::given")]
    pub image: Option<Located<ImageSpec>>,
    /// The vectors of real numbers that it models.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "bounds::given")]
    pub vector: Option<Located<VectorSpec>>,
    /// What the samples are given: p(x | c) in every coupling, split and prior. Default nothing.
    #[serde(default)]
    pub context: Located<ContextSpec>,
    /// The network through which layers see the context. Default none: as it is.
    #[serde(default)]
    pub encoder: Located<EncoderSpec>,
    /// Named lists of layers. Default none.
    #[serde(default, deserialize_with = "bounds::no_name_twice")]
    pub define: Definitions,
    /// The layers, from image to latents.
    pub layers: Vec<Layer>,
    /// The distribution of what the layers leave. Default `Gaussian()`.
    #[serde(default)]
    pub prior: Located<Prior>,
    /// How to train. Default: the reference code's recipe.
    #[serde(default)]
    pub train: Located<Recipe>,
}

/// What a flow models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleSpec {
    /// Images of grey levels.
    Image(ImageSpec),
    /// Vectors of real numbers.
    Vector(VectorSpec),
}

/// The vectors of real numbers that a flow models.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename = "vector", deny_unknown_fields)]
pub struct VectorSpec {
    /// Numbers in a vector. `train` takes it from its data where it is not said.
    #[serde(default, deserialize_with = "bounds::optional_count")]
    pub features: Option<usize>,
}

impl VectorSpec {
    /// What makes a field that is right impossible.
    pub(crate) fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        (self.features.unwrap_or(0) > 1 << 20).then_some(("a vector has more than 2^20 features", "check `features`"))
    }
}

impl FlowSpec {
    /// What it models: a file that was read has either images or vectors.
    pub fn samples(&self) -> SampleSpec {
        match (&self.image, &self.vector) {
            (Some(image), _) => SampleSpec::Image(image.value),
            (None, Some(vector)) => SampleSpec::Vector(vector.value),
            (None, None) => SampleSpec::Vector(VectorSpec { features: None }),
        }
    }

    /// The shape of its samples: a vector is an image of one pixel.
    pub fn shape(&self) -> [usize; 3] {
        match self.samples() {
            SampleSpec::Image(image) => [image.height, image.width, image.channels],
            SampleSpec::Vector(vector) => [1, 1, vector.features.unwrap_or(0)],
        }
    }

    /// The text of a flow file that reads as this flow, with every option written out.
    pub fn to_ron(&self) -> Result<String> {
        let pretty = PrettyConfig::new().new_line("\n").depth_limit(2);
        options()
            .to_string_pretty(self, pretty)
            .map(|fields| format!("Flow{fields}\n"))
            .map_err(|error| Error::Usage(format!("this flow cannot be written as a file: {error}")))
    }
}

/// The images that a flow models. Give `bits` or `bins`, not both; neither means `bits: 8`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename = "image", deny_unknown_fields)]
pub struct ImageSpec {
    /// Height in pixels.
    #[serde(deserialize_with = "bounds::count")]
    pub height: usize,
    /// Width in pixels.
    #[serde(deserialize_with = "bounds::count")]
    pub width: usize,
    /// Channels: 1 for grey, 3 for colours.
    #[serde(deserialize_with = "bounds::count")]
    pub channels: usize,
    /// Bits of a value, 1 to 8; bytes are cut down to their highest bits.
    #[serde(default, deserialize_with = "bounds::optional_bits")]
    pub bits: Option<u32>,
    /// Values that a channel of a pixel can have, 2 to 256, where that is not a power of two.
    #[serde(default, deserialize_with = "bounds::optional_bins")]
    pub bins: Option<u32>,
}

impl ImageSpec {
    /// How many values a channel of a pixel can have.
    pub fn bins(&self) -> u32 {
        self.bins.unwrap_or_else(|| 1 << self.bits.unwrap_or(8).min(8))
    }

    /// Dimensions of an image: height × width × channels.
    pub fn dims(&self) -> usize {
        self.height.saturating_mul(self.width).saturating_mul(self.channels)
    }

    /// What makes fields that are right each impossible together.
    pub(crate) fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        if self.bits.is_some() && self.bins.is_some() {
            Some(("`bits` and `bins` are both given", "give one: `bits: 5` is the same as `bins: 32`"))
        } else if self.dims() > 1 << 28 {
            Some(("the image has more than 2^28 values", "check height, width and channels"))
        } else {
            None
        }
    }
}

/// The distribution of the last latent, and of images given their class.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "prior")]
pub enum Prior {
    /// `Gaussian()`: a Gaussian, each dimension by itself.
    Gaussian(GaussianPrior),
}

impl Default for Prior {
    fn default() -> Self {
        Self::Gaussian(GaussianPrior::default())
    }
}

impl Prior {
    /// What makes fields that are right each impossible together.
    pub(crate) fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        let Self::Gaussian(prior) = self;
        (prior.classifier && prior.classes.is_none())
            .then_some(("a classifier needs classes", "say how many: `classes: 10`"))
    }
}

/// Options of [`Prior::Gaussian`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianPrior {
    /// Whether mean and standard deviation are learned, else 0 and 1. Default true, as in every published run.
    pub learned: bool,
    /// How many classes of images there are, each with a mean and standard deviation of its own. Default none.
    #[serde(deserialize_with = "bounds::optional_size")]
    pub classes: Option<usize>,
    /// Whether a linear classifier on the last latent is trained along. Default false.
    pub classifier: bool,
    /// The weight of the classifier's cross-entropy, in bits, beside bits/dim. Default 0.01.
    #[serde(deserialize_with = "bounds::not_negative")]
    pub weight_y: f64,
    /// The factor in the gains `exp(factor · logs)` of the prior's layers. Default 3.
    #[serde(deserialize_with = "bounds::positive")]
    pub log_scale_factor: f64,
    /// Whether the prior's layers, and the classifier, have these gains. Default true; the paper has none.
    pub gain: bool,
    /// Whether the learned Gaussian's convolution sees the border of the image. Default true.
    pub edge_channel: bool,
}

impl Default for GaussianPrior {
    fn default() -> Self {
        Self {
            learned: true,
            classes: None,
            classifier: false,
            weight_y: 0.01,
            log_scale_factor: 3.0,
            gain: true,
            edge_channel: true,
        }
    }
}
