//! What a flow models: grey levels of images, or vectors of real numbers.
//!
//! A vector v is a sample of one pixel, its features the channels. The flow sees it standardised by the mean and the
//! deviation of each feature over the data it was trained on, which the model holds:
//!
//! ```text
//! x_i = (v_i − mean_i)/deviation_i        ln p(v) = ln p(x) − Σ_i ln deviation_i
//! ```
//!
//! This is computed in f64 on the host whatever the flow computes in, so that features far from 0 keep their digits.

use super::{Dequantize, Flow, dequantize};
use crate::backend::{Device, Element, Image, Parameter, Parameters};
use crate::{Error, Result};

/// The elements of samples, one sample after the other.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Grey levels `[n, height, width, channels]`.
    Levels(&'a [u8]),
    /// Real numbers `[n, features]`.
    Reals(&'a [f64]),
}

impl<'a> From<&'a [u8]> for Values<'a> {
    fn from(levels: &'a [u8]) -> Self {
        Self::Levels(levels)
    }
}

impl<'a> From<&'a Vec<u8>> for Values<'a> {
    fn from(levels: &'a Vec<u8>) -> Self {
        Self::Levels(levels)
    }
}

impl<'a> From<&'a [f64]> for Values<'a> {
    fn from(reals: &'a [f64]) -> Self {
        Self::Reals(reals)
    }
}

impl<'a> Values<'a> {
    /// Those of some of the samples, which have `dims` elements each; none where there are not so many.
    pub(crate) fn samples(self, range: &std::ops::Range<usize>, dims: usize) -> Self {
        let range = range.start * dims..range.end * dims;
        match self {
            Self::Levels(levels) => Self::Levels(levels.get(range).unwrap_or(&[])),
            Self::Reals(reals) => Self::Reals(reals.get(range).unwrap_or(&[])),
        }
    }
}

/// What the samples are made of.
#[derive(Debug)]
pub(super) enum Space<E: Element, D: Device<E>> {
    /// Of so many grey levels.
    Levels(u32),
    /// Of real numbers.
    Reals(Standardization<E, D>),
}

/// Mean and deviation of each feature, constants of the model; at first 0 and 1.
#[derive(Debug)]
pub(super) struct Standardization<E: Element, D: Device<E>> {
    /// `[2, features]`: the sum of both rows is the mean, to more digits than one number of an f32 flow has.
    mean: Parameter<E, D>,
    deviation: Parameter<E, D>,
    /// What the features are called; may be empty.
    pub names: Vec<String>,
}

crate::parameters!(Standardization { mean, deviation });

impl<E: Element, D: Device<E>> Standardization<E, D> {
    /// Of so many features.
    pub fn new(initializer: &crate::backend::Initializer<D>, features: usize) -> Result<Self> {
        let mean = initializer.constant(&[2, features], || vec![0.0; 2 * features])?.mirrored();
        let deviation = initializer.constant(&[features], || vec![1.0; features])?.mirrored();
        Ok(Self { mean, deviation, names: Vec::new() })
    }

