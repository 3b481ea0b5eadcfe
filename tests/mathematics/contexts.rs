//! Flows of images given a context: p(x | c).

use flowstone::backend::{Cpu, Device, Initializer};
use flowstone::data::{Contexts, DataSet, Images};
use flowstone::flow::spec::Memory;
use flowstone::flow::{Batch, Conditions, Dequantize, Flow, FlowFile, Registry, Values};
use flowstone::noise::{NoiseKey, Purpose};
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Element, Image, ImageShape, ParameterGradients, Parameters, laws};
use rand::Rng;

const LAYERS: &str = "
    layers: [
        Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4), SplineCoupling(width: 3, bins: 3), Split(),
        Squeeze(), Shuffle(), MixtureCoupling(width: 3, components: 2), AdditiveCoupling(width: 3),
        AffineCoupling(width: 3, inner_actnorm: false),
    ]";

const CLASSES: &str = "context: Classes(3), encoder: Dense(hidden: [4], features: 2)";
const IMAGE: &str = "context: Image(height: 4, width: 2, channels: 1), encoder: Convolutional(width: 4, channels: 2)";
const PLAIN: &str = "context: Vector(features: 2)";

fn flow<E: Element>(context: &str) -> Flow<E, Cpu>
where
    Cpu: Device<E>,
{
    let text = format!("Flow(image: (height: 8, width: 4, channels: 1, bins: 16), {context}, {LAYERS})");
    let device = Cpu::default();
    let file = FlowFile::parse("contexts", text).unwrap();
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 3)).unwrap();
    let mut rng = NoiseKey::new(5, Purpose::Initialize).rng(0);
    flow.visit_mut("", &mut |_, parameter| {
        if parameter.is_trained() {
            let moved: Vec<E> = parameter.to_host(&device).unwrap();
            let moved: Vec<E> = moved.iter().map(|&w| w + E::of(rng.gen_range(-0.2..0.2))).collect();
            parameter.set(&device, &moved).unwrap();
        }
    });
    flow.prepare(&device).unwrap();
    flow
}

/// So many images with their classes and contexts, which are enough for any of these flows.
fn with_batch<T>(images: usize, numbers: usize, f: impl FnOnce(&Batch) -> T) -> T {
    let mut rng = NoiseKey::new(6, Purpose::Initialize).rng(0);
    let levels: Vec<u8> = (0..images * 32).map(|_| rng.gen_range(0..16)).collect();
    let labels: Vec<usize> = (0..images).map(|_| rng.gen_range(0..3)).collect();
    let context: Vec<f32> = (0..images * numbers).map(|_| rng.gen_range(-1.0..1.0)).collect();
    let places: Vec<u64> = (0..images as u64).collect();
    let dequantize = Dequantize::Uniform(NoiseKey::new(1, Purpose::Dequantize));
    let (labels, context) = (Some(&labels[..]), Some(&context[..]));
    f(&Batch { values: (&levels).into(), labels, context, numbers: &places, dequantize })
}

fn assert_near<E: Element>(
    flow: &Flow<E, Cpu>,
    (a, b): (&ParameterGradients<E, Cpu>, &ParameterGradients<E, Cpu>),
    bound: f64,
) where
    Cpu: Device<E>,
{
    let device = Cpu::default();
    flow.visit("", &mut |name, parameter| {
        let (Some(a), Some(b)) = (a.get(parameter.id()), b.get(parameter.id())) else { return };
        let parts = [a, b].map(|part| flowstone::backend::kernels::MemoryKernel::<E>::download(&device, part).unwrap());
        let size = parts[1].iter().map(|b| b.as_f64().abs()).fold(1e-3, f64::max);
        let differences = parts[0].iter().zip(&parts[1]).map(|(a, b)| (a.as_f64() - b.as_f64()).abs());
        let difference = differences.fold(0.0, f64::max);
        assert!(difference <= bound * size, "{name}: {difference:e} of {size:e}");
    });
}

