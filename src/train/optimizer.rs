//! Optimizers over all parameters of a flow or a bijector.

use crate::Result;
use crate::backend::kernels::{AdamStep, AdamaxStep, Moving};
use crate::backend::{Device, Element, ParameterGradients, Parameters};
use crate::flow::Flow;
use crate::flow::spec::{AdamaxRule, Optimizer};
use std::collections::HashMap;

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
    pub fn new(
        device: &D,
        of: &(impl Parameters<E, D> + ?Sized),
        rule: Optimizer,
        steps_per_epoch: f64,
    ) -> Result<Self> {
        let zeros = || ParameterGradients::zeros(device, of);
        Ok(Self { rule, steps_per_epoch, updates: 0, first: zeros()?, second: zeros()? })
    }

    /// Moves the parameters of a flow, or of a bijector alone, by one step; it is to be prepared afterwards.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn step(
        &mut self,
        device: &D,
        of: &mut (impl Parameters<E, D> + ?Sized),
        gradients: &ParameterGradients<E, D>,
        learning_rate: f64,
    ) -> Result<()> {
        self.updates += 1;
        let t = self.updates as f64;
        let mut first: HashMap<_, _> = self.first.buffers_mut().collect();
        let mut second: HashMap<_, _> = self.second.buffers_mut().collect();
        let mut parameters = Vec::new();
        of.visit_mut("", &mut |_, parameter| {
            let id = parameter.id();
            if let (Some(gradient), Some(first), Some(second)) =
                (gradients.get(id), first.remove(&id), second.remove(&id))
            {
                parameters.push(Moving { weights: parameter.data_mut(), gradient, first, second });
            }
        });
        match self.rule {
            Optimizer::Adam(adam) => {
                let step = AdamStep {
                    beta1: adam.beta1,
                    beta2: adam.beta2,
                    epsilon: adam.epsilon,
                    step_size: learning_rate / (1.0 - adam.beta1.powf(t)),
                    second_correction: 1.0 / (1.0 - adam.beta2.powf(t)),
                };
                device.adam(step, parameters)
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
                device.adamax(step, parameters)
            }
        }
    }
}

/// Exchanges the flow's trained parameters with buffers kept beside them, and prepares it.
pub(super) fn swap_weights<E: Element, D: Device<E>>(
    device: &D,
    flow: &mut Flow<E, D>,
    other: &mut ParameterGradients<E, D>,
) -> Result<()> {
    flow.visit_mut("", &mut |_, parameter| {
        if let Some(other) = other.get_mut(parameter.id()) {
            std::mem::swap(parameter.data_mut(), other);
        }
    });
    flow.prepare(device)
}
