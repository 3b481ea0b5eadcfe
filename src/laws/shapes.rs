//! What a bijector says of shapes is what it does.

use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element};
use crate::bijector::Cotangent;
use crate::{Bijector, Error, Image, ImageShape, ParameterGradients, Result as Outcome};

/// It gives images of the shape that [`Bijector::output_shape`] tells; where that refuses a shape, so do all its
/// methods, with [`Error::Shape`]. Tried on the shape of `x` and on its neighbours.
///
/// # Errors
/// A [`Violation`] of it.
pub fn keeps_shapes<E: Element, D: Device<E>>(bijector: &dyn Bijector<E, D>, x: &Image<E, D>) -> Result<(), Violation> {
    let judge = Judge::new(Law::Shapes, bijector.kind());
    let own = judge.ask(bijector.output_shape(x.shape()))?;
    for shape in std::iter::once(x.shape()).chain(neighbours(x.shape())) {
        let zeros = judge.ask(Image::zeros(x.device(), x.batch(), shape))?;
        let told = bijector.output_shape(shape);
        for (method, given) in [
            ("forward", bijector.forward(&zeros).map(|y| y.shape())),
            ("forward_and_ladj", bijector.forward_and_ladj(zeros.clone()).map(|(y, _)| y.shape())),
            ("forward_keeping", bijector.forward_keeping(zeros.clone()).map(|(y, ..)| y.shape())),
        ] {
            let expected = refusal(&told).map_err(|_| judge.not("output_shape", "another error", "Error::Shape"))?;
            let what = format!("{method} of {shape}");
            let found = refusal(&given).map_err(|error| judge.not(&what, error, "Error::Shape"))?;
            judge.same(&what, found, expected)?;
        }
    }
    for shape in std::iter::once(own).chain(neighbours(own)) {
        let zeros = judge.ask(Image::zeros(x.device(), x.batch(), shape))?;
        let cotangent = judge.ask(Cotangent::new(zeros.clone(), &vec![0.0; x.batch()]))?;
        let mut grads = judge.ask(ParameterGradients::zeros(x.device(), bijector))?;
        let pulled = bijector.pull_back(zeros.clone(), cotangent, &mut grads);
        for (method, given) in [
            ("inverse", bijector.inverse(&zeros).map(|x| x.shape())),
            ("inverse_of", bijector.inverse_of(zeros).map(|x| x.shape())),
            ("pull_back", pulled.as_ref().map(|(x, _)| x.shape()).map_err(again)),
            ("the gradient of pull_back", pulled.as_ref().map(|(_, g)| g.shape()).map_err(again)),
        ] {
            let what = format!("{method} of {shape}");
            match refusal(&given).map_err(|error| judge.not(&what, error, "Error::Shape"))? {
                Some(input) => {
                    let forth = bijector.output_shape(input).ok();
                    judge.same(&format!("the output_shape of {what}"), forth, Some(shape))?;
                }
                None => judge.same(&what, shape == own, false)?,
            }
        }
    }
    Ok(())
}

/// The shape, or none where it was refused as it should be; what was said otherwise.
fn refusal(given: &Outcome<ImageShape>) -> Result<Option<ImageShape>, &'static str> {
    match given {
        Ok(shape) => Ok(Some(*shape)),
        Err(Error::Shape { .. }) => Ok(None),
        Err(_) => Err("another error"),
    }
}

/// A refusal that is looked at twice.
fn again(error: &Error) -> Error {
    match error {
        Error::Shape { layer, expected, found } => {
            Error::Shape { layer: layer.clone(), expected: expected.clone(), found: found.clone() }
        }
        other => Error::Device(other.to_string()),
    }
}

/// Shapes that differ by 1 in one axis.
fn neighbours(shape: ImageShape) -> impl Iterator<Item = ImageShape> {
    let ImageShape { height, width, channels } = shape;
    let all = [
        ImageShape { channels: channels + 1, ..shape },
        ImageShape { channels: channels - 1, ..shape },
        ImageShape { height: height + 1, ..shape },
        ImageShape { width: width + 1, ..shape },
    ];
    all.into_iter().filter(|shape| shape.dims() > 0)
}
