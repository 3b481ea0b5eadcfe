//! Bijectors written in plain dfdx operations.
//!
//! A [`Taped`] bijector says how it maps forward, in dfdx operations over any tape, and how it maps back. The adapter
//! [`FromTape`] makes it a [`Bijector`]: its pull-back inverts the output, runs the forward map again over a tape of
//! its own, and lets dfdx differentiate that one layer. So it trains in memory that does not grow with depth, without a
//! derivative written by hand.

use super::{Bijector, Cotangent};
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Parameter, ParameterGradients, ParameterId, Parameters, PerSample,
};
use crate::{Error, Result};
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Gradients, NoneTape, PutTape, Tape, Tensor, Trace, ZerosTensor};
use dfdx::tensor_ops::{Backward, SumTo, TryMul};
use std::collections::HashMap;

/// Images `[batch, height, width, channels]` as a dfdx tensor.
pub type ImageTensor<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;

/// One number per sample as a dfdx tensor.
pub type SampleTensor<E, D, T = NoneTape> = Tensor<(usize,), E, D, T>;

/// The parameters of a [`Taped`] bijector as dfdx tensors, each flat: `[count]`.
#[derive(Debug)]
pub struct Leaves<E: Element, D: Device<E>> {
    tensors: HashMap<ParameterId, Tensor<(usize,), E, D>>,
}

impl<E: Element, D: Device<E>> Leaves<E, D> {
    fn of(device: &D, parameters: &(impl Parameters<E, D> + ?Sized)) -> Result<Self> {
        let mut tensors = HashMap::new();
        let mut outcome = Ok(());
        parameters.visit("", &mut |_, parameter| match tensor::<(usize,), E, D>(
            device,
            (parameter.count(),),
            parameter.data(),
        ) {
            Ok(tensor) => drop(tensors.insert(parameter.id(), tensor)),
            Err(error) => outcome = Err(error),
        });
        outcome.map(|()| Self { tensors })
    }

    /// The tensor of one parameter, flat: `[count]`, at the start of a tape of its own. dfdx joins tapes where tensors
    /// meet, so its gradient is followed through whatever is done with it.
    ///
    /// # Errors
    /// [`Error::Device`] if [`Parameters::visit`] does not name it.
    pub fn get<T: Tape<E, D>>(&self, parameter: &Parameter<E, D>) -> Result<Tensor<(usize,), E, D, T>> {
        let tensor = self.tensors.get(&parameter.id()).cloned();
        let unnamed = "a bijector uses a parameter that its Parameters::visit does not name";
        Ok(tensor.ok_or_else(|| Error::Device(unnamed.into()))?.put_tape(T::default()))
    }
}

/// A bijector in plain dfdx operations. Wrap it in [`FromTape`] to use it in a flow.
pub trait Taped<E: Element, D: Device<E>>: Parameters<E, D> + Send + Sync {
    /// Its name.
    fn kind(&self) -> &str;

    /// The shape it gives images of shape `input`; the same by default.
    ///
    /// # Errors
    /// [`Error::Shape`] if it cannot take them.
    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        Ok(input)
    }

    /// The shape that it makes images of shape `output` from; by default [`Taped::output_shape`], for a map that keeps
    /// shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] if it cannot make them.
    fn input_shape(&self, output: ImageShape) -> Result<ImageShape> {
        self.output_shape(output)
    }

    /// `y` and, per sample, `ln |det ∂y/∂x|` in nats. For a second use of `x`, `x.with_empty_tape()` gives a copy.
    ///
    /// # Errors
    /// Whatever goes wrong; [`device_error`] wraps what dfdx's `try_` operations say.
    fn forward<T: Tape<E, D>>(
        &self,
        x: ImageTensor<E, D, T>,
        leaves: &Leaves<E, D>,
    ) -> Result<(ImageTensor<E, D, T>, SampleTensor<E, D, T>)>;

    /// `x`, from `y`.
    ///
    /// # Errors
    /// As [`Taped::forward`].
    fn inverse(&self, y: ImageTensor<E, D>, leaves: &Leaves<E, D>) -> Result<ImageTensor<E, D>>;

    /// Sets parameters from the first batch that reaches this layer.
    ///
    /// # Errors
    /// As [`Bijector::initialize`].
    fn initialize(&mut self, _x: &Image<E, D>) -> Result<()> {
        Ok(())
    }
}

/// What dfdx said, as this crate's error.
pub fn device_error(error: impl std::fmt::Display) -> Error {
    Error::Device(error.to_string())
}

/// Makes a [`Taped`] bijector a [`Bijector`].
#[derive(Clone, Copy, Debug)]
pub struct FromTape<B>(pub B);

impl<E: Element, D: Device<E>, B: Taped<E, D>> Parameters<E, D> for FromTape<B> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.0.visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.0.visit_mut(path, visitor);
    }
}

/// The forward map without a tape.
fn run<E: Element, D: Device<E>>(
    bijector: &impl Taped<E, D>,
    x: &Image<E, D>,
) -> Result<(ImageTensor<E, D>, SampleTensor<E, D>)> {
    bijector.output_shape(x.shape())?;
    bijector.forward(image_tensor(x)?, &Leaves::of(x.device(), bijector)?)
}

