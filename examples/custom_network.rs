//! A network of your own in the couplings: `cargo run --release --example custom_network`.
//!
//! ```text
//! net(x) = convolutions(x) + zero_conv(x)          a linear way around the built-in network
//! ```
//!
//! A network needs no inverse: only what it gives, and the gradient from what it kept.

use flowstone::backend::{Cpu, Initializer};
use flowstone::bijector::Kept;
use flowstone::flow::{FlowFile, Registry};
use flowstone::nets::{ConvNet, ConvNetOptions, Net, ZeroConv};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Device, Element, Error, Image, ParameterGradients, Result, data, parameters};

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    define: {
        "coupling": [AffineCoupling(net: Custom("skip", (width: 32)))],
        "step": [ActNorm(), InvertibleConv(), Use("coupling")],
    },
    layers: [Squeeze(), Repeat(4, [Use("step")]), Split(), Squeeze(), Repeat(4, [Use("step")])],
    train: (data: "digits", length: Steps(200), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

/// The options that the flow file gives it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    width: usize,
}

struct Skip<E: Element, D: Device<E>> {
    deep: ConvNet<E, D>,
    linear: ZeroConv<E, D>,
}

// Names its parts' parameters `deep.conv1.weight`, …, `linear.weight`, …
parameters!(Skip {} parts { deep, linear });

impl<E: Element, D: Device<E>> Skip<E, D> {
    fn new(initializer: &Initializer<D>, (input, output): (usize, usize), width: usize) -> Result<Self> {
        let options = ConvNetOptions { width, ..ConvNetOptions::default() };
        let deep = ConvNet::new(&initializer.at("deep"), (input, output), options)?;
        let linear = ZeroConv::new(&initializer.at("linear"), (input, output), true, options.log_scale_factor)?;
        Ok(Self { deep, linear })
    }
}

impl<E: Element, D: Device<E>> Net<E, D> for Skip<E, D> {
    fn channels(&self) -> (usize, usize) {
        self.linear.channels()
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let (mut h, deep) = self.deep.forward_keeping(x)?;
        let (linear, kept) = self.linear.forward_keeping(x)?;
        h.add_assign(&linear)?;
        Ok((h, Kept { images: Vec::new(), parts: vec![deep, kept] }))
    }

    fn pull_back(
        &self,
        mut kept: Kept<E, D>,
        g: Image<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (linear, deep) = (kept.pop_part()?, kept.pop_part()?);
        let mut d_x = self.linear.pull_back(linear, g.clone(), grads)?;
        d_x.add_assign(&self.deep.pull_back(deep, g, grads)?)?;
        Ok(d_x)
    }

    fn initialize(&mut self, x: &Image<E, D>) -> Result<()> {
        self.deep.initialize(x)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        self.deep.prepare(device)?;
        self.linear.prepare(device)
    }

    fn multiply_adds_per_pixel(&self) -> u64 {
        self.deep.multiply_adds_per_pixel() + self.linear.multiply_adds_per_pixel()
    }

    fn kept_channels(&self) -> usize {
        self.deep.kept_channels() + self.linear.kept_channels()
    }

    fn working_channels(&self) -> usize {
        self.deep.working_channels() + self.linear.working_channels()
    }

    fn width(&self) -> usize {
        self.deep.width()
    }
}

fn main() -> Result<()> {
    let device = Cpu::default();
    let registry = Registry::<f32, Cpu>::default().net("skip", |settings, channels, initializer| {
        let Options { width } = settings.read().map_err(|error| Error::Usage(format!("Custom(\"skip\"): {error}")))?;
        Ok(Box::new(Skip::new(initializer, channels, width)?))
    });
    let file = FlowFile::parse("custom_network", FLOW)?;
    let folder = RunFolder::create(None, "custom_network")?;
    let trainer = Trainer::new(&device, &file, &registry, data::open("digits")?, folder, Start::Fresh)?;
    let outcome = trainer.run(&mut |_| ())?;
    let test = outcome.test.with_error();
    println!("test: {test}, of {:.3} without a model", outcome.uniform_bits_per_dim.unwrap_or(f64::NAN));
    println!("{}/samples/samples.png: samples at eight temperatures", outcome.folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowstone::bijectors::{Coupling, ScaleMap};
    use flowstone::{ImageShape, laws};

    /// The laws hold for a coupling of it, so its gradients are right.
    #[test]
    fn a_coupling_of_it_keeps_the_laws() {
        let device = Cpu::default();
        let net = Skip::<f64, Cpu>::new(&Initializer::new(&device, 0), (2, 4), 5).unwrap();
        let mut coupling = Coupling::affine(4, ScaleMap::Sigmoid, Box::new(net)).unwrap();
        let x = laws::normal_image(&device, 2, ImageShape::new(4, 2, 4), 1).unwrap();
        laws::hold(&mut coupling, &x).unwrap();
    }
}
