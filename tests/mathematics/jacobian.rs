//! The condition of a layer's Jacobian, as it is told and as it is.

use flowstone::backend::{Cpu, Device, Initializer};
use flowstone::bijector::{Effort, Kept, jacobian_condition};
use flowstone::bijectors::{Coupling, ScaleMap};
use flowstone::flow::{Condition as Judgement, Dequantize, Flow, FlowFile, Registry, Verdict, dequantize};
use flowstone::laws::{self, Condition, Registered, registry};
use flowstone::nets::Net;
use flowstone::train::{DataName, Event, Record, RunFolder, Start, Trainer, inspect, read_metrics};
use flowstone::{
    Bijector, Cotangent, Element, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample, Result,
    data, no_parameters,
};

/// What the registry builds for one image of this shape, with random parameters.
fn built<E: Element>(registered: &Registered<E, Cpu>, shape: ImageShape) -> Box<dyn Bijector<E, Cpu>>
where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    let mut bijector = (registered.build)(&Initializer::new(&device, 3), shape, 1).unwrap();
    laws::randomize(bijector.as_mut(), &device, 3, 0.3).unwrap();
    bijector.prepare(&device).unwrap();
    bijector
}

fn estimate<E: Element>(bijector: &dyn Bijector<E, Cpu>, x: &Image<E, Cpu>) -> f64
where
    Cpu: Device<E>,
{
    jacobian_condition(bijector, x, Effort::THOROUGH).unwrap().unwrap()
}

/// The estimate for every bijector is at most the condition of its whole numerical Jacobian, and at least half of it.
/// Where a layer knows the condition, it is that one.
#[test]
fn the_estimate_is_within_a_factor_of_2_of_the_whole_jacobian_for_every_bijector() {
    let device = Cpu::default();
    for (single, double) in registry::<f32, Cpu>().into_iter().zip(registry::<f64, Cpu>()) {
        let shape = if double.side == 2 { ImageShape::new(4, 2, 2) } else { ImageShape::new(3, 2, 4) };
        let (of_f32, of_f64) = (built(&single, shape), built(&double, shape));
        let x = laws::normal_image(&device, 1, shape, 8).unwrap();
        let true_condition = Condition::of(of_f64.as_ref(), &x).unwrap().number();
        let in_f32 = laws::normal_image(&device, 1, shape, 8).unwrap();
        for (precision, told, error) in
            [("f64", estimate(of_f64.as_ref(), &x), 1e-6), ("f32", estimate(of_f32.as_ref(), &in_f32), 1e-2)]
        {
            let share = told / true_condition;
            println!("{}, {precision}: {told:.4e} of {true_condition:.4e}", double.name);
            assert!(share > 0.5 && share < 1.0 + error, "{}, {precision}: {told} of {true_condition}", double.name);
        }
        if let Some(known) = of_f64.health(&x).unwrap().jacobian_condition {
            assert!((known / true_condition - 1.0).abs() < 1e-6, "{}: {known}, not {true_condition}", double.name);
        }
    }
}

/// A network whose shift is `factor · x1`; all scales are `scale` where there is one.
struct Times {
    factor: f64,
    log_scale: Option<f64>,
    half: usize,
}

no_parameters!(Times);

impl<E: Element, D: Device<E>> Net<E, D> for Times {
    fn channels(&self) -> (usize, usize) {
        (self.half, if self.log_scale.is_some() { 2 * self.half } else { self.half })
    }

    fn forward_keeping(&self, x: &Image<E, D>) -> Result<(Image<E, D>, Kept<E, D>)> {
        let shifts = x.to_host()?.into_iter().map(|x| E::of(self.factor) * x);
        let h: Vec<E> = match self.log_scale {
            Some(log_scale) => shifts.flat_map(|shift| [shift, E::of(log_scale)]).collect(),
            None => shifts.collect(),
        };
        let shape = x.shape().with_channels(Net::<E, D>::channels(self).1);
        Ok((Image::from_host(x.device(), x.batch(), shape, &h)?, Kept::images([])))
    }

    fn pull_back(&self, _: Kept<E, D>, g: Image<E, D>, _: &mut ParameterGradients<E, D>) -> Result<Image<E, D>> {
        let of_shifts = g.to_host()?.into_iter().step_by(if self.log_scale.is_some() { 2 } else { 1 });
        let g_x: Vec<E> = of_shifts.map(|g| E::of(self.factor) * g).collect();
        Image::from_host(g.device(), g.batch(), g.shape().with_channels(self.half), &g_x)
    }
}

/// κ of `[[1, 0], [a s, s]]`: with σ its singular values, `σ1² + σ2² = 1 + a² s² + s²` and `σ1 σ2 = s`.
fn shear_condition(a: f64, s: f64) -> f64 {
    let sum = (1.0 + a * a * s * s + s * s) / s;
    0.5 * (sum + (sum * sum - 4.0).sqrt())
}

