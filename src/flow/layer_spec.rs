//! What a flow file can say about one layer.
//!
//! Every option has the default of Glow's reference code; where the paper differs, the option says so.

use ron::value::RawValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, ser::Error as _};

pub use crate::bijectors::{Mask, Parity, ScaleMap, Weight};

use super::{
    bounds,
    located::{Located, options},
};

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
    /// Each 2×2 block of pixels becomes one pixel of four times the channels.
    Squeeze {},
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
            Self::Squeeze {} => "Squeeze",
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
    /// `Custom("name")` or `Custom("name", (option: 1))`: a network registered by the program.
    Custom(String, #[serde(default)] Settings),
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
