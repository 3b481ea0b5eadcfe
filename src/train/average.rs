//! The running average of a flow's weights.
//!
//! ```text
//! a_t = a_{t−1} + r_t · (w_t − a_{t−1})          r_t = (1 − d)/(1 − dᵗ)
//! ```
//!
//! is `Σ d^(t−i) w_i / Σ d^(t−i)`: free of the bias towards its start. The update is the smaller the longer the average
//! remembers, and in f32 it would be lost where it is below half a unit in the last place of a: for d = 0.9999 a weight that
//! moved by 3·10⁻⁴ of itself would never be followed. So what rounding takes from an update is kept, and given to the next
//! one (W. Kahan, "Further remarks on reducing truncation errors", 1965).

use crate::Result;
use crate::backend::{Device, Element, ParameterGradients, Parameters};
use crate::flow::Flow;
use std::collections::HashMap;

/// A running average of weights.
#[derive(Debug)]
pub struct Average<E: Element, D: Device<E>> {
    decay: f64,
    /// The average, beside each trained parameter.
    pub mean: ParameterGradients<E, D>,
    /// What rounding has taken from it so far: the average is `mean + rest`, to more digits than `E` has.
    pub rest: ParameterGradients<E, D>,
}

impl<E: Element, D: Device<E>> Average<E, D> {
    /// Of nothing yet, with a decay a step.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if there is no memory for it.
    pub fn new(device: &D, of: &(impl Parameters<E, D> + ?Sized), decay: f64) -> Result<Self> {
        let zeros = || ParameterGradients::zeros(device, of);
        Ok(Self { decay, mean: zeros()?, rest: zeros()? })
    }

    /// Adds the weights of step `t`, counted from 1.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn add(&mut self, device: &D, flow: &Flow<E, D>, t: u64) -> Result<()> {
        let rate = (1.0 - self.decay) / (1.0 - self.decay.powf(t as f64));
        let mut all = Vec::new();
        let mut means: HashMap<_, _> = self.mean.buffers_mut().collect();
        let mut rests: HashMap<_, _> = self.rest.buffers_mut().collect();
        flow.visit("", &mut |_, parameter| {
            let id = parameter.id();
            if let (Some(mean), Some(rest)) = (means.remove(&id), rests.remove(&id)) {
                all.push((mean, rest, parameter.data()));
            }
        });
        device.average(rate, all)
    }
}
