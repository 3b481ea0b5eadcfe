//! The learned gain of a layer's output channels, `exp(factor · logs)`; or none, as the paper has it.

use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Buffer, Device, Element, Initializer, Parameter, ParameterGradients, join};

/// A gain for each output channel, or 1 for all.
#[derive(Debug)]
pub(super) struct Gain<E: Element, D: Device<E>> {
    /// `[out]`; none where there is no gain to learn.
    logs: Option<Parameter<E, D>>,
    factor: f64,
    channels: usize,
    values: Buffer<E, D>,
}

impl<E: Element, D: Device<E>> Gain<E, D> {
    /// Of 1 at first, `logs` being 0.
    pub fn new(initializer: &Initializer<D>, channels: usize, factor: f64) -> Result<Self> {
        let values = MemoryKernel::<E>::zeros(initializer.device(), 0)?;
        let mut gain = Self { logs: Some(initializer.zeros(&[channels])?), factor, channels, values };
        gain.prepare(initializer.device())?;
        Ok(gain)
    }

    /// 1 for ever.
    pub fn leave_out(&mut self, device: &D) -> Result<()> {
        self.logs = None;
        self.prepare(device)
    }

    /// `[out]`
    pub fn values(&self) -> &Buffer<E, D> {
        &self.values
    }

    /// Called after parameters change.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        self.values = match &self.logs {
            Some(logs) => device.exp_scaled(logs.data(), self.factor)?,
            None => device.upload(&vec![E::one(); self.channels])?,
        };
        Ok(())
    }

    /// From the output `y = (x + bias) · gain` and the gradient with respect to it: `g` becomes that with respect to x, and
    /// the parameters' are added.
    pub fn gradient(
        &self,
        device: &D,
        y: &Buffer<E, D>,
        g: &mut Buffer<E, D>,
        bias: &Parameter<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<()> {
        match &self.logs {
            Some(logs) => {
                let [d_bias, d_logs] = grads.slots([bias, logs])?;
                device.affine_gradient(y, g, &self.values, self.factor, d_bias, d_logs)
            }
            None => {
                // Nobody asks for the gradient of a gain that is 1.
                let mut unused = MemoryKernel::<E>::zeros(device, self.channels)?;
                device.affine_gradient(y, g, &self.values, self.factor, grads.slot(bias)?, &mut unused)
            }
        }
    }

    /// `logs`, where there is one.
    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        self.logs.iter().for_each(|logs| visitor(&join(path, "logs"), logs));
    }

    /// As [`Gain::visit`].
    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        self.logs.iter_mut().for_each(|logs| visitor(&join(path, "logs"), logs));
    }
}
