//! What an ablation file can say.

use super::ordered::Ordered;
use crate::flow::spec::{Length, Recipe};
use crate::notation::Located;
use ron::value::RawValue;
use serde::{Deserialize, Deserializer};
use std::fmt;

/// An ablation, as its file declares it.
#[derive(Deserialize, Clone, Debug)]
#[serde(rename = "Ablation", deny_unknown_fields)]
pub struct AblationSpec {
    /// What the report is called. Default: the name of the file.
    #[serde(default)]
    pub title: Option<String>,
    /// The flow that is varied: a path from the folder of this file, or the name of a flow that comes with the program.
    pub flow: Located<String>,
    /// Settings of every run that differ from the flow's own. Default none.
    #[serde(default)]
    pub set: Ordered<Located<Raw>>,
    /// What is varied, by name: for each factor its values by name. Every combination of values is a variant.
    pub vary: Ordered<Ordered<Located<Raw>>>,
    /// Every variant is trained once from each of these.
    pub seeds: Located<Vec<u64>>,
    /// How long each run is.
    pub budget: Located<Budget>,
}

/// How long each run is.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "budget")]
pub enum Budget {
    /// `Epochs(10)`: passes over the training data; fractions count.
    Epochs(f64),
    /// `Images(50000)`: training images seen, each as often as it is.
    Images(u64),
    /// `Steps(600)`: batches.
    Steps(u64),
    /// `Seconds(60)`: of training steps, without evaluations. Such runs cannot be reproduced.
    Seconds(f64),
}

impl Budget {
    /// Whether there is anything to train.
    pub fn is_positive(self) -> bool {
        match self {
            Self::Epochs(amount) | Self::Seconds(amount) => amount > 0.0 && amount.is_finite(),
            Self::Images(amount) | Self::Steps(amount) => amount > 0,
        }
    }

    /// Lets a recipe say it.
    pub fn put_into(self, recipe: &mut Recipe) {
        recipe.length = match self {
            Self::Epochs(epochs) => Some(Length::Epochs(epochs)),
            Self::Images(images) => Some(Length::Images(images)),
            Self::Steps(steps) => Some(Length::Steps(steps)),
            Self::Seconds(_) => None,
        };
        recipe.time_limit = if let Self::Seconds(seconds) = self { Some(seconds) } else { None };
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Epochs(epochs) => write!(f, "{epochs} epochs"),
            Self::Images(images) => write!(f, "{images} images"),
            Self::Steps(steps) => write!(f, "{steps} steps"),
            Self::Seconds(seconds) => write!(f, "{seconds} s of training steps"),
        }
    }
}

/// A value of any kind; what it means depends on where it is put, and its text is read there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raw;

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|_| Self)
    }
}
