//! Parameters, how they are named, and buffers kept beside them.

use super::{Buffer, Device, Element, Image, ImageShape, kernels::MemoryKernel};
use crate::{Error, Result};
use dfdx::tensor::Storage;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells one parameter of the process from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterId(u64);

/// A named tensor of a layer, on a device.
///
/// *Trained* parameters have gradients. The others are constants that belong to the model (the order of a shuffle):
/// saved with it, never changed by an optimizer.
#[derive(Debug)]
pub struct Parameter<E: Element, D: Device<E>> {
    id: ParameterId,
    shape: Vec<usize>,
    data: Buffer<E, D>,
    trained: bool,
    mirrored: bool,
    /// The values on the host, while they are known.
    mirror: Option<Vec<E>>,
}

impl<E: Element, D: Device<E>> Parameter<E, D> {
    /// A parameter that an optimizer changes, from its values in row-major order.
    pub fn trained(device: &D, shape: &[usize], values: &[E]) -> Result<Self> {
        Self::new(device, shape, values, true)
    }

    /// A constant of the model, from its values in row-major order.
    pub fn constant(device: &D, shape: &[usize], values: &[E]) -> Result<Self> {
        Self::new(device, shape, values, false)
    }

    /// A name and a shape without values, for counting.
    pub(crate) fn blank(device: &D, shape: &[usize], trained: bool) -> Result<Self> {
        Self::new(device, shape, &[], trained)
    }

    fn new(device: &D, shape: &[usize], values: &[E], trained: bool) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = ParameterId(NEXT.fetch_add(1, Ordering::Relaxed));
        let data = device.upload(values)?;
        Ok(Self { id, shape: shape.to_vec(), data, trained, mirrored: false, mirror: None })
    }

    /// A parameter that its layer reads on the host whenever it has changed: a small matrix to be inverted, an order of
    /// channels. [`mirror`] fetches those of a whole flow from the device in one transfer.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self { mirrored: true, ..self }
    }

    /// Its identity.
    pub fn id(&self) -> ParameterId {
        self.id
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers it holds: the product of its shape.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether an optimizer changes it.
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    /// Its values on the device.
    pub fn data(&self) -> &Buffer<E, D> {
        &self.data
    }

    /// Its values on the device, to be changed in place.
    pub fn data_mut(&mut self) -> &mut Buffer<E, D> {
        self.mirror = None;
        &mut self.data
    }

    /// Its values on the host, row-major.
    pub fn to_host(&self, device: &D) -> Result<Vec<E>> {
        match &self.mirror {
            Some(values) => Ok(values.clone()),
            None => device.download(&self.data),
        }
    }

    /// Replaces its values.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of values is not [`Parameter::count`].
    pub fn set(&mut self, device: &D, values: &[E]) -> Result<()> {
        if values.len() != self.count() {
            return Err(Error::Shape {
                layer: "parameter".into(),
                expected: format!("{} values for shape {:?}", self.count(), self.shape),
                found: values.len().to_string(),
            });
        }
        *self.data_mut() = device.upload(values)?;
        Ok(())
    }
}

/// Brings the [`mirrored`](Parameter::mirrored) parameters of `of` that changed since they were last on the host there,
/// in one transfer.
///
/// # Errors
/// [`Error::Device`] when the device fails.
pub fn mirror<E: Element, D: Device<E>>(device: &D, of: &mut (impl Parameters<E, D> + ?Sized)) -> Result<()> {
    let mut changed = Vec::new();
    of.visit_mut("", &mut |_, parameter| {
        if parameter.mirrored && parameter.mirror.is_none() {
            changed.push(parameter);
        }
    });
    let values = MemoryKernel::<E>::download_all(device, changed.iter().map(|parameter| &parameter.data).collect())?;
    for (parameter, values) in changed.into_iter().zip(values) {
        parameter.mirror = Some(values);
    }
    Ok(())
}

/// What has named parameters. The order of the visit is fixed: it is the order of optimizers and of sums.
pub trait Parameters<E: Element, D: Device<E>> {
    /// Calls `visitor` with the name and the value of every parameter.
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>));
    /// The same, to change them.
    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>));

    /// How many numbers an optimizer changes.
    fn trained_count(&self) -> usize {
        let mut count = 0;
        self.visit("", &mut |_, parameter| count += if parameter.is_trained() { parameter.count() } else { 0 });
        count
    }
}

/// `path.name`, or `name` at the root.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// Implements [`Parameters`] for a type: its own parameters first, then its parts', each under its field's name.
#[macro_export]
macro_rules! parameters {
    ($type:ident { $($name:ident),* $(,)? } $(parts { $($part:ident),* $(,)? })?) => {
        impl<E: $crate::Element, D: $crate::Device<E>> $crate::Parameters<E, D> for $type<E, D> {
            #[allow(unused_variables)]
            fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a $crate::Parameter<E, D>)) {
                let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
                $(visitor(&format!("{prefix}{}", stringify!($name)), &self.$name);)*
                $($(self.$part.visit(&format!("{prefix}{}", stringify!($part)), visitor);)*)?
            }
            #[allow(unused_variables)]
            fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut $crate::Parameter<E, D>)) {
                let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
                $(visitor(&format!("{prefix}{}", stringify!($name)), &mut self.$name);)*
                $($(self.$part.visit_mut(&format!("{prefix}{}", stringify!($part)), visitor);)*)?
            }
        }
    };
}

