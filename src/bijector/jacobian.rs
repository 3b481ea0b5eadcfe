//! The condition number of a layer's Jacobian, estimated by power iterations.
//!
//! With J the Jacobian of one image, κ = σ_max(J) · σ_max(J⁻¹), the 2-norm condition number. Each factor is the largest
//! gain `‖A v‖/‖v‖` that a power iteration `v ← Aᵀ A v` meets from a random start (Golub & Van Loan, "Matrix
//! Computations", § 8.2; how fast it gets there from a random start: Dixon 1983, "Estimating extremal eigenvalues and
//! condition numbers of matrices", SIAM J. Numer. Anal. 20). What it multiplies by:
//!
//! | | is |
//! |---|---|
//! | `J v`, `J⁻¹ w` | central differences of `forward` at x and of `inverse` at y |
//! | `Jᵀ u` | [`Bijector::pull_back_kept`] |
//! | `J⁻ᵀ g` | [`Bijector::inverse_pull_back`] |
//!
//! A gain is never above the norm, so the estimate is below κ, but for the errors of the differences: some ε^(2/3) of
//! itself where the map is smooth, and where a step crosses the kink of a ReLU it is the mean of both sides.

use super::{Bijector, Cotangent, larger};
use crate::Result;
use crate::backend::{Device, Element, Image, ImageShape, ParameterGradients};
use crate::noise::{NoiseKey, Purpose};
use std::sync::Arc;

/// How much work goes into the estimate of a Jacobian's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How many images it is looked at, the first ones; their worst condition counts.
    pub images: usize,
    /// The most power iterations at either end. One costs about as much as fifteen forward passes.
    pub iterations: usize,
}

impl Effort {
    /// For a look at a model.
    pub const THOROUGH: Self = Self { images: 4, iterations: 16 };
    /// For a look now and then during training.
    pub const BRIEF: Self = Self { images: 2, iterations: 2 };
    /// Nothing is estimated.
    pub const NONE: Self = Self { images: 0, iterations: 0 };
}

/// Iterations that are made before an estimate may count as settled, and the growth that no longer matters.
const AT_LEAST: usize = 4;
const SETTLED: f64 = 1.01;

/// An estimate of the largest condition number of the Jacobian of `bijector` at any of the first images `x`, from below.
/// `None` if no work is to be done; not finite where the map or its inverse is not.
///
/// # Errors
/// As the methods of [`Bijector`]; so a bijector that takes no other number of images than it is made for, as
/// [`LabelledTop`](crate::priors::LabelledTop), wants an effort of as many images.
pub fn jacobian_condition<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    effort: Effort,
) -> Result<Option<f64>> {
    let (images, dims) = (effort.images.min(x.batch()), x.shape().dims());
    if images == 0 || dims == 0 || effort.iterations == 0 {
        return Ok(None);
    }
    let x = with_numbers(x, images, &numbers(x)?)?;
    let y = bijector.forward(&x)?.giving(x.shared_given());
    let forth = largest_gains(
        (images, dims, effort.iterations),
        |v| differential(&x, v, |x| bijector.forward(x)),
        |u| numbers(&pulled_back(bijector, &x, with_numbers(&y, images, u)?)?).map(Some),
    )?;
    let back = largest_gains(
        (images, dims, effort.iterations),
        |w| differential(&y, w, |y| bijector.inverse(y)),
        |g| bijector.inverse_pull_back(&x, with_numbers(&x, images, g)?)?.as_ref().map(numbers).transpose(),
    )?;
    Ok(Some(forth.iter().zip(back).map(|(forth, back)| forth * back).fold(0.0, |worst, kappa| larger(kappa, worst))))
}

/// For each image the largest gain of a linear map that a power iteration meets. Where the transposed map is not known,
/// each iteration starts from another random direction instead.
fn largest_gains(
    (images, dims, iterations): (usize, usize, usize),
    apply: impl Fn(&[f64]) -> Result<Vec<f64>>,
    transposed: impl Fn(&[f64]) -> Result<Option<Vec<f64>>>,
) -> Result<Vec<f64>> {
    let random = |stream: usize| {
        let mut normals = vec![0.0; images * dims];
        NoiseKey::new(0, Purpose::Check).normal(stream as u64, &mut normals);
        normals
    };
    let (mut v, mut largest) = (random(0), vec![0.0; images]);
    for iteration in 0..iterations {
        v.chunks_exact_mut(dims).for_each(|v| {
            let norm = norm(v);
            v.iter_mut().for_each(|v| *v /= norm);
        });
        let u = apply(&v)?;
        let mut grows = false;
        for (largest, u) in largest.iter_mut().zip(u.chunks_exact(dims)) {
            let gain = norm(u);
            grows |= gain.is_nan() || gain > SETTLED * *largest;
            *largest = larger(gain, *largest);
        }
        if iteration + 1 == iterations {
            break;
        }
        v = match transposed(&u)? {
            Some(_) if !grows && iteration + 1 >= AT_LEAST => break,
            Some(v) => v,
            None => random(iteration + 1),
        };
    }
    Ok(largest)
}

