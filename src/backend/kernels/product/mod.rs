//! Matrix products.

pub(super) mod cpu;
#[cfg(feature = "cuda")]
pub(super) mod cuda;

use crate::Result;
use crate::backend::{Buffer, Element};
use dfdx::tensor::Storage;

/// A row-major matrix in a product, as it is or transposed.
#[derive(Debug)]
pub enum Operand<'a, B> {
    /// The matrix as stored.
    Plain(&'a B),
    /// Its transpose.
    Transposed(&'a B),
}

/// Dense products of row-major matrices.
pub trait ProductKernel<E: Element>: Storage<E> {
    /// With `size = (m, k, n)`: `c = a · b`, or `c += a · b` when `accumulate`; `a` is `[m, k]`, `b` is `[k, n]`, `c` is `[m, n]`, each after
    /// its transposition.
    fn product(
        &self,
        size: (usize, usize, usize),
        a: Operand<'_, Buffer<E, Self>>,
        b: Operand<'_, Buffer<E, Self>>,
        c: &mut Buffer<E, Self>,
        accumulate: bool,
    ) -> Result<()>;
}
