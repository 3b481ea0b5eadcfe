//! The masked dense network of M. Germain et al., "MADE: masked autoencoder for distribution estimation" (2015).
//!
//! Its numbers for an element follow from the elements before it alone. Every element has a degree, its place in the order
//! counted from 1, and so has every hidden unit; a weight is left where
//!
//! ```text
//! into a hidden unit      degree of the unit    ≥ degree of what it looks at     eq. 13
//! into the numbers        degree of the element > degree of the unit            eq. 14
//! ```
//!
//! and is 0 elsewhere. Degrees of hidden units go round from 1 to n − 1, or are spread evenly where a layer has fewer units.
//! Inputs of a context have degree 0, so that every unit may see them; beside them units of degree 0 see nothing else, and
//! give the first element what it knows of the context.
//!
//! The last layer starts at zero. The order is part of the model, saved as the constant `order`; masks follow from it.

use super::Net;
use super::layer::Layer;
use crate::backend::kernels::Activation;
use crate::backend::{
    Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, Parameters, join,
};
use crate::bijector::Kept;
use crate::bijectors::indexes;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// In which order elements follow from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "order")]
pub enum Order {
    /// The first element first.
    #[default]
    Forward,
    /// The last element first.
    Reverse,
    /// A random order, drawn from the initializer's seed.
    Shuffle,
}

/// What can be chosen about a [`Made`].
#[derive(Clone, Debug, PartialEq)]
pub struct MadeOptions {
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// What follows each of them.
    pub activation: Activation,
    /// The order of the elements.
    pub order: Order,
    /// Inputs beside the elements, after them, that every unit may see.
    pub context: usize,
}

impl Default for MadeOptions {
    fn default() -> Self {
        Self { hidden: vec![64, 64], activation: Activation::Relu, order: Order::Forward, context: 0 }
    }
}

/// A masked dense network: from `[1, 1, n + context]` to so many numbers for each of n elements.
#[derive(Debug)]
pub struct Made<E: Element, D: Device<E>> {
    /// `[n]`: the element at each place, counted from 0.
    order: Parameter<E, D>,
    /// The hidden layers, then the last.
    layers: Vec<Layer<E, D>>,
    activation: Activation,
    numbers: usize,
    context: usize,
    /// The order that the masks are of.
    places: Vec<usize>,
}

impl<E: Element, D: Device<E>> Made<E, D> {
    /// For vectors of `elements`, `numbers` each.
    ///
    /// # Errors
    /// [`Error::Shape`] for vectors of no elements, [`Error::Device`] when the device fails.
    pub fn new(initializer: &Initializer<D>, elements: usize, numbers: usize, options: &MadeOptions) -> Result<Self> {
        if elements == 0 || numbers == 0 {
            return Err(Error::Shape {
                layer: "MADE".into(),
                expected: "at least one element, with at least one number".into(),
                found: format!("{elements} with {numbers} each"),
            });
        }
        let places = match options.order {
            Order::Forward => (0..elements).collect(),
            Order::Reverse => (0..elements).rev().collect(),
            Order::Shuffle => initializer.order("order", elements),
        };
        let (mut input, mut layers) = (elements + options.context, Vec::new());
        for (i, &width) in options.hidden.iter().enumerate() {
            layers.push(Layer::hidden(&initializer.at(&format!("hidden.{i}")), (input, width), options.activation)?);
            input = width;
        }
        layers.push(Layer::zero(initializer, (input, elements * numbers))?);
        let order =
            initializer.constant(&[elements], || places.iter().map(|&place| place as f64).collect())?.mirrored();
        let (activation, context) = (options.activation, options.context);
        let mut made = Self { order, layers, activation, numbers, context, places: Vec::new() };
        made.prepare(initializer.device())?;
        Ok(made)
    }

    /// How many elements it gives numbers for.
    pub fn elements(&self) -> usize {
        self.order.count()
    }

    /// How many numbers an element has.
    pub fn numbers(&self) -> usize {
        self.numbers
    }

    /// The elements in their order.
    pub fn order(&self) -> &[usize] {
        &self.places
    }

