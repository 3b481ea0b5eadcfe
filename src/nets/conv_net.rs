//! The coupling network of the reference code.
//!
//! ```text
//! h1 = relu(norm1(conv 3×3 (x̃)))       x̃: x with the edge indicator, see ZeroConv
//! h2 = relu(norm2(conv 1×1 (h1)))
//! h  = zero conv 3×3 (h̃2)
//! ```
//!
//! The norms are actnorms, initialised by the first batch that reaches them; without them (the paper mentions none)
//! they are plain biases. Weights start as normals of standard deviation 0.05, the last convolution at zero, so that
//! a coupling starts close to the identity.
//!
//! The first convolution is thin on its input side: its neighbours are unfolded, `[rows, 9·(in + 1)]`, and one product
//! does the rest. With h1 and h2 kept, its gradient is six products and two element-wise passes.

use super::{Net, ZeroConv};
use crate::Result;
use crate::backend::kernels::Operand;
use crate::backend::{Buffer, Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters};
use crate::bijector::{Bijector, Kept};
use crate::bijectors::ActNorm;

/// What can be chosen about a [`ConvNet`]; the reference code's choices by default.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvNetOptions {
    /// Hidden channels.
    pub width: usize,
    /// Whether 3×3 convolutions see the edge-indicator channel.
    pub edge_channel: bool,
    /// Whether hidden layers end in an actnorm (reference code) or a bias.
    pub inner_actnorm: bool,
    /// The factor of every `logs` in the network: 3 in the reference code.
    pub log_scale_factor: f64,
}

impl Default for ConvNetOptions {
    fn default() -> Self {
        Self { width: 512, edge_channel: true, inner_actnorm: true, log_scale_factor: 3.0 }
    }
}

/// conv 3×3 → norm → ReLU → conv 1×1 → norm → ReLU → zero conv 3×3.
#[derive(Debug)]
pub struct ConvNet<E: Element, D: Device<E>> {
    /// `[3, 3, in + 1, width]`, the edge indicator last in `in + 1`.
    conv1: Parameter<E, D>,
    norm1: Norm<E, D>,
    /// `[width, width]` (in, out)
    conv2: Parameter<E, D>,
    norm2: Norm<E, D>,
    conv3: ZeroConv<E, D>,
    input: usize,
    options: ConvNetOptions,
}

/// What follows a hidden convolution, ReLU included.
#[derive(Debug)]
enum Norm<E: Element, D: Device<E>> {
    ActNorm(ActNorm<E, D>),
    Bias {
        /// `[width]`
        bias: Parameter<E, D>,
        ones: Buffer<E, D>,
    },
}

impl<E: Element, D: Device<E>> Norm<E, D> {
    fn new(initializer: &Initializer<D>, options: ConvNetOptions) -> Result<Self> {
        if options.inner_actnorm {
            return Ok(Self::ActNorm(ActNorm::new(initializer, options.width, options.log_scale_factor)?));
        }
        let ones = initializer.device().upload(&vec![E::one(); options.width])?;
        Ok(Self::Bias { bias: initializer.zeros(&[options.width])?, ones })
    }

    fn apply_relu(&self, x: &mut Image<E, D>) -> Result<()> {
        match self {
            Self::ActNorm(actnorm) => actnorm.apply_relu(x),
            Self::Bias { bias, ones } => x.device().clone().affine_relu(x.data_mut(), bias.data(), ones),
        }
    }

    fn relu_gradient(&self, y: &Image<E, D>, g: &mut Image<E, D>, grads: &mut ParameterGradients<E, D>) -> Result<()> {
        match self {
            Self::ActNorm(actnorm) => actnorm.relu_gradient(y, g, grads),
            Self::Bias { bias, ones } => {
                let mut unused = ones.clone();
                let d_bias = grads.slot(bias)?;
                y.device().affine_relu_gradient(y.data(), g.data_mut(), ones, 0.0, d_bias, &mut unused)
            }
        }
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        match self {
            Self::ActNorm(actnorm) => {
                actnorm.initialize(x)?;
                actnorm.prepare(x.device())
            }
            Self::Bias { .. } => Ok(()),
        }
    }

    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        match self {
            Self::ActNorm(actnorm) => actnorm.visit(path, visitor),
            Self::Bias { bias, .. } => visitor(&format!("{path}.bias"), bias),
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        match self {
            Self::ActNorm(actnorm) => actnorm.visit_mut(path, visitor),
            Self::Bias { bias, .. } => visitor(&format!("{path}.bias"), bias),
        }
    }
}

impl<E: Element, D: Device<E>> Parameters<E, D> for ConvNet<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        let at = |name| crate::backend::join(path, name);
        visitor(&at("conv1.weight"), &self.conv1);
        self.norm1.visit(&at("norm1"), visitor);
        visitor(&at("conv2.weight"), &self.conv2);
        self.norm2.visit(&at("norm2"), visitor);
        self.conv3.visit(&at("conv3"), visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        let at = |name| crate::backend::join(path, name);
        visitor(&at("conv1.weight"), &mut self.conv1);
        self.norm1.visit_mut(&at("norm1"), visitor);
        visitor(&at("conv2.weight"), &mut self.conv2);
        self.norm2.visit_mut(&at("norm2"), visitor);
        self.conv3.visit_mut(&at("conv3"), visitor);
    }
}

