//! What each image of a set is given beside its label: numbers, of the same shape for all.

use crate::error::{Error, Result};
use crate::files::Fingerprint;
use std::sync::Arc;

/// A context for each image of a set, for flows of p(x | c). A copy is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Contexts {
    values: Arc<[f32]>,
    /// `[features]` or `[height, width, channels]`.
    shape: Vec<usize>,
}

impl Contexts {
    /// From values `[n, …shape]`, row major.
    ///
    /// # Errors
    /// [`Error::Shape`] if the shape is neither `[features]` nor `[height, width, channels]`, or values are missing;
    /// [`Error::Usage`] with the place of the first value that is not finite.
    pub fn new(values: Vec<f32>, shape: &[usize]) -> Result<Self> {
        let numbers: usize = shape.iter().product();
        let refuse = |expected: &str, found: String| {
            Err(Error::Shape { layer: "context".into(), expected: expected.into(), found })
        };
        if !matches!(shape.len(), 1 | 3) || numbers == 0 {
            return refuse("[n, features] or [n, height, width, channels]", format!("{shape:?} for each image"));
        }
        if !values.len().is_multiple_of(numbers) {
            return refuse(&format!("{numbers} numbers for each image"), format!("{} in all", values.len()));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (value, image, at) = (values[at], at / numbers, at % numbers);
            return Err(Error::Usage(format!(
                "the context of image {image} has {value} as its number {at}: expected a finite one"
            )));
        }
        Ok(Self { values: values.into(), shape: shape.to_vec() })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.values.len() / self.numbers()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// `[features]` or `[height, width, channels]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Numbers of one.
    pub fn numbers(&self) -> usize {
        self.shape.iter().product()
    }

    /// All of them, one after the other.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Those of these images, one after the other; `None` if there is no such image.
    pub fn of(&self, indices: &[usize]) -> Option<Vec<f32>> {
        let numbers = self.numbers();
        let mut values = Vec::with_capacity(indices.len() * numbers);
        for i in indices {
            values.extend_from_slice(self.values.get(i * numbers..(i + 1) * numbers)?);
        }
        Some(values)
    }

    /// Those of these images, as a set.
    pub(super) fn select(&self, indices: &[usize]) -> Option<Self> {
        Some(Self { values: self.of(indices)?.into(), shape: self.shape.clone() })
    }

    /// Those of several sets, one after the other, if they are of one shape.
    pub(super) fn joined(parts: &[&Self]) -> Option<Self> {
        let shape = parts.first()?.shape.clone();
        let values: Vec<&[f32]> = parts.iter().map(|part| part.values()).collect();
        parts.iter().all(|part| part.shape == shape).then(|| Self { values: values.concat().into(), shape })
    }

    /// Adds them to what tells one set of images from another.
    pub(super) fn add_to(&self, hash: &mut Fingerprint) {
        hash.add(b"context");
        self.shape.iter().for_each(|&side| hash.add(&(side as u64).to_le_bytes()));
        self.values.iter().for_each(|value| hash.add(&value.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_taken_and_joined_with_their_images() {
        let contexts = Contexts::new((0..12_u8).map(f32::from).collect(), &[3]).unwrap();
        assert_eq!((contexts.len(), contexts.of(&[2, 0])), (4, Some(vec![6.0, 7.0, 8.0, 0.0, 1.0, 2.0])));
        assert_eq!(contexts.of(&[4]), None);
        let (first, last) = (contexts.select(&[0, 1]).unwrap(), contexts.select(&[2, 3]).unwrap());
        assert_eq!(Contexts::joined(&[&first, &last]), Some(contexts));
        let other = Contexts::new(vec![0.0; 4], &[2, 2, 1]).unwrap();
        assert_eq!(Contexts::joined(&[&first, &other]), None);
    }

    #[test]
    fn contexts_of_a_wrong_shape_or_that_are_not_finite_are_refused() {
        for (values, shape) in [(4, &[2, 2][..]), (4, &[0]), (4, &[]), (5, &[2])] {
            assert!(matches!(Contexts::new(vec![0.0; values], shape), Err(Error::Shape { .. })), "{shape:?}");
        }
        let error = Contexts::new(vec![0.0, 0.0, 0.0, f32::NAN], &[2]).unwrap_err().to_string();
        assert!(error.contains("image 1 has NaN as its number 1"), "{error}");
    }
}
