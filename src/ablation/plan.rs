//! What an ablation will do: its variants, counted, and its runs.

use super::change::changed;
use super::file::{AblationFile, Change};
use super::spec::Budget;
use crate::backend::{Device, Element, Initializer};
use crate::flow::spec::{FlowSpec, SampleSpec};
use crate::flow::{Flow, FlowFile, Registry};
use crate::notation::FlowFileError;
use crate::{Error, Result};

/// The most runs of a grid: beyond it a file is taken for a mistake.
const MOST_RUNS: usize = 10_000;

/// What is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// Its name.
    pub name: String,
    /// The names of its values.
    pub values: Vec<String>,
}

/// One combination of values.
#[derive(Clone, Debug)]
pub struct Variant {
    /// For each factor, which of its values.
    pub values: Vec<usize>,
    /// The names of the values, such as `affine, 1x1 conv`.
    pub label: String,
    /// The same, fit for the name of a file.
    pub slug: String,
    /// The flow, with the recipe of its runs but for the seed.
    pub spec: FlowSpec,
    /// Numbers that training changes.
    pub parameters: usize,
    /// Multiplications with additions of its matrix products, for one image in the forward direction.
    pub multiply_adds: u64,
    /// The kinds of the layers, each once, in the order of their first use.
    pub kinds: Vec<String>,
}

/// One variant trained from one seed.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of its folder.
    pub name: String,
    /// Which variant.
    pub variant: usize,
    /// Its seed.
    pub seed: u64,
    /// The flow with the whole recipe.
    pub file: FlowFile,
}

/// A grid of runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the report is called.
    pub title: String,
    /// The ablation file.
    pub text: String,
    /// The flow that is varied.
    pub flow: String,
    /// What is varied.
    pub factors: Vec<Factor>,
    /// Every combination, the last factor running fastest.
    pub variants: Vec<Variant>,
    /// Of each variant's runs.
    pub seeds: Vec<u64>,
    /// How long each run is.
    pub budget: Budget,
    /// Every run: all variants of the first seed, then of the second, so that a grid cut short still compares all.
    pub runs: Vec<Run>,
}

