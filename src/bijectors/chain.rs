//! A list of bijectors is a bijector.
//!
//! ```text
//! y = f_n(… f_2(f_1(x)))         ladj = Σ_i ladj_i
//! ```
//!
//! Pulling back through a chain rebuilds one input after another and keeps none. Each layer's input carries the context
//! that the chain's carries, so that only layers that are conditioned on it know of it.
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::Cpu, bijectors::{Chain, Squeeze}};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let mut chain = Chain::<f64, Cpu>::default();
//! chain.push("0", Squeeze);
//! chain.push("1", Squeeze);
//! assert_eq!(chain.output_shape(ImageShape::new(8, 4, 1))?, ImageShape::new(2, 1, 16));
//! # Ok(())
//! # }
//! ```

use crate::backend::{Device, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Result};

/// Bijectors one after another, each under a name of its own.
pub struct Chain<E: Element, D: Device<E>> {
    layers: Vec<(String, Box<dyn Bijector<E, D>>)>,
}

impl<E: Element, D: Device<E>> Default for Chain<E, D> {
    fn default() -> Self {
        Self { layers: Vec::new() }
    }
}

impl<E: Element, D: Device<E>> Chain<E, D> {
    /// Adds a bijector at the end.
    pub fn push(&mut self, name: impl Into<String>, bijector: impl Bijector<E, D> + 'static) {
        self.push_boxed(name, Box::new(bijector));
    }

    /// Adds a boxed bijector at the end.
    pub fn push_boxed(&mut self, name: impl Into<String>, bijector: Box<dyn Bijector<E, D>>) {
        self.layers.push((name.into(), bijector));
    }

    /// The bijectors with their names, first to last.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = (&str, &dyn Bijector<E, D>)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), layer.as_ref()))
    }

    /// Initialises every layer from what the layers before it make of `x`, and gives what the last makes of it.
    pub fn initialize_through(&mut self, mut x: Image<E, D>) -> Result<Image<E, D>> {
        for (name, layer) in &mut self.layers {
            layer.initialize(&x).map_err(|error| at(name, error))?;
            layer.prepare(x.device()).map_err(|error| at(name, error))?;
            let given = x.shared_given();
            x = layer.forward_and_ladj(x)?.0.giving(given);
        }
        Ok(x)
    }

    /// The name of the first layer whose output or ladj for `x` is not finite.
    pub fn first_non_finite(&self, mut x: Image<E, D>) -> Result<std::result::Result<Image<E, D>, String>> {
        for (name, layer) in &self.layers {
            let given = x.shared_given();
            let (y, ladj) = layer.forward_and_ladj(x)?;
            let finite = ladj.to_host()?.iter().all(|l| l.is_finite()) && y.to_host()?.iter().all(|y| y.is_finite());
            if !finite {
                return Ok(Err(name.clone()));
            }
            x = y.giving(given);
        }
        Ok(Ok(x))
    }
}

/// The same error with the layer's name in it.
fn at(name: &str, error: Error) -> Error {
    match error {
        Error::Shape { layer, expected, found } => Error::Shape { layer: format!("{name}: {layer}"), expected, found },
        Error::Singular { layer, log_abs_det } => Error::Singular { layer: format!("{name}: {layer}"), log_abs_det },
        other => other,
    }
}

