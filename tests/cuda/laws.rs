//! The laws that hold for every bijector on the CPU hold on `Cuda`.

use crate::device::Both;
use flowstone::ImageShape;
use flowstone::backend::Initializer;
use flowstone::laws::{self, Violation, registry};

#[test]
fn every_bijector_keeps_every_law() {
    let Some(Both { cuda, .. }) = Both::open() else { return };
    for registered in registry() {
        let shape = ImageShape::new(2, 2, 4);
        let mut bijector = (registered.build)(&Initializer::new(&cuda, 3), shape, 2).unwrap();
        let x = laws::normal_image(&cuda, 2, shape, 5).unwrap();
        match laws::hold(bijector.as_mut(), &x) {
            Ok(()) | Err(Violation::Undecided { .. }) => {}
            Err(violation) => panic!("{}: {violation}", registered.name),
        }
    }
}

#[test]
fn f32_keeps_the_laws() {
    let Some(Both { cuda, .. }) = Both::open() else { return };
    for (single, double) in registry().into_iter().zip(registry()) {
        let shape = ImageShape::new(2, 2, 4);
        let initializer = Initializer::new(&cuda, 3);
        let mut in_f32 = (single.build)(&initializer, shape, 2).unwrap();
        let mut in_f64 = (double.build)(&initializer, shape, 2).unwrap();
        let x = laws::normal_image(&cuda, 2, shape, 5).unwrap();
        match laws::hold_in_f32(in_f32.as_mut(), in_f64.as_mut(), &x) {
            Ok(()) | Err(Violation::Undecided { .. }) => {}
            Err(violation) => panic!("{}: {violation}", single.name),
        }
    }
}
