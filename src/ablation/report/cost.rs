//! What each value of a factor costs, beside the factor's first value.

use crate::ablation::plan::Plan;
use crate::ablation::report::table::Row;
use crate::ablation::statistics::Mean;

/// A value's cost over the first value's, the mean over all combinations of the other factors; shares of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overhead {
    pub(super) parameters: f64,
    pub(super) seconds: Option<f64>,
    pub(super) memory: Option<f64>,
}

/// Of one value of one factor.
pub(super) fn overhead(plan: &Plan, rows: &[Row], factor: usize, value: usize) -> Overhead {
    let (mut parameters, mut seconds, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for (i, variant) in plan.variants.iter().enumerate().filter(|(_, variant)| variant.values[factor] == value) {
        let mut first = variant.values.clone();
        first[factor] = 0;
        let Some(base) = plan.variants.iter().position(|other| other.values == first) else { continue };
        parameters.push(variant.parameters as f64 / plan.variants[base].parameters as f64 - 1.0);
        let share = |of: fn(&Row) -> Option<Mean>| Some(of(&rows[i])?.mean / of(&rows[base])?.mean - 1.0);
        seconds.extend(share(|row| row.seconds));
        memory.extend(share(|row| row.peak_mib));
    }
    let mean = |shares: &[f64]| Mean::of(shares).map(|mean| mean.mean);
    Overhead { parameters: mean(&parameters).unwrap_or(0.0), seconds: mean(&seconds), memory: mean(&memory) }
}

/// What the paper says of the 1×1 convolution, where that is what the factor varies.
pub(super) fn papers(plan: &Plan, factor: usize) -> Option<&'static str> {
    let has = |kind: &str, value: usize| {
        let mut variants = plan.variants.iter().filter(|variant| variant.values[factor] == value);
        variants.all(|variant| variant.kinds.iter().any(|k| k == kind))
    };
    let values = 0..plan.factors[factor].values.len();
    let convolution = values.clone().any(|value| has("InvertibleConv", value));
    let fixed = values.clone().any(|value| has("Reverse", value) || has("Shuffle", value));
    (convolution && fixed).then_some(
        "The paper reports, for the 1×1 convolution on CIFAR-10 at K 32 and width 512, 0.2 % more parameters and about \
         7 % more time. The share of parameters grows as the couplings' networks get narrower.",
    )
}