impl Plan {
    /// What results are told in: `bits/dim`, or `nats` of vectors.
    pub fn unit(&self) -> &'static str {
        let first = self.variants.first().map(|variant| variant.spec.samples());
        if matches!(first, Some(SampleSpec::Vector(_))) { "nats" } else { "bits/dim" }
    }

    /// The name of that in tables.
    pub(super) fn test_column(&self) -> &'static str {
        if self.unit() == "nats" { "test_nats" } else { "test_bits_per_dim" }
    }

    /// Plans a grid; nothing is read but flow files. `data` takes the place of what the recipe names.
    ///
    /// # Errors
    /// [`Error::FlowFile`] with the place in the ablation file where a variant is not a flow that can be built.
    pub fn new<E: Element, D: Device<E>>(
        file: &AblationFile,
        device: &D,
        registry: &Registry<E, D>,
        data: Option<&str>,
    ) -> Result<Self> {
        let base = file.base()?;
        let set = file.set();
        let vary = &file.spec.vary.0;
        let total = vary.iter().fold(file.spec.seeds.len(), |n, factor| n.saturating_mul(factor.value.0.len()));
        if total > MOST_RUNS {
            let message = format!("this makes more than {MOST_RUNS} runs");
            return Err(file.error_at(file.place(vary[0].node), message, Some("vary less at a time".into())));
        }
        let mut changes: Vec<Vec<Vec<Change>>> = Vec::new();
        for factor in vary {
            let of_value = |value| file.changes(factor, value);
            changes.push(factor.value.0.iter().map(|entry| of_value(&entry.value)).collect::<Result<_>>()?);
        }
        let mut variants: Vec<Variant> = Vec::new();
        for values in combinations(&changes.iter().map(Vec::len).collect::<Vec<_>>()) {
            let chosen = values.iter().zip(&changes).flat_map(|(&value, of_factor)| of_factor[value].iter());
            let all: Vec<Change> = set.iter().chain(chosen).cloned().collect();
            let names: Vec<&str> =
                values.iter().zip(vary).map(|(&value, factor)| factor.value.0[value].name.as_str()).collect();
            let label = names.join(", ");
            let mut spec = changed(file, &base, &all)?;
            file.spec.budget.put_into(&mut spec.train);
            if let Some(data) = data {
                spec.train.data = Some(data.to_owned());
            }
            let slug = free_slug(&names.join("-"), &variants);
            let place = all.last().map_or(0..0, |change| change.value_at.clone());
            let counted = count(&spec, &label, device, registry).map_err(|error| match error {
                Error::FlowFile(error) => {
                    let message = format!("variant `{label}`: {}", error.message());
                    let help = error.advice().map(str::to_owned);
                    Box::new(FlowFileError::new(&file.name, &file.text, place, message, help)).into()
                }
                other => other,
            })?;
            let (parameters, multiply_adds, kinds) = counted;
            variants.push(Variant { values, label, slug, spec, parameters, multiply_adds, kinds });
        }
        let seeds = file.spec.seeds.value.clone();
        let runs =
            seeds.iter().flat_map(|&seed| variants.iter().enumerate().map(move |(i, variant)| (seed, i, variant)));
        let runs = runs.map(|(seed, i, variant)| run(i, variant, seed)).collect::<Result<Vec<_>>>()?;
        let factor = |entry: &super::ordered::Entry<super::ordered::Ordered<_>>| Factor {
            name: entry.name.clone(),
            values: entry.value.0.iter().map(|value| value.name.clone()).collect(),
        };
        Ok(Self {
            title: file.spec.title.clone().unwrap_or_else(|| file.stem().to_owned()),
            text: file.text.clone(),
            flow: file.spec.flow.value.clone(),
            factors: vary.iter().map(factor).collect(),
            budget: file.spec.budget.value,
            variants,
            seeds,
            runs,
        })
    }

    /// The name of a variant's value of a factor.
    pub fn value(&self, variant: usize, factor: usize) -> &str {
        &self.factors[factor].values[self.variants[variant].values[factor]]
    }

    /// The data that the runs are trained on, as the recipe names it.
    pub fn data(&self) -> Option<&str> {
        self.variants.first().and_then(|variant| variant.spec.train.data.as_deref())
    }
}

fn run(index: usize, variant: &Variant, seed: u64) -> Result<Run> {
    let name = format!("{}-{seed}", variant.slug);
    let mut spec = variant.spec.clone();
    spec.train.seed = seed;
    Ok(Run { variant: index, seed, file: FlowFile::from_spec(format!("{name}.ron"), &spec)?, name })
}

/// Parameters, multiply-adds and kinds of layers of a flow that is built without values.
fn count<E: Element, D: Device<E>>(
    spec: &FlowSpec,
    name: &str,
    device: &D,
    registry: &Registry<E, D>,
) -> Result<(usize, u64, Vec<String>)> {
    let file = FlowFile::from_spec(name, spec)?;
    let summary = Flow::build(&file, registry, &Initializer::blank(device))?.summary(device, &file)?;
    let mut kinds: Vec<String> = Vec::new();
    for layer in summary.layers {
        if !kinds.contains(&layer.kind) {
            kinds.push(layer.kind);
        }
    }
    Ok((summary.parameters, summary.multiply_adds, kinds))
}

/// Every way to choose one of each, the last running fastest.
fn combinations(counts: &[usize]) -> Vec<Vec<usize>> {
    counts.iter().fold(vec![Vec::new()], |all, &count| {
        let longer = |one: Vec<usize>| (0..count).map(move |next| [one.as_slice(), &[next]].concat());
        all.into_iter().flat_map(longer).collect()
    })
}

/// Letters, digits and single hyphens; a number behind it where another variant has it already.
fn free_slug(name: &str, taken: &[Variant]) -> String {
    let words = name.to_lowercase();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { "variant".to_owned() } else { slug };
    let is_free = |slug: &String| taken.iter().all(|variant| variant.slug != *slug);
    let numbered = (2..).map(|n| format!("{slug}.{n}"));
    std::iter::once(slug.clone()).chain(numbered).find(is_free).unwrap_or(slug)
}
