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
    /// It is not 0, also when all differences of the table are taken together.
    Clear,
    /// Its interval leaves out 0 by itself.
    Alone,
    /// Its interval holds 0.
    No,
    /// One seed has no interval.
    Unknown,
    /// A run gave no number: it diverged.
    Undefined,
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
    /// The seeds that were to be run; the mean is of those whose runs finished.
    pub(super) seeds: usize,
    /// Of a mean over all combinations of the other factors: the differences that it is the mean of, where some are above
    /// 0 and others below.
    pub(super) parts: Vec<f64>,
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
            let mut add = |by_seed: Vec<f64>, at: String, pooled: bool, parts: Vec<f64>| {
                let Some(mean) = Mean::of(&by_seed) else { return };
                let half_width = mean.half_width(CONFIDENCE).filter(|width| width.is_finite());
                let names = (what.values[values.0].clone(), what.values[values.1].clone());
                let (seeds, verdict) = (plan.seeds.len(), Verdict::Unknown);
                all.push(Difference { factor, at, pooled, names, mean, half_width, seeds, parts, verdict });
            };
            let mut parts = Vec::new();
            for ((a, _), by_seed) in others.iter().zip(&each) {
                let by_seed: Vec<f64> = by_seed.iter().flatten().copied().collect();
                parts.extend(Mean::of(&by_seed).map(|mean| mean.mean));
                add(by_seed, other_values(plan, factor, *a), others.len() == 1, Vec::new());
            }
            let of_both_signs = parts.iter().any(|part| *part > 0.0) && parts.iter().any(|part| *part < 0.0);
            parts.retain(|_| of_both_signs);
            if others.len() > 1 {
                // Only seeds that have all combinations.
                let of = |seed: usize| each.iter().map(|of| of[seed]).sum::<Option<f64>>();
                let average = |seed: usize| of(seed).map(|sum| sum / each.len() as f64);
                add((0..plan.seeds.len()).filter_map(average).collect(), String::new(), true, parts);
            }
        }
    }
    judge(&mut all);
    // Means first; the order among them stays.
    all.sort_by_key(|difference| !difference.pooled);
    all
}