    /// The numbers of one element, `[1, 1, numbers]`, without the cost of the others'. What the elements after it are does
    /// not matter, so long as they are finite.
    pub fn numbers_of(&self, element: usize, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.last().columns(&self.hidden(x)?.0, element * self.numbers, self.numbers)
    }

    /// The gradient with respect to the input from that with respect to one element's numbers, without the parameters'.
    pub fn back_from(&self, element: usize, kept: &Kept<E, D>, g: &Image<E, D>) -> Result<Image<E, D>> {
        let mut g = self.last().back_from_columns(g, element * self.numbers)?;
        for (layer, y) in self.layers.iter().zip(&kept.images[1..]).rev() {
            g.device().clone().activate_gradient(self.activation, y.data(), g.data_mut())?;
            g = layer.back(&g)?;
        }
        Ok(g)
    }

    /// Multiply-adds of [`Made::numbers_of`] for each element in turn.
    pub fn multiply_adds_in_turn(&self) -> u64 {
        let hidden = &self.layers[..self.layers.len() - 1];
        self.last().multiply_adds() + self.elements() as u64 * hidden.iter().map(Layer::multiply_adds).sum::<u64>()
    }

    fn last(&self) -> &Layer<E, D> {
        &self.layers[self.layers.len() - 1]
    }

    /// The last hidden layer, or the input where there is none, and the inputs of the layers before.
    fn hidden(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Vec<Image<E, D>>)> {
        x.expect_shape("MADE", ImageShape::new(1, 1, self.elements() + self.context))?;
        let (mut h, mut inputs) = (x.copied()?, Vec::new());
        for layer in &self.layers[..self.layers.len() - 1] {
            let mut next = layer.forward(&h)?;
            x.device().activate(self.activation, next.data_mut())?;
            inputs.push(std::mem::replace(&mut h, next));
        }
        Ok((h, inputs))
    }

    /// Masks for another order.
    fn mask(&mut self, device: &D, places: Vec<usize>) -> Result<()> {
        let (elements, numbers, context) = (places.len(), self.numbers, self.context);
        let mut degrees = vec![0; elements];
        places.iter().enumerate().for_each(|(place, &element)| degrees[element] = place + 1);
        let last = self.layers.len() - 1;
        let of_input = |i: usize| degrees.get(i).copied().unwrap_or(0);
        let mut before: Box<dyn Fn(usize) -> usize> = Box::new(of_input);
        for layer in &mut self.layers[..last] {
            let width = layer.output;
            let own = move |k: usize| hidden_degree(k, width, elements, context);
            layer.mask(device, |i, k| own(k) >= before(i))?;
            before = Box::new(own);
        }
        self.layers[last].mask(device, |i, k| degrees[k / numbers] > before(i))?;
        self.places = places;
        Ok(())
    }
}

