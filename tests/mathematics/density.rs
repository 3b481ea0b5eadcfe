//! Densities are densities: they integrate to 1, and bounds on the probability of a discrete image tend to it.

use crate::quadrature::integrate;
use flowstone::backend::{Cpu, Initializer};
use flowstone::data::Images;
use flowstone::flow::{Flow, FlowFile, Latents, Registry};
use flowstone::train::{DataName, Noise, evaluate};
use flowstone::{Image, laws};

/// A flow of images of one pixel, with parameters moved by so much.
fn flow(channels: usize, layers: &str, (seed, moved): (u64, f64)) -> Flow<f64, Cpu> {
    let device = Cpu::default();
    let text = format!("Flow(image: (height: 1, width: 1, channels: {channels}, bins: 4), layers: [{layers}])");
    let file = FlowFile::parse("density", text).unwrap();
    let mut flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, seed)).unwrap();
    laws::randomize(&mut flow, &device, seed, moved).unwrap();
    flow.prepare(&device).unwrap();
    flow
}

/// The density of x in each dimension's own unit at points `[n, channels]`: of grey levels, times bins to the dims.
fn density(flow: &Flow<f64, Cpu>, points: &[f64]) -> Vec<f64> {
    let (shape, device) = (flow.image_shape(), Cpu::default());
    let x = Image::from_host(&device, points.len() / shape.dims(), shape, points).unwrap();
    let volume = shape.dims() as f64 * f64::from(flow.bins()).ln();
    flow.log_prob(x, None).unwrap().into_iter().map(|log_p| (log_p + volume).exp()).collect()
}

/// What latents at so many steps of this size from 0 in each direction come from, `[n, N]`.
fn decoded<const N: usize>(flow: &Flow<f64, Cpu>, steps: i32, size: f64) -> Vec<f64> {
    let device = Cpu::default();
    let axis: Vec<f64> = (-steps..=steps).map(|step| f64::from(step) * size).collect();
    let grid: Vec<[f64; N]> = (0..axis.len().pow(N as u32))
        .map(|i| std::array::from_fn(|k| axis[i / axis.len().pow(k as u32) % axis.len()]))
        .collect();
    let mut at = 0;
    let latents = flow.latent_shapes().into_iter().map(|(name, shape)| {
        let values: Vec<f64> = grid.iter().flat_map(|z| z[at..at + shape.dims()].to_vec()).collect();
        at += shape.dims();
        (name, Image::from_host(&device, grid.len(), shape, &values).unwrap())
    });
    flow.decode(Latents { latents: latents.collect() }, None).unwrap().to_host().unwrap()
}

/// Parts of each side of a box that holds what latents within 6 standard deviations come from, and more: narrow where
/// there is much of it.
fn parts<const N: usize>(flow: &Flow<f64, Cpu>) -> [Vec<(f64, f64)>; N] {
    const PARTS: usize = 32;
    let x = decoded::<N>(flow, 24, 0.25);
    std::array::from_fn(|k| {
        let mut values: Vec<f64> = x.iter().skip(k).step_by(N).copied().collect();
        values.sort_by(f64::total_cmp);
        let mut ends: Vec<f64> = (0..=PARTS).map(|i| values[i * (values.len() - 1) / PARTS]).collect();
        let margin = (ends[PARTS] - ends[0]) / 10.0;
        ends[0] -= margin;
        ends[PARTS] += margin;
        ends.windows(2).map(|ends| (ends[0], ends[1])).collect()
    })
}

/// The error that the quadrature is to reach, and the points it may take for that.
const GOAL: f64 = 1e-6;
const BUDGET: usize = 1_000_000;

/// What may be missing beside: latents beyond 6 standard deviations, 2·10⁻⁹ in each dimension, and rounding.
const REST: f64 = 5e-9;

/// Whether a density of a flow's images integrates to 1, to within the quadrature's own error. `None` where that error
/// stays above its goal, or a ridge is so narrow that it falls between all points: nothing is decided then.
fn is_one<const N: usize>(flow: &Flow<f64, Cpu>, density: &dyn Fn(&[f64]) -> Vec<f64>) -> Option<bool> {
    let parts = parts::<N>(flow);
    let boxes = match N {
        1 => parts[0].iter().map(|&side| [side; N]).collect(),
        _ => parts[0].iter().flat_map(|a| parts[1].iter().map(|b| std::array::from_fn(|k| [*a, *b][k]))).collect(),
    };
    let found = integrate(density, boxes, GOAL, BUDGET);
    let places = decoded::<N>(flow, 10, 0.5);
    let mut seen =
        places.chunks(N).zip(density(&places)).map(|(x, p)| !found.misses(std::array::from_fn(|k| x[k]), p, GOAL));
    let is_decided = found.error <= GOAL && seen.all(|seen| seen);
    println!("{} ± {:e}{}", found.value, found.error, if is_decided { "" } else { ", undecided" });
    is_decided.then(|| (found.value - 1.0).abs() <= found.error + REST)
}

const ONE: &str = "ActNorm(), InvertibleConv(), ActNorm(log_scale_factor: 1)";

const TWO: &str = "ActNorm(), InvertibleConv(), AffineCoupling(width: 6), InvertibleConv(weight: LU),
    AffineCoupling(width: 5, scale: ClampedTanh(bound: 0.7)), Reverse(), AdditiveCoupling(width: 5)";

