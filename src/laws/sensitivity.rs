//! How far gradients move when what they come from is slightly off.
//!
//! A backward-stable computation gives the exact result of slightly wrong numbers. So how far a result may be off
//! is estimated by how far it moves when image and parameters do, along a few random directions.

use super::random::jostle;
use super::tensors::{Tensors, numbers, parameters, set_parameters, size, with_numbers};
use crate::backend::{Device, Element};
use crate::{Bijector, Image, Result};

/// Draws of which the worst counts.
const DRAWS: u64 = 3;

/// For each tensor that `results` gives: how far it moves when image and parameters move by `relative` of their
/// largest number, as a multiple of that, and at least its own size.
pub(super) fn sensitivities<E: Element, D: Device<E>>(
    bijector: &mut dyn Bijector<E, D>,
    x: &Image<E, D>,
    relative: f64,
    results: impl Fn(&dyn Bijector<E, D>, &Image<E, D>) -> Result<Tensors>,
) -> Result<Vec<f64>> {
    let (own, parameters) = (results(bijector, x)?, parameters(bijector, x.device())?);
    let mut worst: Vec<f64> = own.iter().map(|(_, values)| size(values)).collect();
    for seed in 0..DRAWS {
        let mut image = [(String::new(), numbers(x)?)];
        let mut moved = parameters.clone();
        let largest = |values: &[f64]| values.iter().fold(0.0_f64, |largest, value| value.abs().max(largest));
        jostle(&mut image, 2 * seed, |values| relative * largest(values));
        jostle(&mut moved, 2 * seed + 1, |values| relative * largest(values));
        set_parameters(bijector, x.device(), &moved)?;
        bijector.prepare(x.device())?;
        let [(_, image)] = image;
        let after = with_numbers(x, &image).and_then(|image| results(bijector, &image));
        set_parameters(bijector, x.device(), &parameters)?;
        bijector.prepare(x.device())?;
        for (worst, ((_, before), (_, after))) in worst.iter_mut().zip(own.iter().zip(&after?)) {
            let moves = before.iter().zip(after).map(|(before, after)| (after - before).abs() / relative);
            *worst = moves.fold(*worst, f64::max);
        }
    }
    Ok(worst)
}