/// The derivative of `f` at `at` along `v`, each image by a step of its own.
///
/// The step moves no number by more than ε^(1/3) of the largest one, or of 1: there the errors of a central difference
/// from rounding and from curvature are about equal.
fn differential<E: Element, D: Device<E>>(
    at: &Image<E, D>,
    v: &[f64],
    f: impl Fn(&Image<E, D>) -> Result<Image<E, D>>,
) -> Result<Vec<f64>> {
    let (values, dims) = (numbers(at)?, at.shape().dims());
    let size = |values: &[f64]| values.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
    let step = |(x, v): (&[f64], &[f64])| E::epsilon().as_f64().cbrt() * size(x).max(1.0) / size(v);
    let steps: Vec<f64> = values.chunks_exact(dims).zip(v.chunks_exact(dims)).map(step).collect();
    let moved = |sign: f64| {
        let moved = values.iter().zip(v).enumerate().map(|(i, (x, v))| x + sign * steps[i / dims] * v);
        numbers(&f(&with_numbers(at, at.batch(), &moved.collect::<Vec<f64>>())?)?)
    };
    let (up, down) = (moved(1.0)?, moved(-1.0)?);
    Ok(up.iter().zip(&down).enumerate().map(|(i, (up, down))| (up - down) / (2.0 * steps[i / dims])).collect())
}

/// `Jᵀ u` at x.
pub(crate) fn pulled_back<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    u: Image<E, D>,
) -> Result<Image<E, D>> {
    let (_, _, kept) = bijector.forward_keeping(x.copied()?)?;
    let cotangent = Cotangent::new(u, &vec![0.0; x.batch()])?;
    bijector.pull_back_kept(kept, cotangent, &mut ParameterGradients::zeros(x.device(), bijector)?)
}

/// `J⁻ᵀ g` of a bijector that leaves some elements as they are and moves each of the others by a map of its own, which may
/// depend on those that stay: with `J = [[I, 0], [N, S]]` and S diagonal, `w2 = g2/S` and `w1 = g1 − Nᵀ w2`. `moves` is 1
/// for an element that moves, and else 0.
pub(crate) fn triangular_inverse_pull_back<E: Element, D: Device<E>>(
    bijector: &dyn Bijector<E, D>,
    x: &Image<E, D>,
    g: &Image<E, D>,
    moves: Image<E, D>,
) -> Result<Image<E, D>> {
    let (g, moving) = (numbers(g)?, numbers(&moves)?);
    // Jᵀ (0, 1) has S in the elements that move, and Jᵀ (0, w2) has Nᵀ w2 in the others.
    let scale = numbers(&pulled_back(bijector, x, moves)?)?;
    let second =
        moving.iter().zip(&g).zip(&scale).map(|((moves, g), scale)| if *moves > 0.0 { g / scale } else { 0.0 });
    let second: Vec<f64> = second.collect();
    let pulled = numbers(&pulled_back(bijector, x, with_numbers(x, x.batch(), &second)?)?)?;
    let w = |i: usize| if moving[i] > 0.0 { second[i] } else { g[i] - pulled[i] };
    with_numbers(x, x.batch(), &(0..g.len()).map(w).collect::<Vec<f64>>())
}

/// Images of another shape, as many as there are of `like`, that are 1 everywhere.
pub(crate) fn ones<E: Element, D: Device<E>>(like: &Image<E, D>, shape: ImageShape) -> Result<Image<E, D>> {
    Image::from_host(like.device(), like.batch(), shape, &vec![E::one(); like.batch() * shape.dims()])
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn numbers<E: Element, D: Device<E>>(image: &Image<E, D>) -> Result<Vec<f64>> {
    Ok(image.to_host()?.into_iter().map(E::as_f64).collect())
}

/// Images of the same shape and with the same context, as many of `values` as there are.
fn with_numbers<E: Element, D: Device<E>>(like: &Image<E, D>, images: usize, values: &[f64]) -> Result<Image<E, D>> {
    let values: Vec<E> = values.iter().take(images * like.shape().dims()).copied().map(E::of).collect();
    let given = match like.given() {
        Some(given) if images < like.batch() => Some(Arc::new(with_numbers(given, images, &numbers(given)?)?)),
        _ => like.shared_given(),
    };
    Ok(Image::from_host(like.device(), images, like.shape(), &values)?.giving(given))
}
