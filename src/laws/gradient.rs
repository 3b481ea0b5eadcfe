//! Gradients are derivatives, whichever way they are computed.

use super::condition::{Condition, rounding};
use super::cotangents::Cotangents;
use super::derivative::{Slope, slopes};
use super::random::normals;
use super::sensitivity::sensitivities;
use super::tensors::{Tensors, gradients, numbers, parameters, set_parameters, size, with_ladj, with_numbers};
use super::violation::{Judge, Law, Violation};
use crate::backend::{Device, Element, Parameters};
use crate::nets::Net;
use crate::priors::Classifier;
use crate::{Bijector, Image, ParameterGradients, Result as Outcome};

/// Numbers of each tensor whose partial derivative is taken; every tensor has one along a random direction, too.
const PARTIALS: usize = 12;
/// At least one in so many directions without a numerical derivative, and the images lie on a kink.
const KINKS: usize = 4;

/// With random cotangents for y and ladj, the gradients of [`Bijector::pull_back`] equal numerical derivatives.
///
/// # Errors
/// A [`Violation`] of it.
pub fn pull_back_is_the_gradient<D: Device<f64>>(
    bijector: &mut dyn Bijector<f64, D>,
    x: &Image<f64, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::Gradient, bijector.kind());
    let y = judge.ask(bijector.forward(x))?;
    let cotangents = Cotangents::random(&y);
    let claimed = judge.ask(cotangents.pulled_back(bijector, y))?.1;
    let loss = Loss::<dyn Bijector<f64, D> + '_, D> {
        renew: &|bijector| bijector.prepare(x.device()),
        value: &|bijector, x| with_ladj(bijector.forward_and_ladj(x.clone())?),
        cotangents: &cotangents.concatenated(),
        amplified: condition.number(),
    };
    loss.has_gradient(&judge, bijector, x, &claimed)
}

/// The gradients of a [`Net`] equal numerical derivatives.
///
/// # Errors
/// A [`Violation`] of it.
pub fn net_has_its_gradient<D: Device<f64>>(net: &mut dyn Net<f64, D>, x: &Image<f64, D>) -> Result<(), Violation> {
    let judge = Judge::new(Law::Gradient, "a network");
    let mut grads = judge.ask(ParameterGradients::zeros(x.device(), net))?;
    let (h, kept) = judge.ask(net.forward_keeping(x))?;
    let cotangents = normals(3, 0, h.batch() * h.shape().dims());
    let g = judge.ask(with_numbers(&h, &cotangents).and_then(|g| net.pull_back(kept, g, &mut grads)))?;
    let claimed = judge.ask(gradients(net, &g, &grads))?;
    let loss = Loss::<dyn Net<f64, D> + '_, D> {
        renew: &|net| net.prepare(x.device()),
        value: &|net, x| numbers(&net.forward(x)?),
        cotangents: &cotangents,
        amplified: 1.0,
    };
    loss.has_gradient(&judge, net, x, &claimed)
}

/// The gradients of a [`Classifier`]'s cross-entropy equal numerical derivatives.
///
/// # Errors
/// A [`Violation`] of it.
pub fn classifier_has_its_gradient<D: Device<f64>>(
    classifier: &mut Classifier<f64, D>,
    z: &Image<f64, D>,
    labels: &[usize],
) -> Result<(), Violation> {
    const SCALE: f64 = 0.7;
    let judge = Judge::new(Law::Gradient, "Classifier");
    let mut grads = judge.ask(ParameterGradients::zeros(z.device(), classifier))?;
    let (_, g) = judge.ask(classifier.pull_back(z, labels, SCALE, &mut grads))?;
    let claimed = judge.ask(gradients(classifier, &g, &grads))?;
    let loss = Loss::<Classifier<f64, D>, D> {
        renew: &|classifier| classifier.prepare(z.device()),
        value: &|classifier, z| {
            let classes = classifier.log_probabilities(z)?;
            let own = classes.iter().zip(labels).map(|(classes, &label)| -classes[label] / std::f64::consts::LN_2);
            Ok(own.collect())
        },
        cotangents: &vec![SCALE * classifier.weight(); labels.len()],
        amplified: 1.0,
    };
    loss.has_gradient(&judge, classifier, z, &claimed)
}

