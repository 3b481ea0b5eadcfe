//! Which values of a factor differ, from differences paired over seeds.
//!
//! Runs of one seed see the same images in the same order with the same noise, and layers at the same place start alike:
//! the difference of two variants varies less over seeds than either does. It is taken seed by seed, within each
//! combination of the other factors, and once more averaged over these combinations.

use crate::ablation::gather::Results;
use crate::ablation::plan::Plan;
use crate::ablation::statistics::Mean;

/// Of the intervals.
pub(super) const CONFIDENCE: f64 = 0.95;

/// With more values than this, each is compared with the first alone.
const ALL_PAIRS: usize = 4;

/// What can be said of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its interval leaves out 0, also when all intervals of the table are widened to hold together.
    Clear,
    /// Its interval leaves out 0 by itself.
    Alone,
    /// Its interval holds 0.
    No,
    /// One seed has no interval.
    Unknown,
}

/// Test bits/dim of one value less another's.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) factor: usize,
    /// The values of the other factors; empty for the average over all of them.
    pub(super) at: String,
    /// Whether it is the average over all combinations of the other factors.
    pub(super) pooled: bool,
    /// The values: the difference is the first less the second.
    pub(super) names: (String, String),
    pub(super) mean: Mean,
    pub(super) half_width: Option<f64>,
    pub(super) verdict: Verdict,
}

pub(super) fn differences(plan: &Plan, results: &Results) -> Vec<Difference> {
    let mut all = Vec::new();
    for (factor, what) in plan.factors.iter().enumerate() {
        for values in pairs(what.values.len()) {
            let others = partners(plan, factor, values);
            let by_seed = |&(a, b): &(usize, usize)| -> Vec<Option<f64>> {
                let of = |seed: &u64| Some(results.final_of(a, *seed)? - results.final_of(b, *seed)?);
                plan.seeds.iter().map(of).collect()
            };
            let each: Vec<Vec<Option<f64>>> = others.iter().map(by_seed).collect();
            let mut add = |by_seed: Vec<f64>, at: String, pooled: bool| {
                let Some(mean) = Mean::of(&by_seed) else { return };
                let half_width = mean.half_width(CONFIDENCE);
                let names = (what.values[values.0].clone(), what.values[values.1].clone());
                all.push(Difference { factor, at, pooled, names, mean, half_width, verdict: Verdict::Unknown });
            };
            for ((a, _), by_seed) in others.iter().zip(&each) {
                add(by_seed.iter().flatten().copied().collect(), other_values(plan, factor, *a), others.len() == 1);
            }
            if others.len() > 1 {
                // Only seeds that have all combinations.
                let of = |seed: usize| each.iter().map(|of| of[seed]).sum::<Option<f64>>();
                let average = |seed: usize| of(seed).map(|sum| sum / each.len() as f64);
                add((0..plan.seeds.len()).filter_map(average).collect(), String::new(), true);
            }
        }
    }
    let (mut pooled, mut within): (Vec<Difference>, Vec<Difference>) = all.into_iter().partition(|d| d.pooled);
    judge(&mut pooled);
    judge(&mut within);
    pooled.append(&mut within);
    pooled
}

/// Bonferroni: all of these intervals hold together with [`CONFIDENCE`] if each has its share of the rest.
fn judge(all: &mut [Difference]) {
    let together = 1.0 - (1.0 - CONFIDENCE) / all.len().max(1) as f64;
    for difference in all {
        let leaves_out_zero = |confidence: f64| {
            difference.mean.half_width(confidence).map(|half_width| difference.mean.mean.abs() > half_width)
        };
        difference.verdict = match (leaves_out_zero(CONFIDENCE), leaves_out_zero(together)) {
            (Some(true), Some(true)) => Verdict::Clear,
            (Some(true), _) => Verdict::Alone,
            (Some(false), _) => Verdict::No,
            (None, _) => Verdict::Unknown,
        };
    }
}

/// The later value is compared with the earlier one.
fn pairs(count: usize) -> Vec<(usize, usize)> {
    let firsts = |b: usize| if count > ALL_PAIRS { 0..1 } else { 0..b };
    (1..count).flat_map(|b| firsts(b).map(move |a| (b, a))).collect()
}

/// The pairs of variants that differ in this factor alone, by these values.
fn partners(plan: &Plan, factor: usize, (first, second): (usize, usize)) -> Vec<(usize, usize)> {
    let with = |values: &[usize]| plan.variants.iter().position(|variant| variant.values == values);
    let of_first = plan.variants.iter().enumerate().filter(|(_, variant)| variant.values[factor] == first);
    let partner = |(a, variant): (usize, &crate::ablation::plan::Variant)| {
        let mut values = variant.values.clone();
        values[factor] = second;
        Some((a, with(&values)?))
    };
    of_first.filter_map(partner).collect()
}

