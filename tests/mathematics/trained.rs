//! Training keeps the laws: every layer is held to them with the parameters it learned, and what it derives from
//! parameters is derived from the last.

use flowstone::backend::{Cpu, Initializer};
use flowstone::bijectors::Squeeze;
use flowstone::flow::spec::{Adam, Optimizer};
use flowstone::flow::{FlowFile, Model, Registry};
use flowstone::laws::{self, Registered, Violation, registry};
use flowstone::train::{OptimizerState, Outcome, Record, RunFolder, Start, Trainer, evaluate, read_metrics};
use flowstone::{Bijector, Cotangent, Image, ImageShape, ParameterGradients, data};
use std::path::Path;

/// Images of a batch.
const BATCH: usize = 4;
/// The middle of a digit, squeezed.
const SHAPE: ImageShape = ImageShape::new(2, 2, 4);

/// The middles of some digits.
fn digits(first: usize) -> Image<f64, Cpu> {
    let levels = data::open("digits").unwrap().train.gather(&(first..first + BATCH).collect::<Vec<_>>()).unwrap();
    let middle = |image: &[u8]| -> Vec<f64> {
        let rows = image.chunks_exact(8).skip(2).take(4);
        rows.flat_map(|row| row[2..6].iter().map(|&level| (f64::from(level) + 0.5) / 17.0 - 0.5)).collect()
    };
    let x: Vec<f64> = levels.chunks_exact(64).flat_map(middle).collect();
    let x = Image::from_host(&Cpu::default(), BATCH, ImageShape::new(4, 4, 1), &x).unwrap();
    Squeeze.forward(&x).unwrap()
}

fn fresh(registered: &Registered<f64, Cpu>, seed: u64) -> Box<dyn Bijector<f64, Cpu>> {
    (registered.build)(&Initializer::new(&Cpu::default(), seed), SHAPE, BATCH).unwrap()
}

/// `−ln p(x)` under a standard normal at its output, without the constant, in the mean over some digits.
fn loss(bijector: &dyn Bijector<f64, Cpu>) -> f64 {
    let batches = (0..16).map(|batch| {
        let (y, ladj) = bijector.forward_and_ladj(digits(batch * BATCH)).unwrap();
        let squares: f64 = y.to_host().unwrap().iter().map(|y| y * y / 2.0).sum();
        squares - ladj.to_host().unwrap().iter().sum::<f64>()
    });
    batches.sum::<f64>() / (16 * BATCH) as f64
}

/// Eighty steps down [`loss`], with the gradient by inversion; `renew` is called after each.
fn train(bijector: &mut dyn Bijector<f64, Cpu>, renew: fn(&mut dyn Bijector<f64, Cpu>)) {
    let device = Cpu::default();
    let mut optimizer = OptimizerState::new(&device, bijector, Optimizer::Adam(Adam::default()), 1.0).unwrap();
    for step in 0..80 {
        let y = bijector.forward(&digits(step * BATCH)).unwrap();
        let share = 1.0 / BATCH as f64;
        let g: Vec<f64> = y.to_host().unwrap().iter().map(|y| share * y).collect();
        let g = Image::from_host(&device, BATCH, y.shape(), &g).unwrap();
        let cotangent = Cotangent::new(g, &[-share; BATCH]).unwrap();
        let mut gradients = ParameterGradients::zeros(&device, bijector).unwrap();
        bijector.pull_back(y, cotangent, &mut gradients).unwrap();
        optimizer.step(&device, bijector, &gradients, 0.02).unwrap();
        renew(bijector);
    }
}

fn prepare(bijector: &mut dyn Bijector<f64, Cpu>) {
    bijector.prepare(&Cpu::default()).unwrap();
}

/// Whether a bijector is what its parameters say: one that is built anew with them maps to the same bits and back.
fn is_that_of_its_parameters(bijector: &dyn Bijector<f64, Cpu>, registered: &Registered<f64, Cpu>) -> bool {
    let (device, x) = (Cpu::default(), digits(0));
    let (mut values, mut other) = (Vec::new(), fresh(registered, 2));
    bijector.visit("", &mut |_, parameter| values.push(parameter.to_host(&device).unwrap()));
    let mut values = values.into_iter();
    other.visit_mut("", &mut |_, parameter| parameter.set(&device, &values.next().unwrap()).unwrap());
    prepare(other.as_mut());
    let all = |bijector: &dyn Bijector<f64, Cpu>| {
        let (y, ladj) = bijector.forward_and_ladj(x.clone()).unwrap();
        let back = bijector.inverse(&y).unwrap();
        (y.to_host().unwrap(), ladj.to_host().unwrap(), back.to_host().unwrap())
    };
    all(bijector) == all(other.as_ref())
}

