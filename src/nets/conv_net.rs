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

use super::norm::Norm;
use super::{Net, ZeroConv};
use crate::Result;
use crate::backend::kernels::{HiddenGradients, HiddenLayers, MemoryKernel, Operand};
use crate::backend::{Buffer, Device, Element, Image, Initializer, Parameter, ParameterGradients, Parameters};
use crate::bijector::{Health, Kept};

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
    /// Whether the last layer has a learned gain `exp(factor · logs)`. The paper has none.
    pub gain: bool,
}

impl Default for ConvNetOptions {
    fn default() -> Self {
        Self { width: 512, edge_channel: true, inner_actnorm: true, log_scale_factor: 3.0, gain: true }
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
        let ConvNetOptions { width, edge_channel, inner_actnorm, log_scale_factor, .. } = options;
        let norm = || Norm::new(initializer, width, inner_actnorm.then_some(log_scale_factor));
        let conv3 = ZeroConv::new(initializer, (width, output), edge_channel, log_scale_factor)?;
        let conv3 = if options.gain { conv3 } else { conv3.without_gain(initializer.device())? };
        Ok(Self {
            conv1: initializer.normal("conv1", &[3, 3, input + usize::from(edge_channel), width], 0.05)?,
            norm1: norm()?,
            conv2: initializer.normal("conv2", &[width, width], 0.05)?,
            norm2: norm()?,
            conv3,
            input,
            options,
        })
    }

    /// An encoder: all of it starts at random, for its output to tell contexts apart, and it has no gain.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the device fails.
    pub fn encoder(initializer: &Initializer<D>, (input, output): (usize, usize), width: usize) -> Result<Self> {
        let options = ConvNetOptions { width, gain: false, ..Default::default() };
        let std = (1.0 / (9 * width) as f64).sqrt();
        let conv3 = ZeroConv::normal(&initializer.at("conv3"), (width, output), options.edge_channel, std)?;
        Ok(Self { conv3, ..Self::new(initializer, (input, output), options)? })
    }

    /// Columns of the unfolded input.
    fn unfolded(&self) -> usize {
        9 * (self.input + usize::from(self.options.edge_channel))
    }