fn other_values(plan: &Plan, factor: usize, variant: usize) -> String {
    let others = (0..plan.factors.len()).filter(|other| *other != factor);
    others.map(|other| plan.value(variant, other)).collect::<Vec<_>>().join(", ")
}

/// `A − B` and the like, for a table.
pub(super) fn verdict(difference: &Difference) -> &'static str {
    match difference.verdict {
        Verdict::Clear => "yes, also corrected",
        Verdict::Alone => "yes, but not corrected",
        Verdict::No => "no",
        Verdict::Unknown => "one seed: cannot be said",
    }
}

/// For each factor: the order found, what of it is distinguishable, and what is not.
pub(super) fn sentences(plan: &Plan, results: &Results, all: &[Difference]) -> String {
    let of_factor = |factor: usize| {
        let what = &plan.factors[factor];
        let mut means: Vec<(f64, &str)> = Vec::new();
        for (value, name) in what.values.iter().enumerate() {
            let of_value = (0..plan.variants.len()).filter(|&v| plan.variants[v].values[factor] == value);
            let tests: Option<Vec<f64>> = of_value.map(|v| results.test(v).map(|mean| mean.mean)).collect();
            means.extend(tests.and_then(|tests| Mean::of(&tests)).map(|mean| (mean.mean, name.as_str())));
        }
        if means.len() < 2 {
            return None;
        }
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        let order: Vec<String> = means.iter().map(|(mean, name)| format!("{name} ({mean:.3})")).collect();
        let pooled: Vec<&Difference> = all.iter().filter(|d| d.factor == factor && d.pooled).collect();
        let mut text = format!("**{}**, from the lowest bits/dim: {}.", what.name, order.join(" < "));
        text += &listed(&pooled, Verdict::Clear, " Distinguishable, also when corrected for all comparisons:");
        text += &listed(&pooled, Verdict::Alone, " Distinguishable only if it were the one comparison made:");
        text += &listed(&pooled, Verdict::No, " Not distinguishable with these seeds:");
        text += &listed(&pooled, Verdict::Unknown, " With one seed nothing can be said of:");
        Some(text)
    };
    let all: Vec<String> = (0..plan.factors.len()).filter_map(of_factor).collect();
    all.join("\n\n")
}

fn listed(pooled: &[&Difference], verdict: Verdict, begin: &str) -> String {
    let such: Vec<String> = pooled.iter().filter(|d| d.verdict == verdict).map(|d| sentence(d)).collect();
    if such.is_empty() { String::new() } else { format!("{begin} {}.", such.join("; ")) }
}

fn sentence(difference: &Difference) -> String {
    let Difference { names: (a, b), mean, half_width, .. } = difference;
    let (a, b) = if mean.mean <= 0.0 { (a, b) } else { (b, a) };
    let width = half_width.map_or_else(String::new, |width| format!(" ± {width:.3}"));
    format!("{a} is below {b} by {:.3}{width}", mean.mean.abs())
}

pub(super) fn json(all: &[Difference]) -> serde_json::Value {
    let one = |d: &Difference| {
        serde_json::json!({
            "first": d.names.0, "second": d.names.1, "at": d.at, "pooled": d.pooled, "seeds": d.mean.n,
            "difference": d.mean.mean, "half_width": d.half_width, "distinguishable": verdict(d),
        })
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_compared_with_each_other_and_many_with_the_first() {
        assert_eq!(pairs(3), [(1, 0), (2, 0), (2, 1)]);
        assert_eq!(pairs(5), [(1, 0), (2, 0), (3, 0), (4, 0)]);
        assert!(pairs(1).is_empty());
    }

    #[test]
    fn an_interval_that_holds_alone_need_not_hold_among_many() {
        let difference = |values: &[f64]| Difference {
            factor: 0,
            at: String::new(),
            pooled: true,
            names: ("a".into(), "b".into()),
            mean: Mean::of(values).unwrap(),
            half_width: None,
            verdict: Verdict::Unknown,
        };
        // t is 4.303 at 95 %, and 12.59 at 1 − 5 %/8; the errors are 0.01, 0.01, 0.1.
        let (d, n) = (0.017_320_508, 0.0);
        let mut all: Vec<Difference> =
            [[-d + 0.3, 0.3, d + 0.3], [-d + 0.06, 0.06, d + 0.06], [-10.0 * d, n, 10.0 * d]]
                .iter()
                .map(|values| difference(values))
                .collect();
        all.extend((0..4).map(|_| difference(&[0.0, 0.1, -0.1])));
        all.push(difference(&[1.0]));
        judge(&mut all);
        let verdicts: Vec<Verdict> = all.iter().map(|d| d.verdict).collect();
        assert_eq!(verdicts[..3], [Verdict::Clear, Verdict::Alone, Verdict::No]);
        assert_eq!(verdicts[7], Verdict::Unknown);
        assert_eq!(sentence(&all[0]), "b is below a by 0.300");
    }
}
