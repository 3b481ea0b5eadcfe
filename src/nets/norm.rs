//! What follows a hidden convolution: an actnorm, which the first batch sets, or a bias.

use crate::Result;
use crate::backend::kernels::{Activation, MemoryKernel};
use crate::backend::{Buffer, Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters};
use crate::bijector::Bijector;
use crate::bijectors::ActNorm;

/// `(x + bias) · scale`, with a scale of 1 for a bias.
#[derive(Debug)]
pub(super) enum Norm<E: Element, D: Device<E>> {
    /// With the factor of its log-scales.
    ActNorm(ActNorm<E, D>, f64),
    Bias {
        /// `[width]`
        bias: Parameter<E, D>,
        ones: Buffer<E, D>,
    },
}

impl<E: Element, D: Device<E>> Norm<E, D> {
    /// An actnorm whose log-scales have this factor, or a bias.
    pub fn new(initializer: &Initializer<D>, width: usize, actnorm: Option<f64>) -> Result<Self> {
        if let Some(factor) = actnorm {
            return Ok(Self::ActNorm(ActNorm::within_network(initializer, width, factor)?, factor));
        }
        let ones = initializer.device().upload(&vec![E::one(); width])?;
        Ok(Self::Bias { bias: initializer.zeros(&[width])?, ones })
    }

    pub fn bias_and_scale(&self) -> (&Buffer<E, D>, &Buffer<E, D>) {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.bias_and_scale(),
            Self::Bias { bias, ones } => (bias.data(), ones),
        }
    }

    pub fn bias(&self) -> &Parameter<E, D> {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.bias_and_logs().0,
            Self::Bias { bias, .. } => bias,
        }
    }

    pub fn logs(&self) -> Option<&Parameter<E, D>> {
        match self {
            Self::ActNorm(actnorm, _) => Some(actnorm.bias_and_logs().1),
            Self::Bias { .. } => None,
        }
    }

    /// In place.
    pub fn apply(&self, x: &mut Image<E, D>) -> Result<()> {
        let (device, (bias, scale)) = (x.device().clone(), self.bias_and_scale());
        device.affine(x.data_mut(), bias, scale)
    }

    /// In place, with the ReLU that follows.
    pub fn apply_relu(&self, x: &mut Image<E, D>) -> Result<()> {
        let (device, (bias, scale)) = (x.device().clone(), self.bias_and_scale());
        device.affine_relu(x.data_mut(), bias, scale)
    }

    /// From the output `y`: `g`, the gradient with respect to it, becomes that with respect to the input; adds the
    /// parameters' gradients.
    pub fn gradient(&self, y: &Image<E, D>, g: &mut Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<()> {
        let (device, scale) = (y.device(), self.bias_and_scale().1);
        match self {
            Self::ActNorm(actnorm, factor) => {
                let (bias, logs) = actnorm.bias_and_logs();
                let [d_bias, d_logs] = grads.slots([bias, logs])?;
                device.affine_gradient(y.data(), g.data_mut(), scale, *factor, d_bias, d_logs)
            }
            Self::Bias { bias, .. } => {
                // Nobody asks for the gradient of a scale that is 1.
                let mut unused = MemoryKernel::<E>::zeros(device, bias.count())?;
                device.affine_gradient(y.data(), g.data_mut(), scale, 1.0, grads.slot(bias)?, &mut unused)
            }
        }
    }

    /// [`Norm::gradient`] through the ReLU too.
    pub fn relu_gradient(
        &self,
        y: &Image<E, D>,
        g: &mut Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<()> {
        y.device().activate_gradient(Activation::Relu, y.data(), g.data_mut())?;
        self.gradient(y, g, grads)
    }

    /// From the first batch that reaches it.
    pub fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        if let Self::ActNorm(actnorm, _) = self {
            actnorm.initialize(x)?;
            actnorm.prepare(x.device())?;
        }
        Ok(())
    }

    /// Called after parameters change.
    pub fn prepare(&mut self, device: &D) -> Result<()> {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.prepare(device),
            Self::Bias { .. } => Ok(()),
        }
    }

    /// The smallest and the largest scale, if any is learned.
    pub fn scales(&self, device: &D) -> Result<Option<(f64, f64)>> {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.scales(device),
            Self::Bias { .. } => Ok(None),
        }
    }

    pub fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.visit(path, visitor),
            Self::Bias { bias, .. } => visitor(&format!("{path}.bias"), bias),
        }
    }

    pub fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        match self {
            Self::ActNorm(actnorm, _) => actnorm.visit_mut(path, visitor),
            Self::Bias { bias, .. } => visitor(&format!("{path}.bias"), bias),
        }
    }
}
