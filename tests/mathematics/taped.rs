//! A bijector in plain dfdx operations gets its pull-back from its inverse, and keeps the laws.

use dfdx::prelude::*;
use flowstone::backend::Initializer;
use flowstone::bijector::{FromTape, ImageTensor, Leaves, SampleTensor, Taped, device_error};
use flowstone::{Device, Element, ImageShape, Parameter, laws, parameters};

/// `y = exp(a) · x + b`, `ladj = dims · a`: one learned a and b for the whole image.
struct Affine<E: Element, D: Device<E>> {
    a: Parameter<E, D>,
    b: Parameter<E, D>,
    /// Whether ladj leaves out that every element is scaled.
    wrong: bool,
}

parameters!(Affine { a, b });

impl<E: Element, D: Device<E>> Taped<E, D> for Affine<E, D> {
    fn kind(&self) -> &str {
        "affine"
    }

    fn forward<T: Tape<E, D>>(
        &self,
        x: ImageTensor<E, D, T>,
        leaves: &Leaves<E, D>,
    ) -> flowstone::Result<(ImageTensor<E, D, T>, SampleTensor<E, D, T>)> {
        let (a, b) = (leaves.get::<T>(&self.a)?, leaves.get::<T>(&self.b)?);
        let ladj_of_all = E::of(if self.wrong { 0.5 } else { 1.0 });
        let forward = || {
            // The one number that each holds, at every element.
            let a = a.try_sum::<(), _>()?.try_broadcast_like::<_, Axes4<0, 1, 2, 3>>(&x)?;
            let b = b.try_sum::<(), _>()?.try_broadcast_like::<_, Axes4<0, 1, 2, 3>>(&x)?;
            let zero = x.with_empty_tape().try_mul(E::of(0.0))?;
            let ladj =
                zero.try_add(a.with_empty_tape())?.try_mul(ladj_of_all)?.try_sum::<(usize,), Axes3<1, 2, 3>>()?;
            Ok((x.try_mul(a.try_exp()?)?.try_add(b)?, ladj))
        };
        forward().map_err(|error: D::Err| device_error(error))
    }

    fn inverse(&self, y: ImageTensor<E, D>, leaves: &Leaves<E, D>) -> flowstone::Result<ImageTensor<E, D>> {
        let (a, b) = (leaves.get::<NoneTape>(&self.a)?, leaves.get::<NoneTape>(&self.b)?);
        let inverse = |y: ImageTensor<E, D>| {
            let a = a.try_sum::<(), _>()?.try_broadcast_like::<_, Axes4<0, 1, 2, 3>>(&y)?;
            let b = b.try_sum::<(), _>()?.try_broadcast_like::<_, Axes4<0, 1, 2, 3>>(&y)?;
            y.try_sub(b)?.try_div(a.try_exp()?)
        };
        inverse(y).map_err(|error: D::Err| device_error(error))
    }
}

fn affine(wrong: bool) -> FromTape<Affine<f64, Cpu>> {
    let initializer = Initializer::new(&Cpu::default(), 0);
    FromTape(Affine { a: initializer.zeros(&[1]).unwrap(), b: initializer.zeros(&[1]).unwrap(), wrong })
}

#[test]
fn it_keeps_the_laws() {
    let x = laws::normal_image(&Cpu::default(), 2, ImageShape::new(2, 3, 1), 5).unwrap();
    laws::hold(&mut affine(false), &x).unwrap();
}

#[test]
fn a_wrong_ladj_is_seen() {
    let x = laws::normal_image(&Cpu::default(), 2, ImageShape::new(2, 3, 1), 5).unwrap();
    assert_eq!(laws::hold(&mut affine(true), &x).unwrap_err().law(), laws::Law::Ladj);
}