/// One buffer for each trained parameter: gradients, and whatever else an optimizer keeps beside the weights.
///
/// Beside them there is a place for the gradient of the context that the images in work carry: layers add to it, and
/// whoever gave the context takes it out. It belongs to these images, so it is never summed over shards.
#[derive(Clone, Debug)]
pub struct ParameterGradients<E: Element, D: Device<E>> {
    slots: HashMap<ParameterId, Buffer<E, D>>,
    context: Option<(ImageShape, Buffer<E, D>)>,
}

impl<E: Element, D: Device<E>> ParameterGradients<E, D> {
    /// A buffer of zeros for every trained parameter of `of`.
    pub fn zeros(device: &D, of: &(impl Parameters<E, D> + ?Sized)) -> Result<Self> {
        Self::collect(of, |parameter| MemoryKernel::<E>::zeros(device, parameter.count()))
    }

    fn collect(
        of: &(impl Parameters<E, D> + ?Sized),
        mut buffer: impl FnMut(&Parameter<E, D>) -> Result<Buffer<E, D>>,
    ) -> Result<Self> {
        let mut slots = HashMap::new();
        let mut outcome = Ok(());
        of.visit("", &mut |_, parameter| {
            if parameter.is_trained() && outcome.is_ok() {
                match buffer(parameter) {
                    Ok(data) => drop(slots.insert(parameter.id(), data)),
                    Err(error) => outcome = Err(error),
                }
            }
        });
        outcome.map(|()| Self { slots, context: None })
    }

    /// The buffer of one parameter.
    ///
    /// # Errors
    /// [`Error::Device`] if the parameter is not among those this was made for: a bijector whose
    /// [`Parameters::visit`] leaves one out.
    pub fn slot(&mut self, parameter: &Parameter<E, D>) -> Result<&mut Buffer<E, D>> {
        self.slots.get_mut(&parameter.id).ok_or_else(missing)
    }

    /// The buffers of several parameters at once.
    ///
    /// # Errors
    /// As [`ParameterGradients::slot`].
    pub fn slots<const N: usize>(&mut self, parameters: [&Parameter<E, D>; N]) -> Result<[&mut Buffer<E, D>; N]> {
        let found = self.slots.get_disjoint_mut(parameters.each_ref().map(|parameter| &parameter.id));
        let found: Vec<_> = found.into_iter().flatten().collect();
        found.try_into().map_err(|_| missing())
    }

    /// Adds to the gradient with respect to the context.
    pub fn add_context(&mut self, g: Image<E, D>) -> Result<()> {
        match &mut self.context {
            Some((_, sum)) => MemoryKernel::<E>::add_assign(g.device(), sum, g.data()),
            None => {
                self.context = Some((g.shape(), g.into_data()));
                Ok(())
            }
        }
    }

    /// Takes out the gradient with respect to the context of the images in work, if a layer has added to it.
    pub fn take_context(&mut self, device: &D) -> Option<Image<E, D>> {
        let (shape, sum) = self.context.take()?;
        let batch = <D as Storage<E>>::len(device, &sum) / shape.dims();
        Some(Image::from_buffer(device, batch, shape, sum))
    }

    /// The buffer of one parameter, to read.
    pub fn get(&self, id: ParameterId) -> Option<&Buffer<E, D>> {
        self.slots.get(&id)
    }

    /// The buffer of one parameter, to write.
    pub fn get_mut(&mut self, id: ParameterId) -> Option<&mut Buffer<E, D>> {
        self.slots.get_mut(&id)
    }

    /// Every buffer with its parameter, in no order.
    pub fn buffers_mut(&mut self) -> impl Iterator<Item = (ParameterId, &mut Buffer<E, D>)> {
        self.slots.iter_mut().map(|(&id, slot)| (id, slot))
    }

    /// Adds the buffers of `other`, which was made for the same parameters; not the gradient of its context.
    pub fn add_assign(&mut self, device: &D, other: &Self) -> Result<()> {
        let pairs = self.slots.iter_mut().filter_map(|(id, slot)| Some((slot, other.slots.get(id)?)));
        MemoryKernel::<E>::accumulate(device, pairs.collect())
    }

    /// Fills every buffer with zeros.
    pub fn clear(&mut self, device: &D) -> Result<()> {
        self.context = None;
        self.slots.values_mut().try_for_each(|slot| MemoryKernel::<E>::fill(device, slot, E::zero()))
    }
}

fn missing() -> Error {
    Error::Device("a bijector asks for the gradient of a parameter that its Parameters::visit does not name".into())
}
