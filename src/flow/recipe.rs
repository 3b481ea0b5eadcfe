//! What a flow file can say about training.
//!
//! The defaults are the reference code's, at 32×32. It scales its batch (64 a worker) and the images of the
//! data-dependent initialisation with 32²/size²; here they count what they say.

use serde::{Deserialize, Serialize};

use super::bounds;

/// How to train a flow.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename = "train", default, deny_unknown_fields)]
pub struct Recipe {
    /// The data, as the command line names it, such as `"digits"` or `"cifar10:DIR"`. Default none: it must be given.
    pub data: Option<String>,
    /// The data's images are shrunk by this whole factor in each direction, by averaging. Default 1.
    #[serde(deserialize_with = "bounds::size")]
    pub shrink: usize,
    /// What is done with images that are not of the flow's size, after shrinking. Default `Exact`.
    pub fit: Fit,
    /// How many grey levels the data have, where that does not follow from them. Default: 256, and of arrays what their
    /// largest value and the flow's levels say.
    #[serde(deserialize_with = "bounds::optional_levels")]
    pub levels: Option<u32>,
    /// Whether images are held in memory, or read when they are needed. Default `Auto()`.
    pub loading: Loading,
    /// What is done at random to training images. Default `Off`; the reference code has `Standard()` on CIFAR-10.
    pub augmentation: Augmentation,
    /// Images in a batch. Default 64; the paper's CIFAR-10 runs have 8 workers of 64.
    #[serde(deserialize_with = "bounds::size")]
    pub batch: usize,
    /// How long to train. Default: until stopped.
    pub length: Option<Length>,
    /// What every random number is drawn from. Default 0.
    pub seed: u64,
    /// The step size once warm. Default 0.001.
    #[serde(deserialize_with = "bounds::positive")]
    pub learning_rate: f64,
    /// Default `Adamax()`; the paper says Adam.
    pub optimizer: Optimizer,
    /// How long the learning rate grows linearly from 0. Default `Epochs(10)`.
    pub warmup: Length,
    /// The running mean of the weights. Default `Polyak()`.
    pub averaging: Averaging,
    /// Images of the data-dependent initialisation. Default 256.
    #[serde(deserialize_with = "bounds::size")]
    pub initialization_images: usize,
    /// The largest L2 norm of the gradient of all parameters together; a longer one is shortened. Default none.
    #[serde(deserialize_with = "bounds::optional_positive")]
    pub clip_gradient_norm: Option<f64>,
    /// Images of the training data held out to validate on, evenly from each class. Default 0.
    pub validation: usize,
    /// How often to validate; at least a step apart. Default `Epochs(1)`.
    pub validate_every: Length,
    /// How often to evaluate on test images along the way, and once more at the end. Nothing of it moves the training.
    /// Default never.
    pub test_every: Option<Length>,
    /// How many test images are evaluated along the way, evenly from each class. Default all.
    #[serde(deserialize_with = "bounds::optional_count")]
    pub test_images: Option<usize>,
    /// Seconds of training steps after which the run ends, whatever `length` says. Such a run cannot be reproduced.
    /// Default none.
    #[serde(deserialize_with = "bounds::optional_positive")]
    pub time_limit: Option<f64>,
    /// Where the backward pass finds activations. Default `Invert`; the reference code stores.
    pub memory: Memory,
    /// The largest drift of a step: `max |rebuilt − true| / max(1, max |true|)` over the images at every level's border.
    /// Beyond it the step is computed again from stored activations. Default 3·√ε of the precision.
    #[serde(deserialize_with = "bounds::optional_positive")]
    pub drift_bound: Option<f64>,
}

impl Recipe {
    /// What of it is of images alone, where the flow is of vectors.
    pub(crate) fn contradiction_of_vectors(&self) -> Option<(&'static str, &'static str)> {
        let of_images = self.shrink != 1
            || self.fit != Fit::Exact
            || self.levels.is_some()
            || self.augmentation != Augmentation::Off;
        of_images.then_some((
            "`shrink`, `fit`, `levels` and `augmentation` are for images, and this flow is of vectors",
            "leave them out",
        ))
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            data: None,
            shrink: 1,
            fit: Fit::Exact,
            levels: None,
            loading: Loading::default(),
            augmentation: Augmentation::Off,
            batch: 64,
            length: None,
            seed: 0,
            learning_rate: 1e-3,
            optimizer: Optimizer::default(),
            warmup: Length::Epochs(10.0),
            averaging: Averaging::default(),
            initialization_images: 256,
            clip_gradient_norm: None,
            validation: 0,
            validate_every: Length::Epochs(1.0),
            test_every: None,
            test_images: None,
            time_limit: None,
            memory: Memory::Invert,
            drift_bound: None,
        }
    }
}