/// By Holm's method over all of them, as one family.
fn judge(all: &mut [Difference]) {
    let p_values: Vec<f64> = all.iter().filter_map(|difference| difference.mean.p_value()).collect();
    let mut adjusted = super::super::statistics::holm(&p_values).into_iter();
    for difference in all {
        let p = difference.mean.p_value();
        let corrected = p.and_then(|_| adjusted.next());
        difference.verdict = match (p, corrected) {
            _ if !difference.mean.mean.is_finite() => Verdict::Undefined,
            (_, Some(corrected)) if corrected <= 1.0 - CONFIDENCE => Verdict::Clear,
            (Some(p), _) if p <= 1.0 - CONFIDENCE => Verdict::Alone,
            (Some(_), _) => Verdict::No,
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
        Verdict::Undefined => "undefined: a run gave no number",
    }
}

/// For each factor: the order found, what of it is distinguishable, and what is not.
pub(super) fn sentences(plan: &Plan, results: &Results, all: &[Difference]) -> String {
    let of_factor = |factor: usize| {
        let what = &plan.factors[factor];
        // Of the seeds that finished for every value, so that the order is that of the differences.
        let values = |value: usize| (0..plan.variants.len()).filter(move |&v| plan.variants[v].values[factor] == value);
        let of_seed = |value: usize, seed: u64| -> Option<f64> {
            let tests: Option<Vec<f64>> = values(value).map(|v| results.final_of(v, seed)).collect();
            tests.and_then(|tests| Mean::of(&tests)).map(|mean| mean.mean)
        };
        let all_of =
            |seed: &u64| -> Option<Vec<f64>> { (0..what.values.len()).map(|value| of_seed(value, *seed)).collect() };
        let by_seed: Vec<Vec<f64>> = plan.seeds.iter().filter_map(all_of).collect();
        if what.values.len() < 2 {
            return None;
        }
        let mean_of = |value: usize| Mean::of(&by_seed.iter().map(|of| of[value]).collect::<Vec<_>>());
        let mut means: Vec<(f64, &str)> = Vec::new();
        for (value, name) in what.values.iter().enumerate() {
            means.extend(mean_of(value).map(|mean| (mean.mean, name.as_str())));
        }
        means.sort_by(|a, b| a.0.total_cmp(&b.0));
        let number =
            |mean: f64| if mean.is_finite() { format!("{mean:.3}") } else { "no number: it diverged".to_owned() };
        let order: Vec<String> = means.iter().map(|(mean, name)| format!("{name} ({})", number(*mean))).collect();
        let seeds = match (by_seed.len(), plan.seeds.len()) {
            (0, _) => " no seed finished for every value, so there is no order".to_owned(),
            (n, all) if n < all => {
                format!(" {}, over the {n} of {all} seeds that finished for every value", order.join(" < "))
            }
            _ => format!(" {}", order.join(" < ")),
        };
        let pooled: Vec<&Difference> = all.iter().filter(|d| d.factor == factor && d.pooled).collect();
        let mut text = format!("**{}**, from the lowest {}:{seeds}.", what.name, plan.unit());
        text += &listed(&pooled, Verdict::Clear, " Distinguishable, also when corrected for all comparisons:");
        text += &listed(&pooled, Verdict::Alone, " Distinguishable only if it were the one comparison made:");
        text += &listed(&pooled, Verdict::No, " Not distinguishable with these seeds:");
        text += &listed(&pooled, Verdict::Unknown, " With one seed nothing can be said of:");
        text += &listed(&pooled, Verdict::Undefined, " Undefined, since a run diverged:");
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
    let Difference { names: (a, b), mean, half_width, seeds, parts, verdict, .. } = difference;
    if *verdict == Verdict::Undefined {
        return format!("{a} and {b}");
    }
    let (a, b) = if mean.mean <= 0.0 { (a, b) } else { (b, a) };
    let size = mean.mean.abs();
    let mut about: Vec<String> =
        half_width.map(|width| format!("95 %: {:.3} to {:.3}", size - width, size + width)).into_iter().collect();
    if mean.n < *seeds {
        about.push(format!("{} of {seeds} seeds: it is of runs that finished", mean.n));
    }
    if !parts.is_empty() {
        let parts: Vec<String> = parts.iter().map(|part| format!("{part:+.3}")).collect();
        about.push(format!("a mean of effects of both signs, {}: see each", parts.join(" and ")));
    }
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join("; ")) };
    format!("{a} is below {b} by {size:.3}{about}")
}

pub(super) fn json(all: &[Difference]) -> serde_json::Value {
    let one = |d: &Difference| {
        serde_json::json!({
            "first": d.names.0, "second": d.names.1, "at": d.at, "pooled": d.pooled, "seeds": d.mean.n, "of_seeds": d.seeds,
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
            seeds: values.len(),
            parts: Vec::new(),
            verdict: Verdict::Unknown,
        };
        // Of the seven that have one, p is 0.0011, 0.027 and 1, then 0.86 four times: 7 · 0.0011 is below 5 %, 6 · 0.027 is not.
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
        all[2] = difference(&[f64::NAN, 0.1, 0.2]);
        judge(&mut all);
        assert_eq!((all[2].verdict, sentence(&all[2])), (Verdict::Undefined, "a and b".to_owned()));
        let mixed = Difference { seeds: 4, parts: vec![-0.031, 0.029], ..difference(&[-0.1, -0.1, -0.1]) };
        let words = sentence(&mixed);
        assert!(words.contains("3 of 4 seeds") && words.contains("both signs, -0.031 and +0.029"), "{words}");
        assert_eq!(sentence(&all[0]), "b is below a by 0.300");
    }
}
