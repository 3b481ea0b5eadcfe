//! What a flow file can say about a context: what it is, and the network that encodes it.

use super::bounds;
use crate::backend::ImageShape;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What images are given, p(x | c).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename = "context", deny_unknown_fields)]
pub enum ContextSpec {
    /// Nothing. The default.
    #[default]
    None,
    /// `Classes(10)`: one of so many classes, which layers see as ones and zeros.
    Classes(#[serde(deserialize_with = "bounds::size")] usize),
    /// `Vector(features: 3)`: numbers.
    Vector {
        /// How many.
        #[serde(deserialize_with = "bounds::size")]
        features: usize,
    },
    /// `Image(height: 4, width: 4, channels: 1)`: numbers at every pixel of a picture.
    Image {
        /// Height in pixels.
        #[serde(deserialize_with = "bounds::size")]
        height: usize,
        /// Width in pixels.
        #[serde(deserialize_with = "bounds::size")]
        width: usize,
        /// Numbers at a pixel.
        #[serde(deserialize_with = "bounds::size")]
        channels: usize,
    },
}

impl ContextSpec {
    /// The shape of one; of no channels where there is none.
    pub fn shape(self) -> ImageShape {
        match self {
            Self::None => ImageShape::new(1, 1, 0),
            Self::Classes(channels) | Self::Vector { features: channels } => ImageShape::new(1, 1, channels),
            Self::Image { height, width, channels } => ImageShape::new(height, width, channels),
        }
    }

    /// `[height, width, channels]` of one.
    pub fn sides(self) -> [usize; 3] {
        let ImageShape { height, width, channels } = self.shape();
        [height, width, channels]
    }

    /// The shape of an array of them, in words.
    pub fn array(self) -> String {
        match self {
            Self::Image { height, width, channels } => format!("[n, {height}, {width}, {channels}]"),
            _ => format!("[n, {}]", self.shape().channels),
        }
    }

    /// What makes a context and its encoder, or the prior's classes, impossible together.
    pub(crate) fn contradiction(
        self,
        encoder: &EncoderSpec,
        prior_classes: Option<usize>,
    ) -> Option<(&'static str, &'static str)> {
        let ImageShape { height, width, channels } = self.shape();
        let wrong = |message, help| Some((message, help));
        match (self, encoder) {
            (Self::None, EncoderSpec::None) => None,
            (Self::None, _) => wrong("there is no context for the encoder", "say what it is: `context: Classes(10)`"),
            _ if prior_classes.is_some() => wrong(
                "the flow has a context, and its prior has classes",
                "give one: `context: Classes(10)` reaches the prior too",
            ),
            _ if height.saturating_mul(width).saturating_mul(channels) > 1 << 28 => {
                wrong("the context has more than 2^28 values", "check height, width and channels")
            }
            (Self::Image { .. }, EncoderSpec::Dense { .. }) => wrong(
                "a Dense encoder is for classes and vectors",
                "use `encoder: Convolutional(width: 32, channels: 8)`",
            ),
            (Self::Classes(_) | Self::Vector { .. }, EncoderSpec::Convolutional { .. }) => {
                wrong("a Convolutional encoder is for images", "use `encoder: Dense(hidden: [64], features: 32)`")
            }
            _ => None,
        }
    }
}

impl fmt::Display for ContextSpec {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Classes(classes) => write!(f, "one of {classes} classes"),
            Self::Vector { features } => write!(f, "a vector of {features} features"),
            Self::Image { .. } => write!(f, "an image of {}", self.shape()),
        }
    }
}

/// The network through which layers see a context. It starts at random and is trained with the flow.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename = "encoder", deny_unknown_fields)]
pub enum EncoderSpec {
    /// Layers see the context as it is. The default.
    #[default]
    None,
    /// For images: a 3×3 convolution, a 1×1 one and a 3×3 one, with actnorms and rectifiers between them.
    Convolutional {
        /// Channels of the hidden layers.
        #[serde(deserialize_with = "bounds::size")]
        width: usize,
        /// Channels of what layers see.
        #[serde(deserialize_with = "bounds::size")]
        channels: usize,
    },
    /// For classes and vectors: linear maps with rectifiers between them.
    Dense {
        /// Sizes of the hidden layers.
        #[serde(deserialize_with = "bounds::sizes")]
        hidden: Vec<usize>,
        /// Features that layers see.
        #[serde(deserialize_with = "bounds::size")]
        features: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::flow::FlowFile;

    fn parse(options: &str, prior: &str) -> crate::Result<FlowFile> {
        let text = format!("Flow(image: (height: 8, width: 8, channels: 1),\n{options}\nlayers: [],\nprior: {prior})");
        FlowFile::parse("f", text)
    }

    #[test]
    fn contexts_and_encoders_round_trip() {
        for (options, shape) in [
            ("", (1, 1, 0)),
            ("context: Classes(10),", (1, 1, 10)),
            ("context: Classes(10), encoder: Dense(hidden: [], features: 2),", (1, 1, 10)),
            ("context: Vector(features: 3), encoder: Dense(hidden: [4, 5], features: 2),", (1, 1, 3)),
            (
                "context: Image(height: 4, width: 2, channels: 1), encoder: Convolutional(width: 8, channels: 3),",
                (4, 2, 1),
            ),
        ] {
            let file = parse(options, "Gaussian()").unwrap();
            assert_eq!(FlowFile::from_spec("f", &file.spec).unwrap().spec, file.spec);
            let (height, width, channels) = shape;
            assert_eq!(file.spec.context.shape(), ImageShape::new(height, width, channels));
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused_where_it_stands() {
        let image = "context: Image(height: 4, width: 4, channels: 1),";
        for (options, prior, message) in [
            ("context: Classes(10),", "Gaussian(classes: 10)", "its prior has classes"),
            ("encoder: Dense(hidden: [4], features: 2),", "Gaussian()", "no context for the encoder"),
            (&format!("{image} encoder: Dense(hidden: [4], features: 2),"), "Gaussian()", "for classes and vectors"),
            ("context: Classes(3), encoder: Convolutional(width: 8, channels: 3),", "Gaussian()", "for images"),
            ("context: Vector(features: 0),", "Gaussian()", "at least 1"),
            ("context: Vector(features: 3, rows: 2),", "Gaussian()", "rows"),
            ("context: Classes(3), encoder: Dense(hidden: [0], features: 2),", "Gaussian()", "at least 1"),
        ] {
            match parse(options, prior) {
                Err(Error::FlowFile(error)) => {
                    assert_eq!(error.line(), 2, "{options}");
                    assert!(error.message().contains(message), "{options}: {}", error.message());
                }
                other => panic!("{options}: {:?}", other.map(|file| file.spec.context)),
            }
        }
    }
}