impl<E: Element, D: Device<E>> ConvNet<E, D> {
    /// From `input` to `output` channels.
    pub fn new(initializer: &Initializer<D>, (input, output): (usize, usize), options: ConvNetOptions) -> Result<Self> {
        let ConvNetOptions { width, edge_channel, log_scale_factor, .. } = options;
        Ok(Self {
            conv1: initializer.normal("conv1", &[3, 3, input + usize::from(edge_channel), width], 0.05)?,
            norm1: Norm::new(initializer, options)?,
            conv2: initializer.normal("conv2", &[width, width], 0.05)?,
            norm2: Norm::new(initializer, options)?,
            conv3: ZeroConv::new(initializer, (width, output), edge_channel, log_scale_factor)?,
            input,
            options,
        })
    }

    /// Columns of the unfolded input.
    fn unfolded(&self) -> usize {
        9 * (self.input + usize::from(self.options.edge_channel))
    }

    /// The unfolded input, and the first convolution of it, before its norm.
    fn first(&self, x: &Image<E, D>) -> Result<(Buffer<E, D>, Image<E, D>)> {
        x.expect_channels("ConvNet", self.input)?;
        let width = self.options.width;
        let unfolded = x.device().unfold(x.data(), x.shape(), self.options.edge_channel)?;
        let mut h = Image::zeros(x.device(), x.batch(), x.shape().with_channels(width))?;
        let size = (x.rows(), self.unfolded(), width);
        let weight = Operand::Plain(self.conv1.data());
        x.device().product(size, Operand::Plain(&unfolded), weight, h.data_mut(), false)?;
        Ok((unfolded, h))
    }

    /// The second convolution, before its norm.
    fn second(&self, h1: &Image<E, D>) -> Result<Image<E, D>> {
        let width = self.options.width;
        let mut h = Image::zeros(h1.device(), h1.batch(), h1.shape())?;
        let weight = Operand::Plain(self.conv2.data());
        let size = (h1.rows(), width, width);
        h1.device().product(size, Operand::Plain(h1.data()), weight, h.data_mut(), false)?;
        Ok(h)
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for ConvNet<E, D> {
    fn channels(&self) -> (usize, usize) {
        (self.input, self.conv3.channels().1)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        let (_, mut h1) = self.first(x)?;
        self.norm1.apply_relu(&mut h1)?;
        let mut h2 = self.second(&h1)?;
        self.norm2.apply_relu(&mut h2)?;
        self.conv3.forward(&h2)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (_, mut h1) = self.first(x)?;
        self.norm1.apply_relu(&mut h1)?;
        let mut h2 = self.second(&h1)?;
        self.norm2.apply_relu(&mut h2)?;
        let h = self.conv3.forward(&h2)?;
        let kept = Kept::images([x.clone(), h1, h2, h.clone()]);
        Ok((h, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (h, h2, h1, x) = (kept.pop()?, kept.pop()?, kept.pop()?, kept.pop()?);
        let (device, rows, width) = (x.device(), x.rows(), self.options.width);

        let mut g2 = self.conv3.gradient(&h2, &h, g, grads)?;
        self.norm2.relu_gradient(&h2, &mut g2, grads)?;
        let square = (width, rows, width);
        let d_conv2 = grads.slot(&self.conv2)?;
        device.product(square, Operand::Transposed(h1.data()), Operand::Plain(g2.data()), d_conv2, true)?;

        let mut g1 = Image::zeros(device, x.batch(), h1.shape())?;
        let weight = Operand::Transposed(self.conv2.data());
        device.product((rows, width, width), Operand::Plain(g2.data()), weight, g1.data_mut(), false)?;
        self.norm1.relu_gradient(&h1, &mut g1, grads)?;

        let columns = self.unfolded();
        let unfolded = device.unfold(x.data(), x.shape(), self.options.edge_channel)?;
        let d_conv1 = grads.slot(&self.conv1)?;
        let size = (columns, rows, width);
        device.product(size, Operand::Transposed(&unfolded), Operand::Plain(g1.data()), d_conv1, true)?;
        let mut d_unfolded = unfolded;
        let weight = Operand::Transposed(self.conv1.data());
        device.product((rows, width, columns), Operand::Plain(g1.data()), weight, &mut d_unfolded, false)?;
        let d_x = device.fold(&d_unfolded, x.shape(), self.options.edge_channel)?;
        Ok(Image::from_buffer(device, x.batch(), x.shape(), d_x))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let (_, mut h1) = self.first(x)?;
        self.norm1.initialize(&h1)?;
        self.norm1.apply_relu(&mut h1)?;
        let h2 = self.second(&h1)?;
        self.norm2.initialize(&h2)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        for norm in [&mut self.norm1, &mut self.norm2] {
            if let Norm::ActNorm(actnorm) = norm {
                actnorm.prepare(device)?;
            }
        }
        self.conv3.prepare(device)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        let width = self.options.width;
        (self.unfolded() * width + width * width) as u64 + self.conv3.multiply_adds_per_pixel()
    }

    fn kept_channels(&self) -> usize {
        self.input + 2 * self.options.width + self.conv3.channels().1
    }

    /// Both hidden layers and their gradients, the unfolded input, and the taps of the output.
    fn working_channels(&self) -> usize {
        4 * self.options.width + self.unfolded() + 9 * self.conv3.channels().1
    }

    fn width(&self) -> usize {
        self.options.width.max(self.unfolded()).max(9 * self.conv3.channels().1)
    }
}