    fn hidden_layers(&self) -> HiddenLayers<'_, Buffer<E, D>> {
        HiddenLayers {
            conv1: self.conv1.data(),
            norm1: self.norm1.bias_and_scale(),
            conv2: self.conv2.data(),
            norm2: self.norm2.bias_and_scale(),
            conv3: self.conv3.weight().data(),
            width: self.options.width,
            taps: 9 * self.conv3.channels().1,
            edge: self.options.edge_channel,
        }
    }

    /// The first convolution, before its norm.
    fn first(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        x.expect_channels("ConvNet", self.input)?;
        let width = self.options.width;
        let unfolded = x.device().unfold(x.data(), x.shape(), self.options.edge_channel)?;
        let mut h = Image::zeros(x.device(), x.batch(), x.shape().with_channels(width))?;
        let size = (x.rows(), self.unfolded(), width);
        let weight = Operand::Plain(self.conv1.data());
        x.device().product(size, Operand::Plain(&unfolded), weight, h.data_mut(), false)?;
        Ok(h)
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
        x.expect_channels("ConvNet", self.input)?;
        self.conv3.gather(x, x.device().hidden(x.data(), x.shape(), &self.hidden_layers())?)
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        x.expect_channels("ConvNet", self.input)?;
        let device = x.device();
        let (taps, hidden) = device.hidden_keeping(x.data(), x.shape(), &self.hidden_layers())?;
        let shape = x.shape().with_channels(self.options.width);
        let [h1, h2] = hidden.map(|h| Image::from_buffer(device, x.batch(), shape, h));
        let h = self.conv3.gather(x, taps)?;
        let kept = Kept::images([x.copied()?, h1, h2, h.copied()?]);
        Ok((h, kept))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (h, h2, h1, x) = (kept.pop()?, kept.pop()?, kept.pop()?, kept.pop()?);
        let device = x.device();
        let g_taps = self.conv3.taps_gradient(&h, g, grads)?;
        let gradient = |slots| {
            device.hidden_gradient(x.data(), x.shape(), &self.hidden_layers(), [h1.data(), h2.data()], &g_taps, slots)
        };
        let factor = self.options.log_scale_factor;
        let [w1, w2, w3] = [&self.conv1, &self.conv2, self.conv3.weight()];
        let (b1, b2) = (self.norm1.bias(), self.norm2.bias());
        let d_x = match (self.norm1.logs(), self.norm2.logs()) {
            (Some(l1), Some(l2)) => {
                let [conv1, conv2, conv3, b1, l1, b2, l2] = grads.slots([w1, w2, w3, b1, l1, b2, l2])?;
                gradient(HiddenGradients { conv1, norm1: (b1, l1), conv2, norm2: (b2, l2), conv3, factor })?
            }
            _ => {
                // A plain bias has a scale of 1, whose gradient nobody asks for.
                let unused = || MemoryKernel::<E>::zeros(device, self.options.width);
                let (l1, l2) = (&mut unused()?, &mut unused()?);
                let [conv1, conv2, conv3, b1, b2] = grads.slots([w1, w2, w3, b1, b2])?;
                gradient(HiddenGradients { conv1, norm1: (b1, l1), conv2, norm2: (b2, l2), conv3, factor })?
            }
        };
        Ok(Image::from_buffer(device, x.batch(), x.shape(), d_x))
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        let mut h1 = self.first(x)?;
        self.norm1.initialize(&h1)?;
        let (bias, scale) = self.norm1.bias_and_scale();
        x.device().affine_relu(h1.data_mut(), bias, scale)?;
        let h2 = self.second(&h1)?;
        self.norm2.initialize(&h2)
    }

    fn normalizes(&self) -> bool {
        self.options.inner_actnorm
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.norm1.prepare(device)?;
        self.norm2.prepare(device)?;
        self.conv3.prepare(device)
    }

    fn gains(&self, device: &D) -> Result<Option<(f64, f64)>> {
        let mut health = Health { gains: self.conv3.gains(device)?, ..Default::default() };
        for norm in [&self.norm1, &self.norm2] {
            health = health.and(Health { gains: norm.scales(device)?, ..Default::default() });
        }
        Ok(health.gains)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::ChannelKernel;
    use crate::backend::{Cpu, ImageShape};

    fn initialized(edge_channel: bool) -> (ConvNet<f64, Cpu>, Image<f64, Cpu>) {
        let device = Cpu::default();
        let options = ConvNetOptions { width: 6, edge_channel, ..Default::default() };
        let mut net = ConvNet::new(&Initializer::new(&device, 0), (2, 4), options).unwrap();
        let x = crate::laws::normal_image(&device, 3, ImageShape::new(4, 3, 2), 1).unwrap();
        net.initialize(&x).unwrap();
        (net, x)
    }

    /// What the norm, and the ReLU after it, make of a hidden layer.
    fn normed(h: &Image<f64, Cpu>, norm: &Norm<f64, Cpu>) -> [Image<f64, Cpu>; 2] {
        let (mut y, mut rectified, (bias, scale)) = (h.clone(), h.clone(), norm.bias_and_scale());
        h.device().affine(y.data_mut(), bias, scale).unwrap();
        h.device().affine_relu(rectified.data_mut(), bias, scale).unwrap();
        [y, rectified]
    }

    /// With a gain of 1 the network is the one without: what is left out is the gain alone, and the inner actnorms stay.
    #[test]
    fn without_its_gain_a_network_has_one_parameter_less_and_is_the_one_of_gain_1() {
        let names = |net: &ConvNet<f64, Cpu>| {
            let mut names = Vec::new();
            net.visit("", &mut |name, _| names.push(name.to_owned()));
            names
        };
        let device = Cpu::default();
        let options = ConvNetOptions { width: 6, gain: false, ..Default::default() };
        let mut without = ConvNet::new(&Initializer::new(&device, 0), (2, 4), options).unwrap();
        let (mut with, x) = initialized(true);
        let mut values = std::collections::BTreeMap::new();
        with.visit_mut("", &mut |name, parameter| {
            let count = parameter.count();
            let waves: Vec<f64> = (0..count).map(|i| 0.3 * ((i + name.len()) as f64 * 0.7).sin()).collect();
            parameter.set(&device, &if name == "conv3.logs" { vec![0.0; count] } else { waves.clone() }).unwrap();
            values.insert(name.to_owned(), waves);
        });
        without.visit_mut("", &mut |name, parameter| parameter.set(&device, &values[name]).unwrap());
        for net in [&mut with, &mut without] {
            net.prepare(&device).unwrap();
        }
        let less: Vec<String> = names(&with).into_iter().filter(|name| !names(&without).contains(name)).collect();
        assert_eq!(less, ["conv3.logs"]);
        let [y, z] = [with, without].map(|net| net.forward(&x).unwrap().to_host().unwrap());
        assert!(y.iter().any(|y| *y != 0.0) && y.iter().zip(&z).all(|(y, z)| (y - z).abs() < 1e-14));
    }

    #[test]
    fn the_first_batch_gives_hidden_channels_mean_0_and_variance_1_before_their_relus() {
        for edge_channel in [true, false] {
            let (net, x) = initialized(edge_channel);
            let assert_standardised = |y: &Image<f64, Cpu>| {
                let (mean, variance) = y.device().channel_statistics(y.data(), y.shape().channels).unwrap();
                let apart = mean.iter().map(|m| m.abs()).chain(variance.iter().map(|v| (v - 1.0).abs()));
                assert!(apart.fold(0.0, f64::max) < 1e-4, "{mean:?}, {variance:?}");
            };
            let [y1, h1] = normed(&net.first(&x).unwrap(), &net.norm1);
            let [y2, h2] = normed(&net.second(&h1).unwrap(), &net.norm2);
            assert_standardised(&y1);
            assert_standardised(&y2);

            // They are the hidden layers that the network computes with.
            let kept = net.forward_keeping(&x).unwrap().1.images;
            for (h, kept) in [(h1, &kept[1]), (h2, &kept[2])] {
                let (h, kept) = (h.to_host().unwrap(), kept.to_host().unwrap());
                assert!(h.len() == kept.len() && h.iter().zip(&kept).all(|(a, b)| (a - b).abs() < 1e-12));
            }
        }
    }
}
