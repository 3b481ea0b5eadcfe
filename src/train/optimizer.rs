//! Optimizers over all parameters of a flow, and the running average of its weights.

use crate::Result;
use crate::backend::kernels::{AdamStep, AdamaxStep};
use crate::backend::{Device, Element, Parameter, ParameterGradients, Parameters};
use crate::flow::Flow;
use crate::flow::spec::{AdamaxRule, Optimizer};

/// An optimizer with what it keeps beside the weights.
#[derive(Debug)]
pub struct OptimizerState<E: Element, D: Device<E>> {
    rule: Optimizer,
    steps_per_epoch: f64,
    /// Updates made.
    pub updates: u64,
    /// The running mean of gradients.
    pub first: ParameterGradients<E, D>,
    /// The running mean of squares, or the largest recent gradient.
    pub second: ParameterGradients<E, D>,
}

impl<E: Element, D: Device<E>> OptimizerState<E, D> {
    /// At rest.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if there is no memory for it.
    pub fn new(device: &D, flow: &Flow<E, D>, rule: Optimizer, steps_per_epoch: f64) -> Result<Self> {
        let zeros = || ParameterGradients::zeros(device, flow);
        Ok(Self { rule, steps_per_epoch, updates: 0, first: zeros()?, second: zeros()? })
    }

    /// Moves the flow's parameters by one step; the flow is to be prepared afterwards.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn step(
        &mut self,
        device: &D,
        flow: &mut Flow<E, D>,
        gradients: &ParameterGradients<E, D>,
        learning_rate: f64,
    ) -> Result<()> {
        self.updates += 1;
        let t = self.updates as f64;
        let (first, second) = (&mut self.first, &mut self.second);
        match self.rule {
            Optimizer::Adam(adam) => {
                let step = AdamStep {
                    beta1: adam.beta1,
                    beta2: adam.beta2,
                    epsilon: adam.epsilon,
                    step_size: learning_rate / (1.0 - adam.beta1.powf(t)),
                    second_correction: 1.0 / (1.0 - adam.beta2.powf(t)),
                };
                for_each_trained(flow, |parameter| {
                    let id = parameter.id();
                    match (gradients.get(id), first.get_mut(id), second.get_mut(id)) {
                        (Some(g), Some(m), Some(v)) => device.adam(step, parameter.data_mut(), g, m, v),
                        _ => Ok(()),
                    }
                })
            }
            Optimizer::Adamax(adamax) => {
                let beta2 = adamax.beta2(self.steps_per_epoch);
                let factor = match adamax.rule {
                    AdamaxRule::Published => 1.0,
                    AdamaxRule::Reference => (1.0 - beta2.powf(t)).sqrt(),
                };
                let step = AdamaxStep {
                    beta1: adamax.beta1,
                    beta2,
                    epsilon: adamax.epsilon,
                    step_size: learning_rate * factor / (1.0 - adamax.beta1.powf(t)),
                };
                for_each_trained(flow, |parameter| {
                    let id = parameter.id();
                    match (gradients.get(id), first.get_mut(id), second.get_mut(id)) {
                        (Some(g), Some(m), Some(u)) => device.adamax(step, parameter.data_mut(), g, m, u),
                        _ => Ok(()),
                    }
                })
            }
        }
    }
}

fn for_each_trained<E: Element, D: Device<E>>(
    flow: &mut Flow<E, D>,
    mut f: impl FnMut(&mut Parameter<E, D>) -> Result<()>,
) -> Result<()> {
    let mut outcome = Ok(());
    flow.visit_mut("", &mut |_, parameter| {
        if parameter.is_trained() && outcome.is_ok() {
            outcome = f(parameter);
        }
    });
    outcome
}

/// `average += rate · (weights − average)` for every trained parameter, with the rate that makes the average of `t`
/// weights zero-debiased: `(1 − decay)/(1 − decay^t)`.
pub(super) fn add_to_average<E: Element, D: Device<E>>(
    device: &D,
    flow: &mut Flow<E, D>,
    average: &mut ParameterGradients<E, D>,
    decay: f64,
    t: u64,
) -> Result<()> {
    let rate = (1.0 - decay) / (1.0 - decay.powf(t as f64));
    for_each_trained(flow, |parameter| match average.get_mut(parameter.id()) {
        Some(average) => device.average(rate, parameter.data(), average),
        None => Ok(()),
    })
}

/// Exchanges the flow's trained parameters with buffers kept beside them, and prepares it.
pub(super) fn swap_weights<E: Element, D: Device<E>>(
    device: &D,
    flow: &mut Flow<E, D>,
    other: &mut ParameterGradients<E, D>,
) -> Result<()> {
    for_each_trained(flow, |parameter| {
        if let Some(other) = other.get_mut(parameter.id()) {
            std::mem::swap(parameter.data_mut(), other);
        }
        Ok(())
    })?;
    flow.prepare(device)
}