impl<E: Element, D: Device<E>, B: Taped<E, D>> Bijector<E, D> for FromTape<B> {
    fn kind(&self) -> &str {
        self.0.kind()
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        self.0.output_shape(input)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        image(x.device(), &run(&self.0, x)?.0)
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.0.input_shape(y.shape())?;
        let leaves = Leaves::of(y.device(), &self.0)?;
        image(y.device(), &self.0.inverse(image_tensor(y)?, &leaves)?)
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        per_sample(x.device(), &run(&self.0, x)?.1)
    }

    fn forward_and_ladj(&self, x: Image<E, D>) -> Result<(Image<E, D>, PerSample<D>)> {
        let (y, ladj) = run(&self.0, &x)?;
        Ok((image(x.device(), &y)?, per_sample(x.device(), &ladj)?))
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let device = y.device();
        self.0.input_shape(y.shape())?;
        let leaves = Leaves::of(device, &self.0)?;
        let x = self.0.inverse(image_tensor(&y)?, &leaves)?;

        // A tape of this layer alone: a leaky one handed from layer to layer would grow with depth.
        let (output, ladj) = self.0.forward(x.trace(Gradients::leaky()), &leaves)?;
        let ladj_cotangent: Vec<E> = cotangent.ladj().to_host()?.into_iter().map(E::of).collect();
        let ladj_cotangent = device.try_tensor_from_vec(ladj_cotangent, (y.batch(),)).map_err(device_error)?;
        let loss = output.try_mul(image_tensor(&cotangent.image)?).and_then(SumTo::try_sum).map_err(device_error)?;
        let volume = ladj.try_mul(ladj_cotangent).and_then(SumTo::try_sum).map_err(device_error)?;
        let loss = dfdx::tensor_ops::TryAdd::try_add(loss, volume).map_err(device_error)?;
        let mut taped: Gradients<E, D> = loss.try_backward().map_err(device_error)?;

        let mut outcome = Ok(());
        self.0.visit("", &mut |_, parameter| {
            if let (true, Some(leaf)) = (parameter.is_trained(), leaves.tensors.get(&parameter.id())) {
                outcome = std::mem::replace(&mut outcome, Ok(()))
                    .and_then(|()| add_gradient(device, &mut taped, leaf, grads.slot(parameter)?));
            }
        });
        outcome?;
        let g = taped.get_or_alloc_mut(&x).map_err(device_error)?.clone();
        let x = image(device, &x)?;
        let g = Image::from_buffer(device, x.batch(), x.shape(), g);
        Ok((x, g))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        self.0.initialize(x)
    }
}

fn add_gradient<E: Element, D: Device<E>>(
    device: &D,
    taped: &mut Gradients<E, D>,
    leaf: &Tensor<(usize,), E, D>,
    slot: &mut Buffer<E, D>,
) -> Result<()> {
    let gradient = taped.get_or_alloc_mut(leaf).map_err(device_error)?;
    crate::backend::kernels::MemoryKernel::<E>::add_assign(device, slot, gradient)
}

/// A tensor of a buffer's values. dfdx has no constructor for it, but a gradient's slot is a buffer and
/// [`Gradients::get`] makes a tensor of it.
fn tensor<S: Shape, E: Element, D: Device<E>>(device: &D, shape: S, values: &Buffer<E, D>) -> Result<Tensor<S, E, D>> {
    let like = ZerosTensor::<E>::try_zeros_like(device, &shape).map_err(device_error)?;
    let mut slots = Gradients::leaky();
    *slots.get_or_alloc_mut(&like).map_err(device_error)? = values.clone();
    Ok(slots.get(&like))
}

/// The way back: the gradient of `Σ leaf · tensor` with respect to `leaf` is the tensor.
fn buffer<S: Shape, E: Element, D: Device<E>>(device: &D, tensor: &Tensor<S, E, D>) -> Result<Buffer<E, D>> {
    let leaf = ZerosTensor::<E>::try_zeros_like(device, tensor.shape()).map_err(device_error)?;
    let sum: Tensor<(), E, D, _> = leaf
        .trace(Gradients::leaky())
        .try_mul(tensor.clone())
        .and_then(dfdx::tensor_ops::SumTo::try_sum)
        .map_err(device_error)?;
    let mut gradients = sum.try_backward().map_err(device_error)?;
    Ok(gradients.get_or_alloc_mut(&leaf).map_err(device_error)?.clone())
}

fn image_tensor<E: Element, D: Device<E>>(x: &Image<E, D>) -> Result<ImageTensor<E, D>> {
    let ImageShape { height, width, channels } = x.shape();
    tensor(x.device(), (x.batch(), height, width, channels), x.data())
}

fn image<E: Element, D: Device<E>>(device: &D, x: &ImageTensor<E, D>) -> Result<Image<E, D>> {
    let (batch, height, width, channels) = *x.shape();
    Ok(Image::from_buffer(device, batch, ImageShape::new(height, width, channels), buffer(device, x)?))
}

fn per_sample<E: Element, D: Device<E>>(device: &D, x: &SampleTensor<E, D>) -> Result<PerSample<D>> {
    let values: Vec<f64> = device.download(&buffer(device, x)?)?.iter().map(|x: &E| x.as_f64()).collect();
    PerSample::from_host(device, &values)
}