#[test]
fn every_layer_keeps_the_laws_with_what_it_learned() {
    for registered in registry::<f64, Cpu>() {
        let mut bijector = fresh(&registered, 1);
        let before = loss(bijector.as_ref());
        train(bijector.as_mut(), prepare);
        let after = loss(bijector.as_ref());
        assert!(after < before || bijector.trained_count() == 0, "{}: {before} to {after}", registered.name);
        assert!(is_that_of_its_parameters(bijector.as_ref(), &registered), "{}", registered.name);
        // On the kink of a ReLU nothing is decided: then at other images.
        let verdicts = (80..84).map(|batch| laws::hold_as_is(bijector.as_mut(), &digits(batch * BATCH)));
        let verdict = verdicts.into_iter().find(|verdict| !matches!(verdict, Err(Violation::Undecided { .. })));
        verdict.unwrap().unwrap_or_else(|violation| panic!("{}: {violation}", registered.name));
    }
}

/// What the test above would see: inverses and determinants of earlier parameters.
#[test]
fn a_layer_that_is_not_prepared_after_a_step_is_not_that_of_its_parameters() {
    for registered in registry::<f64, Cpu>().iter().filter(|registered| registered.name.contains("InvertibleConv")) {
        let mut stale = fresh(registered, 1);
        train(stale.as_mut(), |_| ());
        assert!(!is_that_of_its_parameters(stale.as_ref(), registered), "{}", registered.name);
        prepare(stale.as_mut());
        assert!(is_that_of_its_parameters(stale.as_ref(), registered), "{}", registered.name);
    }
}

const RECIPE: &str =
    "data: \"digits\", length: Steps(12), batch: 32, validation: 64, learning_rate: 1e-2, warmup: Steps(0)";

fn run(folder: &Path, averaging: &str, validate_every: u64) -> (Outcome, Vec<Record>) {
    let text = format!(
        "Flow(image: (height: 8, width: 8, channels: 1, bins: 17), layers: [
            Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 8), Split(),
            Squeeze(), ActNorm(), InvertibleConv(weight: LU), AdditiveCoupling(width: 8),
        ], train: ({RECIPE}, averaging: {averaging}, validate_every: Steps({validate_every})))"
    );
    let (file, registry) = (FlowFile::parse("trained", text).unwrap(), Registry::<f32, Cpu>::default());
    let run = RunFolder::create(Some(folder), "").unwrap();
    let digits = data::open("digits").unwrap();
    let trainer = Trainer::new(&Cpu::default(), &file, &registry, digits, run, Start::Fresh).unwrap();
    (trainer.run(&mut |_| ()).unwrap(), read_metrics(&folder.join("metrics.jsonl")).unwrap())
}

/// A whole flow likewise: what is evaluated at the end, with its own weights or with averaged ones in their place, is
/// what the saved tensors give; and to evaluate on the way does not change training.
#[test]
fn a_flow_in_training_is_that_of_its_parameters() {
    let (device, folder) = (Cpu::default(), tempfile::tempdir().unwrap());
    for averaging in ["Off", "Ema(decay: 0.9)"] {
        let at = |name: &str| folder.path().join(format!("{averaging}, {name}"));
        let (outcome, records) = run(&at("often"), averaging, 1);
        let model = Model::<f32, Cpu>::load(&at("often"), &device, &Registry::default(), false).unwrap();
        let (test, name) = (data::open("digits").unwrap().test, outcome.test.data.clone());
        let saved = evaluate(&model.flow, &device, &test, name, (0, 1)).unwrap();
        assert_eq!(saved.loss, outcome.test.loss, "{averaging}");

        let (_, once) = run(&at("once"), averaging, 12);
        let steps = |records: &[Record]| -> Vec<Record> {
            records.iter().filter(|record| matches!(record, Record::Step(_))).cloned().collect()
        };
        assert_eq!(steps(&records), steps(&once), "{averaging}");
    }
}
