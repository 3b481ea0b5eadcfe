//! The invertible 1×1 convolution: one matrix for the channels of every pixel (Glow, § 3.2).
//!
//! ```text
//! y = x·W           at each pixel, W: [c, c] (in, out)
//! x = y·W⁻¹
//! ladj = h·w · ln |det W|
//! ```
//!
//! `Plain` learns W itself. `LU` learns `W = P · L · (U + diag(sign · exp(log_s)))` with P and sign fixed, L unit
//! lower and U strictly upper triangular, so that `ln |det W| = Σ log_s` (§ 3.2, equation 10). Both start as a
//! random orthogonal matrix, and either converts to the other to rounding.
//!
//! The inverse comes from triangular solves and the log-determinant from the diagonal of U, both in f64 whatever the
//! flow computes in. Gradients, with g = ∂L/∂y:
//!
//! ```text
//! ∂L/∂x = g·Wᵀ      ∂L/∂W = xᵀ·g + h·w · (Σ_n ∂L/∂ladj_n) · W⁻ᵀ
//! with x' = x·P, B = U + diag(s):   ∂L/∂L = tril(x'ᵀ·(g·Bᵀ))    ∂L/∂U = triu((x'·L)ᵀ·g)
//!                                   ∂L/∂log_s = s · diag((x'·L)ᵀ·g) + h·w · Σ_n ∂L/∂ladj_n
//! ```
//!
//! ```
//! use flowstone::{Bijector, Image, ImageShape, backend::{Cpu, Initializer}, bijectors::{InvertibleConv, Weight}};
//! # fn main() -> flowstone::Result<()> {
//! let device = Cpu::default();
//! let plain = InvertibleConv::<f64, _>::new(&Initializer::new(&device, 7), 3, Weight::Plain)?;
//! let lu = plain.converted(&device, Weight::LU)?;
//! let x = Image::from_host(&device, 1, ImageShape::new(1, 1, 3), &[1.0, 2.0, 3.0])?;
//! let (a, b) = (plain.forward(&x)?.to_host()?, lu.forward(&x)?.to_host()?);
//! assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-14));
//! # Ok(())
//! # }
//! ```

use crate::backend::kernels::{MemoryKernel, Operand};
use crate::backend::linear_algebra as host;
use crate::backend::{
    Buffer, Device, Element, Image, ImageShape, Initializer, Parameter, ParameterGradients, PerSample,
};
use crate::bijector::{Bijector, Cotangent, Health, Kept};
use crate::{Error, Parameters, Result};
use serde::{Deserialize, Serialize};

/// How the matrix is parametrised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "weight")]
pub enum Weight {
    /// W itself, as the reference code does.
    #[default]
    Plain,
    /// `P · L · (U + diag(s))`, the paper's cheaper determinant.
    LU,
}

#[derive(Debug)]
enum Parametrisation<E: Element, D: Device<E>> {
    Plain {
        /// `[in, out]`
        weight: Parameter<E, D>,
    },
    Lu {
        /// `[c, c]`: L below the diagonal, U above it, `log_s` on it.
        lu: Parameter<E, D>,
        /// `[c]`: the signs of s.
        sign: Parameter<E, D>,
        /// `[c]`: row i of `L·(U + diag(s))` is row `order[i]` of W.
        order: Parameter<E, D>,
    },
}

/// What follows from the parameters.
#[derive(Debug)]
struct Prepared<E: Element, D: Device<E>> {
    inverse: Buffer<E, D>,
    log_abs_det: f64,
    factors: Option<Factors<E, D>>,
}

/// The factors of the LU parametrisation, and their product.
#[derive(Debug)]
struct Factors<E: Element, D: Device<E>> {
    weight: Buffer<E, D>,
    lower: Buffer<E, D>,
    upper: Buffer<E, D>,
}

