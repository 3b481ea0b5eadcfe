//! Matrix products.

use super::super::{Buffer, Cpu, Element, clock};
use crate::Result;
use dfdx::tensor::Storage;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Deref;

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

impl<E: Element> ProductKernel<E> for Cpu {
    fn product(
        &self,
        (m, k, n): (usize, usize, usize),
        a: Operand<'_, Buffer<E, Self>>,
        b: Operand<'_, Buffer<E, Self>>,
        c: &mut Buffer<E, Self>,
        accumulate: bool,
    ) -> Result<()> {
        multiply(view(a, m, k), view(b, k, n), &mut c[..m * n], accumulate);
        Ok(())
    }
}

/// `c = a · b`, or `c += a · b` when `accumulate`; `c` is row-major.
pub(super) fn multiply<E: Element>(a: MatRef<E>, b: MatRef<E>, c: &mut [E], accumulate: bool) {
    let c = MatMut::from_row_major_slice_mut(c, a.nrows(), b.ncols());
    let onto = if accumulate { Accum::Add } else { Accum::Replace };
    clock::product(|| matmul(c, onto, a, b, E::one(), Par::Seq));
}

/// The first elements of a buffer as a row-major matrix.
pub(super) fn matrix<E>(x: &[E], rows: usize, columns: usize) -> MatRef<'_, E> {
    MatRef::from_row_major_slice(&x[..rows * columns], rows, columns)
}

/// The operand as the library sees it: `[rows, columns]` after transposition.
fn view<E, B: Deref<Target = Vec<E>>>(operand: Operand<'_, B>, rows: usize, columns: usize) -> MatRef<'_, E> {
    match operand {
        Operand::Plain(x) => matrix(x, rows, columns),
        Operand::Transposed(x) => matrix(x, columns, rows).transpose(),
    }
}

#[cfg(feature = "cuda")]
pub(super) mod cuda {
    use super::*;
    use crate::backend::Cuda;
    use crate::backend::cuda::{Rounding, failed_blas, index, with_blas};
    use cudarc::cublas::{CudaBlas, Gemm, GemmConfig, sys::cublasOperation_t};
    use cudarc::driver::DeviceSlice;

    impl<E: Element> ProductKernel<E> for Cuda
    where
        CudaBlas: Gemm<E>,
    {
        fn product(
            &self,
            size: (usize, usize, usize),
            a: Operand<'_, Buffer<E, Self>>,
            b: Operand<'_, Buffer<E, Self>>,
            c: &mut Buffer<E, Self>,
            accumulate: bool,
        ) -> Result<()> {
            multiply(size, (a, b), c, accumulate, Rounding::Exact)
        }
    }

    /// As [`ProductKernel::product`].
    pub(in super::super) fn multiply<E: Element>(
        (m, k, n): (usize, usize, usize),
        (a, b): (Operand<'_, Buffer<E, Cuda>>, Operand<'_, Buffer<E, Cuda>>),
        c: &mut Buffer<E, Cuda>,
        accumulate: bool,
        rounding: Rounding,
    ) -> Result<()>
    where
        CudaBlas: Gemm<E>,
    {
        if m * n == 0 {
            return Ok(());
        }
        let [rows, inner, columns] = [index(m)? as i32, index(k)? as i32, index(n)? as i32];
        // cuBLAS counts by columns: what it takes for a matrix is our transpose, and `cᵀ = bᵀ·aᵀ`.
        let ((a, transb, ldb), (b, transa, lda)) = (seen(a, inner, rows), seen(b, columns, inner));
        let beta = if accumulate { E::one() } else { E::zero() };
        let (alpha, ldc) = (E::one(), columns);
        let shape = GemmConfig { transa, transb, m: columns, n: rows, k: inner, alpha, lda, ldb, beta, ldc };
        let (length_a, length_b, length_c) = (a.len(), b.len(), c.len());
        if length_a < m * k || length_b < k * n || length_c < m * n {
            let found = format!("{length_a}, {length_b} and {length_c} numbers");
            return Err(crate::Error::Shape {
                layer: "product".into(),
                expected: format!("{m}×{k} by {k}×{n}"),
                found,
            });
        }
        let card = c.device();
        with_blas(&card, rounding, |blas| {
            // SAFETY: the buffers are as long as the shape says, as just asked.
            clock::kernel("products", || card.synchronize(), || unsafe { blas.gemm(shape, b, a, c) })
        })?
        .map_err(failed_blas)
    }

    /// A row-major operand as cuBLAS sees it, with the length of a stored row: `columns` if plain, `rows` if transposed.
    fn seen<B>(operand: Operand<'_, B>, columns: i32, rows: i32) -> (&B, cublasOperation_t, i32) {
        match operand {
            Operand::Plain(x) => (x, cublasOperation_t::CUBLAS_OP_N, columns),
            Operand::Transposed(x) => (x, cublasOperation_t::CUBLAS_OP_T, rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::MemoryKernel;

    #[test]
    fn every_transposition_is_the_product_of_the_definition() {
        let device = Cpu::default();
        let (m, k, n) = (3, 4, 5);
        let a: Vec<f64> = (0..m * k).map(|i| (i as f64 * 0.7).sin()).collect();
        let b: Vec<f64> = (0..k * n).map(|i| (i as f64 * 1.3).cos()).collect();
        let transpose = |x: &[f64], rows: usize, columns: usize| -> Vec<f64> {
            (0..rows * columns).map(|i| x[(i % rows) * columns + i / rows]).collect()
        };
        let up = |x: &[f64]| device.upload(x).unwrap();
        let (plain_a, plain_b) = (up(&a), up(&b));
        let (turned_a, turned_b) = (up(&transpose(&a, m, k)), up(&transpose(&b, k, n)));
        for case in 0..8 {
            let mut c = up(&vec![1.0; m * n]);
            let left = if case & 1 == 0 { Operand::Plain(&plain_a) } else { Operand::Transposed(&turned_a) };
            let right = if case & 2 == 0 { Operand::Plain(&plain_b) } else { Operand::Transposed(&turned_b) };
            let accumulate = case & 4 != 0;
            device.product((m, k, n), left, right, &mut c, accumulate).unwrap();
            for (i, c) in c.iter().enumerate() {
                let sum: f64 = (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum();
                let expected = if accumulate { 1.0 + sum } else { sum };
                assert!((c - expected).abs() < 1e-14, "case {case}, element {i}: {c} is not {expected}");
            }
        }
    }
}