/// The degree of unit k of a hidden layer.
fn hidden_degree(k: usize, width: usize, elements: usize, context: usize) -> usize {
    let first = usize::from(context == 0 && elements > 1);
    let count = elements - first;
    first + if width < count { k * count / width } else { k % count }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for Made<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        visitor(&join(path, "order"), &self.order);
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            let name = if i == last { "last".to_owned() } else { format!("hidden.{i}") };
            layer.visit(&join(path, &name), visitor);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        visitor(&join(path, "order"), &mut self.order);
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let name = if i == last { "last".to_owned() } else { format!("hidden.{i}") };
            layer.visit_mut(&join(path, &name), visitor);
        }
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Made<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.elements() + self.context, self.last().output)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (h, mut inputs) = self.hidden(x)?;
        let y = self.last().forward(&h)?;
        inputs.push(h);
        Ok((y, Kept::images(inputs)))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        mut g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let last = self.layers.len() - 1;
        let mut y: Option<Image<E, D>> = None;
        for layer in self.layers[..=last].iter().rev() {
            if let Some(y) = y.take() {
                g.device().clone().activate_gradient(self.activation, y.data(), g.data_mut())?;
            }
            let x = kept.pop()?;
            layer.add_gradients(&x, &g, grads)?;
            g = layer.back(&g)?;
            y = Some(x);
        }
        Ok(g)
    }

    /// Refuses an order that is none, as a file may have.
    fn prepare(&mut self, device: &D) -> Result<()> {
        let order = self.order.to_host(device)?;
        if order.is_empty() {
            return Ok(());
        }
        let places = indexes("MADE", &order.iter().map(|k| k.as_f64()).collect::<Vec<_>>())?;
        if places != self.places {
            self.mask(device, places)?;
        }
        self.layers.iter_mut().try_for_each(|layer| layer.prepare(device))
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        self.layers.iter().map(Layer::multiply_adds).sum()
    }

    /// Each layer's input.
    fn kept_channels(&self) -> usize {
        self.layers.iter().map(|layer| layer.input).sum()
    }

    /// What is kept, a layer's output before it is kept, and two gradients.
    fn working_channels(&self) -> usize {
        self.kept_channels() + 3 * self.width()
    }

    fn width(&self) -> usize {
        self.layers.iter().map(|layer| layer.input.max(layer.output)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::bijectors::{Autoregressive, Direction, ElementMap, ScaleMap};
    use crate::laws::{self, Law};

    const SHAPE: ImageShape = ImageShape::new(1, 1, 4);

    fn made(hidden: &[usize], context: usize) -> Made<f64, Cpu> {
        let options =
            MadeOptions { hidden: hidden.to_vec(), activation: Activation::Tanh, context, ..Default::default() };
        Made::new(&Initializer::new(&Cpu::default(), 2), SHAPE.dims(), 2, &options).unwrap()
    }

    #[test]
    fn a_mask_that_lets_an_element_see_itself_is_rejected() {
        let (device, map) = (Cpu::default(), ElementMap::Affine(ScaleMap::Exp));
        let x = laws::normal_image(&device, 2, SHAPE, 1).unwrap();
        let layer = |made| Autoregressive::new(SHAPE, map, Direction::Density, made).unwrap();
        laws::hold(&mut layer(made(&[6], 0)), &x).unwrap();
        // Unit 1 has degree 2 and may see element 1, whose numbers are 2 and 3.
        let mut selfish = made(&[6], 0);
        selfish.layers[1].unmask(&device, 1, 2);
        let violation = laws::hold(&mut layer(selfish), &x).unwrap_err();
        assert_eq!(violation.law(), Law::RoundTrip, "{violation}");
    }

    #[test]
    fn every_element_sees_all_elements_before_it_and_the_context() {
        let device = Cpu::default();
        for hidden in [&[8, 9][..], &[4], &[]] {
            let mut made = made(hidden, 1);
            laws::randomize(&mut made, &device, 3, 0.5).unwrap();
            made.prepare(&device).unwrap();
            let at = laws::normal_image(&device, 1, ImageShape::new(1, 1, 5), 1).unwrap();
            let numbers = |x: &Image<f64, Cpu>| made.forward(x).unwrap().to_host().unwrap();
            for input in 0..5 {
                let mut moved = at.to_host().unwrap();
                moved[input] += 0.5;
                let moved = numbers(&Image::from_host(&device, 1, at.shape(), &moved).unwrap());
                for (k, (a, b)) in numbers(&at).iter().zip(&moved).enumerate() {
                    assert_eq!(a != b, input == 4 || input < k / 2, "{hidden:?}: number {k}, input {input}");
                }
            }
        }
    }

    #[test]
    fn one_elements_numbers_are_those_of_all() {
        let device = Cpu::default();
        let mut made = made(&[5, 5], 0);
        laws::randomize(&mut made, &device, 3, 0.5).unwrap();
        made.prepare(&device).unwrap();
        let x = laws::normal_image(&device, 3, SHAPE, 1).unwrap();
        let all = made.forward(&x).unwrap();
        for element in 0..4 {
            let own = made.numbers_of(element, &x).unwrap().to_host().unwrap();
            let of_all = all.channels(2 * element, 2).unwrap().to_host().unwrap();
            assert!(own.iter().zip(&of_all).all(|(a, b)| (a - b).abs() < 1e-14));
        }
    }
}
