//! What a flow file can say about one layer.
//!
//! Every option has the default of Glow's reference code; where the paper differs, the option says so.

use crate::notation::{Located, options};
use ron::value::RawValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _};

pub use crate::bijectors::{Direction, Mask, Parity, ScaleMap, Weight};
pub use crate::nets::{Activation, Order};

use crate::bijectors::{ElementMap, MixtureLogistic, Spline, Transform};

use super::bounds;

/// A layer, with its place in the file.
pub type Layer = Located<LayerSpec>;

/// One layer of a flow. Every layer is written with parentheses, `Reverse()`, whether it has options or not.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename = "layer", deny_unknown_fields)]
pub enum LayerSpec {
    /// A scale and a bias per channel, set by the first batch to normalise it.
    ActNorm(ActNorm),
    /// The invertible 1×1 convolution: every pixel's channels times one matrix, a random orthogonal matrix at first.
    InvertibleConv(InvertibleConv),
    /// The channels in reverse order, as RealNVP has them.
    Reverse {},
    /// `Permute([2, 0, 1])`: output channel k is input channel `order[k]`, counted from 0.
    Permute(Vec<usize>),
    /// A fixed random permutation of the channels, drawn from the seed and stored with the model.
    Shuffle {},
    /// Half of the channels, shifted by a network's function of the other half.
    AdditiveCoupling(AdditiveCoupling),
    /// Half of the channels, shifted and scaled by a network's function of the other half.
    AffineCoupling(AffineCoupling),
    /// Some elements, each moved along a monotone spline by a network's function of the others (neural spline flows).
    SplineCoupling(SplineCoupling),
    /// Some elements, each through a mixture of logistics by a network's function of the others (Flow++).
    MixtureCoupling(MixtureCoupling),
    /// Every element, moved by a masked network's function of the elements before it (MAF; IAF).
    Autoregressive(Autoregressive),
    /// Each 2×2 block of pixels becomes one pixel of four times the channels.
    Squeeze {},
    /// The same by the Haar wavelet: means first, then differences.
    Haar {},
    /// The logit of images' pixels, as RealNVP begins with.
    Logit(Logit),
    /// Reflections of the channels: every pixel's times one orthogonal matrix.
    Householder(Householder),
    /// Half of the channels become a latent, under a Gaussian that the other half predicts.
    Split(Split),
    /// `Repeat(32, [...])`: the list, so many times, with parameters of their own each time.
    Repeat(#[serde(deserialize_with = "bounds::count")] usize, Vec<Layer>),
    /// `Use("step")`: the layers that `define` gives this name, as if they stood here.
    Use(String),
    /// `Custom("name")` or `Custom("name", (option: 1))`: a layer registered by the program.
    Custom(String, #[serde(default)] Settings),
}

impl LayerSpec {
    /// The name by which the file calls this kind of layer.
    pub fn kind(&self) -> &str {
        match self {
            Self::ActNorm(_) => "ActNorm",
            Self::InvertibleConv(_) => "InvertibleConv",
            Self::Reverse {} => "Reverse",
            Self::Shuffle {} => "Shuffle",
            Self::AdditiveCoupling(_) => "AdditiveCoupling",
            Self::AffineCoupling(_) => "AffineCoupling",
            Self::SplineCoupling(_) => "SplineCoupling",
            Self::MixtureCoupling(_) => "MixtureCoupling",
            Self::Autoregressive(_) => "Autoregressive",
            Self::Squeeze {} => "Squeeze",
            Self::Haar {} => "Haar",
            Self::Logit(_) => "Logit",
            Self::Householder(_) => "Householder",
            Self::Permute(_) => "Permute",
            Self::Split(_) => "Split",
            Self::Repeat(..) => "Repeat",
            Self::Use(_) => "Use",
            Self::Custom(name, _) => name,
        }
    }
}

/// Options of [`LayerSpec::ActNorm`]: `y = (x + bias) · exp(log_scale_factor · logs)`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct ActNorm {
    /// How many times faster than its parameter the log-scale moves. Default 3; the paper has 1.
    #[serde(deserialize_with = "bounds::positive")]
    pub log_scale_factor: f64,
}

impl Default for ActNorm {
    fn default() -> Self {
        Self { log_scale_factor: 3.0 }
    }
}

/// Options of [`LayerSpec::Logit`]: `p = alpha/2 + (1 − alpha)·(x + ½)`, `y = ln p − ln(1 − p)`.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Logit {
    /// How far p is kept from 0 and 1, together; above 0 and below 1. Default 0.05; RealNVP's code has 0.1.
    #[serde(deserialize_with = "bounds::inside")]
    pub alpha: f64,
}

impl Default for Logit {
    fn default() -> Self {
        Self { alpha: 0.05 }
    }
}

/// Options of [`LayerSpec::Householder`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Householder {
    /// Reflections. Default 4; as many as there are channels reach every orthogonal matrix, up to its sign.
    #[serde(deserialize_with = "bounds::size")]
    pub n: usize,
}