/// The factors on the host: L and `B = U + diag(s)`.
struct HostFactors {
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// One matrix for the channels of every pixel.
#[derive(Debug)]
pub struct InvertibleConv<E: Element, D: Device<E>> {
    channels: usize,
    parametrisation: Parametrisation<E, D>,
    /// None while the model is blank.
    prepared: Option<Prepared<E, D>>,
}

impl<E: Element, D: Device<E>> Parameters<E, D> for InvertibleConv<E, D> {
    fn visit<'a>(&'a self, path: &str, visitor: &mut dyn FnMut(&str, &'a Parameter<E, D>)) {
        let mut visit = |name, parameter| visitor(&crate::backend::join(path, name), parameter);
        match &self.parametrisation {
            Parametrisation::Plain { weight } => visit("weight", weight),
            Parametrisation::Lu { lu, sign, order } => {
                visit("lu", lu);
                visit("sign", sign);
                visit("order", order);
            }
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, visitor: &mut dyn FnMut(&str, &'a mut Parameter<E, D>)) {
        let mut visit = |name, parameter| visitor(&crate::backend::join(path, name), parameter);
        match &mut self.parametrisation {
            Parametrisation::Plain { weight } => visit("weight", weight),
            Parametrisation::Lu { lu, sign, order } => {
                visit("lu", lu);
                visit("sign", sign);
                visit("order", order);
            }
        }
    }
}

impl<E: Element, D: Device<E>> InvertibleConv<E, D> {
    /// A random orthogonal matrix for `channels` channels.
    pub fn new(initializer: &Initializer<D>, channels: usize, weight: Weight) -> Result<Self> {
        let rotation = initializer.orthogonal("weight", channels);
        Self::from_matrix(initializer, channels, weight, rotation.as_deref())
    }

    /// With the given W, row-major `[in, out]`.
    ///
    /// # Errors
    /// [`Error::Singular`] if W has no inverse.
    pub fn from_weight(device: &D, channels: usize, weight: Weight, values: &[f64]) -> Result<Self> {
        Self::from_matrix(&Initializer::new(device, 0), channels, weight, Some(values))
    }

    fn from_matrix(
        initializer: &Initializer<D>,
        channels: usize,
        weight: Weight,
        values: Option<&[f64]>,
    ) -> Result<Self> {
        let square = [channels, channels];
        let parametrisation = match weight {
            Weight::Plain => Parametrisation::Plain { weight: initializer.given(&square, values)?.mirrored() },
            Weight::LU => {
                let factors = values.map(|values| host::lu(values, channels));
                let (packed, sign, order) = match factors {
                    Some(lu) => packed_logs(lu, channels),
                    None => Default::default(),
                };
                let packed = values.is_some().then_some(packed.as_slice());
                Parametrisation::Lu {
                    lu: initializer.given(&square, packed)?.mirrored(),
                    sign: initializer.constant(&[channels], || sign)?.mirrored(),
                    order: initializer.constant(&[channels], || order)?.mirrored(),
                }
            }
        };
        let mut conv = Self { channels, parametrisation, prepared: None };
        conv.prepare(initializer.device())?;
        Ok(conv)
    }

    /// The same map in the other parametrisation, or in the same one again.
    pub fn converted(&self, device: &D, weight: Weight) -> Result<Self> {
        let (values, ..) = self.matrix(device)?;
        Self::from_weight(device, self.channels, weight, &values)
    }

    /// W `[in, out]` in f64, and for LU its factors.
    fn matrix(&self, device: &D) -> Result<(Vec<f64>, Option<HostFactors>)> {
        let n = self.channels;
        let read = |parameter: &Parameter<E, D>| -> Result<Vec<f64>> {
            Ok(parameter.to_host(device)?.iter().map(|w| w.as_f64()).collect())
        };
        let (lu, sign, order) = match &self.parametrisation {
            Parametrisation::Plain { weight } => return Ok((read(weight)?, None)),
            Parametrisation::Lu { lu, sign, order } => (read(lu)?, read(sign)?, read(order)?),
        };
        if lu.is_empty() {
            return Ok((lu, None));
        }
        let (mut lower, mut upper) = (vec![0.0; n * n], vec![0.0; n * n]);
        for (i, &value) in lu.iter().enumerate() {
            match (i / n, i % n) {
                (row, column) if row > column => lower[i] = value,
                (row, column) if row < column => upper[i] = value,
                (row, _) => (lower[i], upper[i]) = (1.0, sign[row] * value.exp()),
            }
        }
        let order = super::permutation::indexes("InvertibleConv", &order)?;
        if sign.iter().any(|sign| sign.abs() != 1.0) {
            let (layer, expected) = ("InvertibleConv".into(), "signs of 1 and -1".into());
            return Err(Error::Shape { layer, expected, found: format!("{sign:?}") });
        }
        let product = host::product(&lower, &upper, n);
        let mut w = vec![0.0; n * n];
        for (row, &to) in product.chunks_exact(n).zip(&order) {
            w.get_mut(to * n..(to + 1) * n).ok_or_else(|| bad_order(&order))?.copy_from_slice(row);
        }
        Ok((w, Some(HostFactors { lower, upper })))
    }

    fn ready(&self) -> Result<&Prepared<E, D>> {
        self.prepared.as_ref().ok_or_else(|| Error::Device("this model is blank: it has shapes but no values".into()))
    }

    /// W `[in, out]` on the device.
    fn weight(&self) -> Result<&Buffer<E, D>> {
        match (&self.parametrisation, &self.ready()?.factors) {
            (Parametrisation::Plain { weight }, _) => Ok(weight.data()),
            (_, Some(factors)) => Ok(&factors.weight),
            (_, None) => Err(bad_order(&[])),
        }
    }

    /// `x · matrix` at every pixel.
    fn multiplied(&self, x: &Image<E, D>, matrix: Operand<'_, Buffer<E, D>>) -> Result<Image<E, D>> {
        let mut y = Image::zeros(x.device(), x.batch(), x.shape())?;
        let size = (x.rows(), self.channels, self.channels);
        x.device().product(size, Operand::Plain(x.data()), matrix, y.data_mut(), false)?;
        Ok(y)
    }

    /// Adds the gradient of the parameters and gives that of the input.
    fn gradient(
        &self,
        x: &Image<E, D>,
        cotangent: &Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        let (n, device, g) = (self.channels, x.device(), &cotangent.image);
        let prepared = self.ready()?;
        let volume = x.shape().pixels() as f64 * cotangent.ladj_total();
        let size = (n, x.rows(), n);
        match (&self.parametrisation, &prepared.factors) {
            (Parametrisation::Lu { lu, order, .. }, Some(factors)) => {
                let permuted = device.permute_channels(x.data(), order.data(), false)?;
                let permuted = Image::from_buffer(device, x.batch(), x.shape(), permuted);
                let lowered = self.multiplied(&permuted, Operand::Plain(&factors.lower))?;
                let raised = self.multiplied(g, Operand::Transposed(&factors.upper))?;
                let mut d_upper = MemoryKernel::<E>::zeros(device, n * n)?;
                device.product(
                    size,
                    Operand::Transposed(lowered.data()),
                    Operand::Plain(g.data()),
                    &mut d_upper,
                    false,
                )?;
                let mut d_lower = MemoryKernel::<E>::zeros(device, n * n)?;
                let right = Operand::Plain(raised.data());
                device.product(size, Operand::Transposed(permuted.data()), right, &mut d_lower, false)?;
                device.add_lu_gradient(grads.slot(lu)?, &d_lower, &d_upper, &factors.upper, n, volume)?;
            }
            (Parametrisation::Plain { weight }, _) => {
                let slot = grads.slot(weight)?;
                device.product(size, Operand::Transposed(x.data()), Operand::Plain(g.data()), slot, true)?;
                device.add_transposed(slot, &prepared.inverse, n, volume)?;
            }
            (Parametrisation::Lu { .. }, None) => return Err(bad_order(&[])),
        }
        self.multiplied(g, Operand::Transposed(self.weight()?))
    }

    fn ladj(&self, x: &Image<E, D>) -> Result<PerSample<D>> {
        let ladj = x.shape().pixels() as f64 * self.ready()?.log_abs_det;
        Ok(PerSample::constant(x.device(), x.batch(), ladj))
    }
}

/// `(packed, sign, order)` with the logarithms of `|U_ii|` on the diagonal.
fn packed_logs(lu: host::Lu, n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut packed = lu.packed;
    let mut sign = vec![1.0; n];
    for i in 0..n {
        let diagonal = &mut packed[i * n + i];
        sign[i] = if *diagonal < 0.0 { -1.0 } else { 1.0 };
        *diagonal = diagonal.abs().ln();
    }
    (packed, sign, lu.order.iter().map(|&k| k as f64).collect())
}

fn bad_order(order: &[usize]) -> Error {
    Error::Shape {
        layer: "InvertibleConv".into(),
        expected: "an order of the channels".into(),
        found: format!("{order:?}"),
    }
}

impl<E: Element, D: Device<E>> Bijector<E, D> for InvertibleConv<E, D> {
    fn kind(&self) -> &str {
        "InvertibleConv"
    }

    fn output_shape(&self, input: ImageShape) -> Result<ImageShape> {
        super::expect_channels("InvertibleConv", input, self.channels)
    }

    fn forward(&self, x: &Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(x.shape())?;
        self.multiplied(x, Operand::Plain(self.weight()?))
    }

    fn inverse(&self, y: &Image<E, D>) -> Result<Image<E, D>> {
        self.output_shape(y.shape())?;
        self.multiplied(y, Operand::Plain(&self.ready()?.inverse))
    }

    fn log_abs_det_jacobian(&self, x: &Image<E, D>, _: &Image<E, D>) -> Result<PerSample<D>> {
        self.ladj(x)
    }

    fn pull_back(
        &self,
        y: Image<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<(Image<E, D>, Image<E, D>)> {
        let x = self.inverse(&y)?;
        let g = self.gradient(&x, &cotangent, grads)?;
        Ok((x, g))
    }

    fn pull_back_kept(
        &self,
        mut kept: Kept<E, D>,
        cotangent: Cotangent<E, D>,
        grads: &mut ParameterGradients<E, D>,
    ) -> Result<Image<E, D>> {
        self.gradient(&kept.pop()?, &cotangent, grads)
    }

    fn prepare(&mut self, device: &D) -> Result<()> {
        let n = self.channels;
        let (w, factors) = self.matrix(device)?;
        if w.is_empty() {
            return Ok(());
        }
        let upload = |values: &[f64]| device.upload(&values.iter().map(|&w| E::of(w)).collect::<Vec<E>>());
        let (inverse, of_w) = host::inverse_and_log_abs_det(&w, n);
        let log_abs_det = match &factors {
            Some(HostFactors { upper, .. }) => (0..n).map(|i| upper[i * n + i].abs().ln()).sum(),
            None => of_w,
        };
        if !f64::is_finite(log_abs_det) {
            return Err(Error::Singular { layer: "InvertibleConv".into(), log_abs_det });
        }
        let factors = match factors {
            Some(HostFactors { lower, upper }) => {
                Some(Factors { weight: upload(&w)?, lower: upload(&lower)?, upper: upload(&upper)? })
            }
            None => None,
        };
        self.prepared = Some(Prepared { inverse: upload(&inverse)?, log_abs_det, factors });
        Ok(())
    }

    fn inverse_pull_back(&self, _: &Image<E, D>, g: Image<E, D>) -> Result<Option<Image<E, D>>> {
        self.multiplied(&g, Operand::Transposed(&self.ready()?.inverse)).map(Some)
    }

    fn health(&self, x: &Image<E, D>) -> Result<Health> {
        let singular_values = host::singular_values(&self.matrix(x.device())?.0, self.channels);
        let ends = (singular_values.first(), singular_values.last());
        let condition = if let (Some(largest), Some(smallest)) = ends { largest / smallest } else { f64::NAN };
        // The Jacobian is W at every pixel.
        Ok(Health { condition: Some(condition), jacobian_condition: Some(condition), ..Default::default() })
    }

    fn multiply_adds(&self, input: ImageShape) -> u64 {
        (input.pixels() * self.channels * self.channels) as u64
    }
}