/// How data of another height or width come to the flow's.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename = "fit", deny_unknown_fields)]
pub enum Fit {
    /// `Exact`: they do not; it is an error.
    #[default]
    Exact,
    /// `Pad`: a border of level 0 around them, as the reference code pads MNIST to 32×32. Bits/dim count it.
    Pad,
    /// `Crop`: their middle.
    Crop,
    /// `RandomCrop(shorter_side: 96)`: of each training image a window at a random place, another one every time; of those
    /// of validation and test the middle. With 96 and images of 64×64, RealNVP's LSUN.
    RandomCrop {
        /// Pictures of a folder are first brought to this many pixels on their shorter side, times `shrink`. Default: they
        /// stay as large as they are. Other data always do.
        #[serde(default, deserialize_with = "bounds::optional_count")]
        shorter_side: Option<usize>,
    },
}

/// Where images are until they are needed. It changes time and memory, and nothing else.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename = "loading", deny_unknown_fields)]
pub enum Loading {
    /// `Auto()`: in memory, where those of a split take no more than a budget.
    Auto {
        /// The budget, in MiB. Default 2048.
        #[serde(default = "two_gibibytes")]
        mib: usize,
    },
    /// `Memory`: in memory.
    Memory,
    /// `Stream`: in their files, if they are pictures or NumPy's arrays; other data are always held. They are read in the
    /// background.
    Stream,
}

impl Default for Loading {
    fn default() -> Self {
        Self::Auto { mib: two_gibibytes() }
    }
}

/// Random changes of training images. Those of validation and test are never changed.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(rename = "augmentation", deny_unknown_fields)]
pub enum Augmentation {
    /// `Off`: none.
    #[default]
    Off,
    /// `Standard()`: each image is shifted up or down and left or right, and the pixels at the border are repeated. So
    /// are those of the data-dependent initialisation, as in the reference code.
    Standard {
        /// The farthest shift each way, as a share of the side. Default 0.1.
        #[serde(default = "tenth", deserialize_with = "bounds::share")]
        range: f64,
        /// Default `Fractional`.
        #[serde(default)]
        shifts: Shifts,
        /// Whether every other image, at random, is mirrored from left to right. Default false.
        #[serde(default)]
        flip: bool,
    },
}

/// The shifts that are drawn.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename = "shifts")]
pub enum Shifts {
    /// `Fractional`: any within the range; levels are interpolated, which blurs, and rounded down. The reference code's.
    #[default]
    Fractional,
    /// `Whole`: a whole number of pixels, so that levels stay what they are.
    Whole,
}

fn tenth() -> f64 {
    0.1
}

/// A stretch of training.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "length")]
pub enum Length {
    /// `Epochs(10)`: passes over the training data; fractions count.
    Epochs(#[serde(deserialize_with = "bounds::not_negative")] f64),
    /// `Images(50000)`: training images seen, each as often as it is.
    Images(u64),
    /// `Steps(600)`: batches.
    Steps(u64),
}

impl Length {
    /// The same in steps, as a fraction where it ends within one.
    pub fn steps(self, batch: usize, images_per_epoch: usize) -> f64 {
        match self {
            Self::Epochs(epochs) => epochs * images_per_epoch as f64 / batch as f64,
            Self::Images(images) => images as f64 / batch as f64,
            Self::Steps(steps) => steps as f64,
        }
    }
}

/// The rule that turns gradients into steps.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "optimizer")]
pub enum Optimizer {
    /// `Adam()`: steps by running mean and variance.
    Adam(Adam),
    /// `Adamax()`: Adam with the largest recent gradient in place of the variance.
    Adamax(Adamax),
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::Adamax(Adamax::default())
    }
}