impl<E: Element, D: Device<E>> std::fmt::Debug for Chain<E, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.layers.iter().map(|(name, layer)| (name, layer.kind()))).finish()
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Chain<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        for (name, layer) in &self.layers {
            layer.visit(&crate::backend::join(path, name), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        for (name, layer) in &mut self.layers {
            layer.visit_mut(&crate::backend::join(path, name), visitor);
        }
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for Chain<E, D> {
    fn kind(&self) -> &str {
        "Chain"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        self.layers.iter().try_fold(input, |shape, (name, layer)| layer.output_shape(shape).map_err(|e| at(name, e)))
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.layers.iter().try_fold(x.copied()?, |x, (_, layer)| Ok(layer.forward(&x)?.giving(x.shared_given())))
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.inverse_of(y.copied()?)
    }

    fn inverse_of(&self, y: Image<E, D>) -> Result<Image<E, D>> {
        let given = y.shared_given();
        self.layers.iter().rev().try_fold(y, |y, (_, layer)| Ok(layer.inverse_of(y)?.giving(given.clone())))
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        Ok(self.forward_and_ladj(x.copied()?)?.1)
    }

    fn forward_and_ladj(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let (given, mut total) = (x.shared_given(), PerSample::zeros(x.device(), x.batch()));
        for (_, layer) in &self.layers {
            let (y, ladj) = layer.forward_and_ladj(x)?;
            total.add_assign(&ladj)?;
            x = y.giving(given.clone());
        }
        Ok((x, total))
    }

    fn pull_back(
        &self,
        mut y: Image<E, D>,
        mut cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let given = y.shared_given();
        for (_, layer) in self.layers.iter().rev() {
            let ladj = cotangent.shared_ladj();
            let (x, g) = layer.pull_back(y, cotangent, grads)?;
            cotangent = Cotangent::with_ladj_of(g, ladj);
            y = x.giving(given.clone());
        }
        Ok((y, cotangent.image))
    }

    fn inverse_pull_back(&self, x: &Image<E, D>, mut g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        let mut x = x.copied()?;
        for (_, layer) in &self.layers {
            let Some(pulled) = layer.inverse_pull_back(&x, g)? else { return Ok(None) };
            (x, g) = (layer.forward(&x)?.giving(x.shared_given()), pulled);
        }
        Ok(Some(g))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        self.initialize_through(x.copied()?).map(drop)
    }

    fn normalizes(&self) -> bool {
        self.layers().any(|(_, layer)| layer.normalizes())
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.layers.iter_mut().try_for_each(|(name, layer)| layer.prepare(device).map_err(|error| at(name, error)))
    }

    fn forward_keeping(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (given, mut total) = (x.shared_given(), PerSample::zeros(x.device(), x.batch()));
        let mut kept = Kept::images([]);
        for (_, layer) in &self.layers {
            let (y, ladj, part) = layer.forward_keeping(x)?;
            total.add_assign(&ladj)?;
            kept.parts.push(part);
            x = y.giving(given.clone());
        }
        Ok((x, total, kept))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        mut cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        for (_, layer) in self.layers.iter().rev() {
            let ladj = cotangent.shared_ladj();
            let g = layer.pull_back_kept(kept.pop_part()?, cotangent, grads)?;
            cotangent = Cotangent::with_ladj_of(g, ladj);
        }
        Ok(cotangent.image)
    }

    fn forward_sparing(&self, mut x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>, Kept<E, D>)> {
        let (given, mut total) = (x.shared_given(), PerSample::zeros(x.device(), x.batch()));
        let mut kept = Kept::images([]);
        for (_, layer) in &self.layers {
            let (y, ladj, part) = layer.forward_sparing(x)?;
            total.add_assign(&ladj)?;
            kept.parts.push(part);
            x = y.giving(given.clone());
        }
        Ok((x, total, kept))
    }

    fn pull_back_spared(
        &self,
        mut y: Image<E, D>,
        mut kept: Kept<E, D>,
        mut cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let given = y.shared_given();
        for (_, layer) in self.layers.iter().rev() {
            let ladj = cotangent.shared_ladj();
            let (x, g) = layer.pull_back_spared(y, kept.pop_part()?, cotangent, grads)?;
            cotangent = Cotangent::with_ladj_of(g, ladj);
            y = x.giving(given.clone());
        }
        Ok((y, cotangent.image))
    }

    fn spared(&self, input: ImageShape) -> usize {
        self.over_shapes(input, |layer, shape| layer.spared(shape)).iter().sum()
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        let (mut health, mut x) = (Health::default(), x.copied()?);
        for (_, layer) in &self.layers {
            health = health.and(layer.health(&x)?);
            let given = x.shared_given();
            x = layer.forward_and_ladj(x)?.0.giving(given);
        }
        // The whole chain's Jacobian is not that of its worst layer.
        Ok(Health { jacobian_condition: None, ..health })
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        self.over_shapes(input, |layer, shape| layer.multiply_adds(shape)).iter().sum()
    }

    fn inverse_multiply_adds(&self, input: ImageShape) -> u64 {
        self.over_shapes(input, |layer, shape| layer.inverse_multiply_adds(shape)).iter().sum()
    }

    fn kept(&self, input: ImageShape) -> usize {
        self.over_shapes(input, |layer, shape| layer.kept(shape)).iter().sum()
    }

    fn working_set(&self, input: ImageShape) -> usize {
        self.over_shapes(input, |layer, shape| layer.working_set(shape)).into_iter().max().unwrap_or(input.dims())
    }

    fn activation(&self, input: ImageShape) -> usize {
        self.over_shapes(input, |layer, shape| layer.activation(shape)).into_iter().max().unwrap_or(input.dims())
    }
}

impl<E: Element, D: Device<E>> Chain<E, D> {
    /// `f` of every layer and of the shape it gets, up to the first that cannot take it.
    fn over_shapes<T>(&self, input: ImageShape, f: impl Fn(&dyn Bijector<E, D>, ImageShape) -> T) -> Vec<T> {
        let mut shape = input;
        let mut values = Vec::new();
        for (_, layer) in &self.layers {
            values.push(f(layer.as_ref(), shape));
            match layer.output_shape(shape) {
                Ok(next) => shape = next,
                Err(_) => break,
            }
        }
        values
    }
}
