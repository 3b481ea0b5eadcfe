//! Exponential and logarithm in f32 without branches or calls, so that loops over them vectorise.

/// `eˣ = 2ⁿ · eʳ`, n the integer nearest to `x / ln 2` and `|r| ≤ ln 2 / 2`: a Taylor polynomial of degree 7 for eʳ, whose
/// first term left out is below 6·10⁻⁹. Within 2 units in the last place where the result is a normal number.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2²³ leaves the nearest integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts: the first has so few bits that its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Beyond these the result is 0 or infinite, and n would not fit an exponent. NaN passes through both.
    let x = if x < -104.0 { -104.0 } else { x };
    let x = if x > 89.0 { 89.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    // 2ⁿ in two factors, each a normal number, so that small results may be subnormal.
    let n = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let power = |n: i32| f32::from_bits((n.wrapping_add(127) << 23) as u32);
    p * power(half) * power(n.wrapping_sub(half))
}

/// `ln(1 + x) = 2·artanh(s)`, `s = x/(2 + x)`, for x from 0 to 1, so that `s² ≤ 1/9`: its series to s¹⁵, whose first term
/// left out is below 2·10⁻⁹ of the sum. Nothing cancels. Within 2 units in the last place.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let z = s * s;
    let p = 1.0 / 15.0;
    let p = p * z + 1.0 / 13.0;
    let p = p * z + 1.0 / 11.0;
    let p = p * z + 1.0 / 9.0;
    let p = p * z + 1.0 / 7.0;
    let p = p * z + 1.0 / 5.0;
    let p = p * z + 1.0 / 3.0;
    let tail = p * z * s;
    2.0 * (s + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error in units of the last place of the right result.
    fn ulps(found: f32, right: f64) -> f64 {
        let right_f32 = right as f32;
        let ulp = f64::from(f32::from_bits(right_f32.abs().to_bits() + 1)) - f64::from(right_f32.abs());
        (f64::from(found) - right).abs() / ulp
    }

    #[test]
    fn exp_is_within_two_units_in_the_last_place() {
        let worst = (-870_000..=887_000).map(|i| i as f32 * 1e-4).map(|x| ulps(exp(x), f64::from(x).exp()));
        assert!(worst.fold(0.0, f64::max) < 2.0);
    }

    #[test]
    fn exp_has_the_right_limits() {
        assert_eq!((exp(-200.0), exp(f32::NEG_INFINITY), exp(0.0)), (0.0, 0.0, 1.0));
        assert_eq!((exp(100.0), exp(f32::INFINITY)), (f32::INFINITY, f32::INFINITY));
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(-95.0) > 0.0, "subnormal results are not flushed");
    }

    #[test]
    fn ln_1p_is_within_two_units_in_the_last_place() {
        let powers = (-126..0).map(|n| 2.0_f32.powi(n));
        let inputs = (1..=1_000_000).map(|i| i as f32 * 1e-6).chain(powers);
        let worst = inputs.map(|x| ulps(ln_1p(x), f64::from(x).ln_1p())).fold(0.0, f64::max);
        assert!(worst < 2.0, "{worst}");
        assert_eq!(ln_1p(0.0), 0.0);
    }
}
