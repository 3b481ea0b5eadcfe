//! A law must be able to fail: right bijectors, each spoiled in one way, and the law that says so.

use flowstone::backend::{Cpu, Initializer};
use flowstone::bijector::{Cotangent, Kept};
use flowstone::bijectors::{ActNorm, Autoregressive, Coupling, Direction, ElementMap, Mask, ScaleMap};
use flowstone::laws::{self, Given, Law, Violation, registry};
use flowstone::nets::{ConvNet, ConvNetOptions, Made, MadeOptions};
use flowstone::{Bijector, Image, ImageShape, Parameter, ParameterGradients, Parameters, PerSample, Result};

const SHAPE: ImageShape = ImageShape::new(2, 4, 2);

/// What is wrong.
#[derive(Clone, Copy)]
enum Flaw {
    /// Ladj, and all that follows from it, times this.
    Ladj(f64),
    /// The gradient of the last parameter, times this.
    LastGradient(f64),
    /// The gradient of the image, times this.
    ImageGradient(f64),
    /// The gradient of ladj is left out.
    NoLadjGradient,
    /// The inverse is that of the first parameters.
    StaleInverse,
    /// The rebuilt input is off by this.
    Rebuilds(f64),
    /// The second image's output has this much of the first image.
    Leaks(f64),
    /// Gradients from what was kept, times this.
    Kept(f64),
    /// `forward_and_ladj` is off by this.
    Shortcut(f64),
    /// The pull-back of the inverse, times this.
    InversePullBack(f64),
    /// The output is off by this, and the inverse does not know.
    Shifts(f64),
    /// The first element has this much of the last.
    Peeks(f64),
    /// All images become one.
    Collapses,
    /// It says it takes one channel more.
    Boasts,
    /// The gradient of the context is left out.
    DropsContext,
}

/// A right bijector with a flaw.
struct Spoiled {
    right: Box<dyn Bijector<f64, Cpu>>,
    stale: Box<dyn Bijector<f64, Cpu>>,
    flaw: Flaw,
}

impl Spoiled {
    fn ladj_factor(&self) -> f64 {
        if let Flaw::Ladj(factor) = self.flaw { factor } else { 1.0 }
    }

    /// The cotangent as the flaw sees it.
    fn cotangent(&self, cotangent: Cotangent<f64, Cpu>) -> Result<Cotangent<f64, Cpu>> {
        let factor = if let Flaw::NoLadjGradient = self.flaw { 0.0 } else { self.ladj_factor() };
        let ladj = cotangent.ladj().to_host()?;
        Cotangent::new(cotangent.image, &ladj.iter().map(|ladj| factor * ladj).collect::<Vec<_>>())
    }

    /// The gradients as the flaw gives them.
    fn spoil(&self, g: Image<f64, Cpu>, grads: &mut ParameterGradients<f64, Cpu>) -> Result<Image<f64, Cpu>> {
        let mut last = None;
        self.right
            .visit("", &mut |_, parameter| last = if parameter.is_trained() { Some(parameter.id()) } else { last });
        if let (Flaw::LastGradient(factor), Some(slot)) = (self.flaw, last.and_then(|id| grads.get_mut(id))) {
            slot.iter_mut().for_each(|g| *g *= factor);
        }
        let factor = if let Flaw::ImageGradient(factor) = self.flaw { factor } else { 1.0 };
        mapped(&g, |_, g| factor * g)
    }
}

/// The image with every number replaced, by its index and value.
fn mapped(image: &Image<f64, Cpu>, f: impl Fn(usize, f64) -> f64) -> Result<Image<f64, Cpu>> {
    let values: Vec<f64> = image.to_host()?.into_iter().enumerate().map(|(i, value)| f(i, value)).collect();
    Ok(Image::from_host(image.device(), image.batch(), image.shape(), &values)?.giving(image.shared_given()))
}

impl Parameters<f64, Cpu> for Spoiled {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<f64, Cpu>)) {
        self.right.visit(path, visitor);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<f64, Cpu>)) {
        self.right.visit_mut(path, visitor);
    }
}

impl Bijector<f64, Cpu> for Spoiled {
    fn kind(&self) -> &str {
        self.right.kind()
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        match self.flaw {
            Flaw::Boasts if input.channels == SHAPE.channels + 1 => Ok(input),
            _ => self.right.output_shape(input),
        }
    }

    fn forward(&self, x: &Image<f64, Cpu>) -> Result<Image<f64, Cpu>> {
        let (y, first) = (self.right.forward(x)?, x.to_host()?[0]);
        let second = x.shape().dims();
        let last = x.to_host()?[second - 1];
        mapped(&y, |i, y| match self.flaw {
            Flaw::Leaks(share) if i == second => y + share * first,
            Flaw::Shifts(offset) => y + offset,
            Flaw::Peeks(share) if i == 0 => y + share * last,
            Flaw::Collapses => 0.0,
            _ => y,
        })
    }