impl Default for Householder {
    fn default() -> Self {
        Self { n: 4 }
    }
}

/// Options of [`LayerSpec::InvertibleConv`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct InvertibleConv {
    /// What is learned of the matrix. Default `Plain`.
    pub weight: Weight,
}

/// The options of a coupling: those of its transform, then the mask and those of the network, which all couplings have.
macro_rules! coupling_options {
    ($(#[$about:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$about])*
        #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$of_field])* pub $field: $type,)*
            /// Which elements move. Default `Halves`, the second half of the channels; `Checkerboard(0)` and
            /// `Checkerboard(1)` are RealNVP's.
            pub mask: Mask,
            /// See [`NetworkSpec::width`].
            #[serde(deserialize_with = "bounds::size")]
            pub width: usize,
            /// See [`NetworkSpec::edge_channel`].
            pub edge_channel: bool,
            /// See [`NetworkSpec::inner_actnorm`].
            pub inner_actnorm: bool,
            /// See [`NetworkSpec::log_scale_factor`].
            #[serde(deserialize_with = "bounds::positive")]
            pub log_scale_factor: f64,
            /// See [`NetworkSpec::gain`].
            pub gain: bool,
            /// See [`NetworkSpec::net`].
            pub net: Net,
        }

        impl Default for $name {
            fn default() -> Self {
                let NetworkSpec { width, edge_channel, inner_actnorm, log_scale_factor, gain, net } = NetworkSpec::default();
                let mask = Mask::default();
                Self { $($field: $default,)* mask, width, edge_channel, inner_actnorm, log_scale_factor, gain, net }
            }
        }

        impl $name {
            /// The network that gives every element its numbers.
            pub fn network(&self) -> NetworkSpec {
                let Self { width, edge_channel, inner_actnorm, log_scale_factor, gain, ref net, .. } = *self;
                NetworkSpec { width, edge_channel, inner_actnorm, log_scale_factor, gain, net: net.clone() }
            }
        }
    };
}

coupling_options! {
    /// Options of [`LayerSpec::AdditiveCoupling`].
    AdditiveCoupling {}
}

coupling_options! {
    /// Options of [`LayerSpec::AffineCoupling`].
    AffineCoupling {
        /// How the network's output becomes a scale. Default `Sigmoid`; the paper has `Exp`.
        scale: ScaleMap = ScaleMap::default(),
    }
}

coupling_options! {
    /// Options of [`LayerSpec::SplineCoupling`].
    SplineCoupling {
        /// Bins of each spline, at most 32. Default 8.
        #[serde(deserialize_with = "bounds::spline_bins")]
        bins: usize = 8,
        /// Elements beyond it, either way, stay as they are. Default 3: three standard deviations after an actnorm.
        #[serde(deserialize_with = "bounds::positive")]
        bound: f64 = 3.0,
    }
}

coupling_options! {
    /// Options of [`LayerSpec::MixtureCoupling`].
    MixtureCoupling {
        /// Logistics in each mixture, at most 64. Default 8; Flow++ has 32.
        #[serde(deserialize_with = "bounds::parts")]
        components: usize = 8,
    }
}

/// The network inside a coupling: 3×3 to `width` channels, 1×1, and 3×3 to the output, which starts at zero.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// Channels of the two hidden layers. Default 512.
    pub width: usize,
    /// Whether 3×3 convolutions see a channel that is 1 on the padded border. Default true; the paper has none.
    pub edge_channel: bool,
    /// Whether hidden layers are normalised by an actnorm (else they have a bias). Default true; the paper has none.
    pub inner_actnorm: bool,
    /// The factor of log-scales in the inner actnorms and of the last layer's gain `exp(factor · logs)`. Default 3.
    pub log_scale_factor: f64,
    /// Whether the last layer has that gain. Default true; the paper has none.
    pub gain: bool,
    /// The network itself. Default `Convolutional`.
    pub net: Net,
}

impl Default for NetworkSpec {
    fn default() -> Self {
        Self {
            width: 512,
            edge_channel: true,
            inner_actnorm: true,
            log_scale_factor: 3.0,
            gain: true,
            net: Net::default(),
        }
    }
}

/// Which network a coupling calls.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename = "net")]
pub enum Net {
    /// `Convolutional`: Glow's, with the coupling's other options.
    #[default]
    Convolutional,
    /// `Dense(hidden: [64, 64])`: a dense network on the channels of each pixel.
    Dense(Dense),
    /// `Residual(blocks: 2)`: RealNVP's residual network.
    Residual(Residual),
    /// `Gated(blocks: 2)`: Flow++'s gated convolutions and self-attention.
    Gated(Gated),
    /// `Custom("name")` or `Custom("name", (option: 1))`: a network registered by the program.
    Custom(String, #[serde(default)] Settings),
}

/// Options of [`Net::Dense`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Dense {
    /// Channels of each hidden layer. Default `[64, 64]`.
    #[serde(deserialize_with = "bounds::sizes")]
    pub hidden: Vec<usize>,
    /// What follows each of them. Default `Relu`.
    pub activation: Activation,
}