/// [`Bijector::pull_back`] rebuilds the input, and gives the gradients that [`Bijector::pull_back_kept`] gives; and so does
/// [`Bijector::pull_back_spared`].
///
/// # Errors
/// A [`Violation`] of it.
pub fn pull_back_agrees_with_kept<E: Element, D: Device<E>>(
    bijector: &mut dyn Bijector<E, D>,
    x: &Image<E, D>,
    condition: &Condition,
) -> Result<(), Violation> {
    let judge = Judge::new(Law::KeptGradient, bijector.kind());
    let y = judge.ask(bijector.forward(x))?;
    let cotangents = Cotangents::random(&y);
    let (rebuilt, inverted) = judge.ask(cotangents.pulled_back(bijector, y))?;
    let (spared, with_spared) = judge.ask(cotangents.pulled_back_spared(bijector, x))?;
    for rebuilt in [&rebuilt, &spared] {
        judge.near("the rebuilt input", rebuilt, &judge.ask(numbers(x))?, condition.input_error::<E>())?;
    }

    let kept = judge.ask(cotangents.pulled_back_kept(bijector, x))?;
    let error = condition.relative_error::<E>(&judge)?;
    let results = |bijector: &dyn Bijector<E, D>, x: &Image<E, D>| cotangents.pulled_back_kept(bijector, x);
    let sensitivities = judge.ask(sensitivities(bijector, x, error, results))?;
    for (i, sensitivity) in sensitivities.into_iter().enumerate() {
        let (name, kept) = &kept[i];
        for (_, found) in [&inverted[i], &with_spared[i]] {
            judge.near(&format!("the gradient of {name}"), found, kept, error * sensitivity)?;
        }
    }
    Ok(())
}

/// The numbers that a map gives for an image.
type Value<'a, T, D> = dyn Fn(&T, &Image<f64, D>) -> Outcome<Vec<f64>> + 'a;

/// A loss that is linear in what a map with parameters gives.
struct Loss<'a, T: ?Sized, D: Device<f64>> {
    /// Called after parameters change.
    renew: &'a dyn Fn(&mut T) -> Outcome<()>,
    value: &'a Value<'a, T, D>,
    cotangents: &'a [f64],
    /// How much a rounding is amplified in its gradient.
    amplified: f64,
}

impl<D: Device<f64>, T: Parameters<f64, D> + ?Sized> Loss<'_, T, D> {
    fn has_gradient(&self, judge: &Judge, map: &mut T, x: &Image<f64, D>, claimed: &Tensors) -> Result<(), Violation> {
        let mut point = vec![("the image".to_string(), judge.ask(numbers(x))?)];
        point.extend(judge.ask(parameters(map, x.device()))?);
        judge.same("the number of gradients", claimed.len(), point.len())?;
        let rounding = rounding::<f64>(point.iter().map(|(_, values)| values.len()).sum());
        let (mut looked, mut kinks) = (0, 0);
        for (tensor, (name, claimed)) in claimed.iter().enumerate() {
            let what = format!("the gradient of {name}");
            judge.same(&format!("the length of {what}"), claimed.len(), point[tensor].1.len())?;
            for direction in directions(tensor as u64, claimed.len()) {
                let slope = judge.ask(self.slope(map, x, &point, (tensor, &direction), rounding))?;
                looked += 1;
                if !slope.is_useful() {
                    kinks += 1;
                    continue;
                }
                let found = direction.iter().map(|(i, along)| claimed[*i] * along).sum();
                let bound = slope.error + self.amplified * rounding * size(claimed) * direction.len() as f64;
                judge.near(&what, &[found], &[slope.value], bound)?;
            }
        }
        if KINKS * kinks > looked {
            Err(judge.undecided(format!("{kinks} of {looked} directions have no numerical derivative")))
        } else {
            Ok(())
        }
    }

    /// The derivative of the loss along a direction of one tensor.
    fn slope(
        &self,
        map: &mut T,
        x: &Image<f64, D>,
        point: &Tensors,
        (tensor, direction): (usize, &[(usize, f64)]),
        noise: f64,
    ) -> Outcome<Slope> {
        let mut moved = point.clone();
        let mut put = |map: &mut T, t: f64| {
            for (i, along) in direction {
                moved[tensor].1[*i] = point[tensor].1[*i] + t * along;
            }
            if tensor > 0 {
                set_parameters(map, x.device(), &moved[1..])?;
                (self.renew)(map)?;
            }
            with_numbers(x, &moved[0].1)
        };
        let slopes = slopes(noise, |t| {
            let x = put(map, t)?;
            (self.value)(map, &x)
        });
        put(map, 0.0)?;
        let terms = slopes?.into_iter().zip(self.cotangents);
        Ok(terms.fold(Slope { value: 0.0, error: 0.0 }, |sum, (slope, along)| Slope {
            value: sum.value + along * slope.value,
            error: sum.error + along.abs() * slope.error,
        }))
    }
}

/// A random direction of `count` numbers, and some of the numbers alone.
fn directions(seed: u64, count: usize) -> Vec<Vec<(usize, f64)>> {
    let noise = normals(4, seed, count);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| noise[a].total_cmp(&noise[b]));
    let alone = order.into_iter().take(PARTIALS).map(|i| vec![(i, 1.0)]);
    std::iter::once(noise.iter().copied().enumerate().collect()).chain(alone).collect()
}
