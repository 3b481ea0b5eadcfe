//! Images and parameters as lists of numbers in f64, and back.

use crate::backend::kernels::MemoryKernel;
use crate::backend::{Cpu, Device, Element, PerSample};
use crate::{Image, Parameter, ParameterGradients, Parameters, Result};

/// Numbers under a name: an image, or one parameter's values or gradient.
pub(super) type Tensors = Vec<(String, Vec<f64>)>;

/// An image's numbers.
pub(super) fn numbers<E: Element>(image: &Image<E, Cpu>) -> Result<Vec<f64>>
where
    Cpu: Device<E>,
{
    Ok(image.to_host()?.into_iter().map(E::as_f64).collect())
}

/// An image with other numbers.
pub(super) fn with_numbers<E: Element>(like: &Image<E, Cpu>, numbers: &[f64]) -> Result<Image<E, Cpu>>
where
    Cpu: Device<E>,
{
    let numbers: Vec<E> = numbers.iter().copied().map(E::of).collect();
    Image::from_host(like.device(), like.batch(), like.shape(), &numbers)
}

/// The same image in f64.
pub(super) fn in_f64(image: &Image<f32, Cpu>) -> Result<Image<f64, Cpu>> {
    Image::from_host(image.device(), image.batch(), image.shape(), &numbers(image)?)
}

/// An image's numbers, then those of each image's ladj.
pub(super) fn with_ladj<E: Element>((image, ladj): (Image<E, Cpu>, PerSample<Cpu>)) -> Result<Vec<f64>>
where
    Cpu: Device<E>,
{
    let mut all = numbers(&image)?;
    all.extend(ladj.to_host()?);
    Ok(all)
}

/// The largest absolute value, and at least 1: what a relative error is relative to.
pub(super) fn size(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1.0, |size, number| number.abs().max(size))
}

/// Every trained parameter, in the order of the visit.
pub(super) fn parameters<E: Element>(of: &(impl Parameters<E, Cpu> + ?Sized), device: &Cpu) -> Result<Tensors>
where
    Cpu: Device<E>,
{
    collect(of, |parameter| parameter.to_host(device))
}

/// The gradient of the image, then that of every trained parameter, in the order of the visit.
pub(super) fn gradients<E: Element>(
    of: &(impl Parameters<E, Cpu> + ?Sized),
    image: &Image<E, Cpu>,
    grads: &ParameterGradients<E, Cpu>,
) -> Result<Tensors>
where
    Cpu: Device<E>,
{
    let mut all = vec![("the image".into(), numbers(image)?)];
    all.extend(collect(of, |parameter| match grads.get(parameter.id()) {
        Some(slot) => image.device().download(slot),
        None => Ok(Vec::new()),
    })?);
    Ok(all)
}

fn collect<E: Element>(
    of: &(impl Parameters<E, Cpu> + ?Sized),
    mut values: impl FnMut(&Parameter<E, Cpu>) -> Result<Vec<E>>,
) -> Result<Tensors>
where
    Cpu: Device<E>,
{
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
pub(super) fn set_parameters<E: Element>(
    of: &mut (impl Parameters<E, Cpu> + ?Sized),
    device: &Cpu,
    values: &[(String, Vec<f64>)],
) -> Result<()>
where
    Cpu: Device<E>,
{
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
pub(super) fn copy_parameters(
    single: &dyn crate::Bijector<f32, Cpu>,
    double: &mut dyn crate::Bijector<f64, Cpu>,
    device: &Cpu,
) -> Result<()> {
    let values = parameters(single, device)?;
    set_parameters(double, device, &values)?;
    double.prepare(device)
}
