//! Matrix products on CUDA.

use super::{Operand, ProductKernel};
use crate::Result;
use crate::backend::cuda::{Rounding, failed_blas, index, with_blas};
use crate::backend::{Buffer, Cuda, Element, clock};
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
pub(in crate::backend::kernels) fn multiply<E: Element>(
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
        return Err(crate::Error::Shape { layer: "product".into(), expected: format!("{m}×{k} by {k}×{n}"), found });
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
