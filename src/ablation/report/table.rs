//! The tables: one row a run in `table.csv`, and the times, which no two grids share, in `timing.csv`.

use crate::ablation::gather::{Gathered, Results};
use crate::ablation::grid::Status;
use crate::ablation::plan::Plan;
use crate::ablation::statistics::Mean;

/// A variant over its seeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) variant: usize,
    /// Final test bits/dim.
    pub(super) test: Option<Mean>,
    /// Of a training step.
    pub(super) seconds: Option<Mean>,
    /// Peak resident memory while training.
    pub(super) peak_mib: Option<Mean>,
    /// Runs that failed.
    pub(super) failed: usize,
    /// Runs that are not done.
    pub(super) missing: usize,
}

pub(super) fn rows(plan: &Plan, results: &Results) -> Vec<Row> {
    let row = |variant| Row {
        variant,
        test: results.test(variant),
        seconds: results.mean(variant, |run| run.times.median()),
        peak_mib: results.mean(variant, |run| run.times.peak_mib()),
        failed: results.of(variant).filter(|run| matches!(run.status, Status::Failed(_))).count(),
        missing: results.of(variant).filter(|run| matches!(run.status, Status::Waiting | Status::Interrupted)).count(),
    };
    (0..plan.variants.len()).map(row).collect()
}

/// What does not depend on the clock: the same for the same grid, however often it was stopped.
pub(super) fn results_csv(plan: &Plan, results: &Results) -> String {
    let columns = [
        "seed",
        "status",
        "steps",
        "epochs",
        plan.test_column(),
        "standard_error_over_images",
        "test_images",
        "non_finite",
        "parameters",
        "multiply_adds",
        "largest_drift",
        "steps_from_stored_activations",
        "updates_left_out",
        "reason",
    ];
    csv(plan, results, &columns, |run| {
        let variant = &plan.variants[run.variant];
        let (status, reason) = match &run.status {
            Status::Waiting | Status::Interrupted => ("missing", ""),
            Status::Finished => ("finished", ""),
            Status::Failed(reason) => ("failed", reason.as_str()),
        };
        let test = run.test.as_ref().filter(|_| run.status == Status::Finished);
        vec![
            run.seed.to_string(),
            status.to_owned(),
            run.steps.to_string(),
            run.epochs.to_string(),
            test.map_or_else(String::new, |test| test.loss.value().to_string()),
            test.and_then(|test| test.standard_error).map_or_else(String::new, |error| error.to_string()),
            test.map_or_else(String::new, |test| test.images.to_string()),
            test.map_or_else(String::new, |test| test.non_finite.to_string()),
            variant.parameters.to_string(),
            variant.multiply_adds.to_string(),
            run.drift.to_string(),
            run.stored.to_string(),
            run.skipped.to_string(),
            reason.to_owned(),
        ]
    })
}

pub(super) fn timing_csv(plan: &Plan, results: &Results) -> String {
    csv(plan, results, &["seed", "median_seconds_per_step", "training_seconds", "peak_mib"], |run| {
        let written = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let seconds = run.times.seconds_to(u64::MAX).to_string();
        vec![run.seed.to_string(), written(run.times.median()), seconds, written(run.times.peak_mib())]
    })
}

fn csv(plan: &Plan, results: &Results, columns: &[&str], cells: impl Fn(&Gathered) -> Vec<String>) -> String {
    let mut lines =
        vec![line(plan.factors.iter().map(|f| f.name.clone()).chain(columns.iter().map(|&c| c.to_owned())))];
    for run in &results.runs {
        let values = (0..plan.factors.len()).map(|factor| plan.value(run.variant, factor).to_owned());
        lines.push(line(values.chain(cells(run))));
    }
    lines.join("")
}

/// One line, its cells quoted where they must be (RFC 4180).
fn line(cells: impl Iterator<Item = String>) -> String {
    let quoted = |cell: String| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell,
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

pub(super) fn json(plan: &Plan, rows: &[Row]) -> serde_json::Value {
    let row = |row: &Row| {
        let variant = &plan.variants[row.variant];
        serde_json::json!({
            "variant": variant.label,
            "parameters": variant.parameters,
            "multiply_adds": variant.multiply_adds,
            "finished": row.test.map_or(0, |test| test.n),
            "failed": row.failed,
            plan.test_column(): row.test.map(|test| test.mean),
            "standard_error_over_seeds": row.test.map(|test| test.standard_error()).filter(|error| error.is_finite()),
            "seconds_per_step": row.seconds.map(|mean| mean.mean),
            "peak_mib": row.peak_mib.map(|mean| mean.mean),
        })
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let cells = ["a", "b, c", "say \"no\"", ""].map(str::to_owned);
        assert_eq!(line(cells.into_iter()), "a,\"b, c\",\"say \"\"no\"\"\",\n");
    }
}
