//! What a grid shows: a folder with a page, tables, figures, samples and the flow of every run.

mod cost;
mod differences;
mod figures;
mod page;
mod table;

use super::gather::Results;
use super::grid::Grid;
use super::plan::Plan;
use crate::files::write_atomically;
use crate::{Error, Result};
use std::fs;
use std::path::Path;

/// The result, for the terminal and for programs.
#[derive(Clone, Debug)]
pub struct Summary {
    /// A few lines.
    pub text: String,
    /// Every figure of the tables.
    pub json: serde_json::Value,
}

/// Writes the report from what the runs have left, whether they are all done or not. `conditions` says how they were
/// run, as far as times depend on it.
///
/// # Errors
/// [`Error::Io`] if a file cannot be written.
pub fn write_report(plan: &Plan, grid: &Grid, results: &Results, conditions: &str) -> Result<Summary> {
    let folder = grid.report();
    let rows = table::rows(plan, results);
    let differences = differences::differences(plan, results);
    write_atomically(folder.join("table.csv"), table::results_csv(plan, results).as_bytes())?;
    write_atomically(folder.join("timing.csv"), table::timing_csv(plan, results).as_bytes())?;
    write_atomically(folder.join("ablation.ron"), plan.text.as_bytes())?;
    let figures = figures::save(plan, results, &folder)?;
    let samples = copy_samples(plan, grid, results, &folder)?;
    copy_flows(plan, grid, &folder)?;
    let page = page::page(&page::Contents {
        plan,
        results,
        rows: &rows,
        differences: &differences,
        figures: &figures,
        samples: &samples,
        conditions,
    });
    write_atomically(folder.join("report.md"), page.as_bytes())?;
    let text = [page::table(plan, &rows), differences::sentences(plan, results, &differences)].join("\n");
    let json = serde_json::json!({
        "title": plan.title, "variants": table::json(plan, &rows), "differences": differences::json(&differences),
    });
    Ok(Summary { text, json })
}

/// The sample sheet of each variant's first finished run; the variants and the names of their sheets.
fn copy_samples(plan: &Plan, grid: &Grid, results: &Results, folder: &Path) -> Result<Vec<(usize, String)>> {
    let mut copied = Vec::new();
    for (i, variant) in plan.variants.iter().enumerate() {
        let first = results.of(i).find(|run| run.final_bits_per_dim().is_some());
        let Some(run) = first.and_then(|first| plan.runs.iter().find(|r| r.variant == i && r.seed == first.seed))
        else {
            continue;
        };
        let name = format!("samples/{}.png", variant.slug);
        copy(&grid.run(run).join("samples").join("samples.png"), &folder.join(&name))?;
        copied.push((i, name));
    }
    Ok(copied)
}

fn copy_flows(plan: &Plan, grid: &Grid, folder: &Path) -> Result<()> {
    plan.runs.iter().try_for_each(|run| copy(&grid.flow(run), &folder.join("flows").join(format!("{}.ron", run.name))))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
    }
    let bytes = fs::read(from).map_err(Error::io(from))?;
    write_atomically(to, &bytes)
}