fn with_split() -> String {
    format!("{TWO}, Split(), ActNorm()")
}

/// Integrates the densities of flows of 24 seeds: how many integrals were decided, each of which must be 1.
fn decided<const N: usize>(layers: &str, moved: f64) -> usize {
    let one = |seed: u64| {
        let flow = flow(N, layers, (seed, moved));
        let is_one = is_one::<N>(&flow, &|points| density(&flow, points));
        assert_ne!(is_one, Some(false), "{layers}, seed {seed}");
        is_one.is_some()
    };
    (0..24).filter(|&seed| one(seed)).count()
}

#[test]
fn flows_in_one_dimension_integrate_to_1() {
    assert_eq!(decided::<1>(ONE, 0.3), 24);
}

#[test]
fn flows_in_two_dimensions_integrate_to_1() {
    assert!(decided::<2>(TWO, 0.2) >= 23);
}

/// The deviations of a split's Gaussians are exponentials: some of these densities have ridges that are too narrow, and
/// tails that go to infinity.
#[test]
fn flows_with_a_split_integrate_to_1() {
    assert!(decided::<2>(&with_split(), 0.2) >= 22);
}

/// The density of a flow whose log-determinant is off by one in a hundred.
fn spoiled(flow: &Flow<f64, Cpu>, points: &[f64]) -> Vec<f64> {
    let (shape, device) = (flow.image_shape(), Cpu::default());
    let x = Image::from_host(&device, points.len() / shape.dims(), shape, points).unwrap();
    let mut ladj: Vec<f64> = density(flow, points).into_iter().map(f64::ln).collect();
    for (_, z) in flow.encode(x, None).unwrap().latents {
        let dims = z.shape().dims();
        let normal = |z: &f64| -z * z / 2.0 - (2.0 * std::f64::consts::PI).ln() / 2.0;
        let values = z.to_host().unwrap();
        ladj.iter_mut().zip(values.chunks(dims)).for_each(|(ladj, z)| *ladj -= z.iter().map(normal).sum::<f64>());
    }
    density(flow, points).into_iter().zip(ladj).map(|(p, ladj)| p * (ladj / 100.0).exp()).collect()
}

#[test]
fn a_density_that_is_none_is_refused() {
    let one = flow(1, ONE, (0, 0.3));
    assert_eq!(is_one::<1>(&one, &|points| spoiled(&one, points)), Some(false));
    assert_eq!(is_one::<1>(&one, &|points| vec![0.0; points.len()]), Some(false));
    for layers in [TWO.to_owned(), with_split()] {
        let two = flow(2, &layers, (0, 0.2));
        assert_eq!(is_one::<2>(&two, &|points| spoiled(&two, points)), Some(false), "{layers}");
        assert_eq!(is_one::<2>(&two, &|points| vec![0.0; points.len() / 2]), Some(false));
    }
}

/// Evaluates one pixel of each of four levels.
fn bits(flow: &Flow<f64, Cpu>, noise: impl Into<Noise>) -> f64 {
    let images = Images::new(vec![0, 1, 2, 3], [1, 1, 1], None).unwrap();
    let data = DataName { name: "levels".into(), split: "test".into(), fingerprint: String::new() };
    evaluate(flow, &Cpu::default(), &images, data, noise).unwrap().loss.value()
}

#[test]
fn importance_weighting_tends_to_the_probability_from_below() {
    // Narrow enough that the density varies within a bin, so that the plain bound is not tight.
    let device = Cpu::default();
    let mut narrow = flow(1, "ActNorm()", (0, 0.0));
    narrow.initialize(Image::from_host(&device, 2, narrow.image_shape(), &[-0.16, 0.12]).unwrap()).unwrap();
    narrow.prepare(&device).unwrap();
    let exact = (0..4).map(|level| {
        let bin = (f64::from(level) / 4.0 - 0.5, f64::from(level + 1) / 4.0 - 0.5);
        -integrate(&|x| density(&narrow, x), vec![[bin]], 1e-9, BUDGET).value.log2() / 4.0
    });
    let exact: f64 = exact.sum();
    let bound = |importance: u64| bits(&narrow, Noise { seed: 3, draws: 4000 / importance, importance });
    let (plain, four, many) = (bound(1), bound(4), bound(2000));
    println!("{plain:.4} plain, {four:.4} of 4, {many:.4} of 2000, {exact:.4} bits/dim exactly");
    assert!(plain > four + 0.05 && four > many + 0.05, "{plain}, {four}, {many}");
    assert!((many - exact).abs() < 0.01, "{many}, exactly {exact}");
    assert_eq!(bits(&narrow, (3, 5)), bits(&narrow, Noise { seed: 3, draws: 5, importance: 1 }));
}

#[test]
fn a_score_that_is_lost_is_not_outvoted() {
    let device = Cpu::default();
    let mut lost = flow(1, "ActNorm()", (0, 0.0));
    lost.initialize(Image::from_host(&device, 2, lost.image_shape(), &[1e300, 1e300]).unwrap()).unwrap();
    lost.prepare(&device).unwrap();
    assert!(!bits(&lost, Noise { seed: 0, draws: 1, importance: 8 }).is_finite());
}