impl Default for Dense {
    fn default() -> Self {
        Self { hidden: vec![64, 64], activation: Activation::default() }
    }
}

/// Options of [`Net::Residual`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Residual {
    /// Blocks of two convolutions, at most 64. Default 2.
    #[serde(deserialize_with = "bounds::parts")]
    pub blocks: usize,
}

impl Default for Residual {
    fn default() -> Self {
        Self { blocks: 2 }
    }
}

/// Options of [`Net::Gated`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Gated {
    /// Blocks, at most 64. Default 2.
    #[serde(deserialize_with = "bounds::parts")]
    pub blocks: usize,
    /// Whether each has attention over pixels. Default true.
    pub attention: bool,
    /// Heads of attention, which divide the coupling's width. Default 4.
    #[serde(deserialize_with = "bounds::parts")]
    pub heads: usize,
}

impl Default for Gated {
    fn default() -> Self {
        Self { blocks: 2, attention: true, heads: 4 }
    }
}

/// Options of [`LayerSpec::Autoregressive`].
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Autoregressive {
    /// What moves an element. Default `Affine()`.
    pub transform: ElementTransform,
    /// Units of each hidden layer of the masked network. Default `[64, 64]`.
    #[serde(deserialize_with = "bounds::sizes")]
    pub hidden: Vec<usize>,
    /// What follows each of them. Default `Relu`.
    pub activation: Activation,
    /// The order of the elements. Default `Forward`.
    pub order: Order,
    /// Which direction takes one pass. Default `Density`.
    pub direction: Direction,
}

impl Default for Autoregressive {
    fn default() -> Self {
        Self {
            transform: ElementTransform::default(),
            hidden: vec![64, 64],
            activation: Activation::default(),
            order: Order::default(),
            direction: Direction::default(),
        }
    }
}

/// What moves the elements of [`LayerSpec::Autoregressive`]; the transforms of couplings.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(rename = "transform", deny_unknown_fields)]
pub enum ElementTransform {
    /// A shift.
    Additive,
    /// A shift and a scale.
    Affine {
        /// How the network's output becomes a scale. Default `ClampedTanh(bound: 2)`, which starts as the identity.
        #[serde(default = "clamped")]
        scale: ScaleMap,
    },
    /// As in [`SplineCoupling`].
    Spline {
        /// Bins of each spline, at most 32. Default 8.
        #[serde(default = "eight", deserialize_with = "bounds::spline_bins")]
        bins: usize,
        /// Elements beyond it, either way, stay as they are. Default 3.
        #[serde(default = "three", deserialize_with = "bounds::positive")]
        bound: f64,
    },
    /// As in [`MixtureCoupling`].
    Mixture {
        /// Logistics in each mixture, at most 64. Default 8.
        #[serde(default = "eight", deserialize_with = "bounds::parts")]
        components: usize,
    },
}

fn clamped() -> ScaleMap {
    ScaleMap::ClampedTanh { bound: 2.0 }
}

fn eight() -> usize {
    8
}

fn three() -> f64 {
    3.0
}

impl Default for ElementTransform {
    fn default() -> Self {
        Self::Affine { scale: clamped() }
    }
}

impl ElementTransform {
    /// The map itself.
    pub fn map(self) -> ElementMap {
        match self {
            Self::Additive => ElementMap::Additive,
            Self::Affine { scale } => ElementMap::Affine(scale),
            Self::Spline { bins, bound } => ElementMap::Transform(Transform::Spline(Spline { bins, bound })),
            Self::Mixture { components } => {
                ElementMap::Transform(Transform::MixtureLogistic(MixtureLogistic { components }))
            }
        }
    }
}

/// Options of [`LayerSpec::Split`].
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Split {
    /// Whether the predicting convolution sees a channel that is 1 on the padded border. Default true.
    pub edge_channel: bool,
    /// The factor in the convolution's gain `exp(factor · logs)`. Default 3.
    #[serde(deserialize_with = "bounds::positive")]
    pub log_scale_factor: f64,
    /// Whether the convolution has that gain. Default true; the paper has none.
    pub gain: bool,
}

impl Default for Split {
    fn default() -> Self {
        Self { edge_channel: true, log_scale_factor: 3.0, gain: true }
    }
}

/// The options of something registered by the program: any RON value, kept as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings(String);

impl Default for Settings {
    fn default() -> Self {
        Self("()".to_owned())
    }
}

impl Settings {
    /// Reads the options as the program's own type; where the file has none, as from `()`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ron::error::SpannedError> {
        options().from_str(&self.0)
    }

    /// Options that read as this value.
    pub fn write(value: &impl Serialize) -> Result<Self, ron::Error> {
        options().to_string(value).map(Self)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(deserializer)?.get_ron().to_owned()))
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_ron(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}
