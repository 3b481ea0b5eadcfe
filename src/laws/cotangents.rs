//! Random cotangents, and the gradients a bijector makes of them.

use super::random::normals;
use super::tensors::{Tensors, gradients, numbers, with_numbers};
use crate::backend::{Device, Element};
use crate::bijector::Cotangent;
use crate::{Bijector, Image, ParameterGradients, Result};

/// The loss `L = Σ ⟨image, y⟩ + Σ ladj weight · ladj`, by its gradient.
pub(super) struct Cotangents {
    image: Vec<f64>,
    ladj: Vec<f64>,
}

impl Cotangents {
    /// For a batch like this, the numbers such that f32 holds them exactly.
    pub fn random<E: Element, D: Device<E>>(like: &Image<E, D>) -> Self {
        let exact = |values: Vec<f64>| values.into_iter().map(|value| f64::from(value as f32)).collect();
        let count = like.batch() * like.shape().dims();
        Self { image: exact(normals(2, 0, count)), ladj: exact(normals(2, 1, like.batch())) }
    }

    /// The image's, then each ladj's.
    pub fn concatenated(&self) -> Vec<f64> {
        [self.image.as_slice(), &self.ladj].concat()
    }

    fn of<E: Element, D: Device<E>>(&self, y: &Image<E, D>) -> Result<Cotangent<E, D>> {
        Cotangent::new(with_numbers(y, &self.image)?, &self.ladj)
    }

    /// The input that [`Bijector::pull_back`] rebuilds, and its gradients: the image's, then every parameter's.
    pub fn pulled_back<E: Element, D: Device<E>>(
        &self,
        bijector: &dyn Bijector<E, D>,
        y: Image<E, D>,
    ) -> Result<(Vec<f64>, Tensors)> {
        let mut grads = ParameterGradients::zeros(y.device(), bijector)?;
        let cotangent = self.of(&y)?;
        let (x, g) = bijector.pull_back(y, cotangent, &mut grads)?;
        Ok((numbers(&x)?, gradients(bijector, &g, &grads)?))
    }

    /// As [`Cotangents::pulled_back`], with what a pass that rebuilds its activations keeps on the way up.
    pub fn pulled_back_spared<E: Element, D: Device<E>>(
        &self,
        bijector: &dyn Bijector<E, D>,
        x: &Image<E, D>,
    ) -> Result<(Vec<f64>, Tensors)> {
        let mut grads = ParameterGradients::zeros(x.device(), bijector)?;
        let (y, _, kept) = bijector.forward_sparing(x.clone())?;
        let cotangent = self.of(&y)?;
        let (x, g) = bijector.pull_back_spared(y, kept, cotangent, &mut grads)?;
        Ok((numbers(&x)?, gradients(bijector, &g, &grads)?))
    }

    /// The gradients from what is kept of a forward pass.
    pub fn pulled_back_kept<E: Element, D: Device<E>>(
        &self,
        bijector: &dyn Bijector<E, D>,
        x: &Image<E, D>,
    ) -> Result<Tensors> {
        let mut grads = ParameterGradients::zeros(x.device(), bijector)?;
        let (y, _, kept) = bijector.forward_keeping(x.clone())?;
        let g = bijector.pull_back_kept(kept, self.of(&y)?, &mut grads)?;
        gradients(bijector, &g, &grads)
    }
}
