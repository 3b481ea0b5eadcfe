//! The unit that a flow's likelihood is told in: bits per dimension of images, nats a sample of vectors.

use serde::{Deserialize, Deserializer, Serialize};
use std::f64::consts::LN_2;
use std::fmt;

/// What `−ln p` of a sample is told in; less is better in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// `−ln p/(ln 2 · dims)`: of grey levels, whose probability it bounds.
    BitsPerDim {
        /// Dimensions of an image.
        dims: usize,
    },
    /// `−ln p`: of real numbers, whose density has no smallest value.
    Nats,
}

impl Unit {
    /// `−ln p` in this unit, from `ln p` in nats a sample.
    pub fn of(self, log_prob: f64) -> f64 {
        -log_prob / self.nats()
    }

    /// Nats a sample that one of this unit is.
    pub fn nats(self) -> f64 {
        match self {
            Self::BitsPerDim { dims } => LN_2 * dims as f64,
            Self::Nats => 1.0,
        }
    }

    /// A loss in this unit.
    pub fn loss(self, value: f64) -> Loss {
        match self {
            Self::BitsPerDim { .. } => Loss::BitsPerDim(value),
            Self::Nats => Loss::Nats(value),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BitsPerDim { .. } => "bits/dim",
            Self::Nats => "nats",
        })
    }
}

/// A mean of `−ln p` over samples. A record of it has a field of its unit's name: `bits_per_dim` or `nats`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Loss {
    /// In bits per dimension.
    #[serde(rename = "bits_per_dim")]
    BitsPerDim(#[serde(deserialize_with = "null_as_nan")] f64),
    /// In nats a sample.
    #[serde(rename = "nats")]
    Nats(#[serde(deserialize_with = "null_as_nan")] f64),
}

impl Loss {
    /// The number.
    pub fn value(self) -> f64 {
        match self {
            Self::BitsPerDim(value) | Self::Nats(value) => value,
        }
    }

    /// What a sample is called: `image` or `vector`.
    pub fn sample(self) -> &'static str {
        match self {
            Self::BitsPerDim(_) => "image",
            Self::Nats(_) => "vector",
        }
    }

    /// `bits/dim` or `nats`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::BitsPerDim(_) => "bits/dim",
            Self::Nats(_) => "nats",
        }
    }
}

/// [`Loss`] of a batch to train on: `train_bits_per_dim` or `train_nats`.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Loss")]
pub(crate) enum TrainingLoss {
    #[serde(rename = "train_bits_per_dim")]
    BitsPerDim(#[serde(deserialize_with = "null_as_nan")] f64),
    #[serde(rename = "train_nats")]
    Nats(#[serde(deserialize_with = "null_as_nan")] f64),
}

/// JSON has no NaN: what is not finite was written as null.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Record {
        step: u64,
        #[serde(flatten, with = "TrainingLoss")]
        train: Loss,
        #[serde(flatten)]
        test: Loss,
        images: usize,
    }

    #[test]
    fn a_loss_is_a_field_of_its_units_name() {
        let bits = Record { step: 3, train: Loss::BitsPerDim(0.1), test: Loss::BitsPerDim(2.5), images: 7 };
        let text = serde_json::to_string(&bits).unwrap();
        assert_eq!(text, r#"{"step":3,"train_bits_per_dim":0.1,"bits_per_dim":2.5,"images":7}"#);
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), bits);
        let nats = Record { train: Loss::Nats(-1.0), test: Loss::Nats(f64::NAN), ..bits };
        let text = serde_json::to_string(&nats).unwrap();
        assert_eq!(text, r#"{"step":3,"train_nats":-1.0,"nats":null,"images":7}"#);
        let read: Record = serde_json::from_str(&text).unwrap();
        assert!(matches!(read.test, Loss::Nats(value) if value.is_nan()) && read.train == nats.train);
    }

    #[test]
    fn a_bit_a_dimension_is_so_many_nats_a_sample() {
        let bits = Unit::BitsPerDim { dims: 12 };
        assert_eq!((bits.of(-12.0 * LN_2), Unit::Nats.of(-3.5)), (1.0, 3.5));
        assert_eq!((bits.to_string(), Unit::Nats.to_string()), ("bits/dim".to_owned(), "nats".to_owned()));
    }
}
