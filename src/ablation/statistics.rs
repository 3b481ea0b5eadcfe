//! Means over few seeds, and how far they can be trusted.

use std::f64::consts::FRAC_2_PI;

/// A mean of independent numbers, and its error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// How many numbers.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n − 1`; NaN for a single one.
    pub deviation: f64,
}

impl Mean {
    /// Of these; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self { n, mean, deviation: (squares / (n as f64 - 1.0)).sqrt() })
    }

    /// The standard error of the mean; NaN for a single number.
    pub fn standard_error(&self) -> f64 {
        self.deviation / (self.n as f64).sqrt()
    }

    /// Half the width of the interval that holds the true mean with this confidence, if the numbers are normal: Student's
    /// t with `n − 1` degrees of freedom. `None` for a single number.
    pub fn half_width(&self, confidence: f64) -> Option<f64> {
        (self.n > 1).then(|| student_t(confidence, self.n as u32 - 1) * self.standard_error())
    }
}

impl Mean {
    /// The probability of a mean as far from 0 as this one, either way, if the true mean is 0 and the numbers are normal; `None`
    /// of a single number, and of numbers that are not finite.
    pub fn p_value(&self) -> Option<f64> {
        let error = self.standard_error();
        if self.n < 2 || !self.mean.is_finite() || !error.is_finite() {
            return None;
        }
        Some(match (self.mean.abs(), error) {
            (0.0, _) => 1.0,
            (_, 0.0) => 0.0,
            (mean, error) => (1.0 - within(mean / error, self.n as u32 - 1)).max(0.0),
        })
    }
}

/// Holm's adjusted p-values: those of a family of hypotheses that are at most α may be rejected together, with a probability
/// of at most α that any is rejected wrongly (S. Holm, "A simple sequentially rejective multiple test procedure", 1979).
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let (mut adjusted, mut least) = (vec![1.0; p_values.len()], 0.0_f64);
    for (rank, &i) in order.iter().enumerate() {
        // Never below that of a smaller one.
        least = least.max((p_values.len() - rank) as f64 * p_values[i]).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

/// The t that a variable of Student's distribution with `freedom ≥ 1` degrees of freedom stays within, `−t..t`, with
/// probability `confidence`, above 0 and below 1.
pub fn student_t(confidence: f64, freedom: u32) -> f64 {
    let mut high = 1.0;
    while within(high, freedom) < confidence && high < 1e12 {
        high *= 2.0;
    }
    let mut low = 0.0;
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if within(middle, freedom) < confidence { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability of `−t..t`: finite sums in θ = atan(t/√ν) (Abramowitz & Stegun, 26.7.3 and 26.7.4).
fn within(t: f64, freedom: u32) -> f64 {
    let theta = (t / f64::from(freedom).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    // sin·(cos + 2/3 cos³ + 2·4/(3·5) cos⁵ + …) for odd ν, sin·(1 + 1/2 cos² + 1·3/(2·4) cos⁴ + …) for even ν.
    let odd = freedom % 2 == 1;
    let (mut term, mut sum) = if odd { (cos, 0.0) } else { (1.0, 0.0) };
    let mut power = u32::from(odd);
    while power + 2 <= freedom {
        sum += term;
        let (above, below) = (f64::from(power + 1), f64::from(power + 2));
        term *= cos * cos * above / below;
        power += 2;
    }
    if odd { FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two-sided quantiles from the tables of any textbook.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, confidence, t) in [
            (1, 0.95, 12.7062),
            (2, 0.95, 4.30265),
            (3, 0.95, 3.18245),
            (4, 0.95, 2.77645),
            (9, 0.95, 2.26216),
            (10, 0.99, 3.16927),
            (2, 0.99, 9.92484),
            (1, 0.99, 63.6567),
            (30, 0.95, 2.04227),
            (120, 0.95, 1.97993),
            (5, 0.5, 0.72669),
        ] {
            let found = student_t(confidence, freedom);
            assert!((found / t - 1.0).abs() < 1e-5, "{freedom} {confidence}: {found}, the table has {t}");
        }
    }

    /// Against R: `t.test(c(4.41, 4.43, 4.39), c(4.75, 4.80, 4.76), paired = TRUE)`, whose interval is −0.36 ± 0.0430.
    #[test]
    fn an_interval_of_paired_differences() {
        let differences = [4.41 - 4.75, 4.43 - 4.80, 4.39 - 4.76];
        let mean = Mean::of(&differences).unwrap();
        assert!((mean.mean + 0.36).abs() < 1e-12);
        assert!((mean.deviation - 0.017_320_508).abs() < 1e-8, "{}", mean.deviation);
        assert!((mean.standard_error() - 0.01).abs() < 1e-9);
        assert!((mean.half_width(0.95).unwrap() - 0.043_026_5).abs() < 1e-6);
    }

    #[test]
    fn one_number_has_no_error_and_none_has_no_mean() {
        assert_eq!(Mean::of(&[]), None);
        let one = Mean::of(&[3.0]).unwrap();
        assert_eq!((one.mean, one.half_width(0.95)), (3.0, None));
        assert!(one.standard_error().is_nan());
    }

    #[test]
    fn p_values_are_the_confidence_at_which_an_interval_touches_zero() {
        for values in [vec![0.3, 0.31, 0.28], vec![-0.1, 0.2, 0.4, 0.1], vec![1.0, 2.0]] {
            let mean = Mean::of(&values).unwrap();
            let p = mean.p_value().unwrap();
            assert!((mean.half_width(1.0 - p).unwrap() - mean.mean.abs()).abs() < 1e-9, "{values:?}: {p}");
        }
        assert_eq!(Mean::of(&[1.0]).unwrap().p_value(), None);
        assert_eq!(Mean::of(&[1.0, f64::NAN]).unwrap().p_value(), None);
        assert_eq!(
            (Mean::of(&[0.0; 3]).unwrap().p_value(), Mean::of(&[1.0; 3]).unwrap().p_value()),
            (Some(1.0), Some(0.0))
        );
    }

    proptest::proptest! {
        /// By its own words: step down from the smallest p, and stop at the first that is above α over those that are left.
        #[test]
        fn holm_rejects_what_his_steps_reject(p in proptest::collection::vec(0.0..0.2_f64, 1..8), alpha in 0.01..0.2_f64) {
            let mut left: Vec<usize> = (0..p.len()).collect();
            let mut rejected = vec![false; p.len()];
            while let Some(&smallest) = left.iter().min_by(|&&a, &&b| p[a].total_cmp(&p[b])) {
                if p[smallest] * left.len() as f64 > alpha {
                    break;
                }
                rejected[smallest] = true;
                left.retain(|&i| i != smallest);
            }
            let by_adjusted: Vec<bool> = holm(&p).iter().map(|p| *p <= alpha).collect();
            proptest::prop_assert_eq!(by_adjusted, rejected);
        }
    }
}