    fn inverse(&self, y: &Image<f64, Cpu>) -> Result<Image<f64, Cpu>> {
        if let Flaw::StaleInverse = self.flaw { self.stale.inverse(y) } else { self.right.inverse(y) }
    }

    fn log_abs_det_jacobian(&self, x: &Image<f64, Cpu>, y: &Image<f64, Cpu>) -> Result<PerSample<Cpu>> {
        let ladj = self.right.log_abs_det_jacobian(x, y)?.to_host()?;
        PerSample::from_host(x.device(), &ladj.iter().map(|ladj| self.ladj_factor() * ladj).collect::<Vec<_>>())
    }

    fn forward_and_ladj(&self, x: Image<f64, Cpu>) -> Result<(Image<f64, Cpu>, PerSample<Cpu>)> {
        let y = self.forward(&x)?;
        let ladj = self.log_abs_det_jacobian(&x, &y)?;
        let offset = if let Flaw::Shortcut(offset) = self.flaw { offset } else { 0.0 };
        Ok((mapped(&y, |_, y| y + offset)?, ladj))
    }

    fn pull_back(
        &self,
        y: Image<f64, Cpu>,
        cotangent: Cotangent<f64, Cpu>,
        grads: &mut ParameterGradients<f64, Cpu>,
    ) -> Result<(Image<f64, Cpu>, Image<f64, Cpu>)> {
        let (x, g) = self.right.pull_back(y, self.cotangent(cotangent)?, grads)?;
        if let Flaw::DropsContext = self.flaw {
            grads.take_context(x.device());
        }
        let offset = if let Flaw::Rebuilds(offset) = self.flaw { offset } else { 0.0 };
        Ok((mapped(&x, |_, x| x + offset)?, self.spoil(g, grads)?))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<f64, Cpu>,
        cotangent: Cotangent<f64, Cpu>,
        grads: &mut ParameterGradients<f64, Cpu>,
    ) -> Result<Image<f64, Cpu>> {
        let (_, g) = self.pull_back(self.forward(&kept.pop()?)?, cotangent, grads)?;
        let factor = if let Flaw::Kept(factor) = self.flaw { factor } else { 1.0 };
        mapped(&g, |_, g| factor * g)
    }

    fn inverse_pull_back(&self, x: &Image<f64, Cpu>, g: Image<f64, Cpu>) -> Result<Option<Image<f64, Cpu>>> {
        let Flaw::InversePullBack(factor) = self.flaw else { return Ok(None) };
        self.right.inverse_pull_back(x, g)?.map(|g| mapped(&g, |_, g| factor * g)).transpose()
    }

    fn prepare(&mut self, device: &Cpu) -> Result<()> {
        self.right.prepare(device)
    }
}

fn images() -> Image<f64, Cpu> {
    laws::normal_image(&Cpu::default(), 2, SHAPE, 11).unwrap()
}

/// Four kinds of bijectors with the same flaw.
fn spoiled(flaw: Flaw) -> impl Iterator<Item = Spoiled> {
    let names = ["ActNorm, factor 3", "InvertibleConv, plain", "AffineCoupling, exp", "InvertibleConv, LU"];
    registry::<f64, Cpu>().into_iter().filter(move |registered| names.contains(&registered.name)).map(
        move |registered| {
            let build = || (registered.build)(&Initializer::new(&Cpu::default(), 5), SHAPE, 2).unwrap();
            Spoiled { right: build(), stale: build(), flaw }
        },
    )
}

/// Each spoiled bijector is rejected, by the law that the flaw offends.
fn offends(flaw: Flaw, law: Law) {
    for mut spoiled in spoiled(flaw) {
        match laws::hold(&mut spoiled, &images()) {
            Ok(()) => panic!("{} is held to be right", spoiled.kind()),
            Err(violation) => assert_eq!(violation.law(), law, "{violation}"),
        }
    }
}

#[test]
fn without_a_flaw_no_law_is_broken() {
    for flaw in [Flaw::Ladj(1.0), Flaw::InversePullBack(1.0)] {
        for mut right in spoiled(flaw) {
            laws::hold(&mut right, &images()).unwrap();
        }
    }
}

#[test]
fn a_ladj_off_by_a_factor_in_both_directions() {
    offends(Flaw::Ladj(2.0), Law::Ladj);
    offends(Flaw::Ladj(1.0 + 1e-6), Law::Ladj);
}

#[test]
fn a_ladj_of_the_wrong_sign() {
    offends(Flaw::Ladj(-1.0), Law::Ladj);
}

#[test]
fn a_ladj_without_the_number_of_pixels() {
    offends(Flaw::Ladj(1.0 / SHAPE.pixels() as f64), Law::Ladj);
}

#[test]
fn a_ladj_that_is_not_the_inverses() {
    for mut spoiled in spoiled(Flaw::Ladj(2.0)) {
        laws::randomize(&mut spoiled, &Cpu::default(), 0, 0.2).unwrap();
        spoiled.prepare(&Cpu::default()).unwrap();
        let violation = laws::inverse_has_the_negative_ladj(&spoiled, &images()).unwrap_err();
        assert!(matches!(violation, Violation::Broken { law: Law::InverseLadj, .. }), "{violation}");
    }
}