#[test]
fn the_estimate_for_a_shear_is_its_condition_in_closed_form() {
    fn told<E: Element>(factor: f64, log_scale: Option<f64>) -> f64
    where
        Cpu: Device<E>,
    {
        let net = Box::new(Times { factor, log_scale, half: 2 });
        let coupling = match log_scale {
            Some(_) => Coupling::<E, Cpu>::affine(4, ScaleMap::Exp, net),
            None => Coupling::additive(4, net),
        };
        let x = laws::normal_image(&Cpu::default(), 3, ImageShape::new(4, 3, 4), 1).unwrap();
        estimate(&coupling.unwrap(), &x)
    }
    for log_scale in [None, Some(0.0), Some(-3.0), Some(2.0)] {
        for factor in [0.0, 0.3, 10.0, 1e3, 1e5] {
            let expected = shear_condition(factor, f64::exp(log_scale.unwrap_or_default()));
            let (single, double) = (told::<f32>(factor, log_scale), told::<f64>(factor, log_scale));
            println!("{factor}, {log_scale:?}: {expected:e}, f64 {double:e}, f32 {single:e}");
            // Where the two singular values are near each other, an iteration separates them slowly.
            let below = if factor < 10.0 { 1e-2 } else { 1e-6 };
            for (told, error) in [(single, 1e-3), (double, 1e-6)] {
                let share = told / expected;
                let right = share > 1.0 - f64::max(below, error) && share < 1.0 + error;
                assert!(right, "{factor}, {log_scale:?}: {told:e}, not {expected:e}");
            }
        }
    }
}

/// Three images that differ in how steep the map is at them: the worst counts, and no image's σ meets another's.
#[test]
fn the_worst_of_the_images_counts_and_they_are_not_mixed() {
    let device = Cpu::default();
    let registered = registry::<f64, Cpu>().into_iter().find(|entry| entry.name == "AffineCoupling, exp").unwrap();
    let coupling = built(&registered, ImageShape::new(1, 1, 4));
    let numbers = laws::normal_image::<f64, Cpu>(&device, 3, ImageShape::new(1, 1, 4), 2).unwrap().to_host().unwrap();
    let images =
        |numbers: &[f64]| Image::from_host(&device, numbers.len() / 4, ImageShape::new(1, 1, 4), numbers).unwrap();
    let numbers: Vec<f64> = numbers.iter().enumerate().map(|(i, x)| x * [0.1, 8.0, 1.0][i / 4]).collect();
    let conditions: Vec<f64> =
        numbers.chunks(4).map(|x| Condition::of(coupling.as_ref(), &images(x)).unwrap().number()).collect();
    let worst = conditions.iter().copied().fold(0.0, f64::max);
    let told = estimate(coupling.as_ref(), &images(&numbers));
    assert!(told > 0.9 * worst && told < worst * (1.0 + 1e-6), "{told} of {conditions:?}");
    let first = Effort { images: 1, ..Effort::THOROUGH };
    let told = jacobian_condition(coupling.as_ref(), &images(&numbers), first).unwrap().unwrap();
    assert!(told > 0.9 * conditions[0] && told < conditions[0] * (1.0 + 1e-6), "{told} of {conditions:?}");
    assert_eq!(jacobian_condition(coupling.as_ref(), &images(&numbers), Effort::NONE).unwrap(), None);
}

/// A bijector that does not know the pull-back of its inverse.
struct Plain(Box<dyn Bijector<f64, Cpu>>);

impl Parameters<f64, Cpu> for Plain {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<f64, Cpu>)) {
        self.0.visit(path, visitor);
    }
    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<f64, Cpu>)) {
        self.0.visit_mut(path, visitor);
    }
}

impl Bijector<f64, Cpu> for Plain {
    fn kind(&self) -> &str {
        "plain"
    }
    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        self.0.output_shape(input)
    }
    fn forward(&self, x: &Image<f64, Cpu>) -> Result<Image<f64, Cpu>> {
        self.0.forward(x)
    }
    fn inverse(&self, y: &Image<f64, Cpu>) -> Result<Image<f64, Cpu>> {
        self.0.inverse(y)
    }
    fn log_abs_det_jacobian(&self, x: &Image<f64, Cpu>, y: &Image<f64, Cpu>) -> Result<PerSample<Cpu>> {
        self.0.log_abs_det_jacobian(x, y)
    }
    fn pull_back(
        &self,
        y: Image<f64, Cpu>,
        cotangent: Cotangent<f64, Cpu>,
        grads: &mut ParameterGradients<f64, Cpu>,
    ) -> Result<(Image<f64, Cpu>, Image<f64, Cpu>)> {
        self.0.pull_back(y, cotangent, grads)
    }
}

