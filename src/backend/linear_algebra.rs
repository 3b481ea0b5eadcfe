//! Small dense linear algebra on the host, in f64: what a c×c matrix of a 1×1 convolution needs.
//!
//! Matrices are row-major slices of `n · n` numbers. The factorisations are faer's.

use faer::linalg::solvers::{PartialPivLu, Solve};
use faer::{Mat, MatRef};

/// `W[order[i], ..] = (L · U)[i, ..]`: L unit lower, U upper triangular, by partial pivoting.
#[derive(Clone, Debug)]
pub struct Lu {
    /// Row `i` of `L · U` is row `order[i]` of W.
    pub order: Vec<usize>,
    /// L below the diagonal (its diagonal is 1), U on and above it.
    pub packed: Vec<f64>,
}

/// Factorises `w`.
pub fn lu(w: &[f64], n: usize) -> Lu {
    let solver = PartialPivLu::new(view(w, n));
    let (order, _) = solver.P().arrays();
    let (l, u) = (solver.L(), solver.U());
    let packed = (0..n * n).map(|i| if i / n > i % n { l[(i / n, i % n)] } else { u[(i / n, i % n)] }).collect();
    Lu { order: order.to_vec(), packed }
}

/// `ln |det W|`, the sum of `ln |U_ii|`: −∞ where W is singular.
pub fn log_abs_det(w: &[f64], n: usize) -> f64 {
    let lu = lu(w, n);
    (0..n).map(|i| lu.packed[i * n + i].abs().ln()).sum()
}

/// `W⁻¹`, by triangular solves against the identity. Not finite where W is singular.
pub fn inverse(w: &[f64], n: usize) -> Vec<f64> {
    inverse_and_log_abs_det(w, n).0
}

/// [`inverse`] and [`log_abs_det`], from one factorisation.
pub fn inverse_and_log_abs_det(w: &[f64], n: usize) -> (Vec<f64>, f64) {
    let solver = PartialPivLu::new(view(w, n));
    let upper = solver.U();
    let log_abs_det = (0..n).map(|i| upper[(i, i)].abs().ln()).sum();
    (rows(solver.solve(Mat::<f64>::identity(n, n)).as_ref()), log_abs_det)
}

/// A · B.
pub fn product(a: &[f64], b: &[f64], n: usize) -> Vec<f64> {
    rows((view(a, n) * view(b, n)).as_ref())
}

/// The orthogonal factor Q of a matrix of independent normals, as Householder's method leaves it.
///
/// Each reflection sends a column to the side opposite its leading entry, so Q's diagonal leans negative: this is not the uniform
/// distribution over rotations, which moving R's signs into Q would give. It is what the reference code and its ports
/// start from, and it matters: with uniform rotations the digits are 0.07 bits/dim behind after 500 steps.
pub fn orthogonal_factor(normals: &[f64], n: usize) -> Vec<f64> {
    rows(view(normals, n).qr().compute_Q().as_ref())
}

/// Singular values in descending order; none if the matrix is not finite.
pub fn singular_values(w: &[f64], n: usize) -> Vec<f64> {
    view(w, n).singular_values().unwrap_or_default()
}

fn view(w: &[f64], n: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(w, n, n)
}

fn rows(m: MatRef<'_, f64>) -> Vec<f64> {
    let n = m.ncols();
    (0..m.nrows() * n).map(|i| m[(i / n, i % n)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matrix() -> impl Strategy<Value = (usize, Vec<f64>)> {
        (1usize..9).prop_flat_map(|n| (Just(n), proptest::collection::vec(-1.0..1.0f64, n * n)))
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    fn identity(n: usize) -> Vec<f64> {
        (0..n * n).map(|i| if i / n == i % n { 1.0 } else { 0.0 }).collect()
    }

    proptest! {
        #[test]
        fn lu_multiplies_back((n, w) in matrix()) {
            let lu = lu(&w, n);
            let part = |keep: fn(usize, usize) -> bool, diagonal: Option<f64>| -> Vec<f64> {
                (0..n * n).map(|i| match (i / n, i % n) {
                    (r, c) if r == c => diagonal.unwrap_or(lu.packed[i]),
                    (r, c) if keep(r, c) => lu.packed[i],
                    _ => 0.0,
                }).collect()
            };
            let again = product(&part(|r, c| r > c, Some(1.0)), &part(|r, c| r < c, None), n);
            let permuted: Vec<f64> = lu.order.iter().flat_map(|&r| w[r * n..][..n].to_vec()).collect();
            prop_assert!(largest_difference(&again, &permuted) < 1e-14);
        }

        #[test]
        fn the_inverse_is_one((n, w) in matrix()) {
            let s = singular_values(&w, n);
            let condition = s[0] / s[n - 1];
            prop_assume!(condition < 1e8);
            let (inverse, log_abs_det_beside) = inverse_and_log_abs_det(&w, n);
            prop_assert_eq!(log_abs_det_beside, log_abs_det(&w, n));
            let again = product(&w, &inverse, n);
            prop_assert!(largest_difference(&again, &identity(n)) < 1e-14 * condition * n as f64);
            prop_assert!((log_abs_det(&w, n) - s.iter().map(|s| s.ln()).sum::<f64>()).abs() < 1e-13 * condition);
        }

        #[test]
        fn an_orthogonal_factor_is_orthogonal((n, w) in matrix()) {
            let q = orthogonal_factor(&w, n);
            let turned: Vec<f64> = (0..n * n).map(|i| q[(i % n) * n + i / n]).collect();
            prop_assert!(largest_difference(&product(&q, &turned, n), &identity(n)) < 1e-13);
        }
    }

    #[test]
    fn a_singular_matrix_has_determinant_zero() {
        assert_eq!(log_abs_det(&[1.0, 2.0, 2.0, 4.0], 2), f64::NEG_INFINITY);
    }
}