#[test]
fn a_zero_gradient() {
    offends(Flaw::LastGradient(0.0), Law::Gradient);
    offends(Flaw::ImageGradient(0.0), Law::Gradient);
}

#[test]
fn a_gradient_off_by_a_millionth() {
    offends(Flaw::LastGradient(1.0 + 1e-6), Law::Gradient);
    offends(Flaw::ImageGradient(1.0 + 1e-6), Law::Gradient);
}

#[test]
fn a_gradient_without_that_of_ladj() {
    offends(Flaw::NoLadjGradient, Law::Gradient);
}

#[test]
fn a_coupling_that_drops_the_gradient_of_its_context() {
    let (initializer, context) = (Initializer::new(&Cpu::default(), 5), ImageShape::new(1, 2, 1));
    let coupling = || -> Box<dyn Bijector<f64, Cpu>> {
        let mask = Mask::Halves.given(context);
        let options = ConvNetOptions { width: 4, inner_actnorm: false, ..Default::default() };
        let net = ConvNet::new(&initializer, mask.network("a coupling", 2, 2).unwrap(), options).unwrap();
        Box::new(Coupling::affine_masked(2, mask, ScaleMap::Sigmoid, Box::new(net)).unwrap())
    };
    let hold = |flaw| {
        let spoiled = Spoiled { right: coupling(), stale: coupling(), flaw };
        laws::hold(&mut Given::new(&initializer, (context, 2), Box::new(spoiled)).unwrap(), &images())
    };
    hold(Flaw::Ladj(1.0)).unwrap();
    assert_eq!(hold(Flaw::DropsContext).unwrap_err().law(), Law::Gradient);
}

#[test]
fn an_inverse_that_does_not_follow_the_parameters() {
    offends(Flaw::StaleInverse, Law::RoundTrip);
}

#[test]
fn an_inverse_that_is_slightly_off() {
    offends(Flaw::Shifts(1e-10), Law::RoundTrip);
}

#[test]
fn an_input_rebuilt_slightly_wrong() {
    offends(Flaw::Rebuilds(1e-10), Law::KeptGradient);
}

#[test]
fn a_gradient_that_is_wrong_only_when_stored() {
    offends(Flaw::Kept(1.0 + 1e-10), Law::KeptGradient);
}

#[test]
fn an_image_that_leaks_into_the_next() {
    offends(Flaw::Leaks(1e-10), Law::Samples);
}

#[test]
fn a_shortcut_that_leads_elsewhere() {
    offends(Flaw::Shortcut(1e-10), Law::Itself);
}

#[test]
fn a_pull_back_of_the_inverse_that_is_none() {
    offends(Flaw::InversePullBack(1.0 + 1e-10), Law::Itself);
}

#[test]
fn a_map_that_has_no_inverse() {
    offends(Flaw::Collapses, Law::Evaluates);
}

#[test]
fn a_shape_promised_and_refused() {
    offends(Flaw::Boasts, Law::Shapes);
}

#[test]
fn an_f32_that_is_not_its_f64() {
    let device = Cpu::default();
    let initializer = Initializer::new(&device, 0);
    let mut single = ActNorm::<f32, _>::new(&initializer, 2, 3.0).unwrap();
    let mut double = ActNorm::<f64, _>::new(&initializer, 2, 3.001).unwrap();
    laws::randomize(&mut single, &device, 0, 0.2).unwrap();
    single.prepare(&device).unwrap();
    let x = laws::normal_image(&device, 2, SHAPE, 0).unwrap();
    let violation = laws::hold_in_f32(&mut single, &mut double, &x).unwrap_err();
    assert!(matches!(violation, Violation::Broken { law: Law::Precision, .. }), "{violation}");
}

#[test]
fn an_element_that_depends_on_a_later_one() {
    let (device, map) = (Cpu::default(), ElementMap::Affine(ScaleMap::Exp));
    let build = || {
        let made = Made::new(&Initializer::new(&device, 5), SHAPE.dims(), map.numbers(), &MadeOptions::default());
        Box::new(Autoregressive::new(SHAPE, map, Direction::Density, made.unwrap()).unwrap())
    };
    let order: Vec<usize> = (0..SHAPE.dims()).collect();
    let mut spoiled = Spoiled { right: build(), stale: build(), flaw: Flaw::Peeks(1e-6) };
    laws::randomize(&mut spoiled, &device, 0, 0.2).unwrap();
    spoiled.prepare(&device).unwrap();
    laws::jacobian_is_triangular(spoiled.right.as_ref(), &images(), &order).unwrap();
    let violation = laws::jacobian_is_triangular(&spoiled, &images(), &order).unwrap_err();
    assert!(matches!(violation, Violation::Broken { law: Law::Triangular, .. }), "{violation}");
}