/// Options of [`Optimizer::Adam`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// Decay of the mean of gradients, a step. Default 0.9.
    #[serde(deserialize_with = "bounds::decay")]
    pub beta1: f64,
    /// Decay of the mean of squared gradients, a step. Default 0.999.
    #[serde(deserialize_with = "bounds::decay")]
    pub beta2: f64,
    /// Added to the root of the variance. Default 1e-8.
    #[serde(deserialize_with = "bounds::positive")]
    pub epsilon: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// Options of [`Optimizer::Adamax`]: `m ← β1·m + (1 − β1)·g`, `u ← max(β2·u, |g|)`, `w ← w − rate · m/(u + ε)`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Adamax {
    /// Decay of the mean of gradients, a step. Default 0.9.
    #[serde(deserialize_with = "bounds::decay")]
    pub beta1: f64,
    /// Decay of the largest gradient, a step. Default: the reference code's
    /// `1 − 1/(steps per epoch · polyak_epochs)`; the published rule suggests 0.999.
    #[serde(deserialize_with = "bounds::optional_decay")]
    pub beta2: Option<f64>,
    /// The epochs that the default `beta2` remembers. Default 1.
    #[serde(deserialize_with = "bounds::positive")]
    pub polyak_epochs: f64,
    /// Added to the largest gradient. Default 1e-8.
    #[serde(deserialize_with = "bounds::positive")]
    pub epsilon: f64,
    /// The rate at step t. Default `Reference`.
    pub rule: AdamaxRule,
}

impl Default for Adamax {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: None, polyak_epochs: 1.0, epsilon: 1e-8, rule: AdamaxRule::Reference }
    }
}

impl Adamax {
    /// β2, where an epoch has so many steps.
    pub fn beta2(&self, steps_per_epoch: f64) -> f64 {
        self.beta2.unwrap_or_else(|| (1.0 - 1.0 / (steps_per_epoch * self.polyak_epochs)).max(0.0))
    }
}

/// Adamax's rate at step t.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename = "rule")]
pub enum AdamaxRule {
    /// `Reference`: `lr · √(1 − β2^t) / (1 − β1^t)`; Adam's root works as a second, longer warm-up.
    Reference,
    /// `Published`: `lr / (1 − β1^t)`.
    Published,
}

/// A running mean of the weights, zero-debiased.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "averaging", deny_unknown_fields)]
pub enum Averaging {
    /// `Polyak()`: decays by `1 − 1/(steps per epoch · epochs)` a step. The reference code computes this mean and
    /// evaluates without it.
    Polyak {
        /// The epochs it remembers. Default 1.
        #[serde(default = "one", deserialize_with = "bounds::positive")]
        epochs: f64,
    },
    /// `Ema(decay: 0.999)`: decays by this much a step.
    Ema {
        /// What is kept of the mean at each step.
        #[serde(deserialize_with = "bounds::decay")]
        decay: f64,
    },
    /// `Off`: none.
    Off,
}

impl Default for Averaging {
    fn default() -> Self {
        Self::Polyak { epochs: one() }
    }
}

impl Averaging {
    /// The decay of a step, where an epoch has so many; `None` where there is no average.
    pub fn decay(self, steps_per_epoch: f64) -> Option<f64> {
        match self {
            Self::Polyak { epochs } => Some((1.0 - 1.0 / (steps_per_epoch * epochs)).max(0.0)),
            Self::Ema { decay } => Some(decay),
            Self::Off => None,
        }
    }
}

fn two_gibibytes() -> usize {
    2048
}

fn gibibyte() -> usize {
    1024
}

fn one() -> f64 {
    1.0
}

/// Where the backward pass finds activations.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename = "memory")]
pub enum Memory {
    /// `Invert`: it rebuilds them by inverting the flow, in memory that does not grow with depth.
    #[default]
    Invert,
    /// `Store`: the forward pass keeps them.
    Store,
    /// `Auto()`: the forward pass keeps those of as many levels as fit a budget, the dearest to rebuild first; the
    /// others are rebuilt.
    Auto {
        /// The budget for all workers together, in MiB. Default 1024.
        #[serde(default = "gibibyte")]
        mib: usize,
    },
}
