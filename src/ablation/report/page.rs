//! `report.md`.

use super::cost::{overhead, papers};
use super::differences::{self, CONFIDENCE, Difference};
use super::figures::Shown;
use super::table::Row;
use crate::ablation::gather::Results;
use crate::ablation::grid::Status;
use crate::ablation::plan::Plan;
use crate::ablation::statistics::Mean;
use crate::flow::spec::{Recipe, SampleSpec};

/// All that the page is made of.
pub(super) struct Contents<'a> {
    pub(super) plan: &'a Plan,
    pub(super) results: &'a Results,
    pub(super) rows: &'a [Row],
    pub(super) differences: &'a [Difference],
    pub(super) figures: &'a [Shown],
    pub(super) samples: &'a [(usize, String)],
    pub(super) conditions: &'a str,
}

pub(super) fn page(contents: &Contents) -> String {
    let Contents { plan, results, rows, differences, .. } = contents;
    let sections = [
        format!("# {}", plan.title),
        scale(contents),
        figures(contents.figures),
        format!("## Final test {}\n\n{}\n\n{}", plan.unit(), table(plan, rows), table_note(contents)),
        differences_section(plan, results, differences),
        cost_section(contents),
        failures(contents),
        samples(contents),
        making(contents),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// What was trained, on what and for how long.
fn scale(contents: &Contents) -> String {
    let Contents { plan, results, .. } = contents;
    let Some(variant) = plan.variants.first() else { return String::new() };
    let recipe: &Recipe = &variant.spec.train;
    let samples = match variant.spec.samples() {
        SampleSpec::Image(image) => {
            let (height, width, channels) = (image.height, image.width, image.channels);
            format!("images of {height}×{width}×{channels} in {} grey levels", image.bins())
        }
        SampleSpec::Vector(vector) => format!("vectors of {} features", vector.features),
    };
    let count = |of: fn(&crate::ablation::plan::Variant) -> u64| {
        let all = plan.variants.iter().map(of);
        let (least, most) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
        if least == most { grouped(most) } else { format!("{} to {}", grouped(least), grouped(most)) }
    };
    let finished = results.runs.iter().filter(|run| run.final_bits_per_dim().is_some());
    let spans: Vec<(u64, f64)> = finished.clone().map(|run| (run.steps, run.epochs)).collect();
    let longest = spans.iter().fold((0, 0.0_f64), |most, span| (most.0.max(span.0), most.1.max(span.1)));
    let factors: Vec<String> = plan.factors.iter().map(|f| format!("{} ({})", f.name, f.values.join(", "))).collect();
    let limit = match recipe.time_limit {
        Some(_) => " Runs ended by the clock: **these figures cannot be reproduced exactly**.",
        None => "",
    };
    format!(
        "{} of {} runs finished. Varied: {}; {} {} of each variant.\n\n\
         **Scale.** `{}`: {samples}, data `{}`; {} parameters; a budget of {} in batches of \
         {}, which is {} steps or {:.2} epochs.{limit} Orders found at one scale and budget need not hold at another.",
        finished.count(),
        results.runs.len(),
        factors.join("; "),
        plan.seeds.len(),
        if plan.seeds.len() == 1 { "seed" } else { "seeds" },
        plan.flow,
        data_kind(plan),
        count(|variant| variant.parameters as u64),
        plan.budget,
        recipe.batch,
        longest.0,
        longest.1,
    )
}

/// The data without the folder they are in.
fn data_kind(plan: &Plan) -> &str {
    plan.data().unwrap_or("?").split(':').next().unwrap_or("?")
}

fn figures(shown: &[Shown]) -> String {
    let one = |Shown { stem, caption }: &Shown| format!("![{caption}]({stem}.svg)\n\n{caption}");
    shown.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

/// The variants with what came out.
pub(super) fn table(plan: &Plan, rows: &[Row]) -> String {
    let heads: Vec<&str> = plan.factors.iter().map(|factor| factor.name.as_str()).collect();
    let test = format!("test {}", plan.unit());
    let columns = ["seeds", &test, "parameters", "seconds/step", "peak MiB"];
    let mut lines = vec![
        format!("| {} | {} |", heads.join(" | "), columns.join(" | ")),
        format!("|{}{}", "---|".repeat(heads.len()), "---:|".repeat(columns.len())),
    ];
    for row in rows {
        let values: Vec<&str> = (0..plan.factors.len()).map(|factor| plan.value(row.variant, factor)).collect();
        let mut seeds = format!("{} of {}", row.test.map_or(0, |test| test.n), plan.seeds.len());
        if row.failed > 0 {
            seeds += &format!(", {} failed", row.failed);
        }
        if row.missing > 0 {
            seeds += &format!(", {} to do", row.missing);
        }
        lines.push(format!(
            "| {} | {seeds} | {} | {} | {} | {} |",
            values.join(" | "),
            with_error(row.test),
            grouped(plan.variants[row.variant].parameters as u64),
            row.seconds.map_or_else(|| "–".to_owned(), |seconds| significant(seconds.mean)),
            row.peak_mib.map_or_else(|| "–".to_owned(), |peak| format!("{:.0}", peak.mean)),
        ));
    }
    lines.join("\n")
}

fn with_error(mean: Option<Mean>) -> String {
    match mean {
        Some(mean) if !mean.mean.is_finite() => "not finite".to_owned(),
        Some(mean) => match mean.half_width(CONFIDENCE) {
            Some(half_width) => format!("{:.4} ± {half_width:.4}", mean.mean),
            None => format!("{:.4}", mean.mean),
        },
        None => "–".to_owned(),
    }
}

fn table_note(contents: &Contents) -> String {
    let tests: Vec<_> = contents.results.runs.iter().filter_map(|run| run.test.as_ref()).collect();
    let Some(test) = tests.first() else { return String::new() };
    let errors: Vec<f64> = tests.iter().filter_map(|test| test.standard_error).collect();
    let error = Mean::of(&errors).map_or_else(|| "n/a of one".to_owned(), |mean| format!("about {:.3}", mean.mean));
    let non_finite: usize = tests.iter().map(|test| test.non_finite).sum();
    let non_finite = match non_finite {
        0 => String::new(),
        count => format!(" **{count} scores are not finite** and make the mean of their run so."),
    };
    format!(
        "All {} test images, {} weights, {}; ± is half of the 95 % interval of the mean over seeds, by Student's t (three \
         seeds' standard error alone would cover 58 %). The standard error over images, {error}, is not in it: all runs are \
         scored on the same images.{non_finite} seconds/step is the median over a \
         run's steps, the mean over seeds ({}). Peak MiB is the largest resident memory of a run's process while it made \
         steps: data, weights, optimizer and activations together, without evaluations; what lies in a card's own memory \
         is not in it. Times are of the machine as it was, whatever else ran on it.",
        test.images,
        test.weights,
        if test.draws == 1 { "1 noise draw".to_owned() } else { format!("{} noise draws", test.draws) },
        contents.conditions
    )
}

fn differences_section(plan: &Plan, results: &Results, all: &[Difference]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = format!("## What differs\n\n{}\n", differences::sentences(plan, results, all));
    let one = plan.factors.len() == 1;
    text += if one { "\n| difference |" } else { "\n| difference | at |" };
    text += &format!(" {} | 95 % interval | seeds | distinguishable |\n|---|", plan.unit());
    text += if one { "" } else { "---|" };
    text += "---:|---:|---:|---|\n";
    for difference in all {
        let Difference { names: (a, b), mean, half_width, .. } = difference;
        let (bold, at) = match difference.at.as_str() {
            _ if one => ("", String::new()),
            "" => ("**", "**mean of all** | ".to_owned()),
            at => ("", format!("{at} | ")),
        };
        let interval = half_width
            .map_or_else(|| "–".to_owned(), |width| format!("{:+.4} to {:+.4}", mean.mean - width, mean.mean + width));
        let verdict = differences::verdict(difference);
        let (n, of, mean) = (mean.n, difference.seeds, mean.mean);
        text += &format!("| {bold}{a} − {b}{bold} | {at}{mean:+.4} | {interval} | {n} of {of} | {verdict} |\n");
    }
    let unit = plan.unit();
    text += &format!(
        "\nDifferences of final test {unit}, paired over seeds: runs of one seed see the same images in the same order \
             with the same noise, and layers at the same place start alike. Below 0, the first has the lower {unit}. \
             Intervals are Student's t with n − 1 degrees of freedom, each by itself; with few seeds they are wide, and rest \
             on differences being normal. *Corrected*: distinguishable still when all differences of this table are taken \
             together, by Holm's method at 5 % (S. Holm, 1979, Scandinavian Journal of Statistics 6, 65–70). A difference is \
             of the seeds whose runs both finished: what it says holds for runs that do."
    );
    text
}

fn cost_section(contents: &Contents) -> String {
    let Contents { plan, rows, .. } = contents;
    let percent = |share: f64| format!("{:+.1} %", 100.0 * share);
    let or_dash = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    let mut text = "## What it costs\n".to_owned();
    for (i, factor) in plan.factors.iter().enumerate().filter(|(_, factor)| factor.values.len() > 1) {
        text += &format!("\n| {} | parameters | seconds/step | peak memory |\n|---|---:|---:|---:|\n", factor.name);
        text += &format!("| {} | | | |\n", factor.values[0]);
        for (value, name) in factor.values.iter().enumerate().skip(1) {
            let cost = overhead(plan, rows, i, value);
            let parameters = format!("{:+.2} %", 100.0 * cost.parameters);
            text += &format!("| {name} | {parameters} | {} | {} |\n", or_dash(cost.seconds), or_dash(cost.memory));
        }
        if let Some(papers) = papers(plan, i) {
            text += &format!("\n{papers}\n");
        }
    }
    text += "\nEach value beside the first of its factor, the mean over the values of the others.";
    text
}

fn failures(contents: &Contents) -> String {
    let Contents { plan, results, .. } = contents;
    let of = |run: &crate::ablation::gather::Gathered| match &run.status {
        Status::Failed(reason) => Some(format!("- {}, seed {}: {reason}", plan.variants[run.variant].label, run.seed)),
        _ => None,
    };
    let failed: Vec<String> = results.runs.iter().filter_map(of).collect();
    if failed.is_empty() { String::new() } else { format!("## Runs that failed\n\n{}", failed.join("\n")) }
}

fn samples(contents: &Contents) -> String {
    if contents.samples.is_empty() {
        return String::new();
    }
    let link = |(variant, path): &(usize, String)| format!("[{}]({path})", contents.plan.variants[*variant].label);
    let links: Vec<String> = contents.samples.iter().map(link).collect();
    let seed = contents.plan.seeds.first().copied().unwrap_or(0);
    format!(
        "## Samples\n\nTen samples at each of eight temperatures, seed {seed} where it finished: {}.",
        links.join(" · ")
    )
}

fn making(contents: &Contents) -> String {
    let Contents { results, .. } = contents;
    let finished = || results.runs.iter().filter(|run| run.final_bits_per_dim().is_some());
    let drift = finished()
        .map(|run| run.drift)
        .fold(0.0, |most: f64, drift| if drift.is_nan() { drift } else { most.max(drift) });
    let (stored, skipped) =
        (finished().map(|run| run.stored).sum::<usize>(), finished().map(|run| run.skipped).sum::<usize>());
    format!(
        "## How it was made\n\n\
         Flowstone {}, in f32 {}. `ablation.ron` is the ablation, `flows/` has the whole flow and recipe of every run with \
         every option written out, `table.csv` one row a run, `timing.csv` what depends on the clock. The largest drift of a step was {drift:.1e}; {stored} steps were computed again from stored activations, and {skipped} \
         updates left out because a gradient was not finite.",
        env!("CARGO_PKG_VERSION"),
        contents.conditions,
    )
}

/// Three significant digits.
fn significant(value: f64) -> String {
    let digits = if value > 0.0 { (2.0 - value.log10().floor()).clamp(0.0, 9.0) as usize } else { 0 };
    format!("{value:.digits$}")
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_readers() {
        assert_eq!([0.012_345, 1.234_5, 123.45, 0.0].map(significant), ["0.0123", "1.23", "123", "0"]);
        assert_eq!([0, 999, 1000, 44_603_604].map(grouped), ["0", "999", "1,000", "44,603,604"]);
        assert_eq!(with_error(Mean::of(&[2.0, 2.2])), "2.1000 ± 1.2706", "t of one degree of freedom is 12.706");
        assert_eq!(with_error(Mean::of(&[2.0, f64::NAN])), "not finite");
    }
}