    /// Mean and deviation of each feature.
    fn moments(&self, device: &D) -> Result<Vec<(f64, f64)>> {
        let (mean, deviation) = (self.mean.to_host(device)?, self.deviation.to_host(device)?);
        let (high, low) = mean.split_at(deviation.len());
        let means = high.iter().zip(low).map(|(high, low)| high.as_f64() + low.as_f64());
        Ok(means.zip(deviation).map(|(mean, deviation)| (mean, deviation.as_f64())).collect())
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// What the flow sees of samples. The noise of an image depends on its number alone; vectors have none.
    ///
    /// # Errors
    /// [`Error::Shape`] if the values are not as many as those of so many samples, [`Error::Usage`] where they are levels
    /// and the flow is of reals, or the other way round.
    pub fn image_of(
        &self,
        device: &D,
        values: Values,
        numbers: impl Iterator<Item = u64>,
        how: Dequantize,
    ) -> Result<Image<E, D>> {
        match (&self.space, values) {
            (Space::Levels(bins), Values::Levels(levels)) => {
                dequantize(device, self.image, *bins, levels, numbers, how)
            }
            (Space::Reals(standardization), Values::Reals(reals)) => {
                let moments = standardization.moments(device)?;
                let standard = reals.iter().zip(moments.iter().cycle());
                let x: Vec<E> = standard.map(|(v, (mean, deviation))| E::of((v - mean) / deviation)).collect();
                Image::from_host(device, numbers.count(), self.image, &x)
            }
            (Space::Levels(_), Values::Reals(_)) => {
                Err(Error::Usage("the flow is of images, and the data are vectors of real numbers".into()))
            }
            (Space::Reals(_), Values::Levels(_)) => {
                Err(Error::Usage("the flow is of vectors of real numbers, and the data are grey levels".into()))
            }
        }
    }

    /// The vectors `[n, features]` that the flow sees as `x`: the inverse of [`Flow::image_of`].
    ///
    /// # Errors
    /// [`Error::Usage`] if the flow is of images.
    pub fn vectors_of(&self, x: &Image<E, D>) -> Result<Vec<f64>> {
        let Space::Reals(standardization) = &self.space else {
            return Err(Error::Usage("this flow is of images, not of vectors".into()));
        };
        let (x, moments) = (x.to_host()?, standardization.moments(x.device())?);
        let back = x.iter().zip(moments.iter().cycle());
        Ok(back.map(|(x, (mean, deviation))| mean + deviation * x.as_f64()).collect())
    }

    /// Sets mean and deviation of each feature, and what the features are called, from the vectors `[n, features]` that the
    /// flow is to be trained on. A flow of images has none to set.
    ///
    /// # Errors
    /// [`Error::Usage`] for a feature that is the same in all vectors, or a number that is not finite.
    pub fn standardize(&mut self, device: &D, vectors: &[f64], names: &[String]) -> Result<()> {
        let features = self.image.channels;
        let Space::Reals(standardization) = &mut self.space else { return Ok(()) };
        let (mut high, mut low, mut deviations) = (Vec::new(), Vec::new(), Vec::new());
        for feature in 0..features {
            let of = || vectors.iter().skip(feature).step_by(features);
            let n = of().count() as f64;
            let mean = of().sum::<f64>() / n;
            let deviation = (of().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
            let kept = E::of(deviation).as_f64();
            if !kept.is_finite() || kept <= f64::EPSILON * mean.abs() {
                let name = names.get(feature).map(|name| format!(" (`{name}`)")).unwrap_or_default();
                return Err(Error::Usage(format!(
                    "feature {feature}{name} has the mean {mean} and the deviation {deviation} over the training data: a \
                     density needs a feature that varies, and numbers that are finite; leave it out"
                )));
            }
            high.push(E::of(mean));
            low.push(E::of(mean - E::of(mean).as_f64()));
            deviations.push(E::of(deviation));
        }
        standardization.mean.set(device, &[high, low].concat())?;
        standardization.deviation.set(device, &deviations)?;
        standardization.names = names.to_vec();
        Ok(())
    }

    /// What is taken from `ln p` of what the flow sees for that of the samples themselves, in nats: `dims · ln bins`, or
    /// `Σ ln deviation`.
    pub(super) fn log_volume(&self, device: &D) -> Result<f64> {
        match &self.space {
            Space::Levels(bins) => Ok(self.image.dims() as f64 * f64::from(*bins).ln()),
            Space::Reals(standardization) => {
                Ok(standardization.moments(device)?.iter().map(|(_, deviation)| deviation.ln()).sum())
            }
        }
    }

    /// Whether it is of vectors of real numbers.
    pub fn is_of_vectors(&self) -> bool {
        matches!(self.space, Space::Reals(_))
    }

    /// What its features are called, where it is of vectors whose data named them; otherwise empty.
    pub fn feature_names(&self) -> &[String] {
        match &self.space {
            Space::Levels(_) => &[],
            Space::Reals(standardization) => &standardization.names,
        }
    }

    /// A name for each feature of vectors: its own, or `x0`, `x1` and so on.
    pub fn names_of_features(&self) -> Vec<String> {
        let features = self.image.channels;
        match self.feature_names() {
            names if names.len() == features => names.to_vec(),
            _ => (0..features).map(|i| format!("x{i}")).collect(),
        }
    }

    /// Gives the features their names.
    pub(super) fn name_features(&mut self, names: &[String]) {
        if let Space::Reals(standardization) = &mut self.space {
            standardization.names = names.to_vec();
        }
    }

    /// Refuses a flow of vectors where only images make sense.
    ///
    /// # Errors
    /// [`Error::Usage`] with what is wanted of it.
    pub fn expect_of_images(&self, what: &str) -> Result<()> {
        match self.space {
            Space::Levels(_) => Ok(()),
            Space::Reals(_) => Err(Error::Usage(format!("{what}: this flow is of vectors of real numbers"))),
        }
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Space<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        if let Self::Reals(standardization) = self {
            standardization.visit(path, visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        if let Self::Reals(standardization) = self {
            standardization.visit_mut(path, visitor);
        }
    }
}