#[test]
fn the_gradient_reaches_every_parameter_of_flow_and_encoder() {
    let device = Cpu::default();
    for context in [CLASSES, IMAGE, PLAIN] {
        let mut flow = flow::<f64>(context);
        with_batch(3, flow.context_numbers(), |batch| {
            let gradients = flow.gradient(&device, batch, Memory::Invert).unwrap().gradients;
            let mut trained = Vec::new();
            flow.visit("", &mut |name, p| {
                if p.is_trained() {
                    trained.push((name.to_owned(), p.id(), p.count()));
                }
            });
            assert_eq!(trained.iter().any(|(name, ..)| name.starts_with("context.")), context != PLAIN);
            assert!(trained.iter().any(|(name, ..)| name == "prior.context.weight"), "{trained:?}");
            for (name, id, count) in trained {
                let mut rng = NoiseKey::new(8, Purpose::Initialize).rng(count as u64);
                let direction: Vec<f64> = (0..count).map(|_| rng.gen_range(-1.0..1.0)).collect();
                let slope: f64 = gradients.get(id).unwrap().iter().zip(&direction).map(|(g, d)| g * d).sum();
                let mut at = |t: f64| {
                    flow.visit_mut("", &mut |_, p| {
                        if p.id() == id {
                            let w = p.to_host(&device).unwrap();
                            let w: Vec<f64> = w.iter().zip(&direction).map(|(w, d)| w + t * d).collect();
                            p.set(&device, &w).unwrap();
                        }
                    });
                    flow.prepare(&device).unwrap();
                    let nats = flow.log_prob_of(&device, batch).unwrap();
                    nats.iter().map(|&nats| flow.bits_per_dim(nats)).sum::<f64>() / nats.len() as f64
                };
                let h = 1e-6;
                let (up, down) = (at(h), at(-2.0 * h));
                at(h);
                let difference = (up - down) / (2.0 * h);
                assert!(
                    (difference - slope).abs() < 1e-5 * slope.abs().max(1e-2),
                    "{context}, {name}: {slope} by inversion, {difference} by differences"
                );
            }
        });
    }
}

#[test]
fn gradients_by_inversion_are_those_from_stored_activations() {
    fn check<E: Element>(bound: f64)
    where
        Cpu: Device<E>,
    {
        for context in [CLASSES, IMAGE, PLAIN] {
            let (flow, device) = (flow::<E>(context), Cpu::default());
            with_batch(3, flow.context_numbers(), |batch| {
                let by = |memory| flow.gradient(&device, batch, memory).unwrap().gradients;
                assert_near(&flow, (&by(Memory::Invert), &by(Memory::Store)), bound);
            });
        }
    }
    check::<f64>(1e-8);
    check::<f32>(1e-2);
}

#[test]
fn the_gradient_of_a_batch_in_shards_is_the_mean_of_its_parts() {
    const IMAGES: usize = 80;
    let device = Cpu::default();
    for context in [CLASSES, IMAGE] {
        let flow = flow::<f64>(context);
        let numbers = flow.context_numbers();
        with_batch(IMAGES, numbers, |batch| {
            let whole = flow.gradient(&device, batch, Memory::Invert).unwrap().gradients;
            let Values::Levels(levels) = batch.values else { panic!("images have levels") };
            let mut sum = ParameterGradients::zeros(&device, &flow).unwrap();
            for i in 0..IMAGES {
                let one = Batch {
                    values: levels[i * 32..(i + 1) * 32].into(),
                    labels: batch.labels.map(|labels| &labels[i..i + 1]),
                    context: batch.context.map(|context| &context[i * numbers..(i + 1) * numbers]),
                    numbers: &batch.numbers[i..i + 1],
                    dequantize: batch.dequantize,
                };
                sum.add_assign(&device, &flow.gradient(&device, &one, Memory::Invert).unwrap().gradients).unwrap();
            }
            for (_, buffer) in sum.buffers_mut() {
                buffer.iter_mut().for_each(|g| *g /= IMAGES as f64);
            }
            assert_near(&flow, (&whole, &sum), 1e-9);
        });
    }
}

#[test]
fn images_come_back_from_their_latents_under_their_own_context_only() {
    let device = Cpu::default();
    for context in [CLASSES, IMAGE, PLAIN] {
        let flow = flow::<f64>(context);
        let x = laws::normal_image::<f64, Cpu>(&device, 2, ImageShape::new(8, 4, 1), 1).unwrap();
        let given = |labels: &[usize], value: f32| {
            let context = vec![value; 2 * flow.context_numbers()];
            flow.given(&device, 2, Conditions { labels: Some(labels), context: Some(&context) }).unwrap()
        };
        let (own, other) = (given(&[0, 2], 0.3), given(&[1, 1], -0.9));
        let latents = flow.encode(x.clone().giving(own.clone()), None).unwrap();
        let largest = |back: Image<f64, Cpu>| {
            let (back, x) = (back.to_host().unwrap(), x.to_host().unwrap());
            back.iter().zip(&x).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
        };
        assert!(largest(flow.decode(latents.clone(), None).unwrap()) < 1e-8, "{context}");
        assert!(largest(flow.decode(latents.giving(other), None).unwrap()) > 1e-3, "{context}");
    }
}

