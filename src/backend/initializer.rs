//! Where the first values of parameters come from.

use super::{Device, Element, Parameter, linear_algebra};
use crate::Result;
use crate::noise::{NoiseKey, Purpose};
use rand::Rng;
use rand_distr::StandardNormal;

/// Makes parameters. Its random numbers are keyed by the seed and the parameter's path, so that two flows with a
/// layer in common start it alike.
///
/// A *blank* one allocates nothing: the model has its names and shapes, and can be counted but not computed with.
#[derive(Clone, Debug)]
pub struct Initializer<D> {
    device: D,
    seed: Option<u64>,
    path: String,
}

impl<D: Clone> Initializer<D> {
    /// Random values from `seed`.
    pub fn new(device: &D, seed: u64) -> Self {
        Self { device: device.clone(), seed: Some(seed), path: String::new() }
    }

    /// Shapes without values.
    pub fn blank(device: &D) -> Self {
        Self { device: device.clone(), seed: None, path: String::new() }
    }

    /// Whether it makes shapes without values.
    pub fn is_blank(&self) -> bool {
        self.seed.is_none()
    }

    /// The same for the part called `name`.
    pub fn at(&self, name: &str) -> Self {
        Self { path: super::parameter::join(&self.path, name), ..self.clone() }
    }

    /// The device of the parameters.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// Independent standard normals for the parameter `name`.
    fn normals(&self, name: &str, seed: u64, count: usize) -> Vec<f64> {
        let stream = super::parameter::join(&self.path, name);
        let mut rng = NoiseKey::new(seed, Purpose::Initialize).rng(fnv(&stream));
        (0..count).map(|_| rng.sample(StandardNormal)).collect()
    }

    fn trained<E: Element>(&self, shape: &[usize], values: impl FnOnce(u64) -> Vec<f64>) -> Result<Parameter<E, D>>
    where
        D: Device<E>,
    {
        let Some(seed) = self.seed else { return Parameter::blank(&self.device, shape, true) };
        let values: Vec<E> = values(seed).into_iter().map(E::of).collect();
        Parameter::trained(&self.device, shape, &values)
    }

    /// Zeros.
    pub fn zeros<E: Element>(&self, shape: &[usize]) -> Result<Parameter<E, D>>
    where
        D: Device<E>,
    {
        self.trained(shape, |_| vec![0.0; shape.iter().product()])
    }

    /// Independent normals of mean 0 and the given standard deviation.
    pub fn normal<E: Element>(&self, name: &str, shape: &[usize], std: f64) -> Result<Parameter<E, D>>
    where
        D: Device<E>,
    {
        self.trained(shape, |seed| {
            let mut values = self.normals(name, seed, shape.iter().product());
            values.iter_mut().for_each(|value| *value *= std);
            values
        })
    }

    /// A random orthogonal matrix `[n, n]`: the factor Q of a matrix of normals, which is not uniform over rotations;
    /// see [`linear_algebra::orthogonal_factor`].
    pub fn orthogonal(&self, name: &str, n: usize) -> Option<Vec<f64>> {
        self.seed.map(|seed| linear_algebra::orthogonal_factor(&self.normals(name, seed, n * n), n))
    }

    /// A random order of `0 .. n`; the identity when blank.
    pub fn order(&self, name: &str, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        if let Some(seed) = self.seed {
            let keys = self.normals(name, seed, n);
            order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        }
        order
    }

    /// A trained parameter of known values; blank if this is.
    pub fn given<E: Element>(&self, shape: &[usize], values: Option<&[f64]>) -> Result<Parameter<E, D>>
    where
        D: Device<E>,
    {
        match values {
            Some(values) => self.trained(shape, |_| values.to_vec()),
            None => Parameter::blank(&self.device, shape, true),
        }
    }

    /// A constant of the model; blank if this is.
    pub fn constant<E: Element>(&self, shape: &[usize], values: impl FnOnce() -> Vec<f64>) -> Result<Parameter<E, D>>
    where
        D: Device<E>,
    {
        if self.is_blank() {
            return Parameter::blank(&self.device, shape, false);
        }
        Parameter::constant(&self.device, shape, &values().into_iter().map(E::of).collect::<Vec<_>>())
    }
}

/// FNV-1a, for the stream of a path.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
