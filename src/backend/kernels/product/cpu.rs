//! Matrix products on the CPU.

use super::{Operand, ProductKernel};
use crate::Result;
use crate::backend::{Buffer, Cpu, Element, clock};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Deref;

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
pub(in crate::backend::kernels) fn multiply<E: Element>(a: MatRef<E>, b: MatRef<E>, c: &mut [E], accumulate: bool) {
    let c = MatMut::from_row_major_slice_mut(c, a.nrows(), b.ncols());
    let onto = if accumulate { Accum::Add } else { Accum::Replace };
    clock::product(|| matmul(c, onto, a, b, E::one(), Par::Seq));
}

/// The first elements of a buffer as a row-major matrix.
pub(in crate::backend::kernels) fn matrix<E>(x: &[E], rows: usize, columns: usize) -> MatRef<'_, E> {
    MatRef::from_row_major_slice(&x[..rows * columns], rows, columns)
}

/// The operand as the library sees it: `[rows, columns]` after transposition.
fn view<E, B: Deref<Target = Vec<E>>>(operand: Operand<'_, B>, rows: usize, columns: usize) -> MatRef<'_, E> {
    match operand {
        Operand::Plain(x) => matrix(x, rows, columns),
        Operand::Transposed(x) => matrix(x, columns, rows).transpose(),
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