/// Of n dimensions, the best of 16 random directions has a share of about 1/√n of the worst one.
#[test]
fn without_the_inverses_pull_back_the_estimate_is_still_below_and_within_the_root_of_the_dimensions() {
    for registered in registry::<f64, Cpu>() {
        let shape = if registered.side == 2 { ImageShape::new(4, 2, 2) } else { ImageShape::new(3, 2, 4) };
        let plain = Plain(built(&registered, shape));
        let x = laws::normal_image(&Cpu::default(), 1, shape, 8).unwrap();
        let (told, number) = (estimate(&plain, &x), Condition::of(&plain, &x).unwrap().number());
        let (name, least) = (registered.name, number / (2.0 * (shape.dims() as f64).sqrt()));
        assert!(told > least.max(1.0 - 1e-6) && told < number * (1.0 + 1e-6), "{name}: {told} of {number}");
    }
}

const STEEP: &str = "Flow(image: (height: 8, width: 8, channels: 1, bins: 17),
    layers: [Squeeze(), ActNorm(), InvertibleConv(), AdditiveCoupling(net: Custom(\"times\")), InvertibleConv()],
    train: (data: \"digits\", length: Steps(1), batch: 16, averaging: Off, learning_rate: 1e-9))";

fn steep<E: Element>(factor: f64) -> Registry<E, Cpu>
where
    Cpu: Device<E>,
{
    Registry::default()
        .net("times", move |_, channels, _| Ok(Box::new(Times { factor, log_scale: None, half: channels.0 })))
}

/// `y2 = x2 + 1000·x1` has a condition number of 10⁶ + 2, a scale of 1, and a round trip of its own that is right.
#[test]
fn a_steep_coupling_is_named_as_the_worst_layer() {
    let (device, file) = (Cpu::default(), FlowFile::parse("steep", STEEP).unwrap());
    let digits = data::open("digits").unwrap().train;
    let levels = digits.gather(&(0..8).collect::<Vec<_>>()).unwrap();
    let judge = |factor: f64| {
        let flow = Flow::<f32, Cpu>::build(&file, &steep(factor), &Initializer::new(&device, 2)).unwrap();
        let x = dequantize(&device, flow.image_shape(), 17, &levels, 0..8, Dequantize::Midpoint).unwrap();
        let layers = flow.layer_health(x.clone(), None).unwrap();
        let told = layers[3].health.jacobian_condition.unwrap();
        assert!(layers[3].round_trip < 1e-4, "{:?}", layers[3]);
        (told, Verdict::of::<f32>(&layers, &flow.round_trip(x, None).unwrap()))
    };
    let (told, verdict) = judge(1000.0);
    assert!((told / shear_condition(1000.0, 1.0) - 1.0).abs() < 1e-3, "{told:e}");
    assert_ne!(verdict.condition, Judgement::Sound, "{}", verdict.sentence);
    assert_eq!(verdict.layer, "layers.3", "{}", verdict.sentence);
    assert!(verdict.strain.cause.contains("of its Jacobian"), "{}", verdict.sentence);
    let bound = 1.0 / f64::from(f32::EPSILON).sqrt();
    assert!((verdict.strain.ratio / (shear_condition(1000.0, 1.0) / bound) - 1.0).abs() < 1e-3);
    // Whatever else it has: at a slope of 1 nothing is strained.
    let (told, verdict) = judge(1.0);
    assert!((told / shear_condition(1.0, 1.0) - 1.0).abs() < 1e-3, "{told:e}");
    assert_eq!(verdict.condition, Judgement::Sound, "{}", verdict.sentence);
}

#[test]
fn training_and_inspection_name_a_steep_coupling() {
    let (device, file) = (Cpu::default(), FlowFile::parse("steep", STEEP).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run");
    let (run, digits) = (RunFolder::create(Some(&path), "").unwrap(), data::open("digits").unwrap());
    let mut strained = None;
    let registries = (steep::<f32>(1000.0), steep::<f64>(1000.0));
    Trainer::new(&device, &file, &registries.0, digits, run, Start::Fresh)
        .unwrap()
        .run(&mut |event| {
            if let Event::Strained { layer, .. } = event {
                strained = Some(layer.path.clone());
            }
        })
        .unwrap();
    assert_eq!(strained.as_deref(), Some("layers.3"));
    let records = read_metrics(&path.join("metrics.jsonl")).unwrap();
    let health =
        records.iter().find_map(|record| if let Record::Health(health) = record { Some(health) } else { None });
    let told = health.and_then(|health| health.jacobian_condition).unwrap();
    assert!((told / shear_condition(1000.0, 1.0) - 1.0).abs() < 1e-2, "{told:e}");

    let images = data::open("digits").unwrap().train.select(0..4).unwrap();
    let name = DataName { name: "digits".into(), split: "train".into(), fingerprint: images.fingerprint().unwrap() };
    let model = path.join("model.safetensors");
    let inspection = inspect(&model, &device, (&registries.0, &registries.1), false, (&images, name)).unwrap();
    assert_eq!(inspection.verdict.layer, "layers.3", "{}", inspection.verdict.sentence);
}
