//! The figures: test bits/dim against epochs and against time, and cost against a factor that is a number.

use crate::Result;
use crate::ablation::gather::{Gathered, Point, Results};
use crate::ablation::plan::Plan;
use crate::ablation::statistics::Mean;
use crate::plot::{Panels, Series};
use std::path::Path;

/// A figure: the stem of its files, and what it shows.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) stem: &'static str,
    pub(super) caption: String,
}

/// Draws what there is to draw into a folder.
pub(super) fn save(plan: &Plan, results: &Results, folder: &Path) -> Result<Vec<Shown>> {
    let mut shown = Vec::new();
    let over = match plan.seeds.len() {
        1 => "one seed".to_owned(),
        seeds => format!("mean ± standard deviation over {seeds} seeds"),
    };
    let images = match (results.runs.iter().find_map(|run| run.taken.as_ref()), interim_images(plan)) {
        (Some(taken), _) => format!("test images ({taken})"),
        // So did version 0.1.0.
        (None, Some(n)) => format!("first {n} test images"),
        (None, None) => "test images".to_owned(),
    };
    let mut draw = |stem: &'static str, caption: String, panels: Panels| -> Result<()> {
        if panels.panels.iter().any(|(_, series)| !series.is_empty()) {
            panels.save(folder.join(stem))?;
            shown.push(Shown { stem, caption });
        }
        Ok(())
    };
    let curves = |x_label: &str, x: &dyn Fn(&Gathered, &Point) -> f64| Panels {
        title: plan.title.clone(),
        x_label: x_label.to_owned(),
        y_label: format!("test {}", plan.unit()),
        panels: by_panel(plan, |variant| curve(results, variant, x)),
    };
    let by_epoch = curves("epochs", &|_, point| point.epoch);
    draw("curves", format!("Bits/dim of the {images} against epochs; {over}."), by_epoch)?;
    let by_time = curves("seconds of training steps", &|run, point| run.times.seconds_to(point.step));
    let caption = format!("The same against the time of the training steps, without evaluations; {over}.");
    draw("curves-time", caption, by_time)?;
    if let Some((factor, numbers)) = number_factor(plan) {
        let name = &plan.factors[factor].name;
        let against = |y_label: &str, y: &dyn Fn(&Gathered) -> Option<f64>| Panels {
            title: plan.title.clone(),
            x_label: name.clone(),
            y_label: y_label.to_owned(),
            panels: vec![(String::new(), by_number(plan, results, (factor, &numbers), y))],
        };
        let seconds = against("seconds per training step", &|run| run.times.median());
        draw("seconds", format!("Median seconds of a training step against {name}; {over}."), seconds)?;
        let peak = against("peak memory in MiB", &|run| run.times.peak_mib());
        draw("memory", format!("Peak resident memory while training against {name}; {over}."), peak)?;
    }
    Ok(shown)
}

fn interim_images(plan: &Plan) -> Option<usize> {
    plan.variants.first().and_then(|variant| variant.spec.train.test_images)
}

/// One panel for each combination of all factors but the last, whose values are the colours.
fn by_panel(plan: &Plan, series: impl Fn(usize) -> Option<Series>) -> Vec<(String, Vec<Series>)> {
    let mut panels: Vec<(String, Vec<Series>)> = Vec::new();
    let last = plan.factors.len() - 1;
    for (i, variant) in plan.variants.iter().enumerate() {
        let named = |f: usize| format!("{}: {}", plan.factors[f].name, plan.value(i, f));
        let title = (0..last).map(named).collect::<Vec<_>>().join(", ");
        let Some(series) = series(i) else { continue };
        let series = Series { label: plan.value(i, last).to_owned(), color: Some(variant.values[last]), ..series };
        match panels.iter_mut().find(|(of, _)| *of == title) {
            Some((_, panel)) => panel.push(series),
            None => panels.push((title, vec![series])),
        }
    }
    panels
}

/// The mean over seeds with its deviation, at the evaluations that every run of the variant has made; x is a mean too.
fn curve(results: &Results, variant: usize, x: &dyn Fn(&Gathered, &Point) -> f64) -> Option<Series> {
    let runs: Vec<&Gathered> = results.of(variant).filter(|run| run.final_bits_per_dim().is_some()).collect();
    let shortest = runs.iter().map(|run| run.curve.len()).min().filter(|length| *length > 0)?;
    let mut series = Series::default();
    let mut spread = Vec::new();
    for i in 0..shortest {
        let at = Mean::of(&runs.iter().map(|run| x(run, &run.curve[i])).collect::<Vec<_>>())?;
        let bits = Mean::of(&runs.iter().map(|run| run.curve[i].loss).collect::<Vec<_>>())?;
        series.points.push((at.mean, bits.mean));
        spread.push(if bits.n > 1 { bits.deviation } else { 0.0 });
    }
    series.spread = Some(spread);
    Some(series)
}

/// The first factor whose values are numbers, two or more.
fn number_factor(plan: &Plan) -> Option<(usize, Vec<f64>)> {
    plan.factors.iter().enumerate().find_map(|(i, factor)| {
        let numbers: Option<Vec<f64>> = factor.values.iter().map(|value| value.parse().ok()).collect();
        Some((i, numbers.filter(|numbers| numbers.len() > 1)?))
    })
}

/// A line for each combination of the other factors.
fn by_number(
    plan: &Plan,
    results: &Results,
    (factor, numbers): (usize, &[f64]),
    y: &dyn Fn(&Gathered) -> Option<f64>,
) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (i, variant) in plan.variants.iter().enumerate() {
        let others = (0..plan.factors.len()).filter(|other| *other != factor);
        let label = others.map(|other| plan.value(i, other)).collect::<Vec<_>>().join(", ");
        let Some(mean) = results.mean(i, y) else { continue };
        let point = (numbers[variant.values[factor]], mean.mean);
        let deviation = if mean.n > 1 { mean.deviation } else { 0.0 };
        let at = all.iter().position(|series| series.label == label).unwrap_or_else(|| {
            all.push(Series { label, spread: Some(Vec::new()), ..Series::default() });
            all.len() - 1
        });
        all[at].points.push(point);
        all[at].spread.get_or_insert_default().push(deviation);
    }
    all
}
