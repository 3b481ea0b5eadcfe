//! Images and parameters as lists of numbers in f64, and back.

use crate::backend::{Device, Element, PerSample};
use crate::{Image, Parameter, ParameterGradients, Parameters, Result};

/// Numbers under a name: an image, or one parameter's values or gradient.
pub(super) type Tensors = Vec<(String, Vec<f64>)>;

/// An image's numbers.
pub(super) fn numbers<E: Element, D: Device<E>>(image: &Image<E, D>) -> Result<Vec<f64>> {
    Ok(image.to_host()?.into_iter().map(E::as_f64).collect())
}

/// An image with other numbers.
pub(super) fn with_numbers<E: Element, D: Device<E>>(like: &Image<E, D>, numbers: &[f64]) -> Result<Image<E, D>> {
    let numbers: Vec<E> = numbers.iter().copied().map(E::of).collect();
    Image::from_host(like.device(), like.batch(), like.shape(), &numbers)
}

/// The same image in f64.
pub(super) fn in_f64<D: Device<f32> + Device<f64>>(image: &Image<f32, D>) -> Result<Image<f64, D>> {
    Image::from_host(image.device(), image.batch(), image.shape(), &numbers(image)?)
}

/// An image's numbers, then those of each image's ladj.
pub(super) fn with_ladj<E: Element, D: Device<E>>((image, ladj): (Image<E, D>, PerSample<D>)) -> Result<Vec<f64>> {
    let mut all = numbers(&image)?;
    all.extend(ladj.to_host()?);
    Ok(all)
}

/// The largest absolute value, and at least 1: what a relative error is relative to.
pub(super) fn size(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1.0, |size, number| number.abs().max(size))
}

/// Every trained parameter, in the order of the visit.
pub(super) fn parameters<E: Element, D: Device<E>>(
    of: &(impl Parameters<E, D> + ?Sized),
    device: &D,
) -> Result<Tensors> {
    collect(of, |parameter| parameter.to_host(device))
}

/// The gradient of the image, then that of every trained parameter, in the order of the visit.
pub(super) fn gradients<E: Element, D: Device<E>>(
    of: &(impl Parameters<E, D> + ?Sized),
    image: &Image<E, D>,
    grads: &ParameterGradients<E, D>,
) -> Result<Tensors> {
    let mut all = vec![("the image".into(), numbers(image)?)];
    all.extend(collect(of, |parameter| match grads.get(parameter.id()) {
        Some(slot) => image.device().download(slot),
        None => Ok(Vec::new()),
    })?);
    Ok(all)
}

fn collect<E: Element, D: Device<E>>(
    of: &(impl Parameters<E, D> + ?Sized),
    mut values: impl FnMut(&Parameter<E, D>) -> Result<Vec<E>>,
) -> Result<Tensors> {
    let mut all = Ok(Vec::new());
    of.visit("", &mut |name, parameter| {
        if let (true, Ok(list)) = (parameter.is_trained(), &mut all) {
            match values(parameter) {
                Ok(values) => list.push((name.to_string(), values.into_iter().map(E::as_f64).collect())),
                Err(error) => all = Err(error),
            }
        }
    });
    all
}

/// Sets every trained parameter; [`prepare`](crate::Bijector::prepare) is still to be called.
pub(super) fn set_parameters<E: Element, D: Device<E>>(
    of: &mut (impl Parameters<E, D> + ?Sized),
    device: &D,
    values: &[(String, Vec<f64>)],
) -> Result<()> {
    let mut values = values.iter();
    let mut outcome = Ok(());
    of.visit_mut("", &mut |_, parameter| {
        if parameter.is_trained() && outcome.is_ok() {
            let values = values.next().map_or(&[][..], |(_, values)| values);
            outcome = parameter.set(device, &values.iter().copied().map(E::of).collect::<Vec<_>>());
        }
    });
    outcome
}

/// Gives `double` the trained parameters of `single`.
pub(super) fn copy_parameters<D: Device<f32> + Device<f64>>(
    single: &dyn crate::Bijector<f32, D>,
    double: &mut dyn crate::Bijector<f64, D>,
    device: &D,
) -> Result<()> {
    let values = parameters(single, device)?;
    set_parameters(double, device, &values)?;
    double.prepare(device)
}
