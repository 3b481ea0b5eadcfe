//! A bijector of your own, in plain dfdx operations: no derivative by hand, and memory that does not grow with depth.
//!
//! ```text
//! u = exp(strength · s) · x        s: one learned number per channel
//! y = asinh(u) = ln(u + √(u² + 1))
//! x = exp(−strength · s) · sinh(y)
//! ladj = Σ (strength · s − ½ ln(u² + 1))
//! ```
//!
//! It is held to the laws, registered under a name, declared in RON as `Custom("asinh", …)` and trained inside a Glow:
//! `cargo run --release --example custom_bijector`.

use dfdx::prelude::*;
use flowstone::backend::Initializer;
use flowstone::bijector::{FromTape, ImageTensor, Leaves, SampleTensor, Taped, device_error};
use flowstone::flow::{FlowFile, Registry};
use flowstone::train::{Event, RunFolder, Start, Trainer};
use flowstone::{Device, Element, ImageShape, Parameter, data, laws, parameters};

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    define: { "step": [ActNorm(), InvertibleConv(), Custom("asinh", (strength: 0.5)), AffineCoupling(width: 32)] },
    layers: [Squeeze(), Repeat(3, [Use("step")]), Split(), Squeeze(), Repeat(3, [Use("step")])],
    train: (data: "digits", length: Steps(200), warmup: Steps(50), optimizer: Adamax(beta2: 0.999, rule: Published)),
)"#;

/// The options that the flow file gives it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    strength: f64,
}

struct Asinh<E: Element, D: Device<E>> {
    /// `[channels]`
    s: Parameter<E, D>,
    strength: f64,
}

parameters!(Asinh { s });

impl<E: Element, D: Device<E>> Asinh<E, D> {
    fn new(initializer: &Initializer<D>, channels: usize, strength: f64) -> flowstone::Result<FromTape<Self>> {
        Ok(FromTape(Self { s: initializer.zeros(&[channels])?, strength }))
    }

    /// `strength · s` at every element of `like`.
    fn log_scale<T: Tape<E, D>>(
        &self,
        leaves: &Leaves<E, D>,
        like: &ImageTensor<E, D, T>,
    ) -> flowstone::Result<ImageTensor<E, D, T>> {
        let s = leaves.get::<T>(&self.s)?.try_mul(E::of(self.strength)).map_err(device_error)?;
        s.try_broadcast_like::<_, Axes3<0, 1, 2>>(like).map_err(device_error)
    }
}

impl<E: Element, D: Device<E>> Taped<E, D> for Asinh<E, D> {
    fn kind(&self) -> &str {
        "asinh"
    }

    fn output_shape(&self, input: ImageShape) -> flowstone::Result<ImageShape> {
        let channels = self.s.count();
        if input.channels == channels {
            return Ok(input);
        }
        let (expected, found) = (format!("{channels} channels"), input.to_string());
        Err(flowstone::Error::Shape { layer: "asinh".into(), expected, found })
    }

    fn forward<T: Tape<E, D>>(
        &self,
        x: ImageTensor<E, D, T>,
        leaves: &Leaves<E, D>,
    ) -> flowstone::Result<(ImageTensor<E, D, T>, SampleTensor<E, D, T>)> {
        let log_scale = self.log_scale(leaves, &x)?;
        let forward = |x: ImageTensor<E, D, T>| {
            let root = |u: ImageTensor<E, D, T>| u.try_square()?.try_add(E::of(1.0))?.try_sqrt();
            let u = x.with_empty_tape().try_mul(log_scale.with_empty_tape().try_exp()?)?;
            let y = u.with_empty_tape().try_add(root(u)?)?.try_ln()?;
            let u = x.try_mul(log_scale.with_empty_tape().try_exp()?)?;
            let log_slope = root(u)?.try_ln()?.try_negate()?.try_add(log_scale)?;
            Ok((y, log_slope.try_sum::<(usize,), Axes3<1, 2, 3>>()?))
        };
        forward(x).map_err(|error: D::Err| device_error(error))
    }

    fn inverse(&self, y: ImageTensor<E, D>, leaves: &Leaves<E, D>) -> flowstone::Result<ImageTensor<E, D>> {
        let log_scale = self.log_scale(leaves, &y)?;
        let inverse = |y: ImageTensor<E, D>| {
            let sinh = y.clone().try_exp()?.try_sub(y.try_negate()?.try_exp()?)?.try_mul(E::of(0.5))?;
            sinh.try_mul(log_scale.try_negate()?.try_exp()?)
        };
        inverse(y).map_err(device_error)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Cpu::default();
    let mut asinh = Asinh::<f64, Cpu>::new(&Initializer::new(&device, 0), 3, 0.5)?;
    laws::hold(&mut asinh, &laws::normal_image(&device, 2, ImageShape::new(2, 1, 3), 1)?)?;
    println!("it keeps the laws of bijectors");

    let file = FlowFile::parse("custom_bijector", FLOW)?;
    let registry = Registry::<f32, Cpu>::default().layer("asinh", |settings, shape, initializer| {
        let options: Options =
            settings.read().map_err(|error| flowstone::Error::Usage(format!("Custom(\"asinh\"): {error}")))?;
        Ok(Box::new(Asinh::new(initializer, shape.channels, options.strength)?))
    });
    let folder = RunFolder::create(None, "custom_bijector")?;
    let data = data::open("digits")?;
    let trainer = Trainer::new(&device, &file, &registry, data, folder, Start::Fresh)?;
    let outcome = trainer.run(&mut |event| {
        if let Event::Step { record, .. } = event
            && record.step.is_multiple_of(50)
        {
            println!("step {}: {:.3} bits/dim, drift {:.1e}", record.step, record.train.value(), record.drift);
        }
    })?;
    let test = outcome.test.with_error();
    println!("test: {test}, of {:.3} without a model", outcome.uniform_bits_per_dim.unwrap_or(f64::NAN));
    println!("{}/samples/samples.png: samples at eight temperatures", outcome.folder);
    Ok(())
}