#[test]
fn without_its_class_an_image_has_the_mean_density_over_all_of_them() {
    let (flow, device) = (flow::<f64>(CLASSES), Cpu::default());
    let x = || laws::normal_image::<f64, Cpu>(&device, 2, ImageShape::new(8, 4, 1), 1).unwrap();
    let by_class: Vec<Vec<f64>> = (0..3).map(|class| flow.log_prob(x(), Some(&[class; 2])).unwrap()).collect();
    for (i, mixture) in flow.log_prob(x(), None).unwrap().into_iter().enumerate() {
        let mean = by_class.iter().map(|nats| (nats[i] - by_class[0][i]).exp()).sum::<f64>() / 3.0;
        assert!((mixture - by_class[0][i] - mean.ln()).abs() < 1e-9);
        assert_ne!(by_class[0][i], by_class[1][i]);
    }
}

#[test]
fn a_context_that_is_missing_or_of_another_size_is_refused_with_what_to_do() {
    let (flow, device) = (flow::<f64>(PLAIN), Cpu::default());
    let x = laws::normal_image::<f64, Cpu>(&device, 2, ImageShape::new(8, 4, 1), 1).unwrap();
    let message = flow.log_prob(x, Some(&[0, 1])).unwrap_err().to_string();
    assert!(message.contains("a vector of 2 features") && message.contains("`context`"), "{message}");
    let three = Conditions { labels: None, context: Some(&[0.0; 3]) };
    assert!(flow.given(&device, 2, three).unwrap_err().to_string().contains("3 numbers of context for 2 images"));
    let text = format!(
        "Flow(image: (height: 8, width: 4, channels: 1, bins: 16),\ncontext: Image(height: 3, width: 3, channels: 1), {LAYERS})"
    );
    let file = FlowFile::parse("contexts", text).unwrap();
    let built = Flow::<f64, Cpu>::build(&file, &Registry::default(), &Initializer::blank(&device));
    match built.unwrap_err() {
        flowstone::Error::FlowFile(error) => {
            assert_eq!(error.line(), 4, "the first coupling's");
            assert!(error.message().contains("context, 3×3"), "{}", error.message());
        }
        other => panic!("{other}"),
    }
}

/// Levels that are drawn uniformly have an entropy of 4 bits each: no flow of such images alone needs fewer.
#[test]
fn a_flow_given_what_decides_an_image_needs_fewer_bits_than_the_images_entropy() {
    let mut rng = NoiseKey::new(3, Purpose::Initialize).rng(0);
    let mut images = |n: usize| {
        let levels: Vec<u8> = (0..n * 8).map(|_| rng.gen_range(0..16)).collect();
        let context = levels.iter().map(|&level| f32::from(level) / 16.0 - 0.5).collect();
        let images = Images::new(levels, [2, 2, 2], None).unwrap();
        images.with_contexts(Contexts::new(context, &[2, 2, 2]).unwrap()).unwrap()
    };
    let (train, test) = (images(512), images(128));
    let data =
        DataSet { name: "uniform".into(), train, test, bins: 16, classes: vec![], features: vec![], remarks: vec![] };
    let text =
        "Flow(image: (height: 2, width: 2, channels: 2, bins: 16), context: Image(height: 2, width: 2, channels: 2),
        layers: [ActNorm(), AffineCoupling(width: 8), Reverse(), AffineCoupling(width: 8)],
        train: (batch: 64, length: Steps(200), warmup: Steps(1), learning_rate: 0.01, averaging: Off))";
    let (file, registry) = (FlowFile::parse("given", text).unwrap(), Registry::<f32, Cpu>::default());
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::create(Some(&folder.path().join("run")), "").unwrap();
    let trainer = Trainer::new(&Cpu::default(), &file, &registry, data, run, Start::Fresh).unwrap();
    let bits = trainer.run(&mut |_| ()).unwrap().test.loss.value();
    assert!(bits < 3.0, "{bits} bits/dim of 4");
}
