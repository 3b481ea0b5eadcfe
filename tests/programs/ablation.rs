//! Ablations, as a user meets them: wrong files, plans, and grids that are run, killed and run again.

use crate::text;
use flowstone::ablation::{AblationFile, BUILT_IN, Budget, Plan};
use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::spec::{Averaging, LayerSpec, Length, Memory};
use flowstone::flow::{Flow, Registry};
use flowstone::{Error, Parameters};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn plan_of(text: &str) -> flowstone::Result<Plan> {
    Plan::new(&AblationFile::parse("a.ron", text)?, &Cpu::default(), &Registry::<f32, Cpu>::default(), None)
}

fn plan(vary: &str) -> Plan {
    plan_of(&format!("Ablation(flow: \"digits\", vary: {{{vary}}}, seeds: [0], budget: Steps(9))")).unwrap()
}

#[test]
fn wrong_files_are_refused_at_the_right_place() {
    let (tail, mut wrong) = ("seeds: [0], budget: Epochs(1))", Vec::new());
    for (text, line, column, message, help) in [
        ("", 1, 1, "expected an ablation, found the end", "Ablation(flow:"),
        ("Flow()", 1, 1, "expected `Ablation(…)`, found `Flow`", "an ablation file reads"),
        ("Ablation(flow: \"digits\", vary: {\"a\": {}}, seeds: [0], budget: Steps(1))", 1, 33, "`a` has no values", ""),
        ("Ablation(flow: \"digits\", vary: {}, seeds: [0], budget: Steps(1))", 1, 1, "nothing to vary", ""),
        ("Ablation(flow: \"digits\", vari: {})", 1, 26, "`Ablation` has no option `vari`", "mean `vary`?"),
        ("Ablation(flow: \"digit\",\n vary: {\"width\": {\"a\": 1}}, TAIL", 1, 16, "is called `digit`", ""),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\"a\": 1}}, seeds: [], budget: Steps(1))",
            1,
            60,
            "no seeds",
            "[0, 1, 2]",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\"a\": 1}}, seeds: [1, 1], budget: Steps(1))",
            1,
            60,
            "seed 1 is given twice",
            "",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\"a\": 1}}, seeds: [1], budget: Hours(1))",
            1,
            73,
            "unknown budget `Hours`",
            "Seconds",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\"a\": 1}}, seeds: [1], budget: Epochs(0))",
            1,
            73,
            "budget is nothing",
            "",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\n\"permutatoin\": {\"a\": [Reverse()]}}, TAIL",
            2,
            1,
            "no setting called `permutatoin`",
            "mean `permutation`?",
        ),
        ("Ablation(flow: \"digits\", vary: {\n\"widht\": {\"a\": 3}}, TAIL", 2, 1, "called `widht`", "mean `width`?"),
        (
            "Ablation(flow: \"digits\", vary: {\n\"Split.width\": {\"a\": 3}}, TAIL",
            2,
            1,
            "called `Split.width`",
            "mean `width`?",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"seed\": {\"a\": 3}}, TAIL",
            1,
            33,
            "`seed` is not a setting of a variant",
            "`seeds`",
        ),
        ("Ablation(flow: \"digits\", vary: {\"width\": {\n\"a\": 3, \"a\": 4}}, TAIL", 2, 9, "`a` is given twice", ""),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\n\"a\": 3, \"b\": /* none */ 0}}, TAIL",
            2,
            25,
            "at least 1, found 0",
            "",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"width\": {\n\"a\": wide}}, TAIL",
            2,
            6,
            "expected a whole number, found `wide`",
            "",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"scale\": {\n\"a\": Tanh}}, TAIL",
            2,
            6,
            "unknown scale `Tanh`",
            "mean `ClampedTanh`?",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"coupling\": {\n\"a\": [AffineCoupling(widht: 4)]}}, TAIL",
            2,
            22,
            "no option `widht`",
            "mean `width`?",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"coupling\": {\n\"a\": [Affine()]}}, TAIL",
            2,
            7,
            "unknown layer `Affine`",
            "AffineCoupling",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"coupling\": {\"a\": [], \n\"b\": [Use(\"x\")]}}, TAIL",
            2,
            6,
            "variant `b`: `define` has no `x`",
            "there are",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"permutation\": {\n \"a\": [Squeeze(), Squeeze()]}}, TAIL",
            2,
            7,
            "variant `a`: Squeeze expected an even",
            "",
        ),
        (
            "Ablation(flow: \"digits\", set: {\"learning_rate\": -1}, vary: {\"width\": {\"a\": 1}}, TAIL",
            1,
            49,
            "above 0, found -1",
            "",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"both\": {\"a\": {\n \"scale\": Exp, \"wdth\": 3}}}, TAIL",
            2,
            16,
            "called `wdth`",
            "mean `width`?",
        ),
        (
            "Ablation(flow: \"digits\", vary: {\"both\": {\"a\": {\n \"scale\": Exp, 3}}}, TAIL",
            2,
            17,
            "expected `:`",
            "",
        ),
        ("Ablation(flow: \"digits\", vary: {\"Repeat\": {\"a\": 0}}, TAIL", 1, 49, "at least 1, found 0", ""),
    ] {
        let text = text.replace("TAIL", tail);
        let error = match plan_of(&text) {
            Err(Error::FlowFile(error)) => error,
            other => panic!("{text}\n{:?}", other.map(|plan| plan.runs.len())),
        };
        let right = (error.line(), error.column()) == (line, column)
            && error.message().contains(message)
            && error.advice().unwrap_or_default().contains(help);
        if !right {
            wrong.push(format!("{text}\n{error}\n{:?}, expected {line}:{column} {message}; {help}", error.advice()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_combination_is_a_variant_and_every_seed_a_run() {
    let plan = plan_of(
        r#"Ablation(flow: "digits", set: {"Repeat": 2, "width": 8}, vary: {
            "coupling": {"additive": [AdditiveCoupling()], "affine": [AffineCoupling(width: 4)]},
            "permutation": {"reverse": [Reverse()], "1x1 conv": [InvertibleConv()], "LU": [InvertibleConv(weight: LU)]},
        }, seeds: [3, 1], budget: Epochs(0.5))"#,
    )
    .unwrap();
    assert_eq!((plan.variants.len(), plan.runs.len(), plan.budget), (6, 12, Budget::Epochs(0.5)));
    let labels: Vec<&str> = plan.variants.iter().map(|variant| variant.label.as_str()).collect();
    assert_eq!(labels[..4], ["additive, reverse", "additive, 1x1 conv", "additive, LU", "affine, reverse"]);
    assert_eq!(plan.runs[1].name, "additive-1x1-conv-3");
    assert_eq!((plan.runs[6].name.as_str(), plan.runs[6].seed), ("additive-reverse-1", 1));
    let spec = &plan.runs[5].file.spec;
    assert_eq!((spec.train.seed, spec.train.length), (3, Some(Length::Epochs(0.5))));
    // Settings come after definitions.
    let LayerSpec::AffineCoupling(coupling) = &spec.define["coupling"][0].value else { panic!() };
    assert_eq!(coupling.width, 8);
    assert!(plan.variants[1].parameters > plan.variants[0].parameters);
}

#[test]
fn any_setting_can_be_varied() {
    let recipe = |vary: &str| plan(vary).variants[0].spec.train.value.clone();
    assert_eq!(recipe(r#""learning_rate": {"a": 3e-3}"#).learning_rate, 3e-3);
    assert_eq!(recipe(r#""memory": {"a": Store}"#).memory, Memory::Store);
    assert_eq!(recipe(r#""averaging": {"a": Off}"#).averaging, Averaging::Off);
    assert_eq!(recipe(r#""clip_gradient_norm": {"a": 5}"#).clip_gradient_norm, Some(5.0));
    assert_eq!(
        recipe(
            r#""train.batch": {"a": 5 // five
        }"#
        )
        .batch,
        5
    );
    let deep = plan(r#""K": {"2": {"Repeat": 2}, "3": {"Repeat": 3}}, "prior": {"fixed": Gaussian(learned: false)}"#);
    assert!(deep.variants[0].parameters < deep.variants[1].parameters);
    assert_eq!(deep.variants[1].label, "3, fixed");
    let spec = &plan(r#""layers": {"flat": [Squeeze(), Use("step")]}"#).variants[0].spec;
    assert_eq!(spec.layers.len(), 2);
}

#[test]
fn every_ablation_of_the_folder_is_built_in_and_can_be_planned() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/ablation");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut stems: Vec<_> = files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    stems.sort();
    assert_eq!(stems, BUILT_IN.map(|(name, _)| name));
    for (name, _) in BUILT_IN {
        let file = AblationFile::read(name).unwrap();
        let plan = Plan::new(&file, &Cpu::default(), &Registry::<f32, Cpu>::default(), None).unwrap();
        assert!(plan.variants.len() > 2 && plan.data().is_some(), "{name}");
    }
    let unknown = AblationFile::read("digts").unwrap_err();
    assert!(unknown.is_input() && unknown.to_string().contains("did you mean `digits`?"), "{unknown}");
}

/// Runs of one seed start alike wherever they have a parameter in common, whatever stands between.
#[test]
fn variants_of_one_seed_start_alike() {
    let plan = plan_of(
        r#"Ablation(flow: "digits", set: {"Repeat": 2, "width": 8}, vary: {
            "coupling": {"additive": [AdditiveCoupling()], "affine": [AffineCoupling()]},
            "permutation": {"reverse": [Reverse()], "shuffle": [Shuffle()], "1x1 conv": [InvertibleConv()]},
        }, seeds: [5, 6], budget: Steps(1))"#,
    )
    .unwrap();
    let device = Cpu::default();
    let starts: Vec<_> = (plan.runs.iter())
        .map(|run| {
            let seed = run.file.spec.train.seed;
            let flow =
                Flow::<f32, Cpu>::build(&run.file, &Registry::default(), &Initializer::new(&device, seed)).unwrap();
            assert!(flow.trained_count() > 0);
            flow.tensors(&device).unwrap()
        })
        .collect();
    let mut random = 0;
    for other in 1..6 {
        for (name, (shape, values)) in starts[0].iter().filter(|(name, _)| !name.ends_with(".order")) {
            let Some((shape_there, values_there)) = starts[other].get(name) else { continue };
            // An additive coupling has fewer outputs; those start at zero.
            if shape == shape_there {
                assert_eq!(values, values_there, "{name} of {} and {}", plan.runs[0].name, plan.runs[other].name);
                random += usize::from(values.iter().any(|value| *value != 0.0) && name.contains("conv1"));
            }
        }
    }
    assert_eq!(random, 5 * 4, "the first layer of every coupling is compared");
    assert_ne!(starts[0]["layers.1.0.2.conv1.weight"], starts[6]["layers.1.0.2.conv1.weight"]);
}

const TINY: &str = r#"Ablation(
    title: "Tiny",
    flow: "digits",
    set: {
        "Repeat": 2, "batch": 32, "initialization_images": 32, "validation": 0,
        "validate_every": Steps(20), "test_every": Steps(20), "test_images": 60,
    },
    vary: {
        "coupling": {"additive": [AdditiveCoupling(width: 8)], "affine": [AffineCoupling(width: 8)]},
        "permutation": {"reverse": [Reverse()], "1x1 conv": [InvertibleConv()]},
    },
    seeds: [0, 1],
    budget: Steps(80),
)"#;

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
    command.args(["--threads", "2"]).args(arguments).current_dir(folder);
    command
}

fn run(arguments: &[&str], folder: &Path) -> Output {
    command(arguments, folder).output().unwrap()
}

fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = run(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Waits for something, not forever.
fn until(what: &str, grid: &mut Child, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{what}");
        assert!(grid.try_wait().unwrap().is_none(), "the grid ended before it was killed: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_grid_that_was_killed_ends_with_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("tiny.ron"), TINY).unwrap();
    let text = succeeds(&["ablate", "tiny.ron", "--out", "whole"], at);
    assert!(text.contains("1x1 conv") && text.contains("report.md"), "{text}");
    for name in [
        "report.md",
        "table.csv",
        "timing.csv",
        "ablation.ron",
        "curves.svg",
        "curves.png",
        "curves-time.svg",
        "samples/affine-1x1-conv.png",
        "flows/additive-reverse-1.ron",
    ] {
        assert!(at.join("whole/report").join(name).metadata().unwrap().len() > 0, "{name}");
    }
    let table = read(&at.join("whole/report/table.csv"));
    assert_eq!((table.lines().count(), table.matches("finished").count()), (9, 8), "{table}");
    let page = read(&at.join("whole/report/report.md"));
    for words in [
        "## What differs",
        "1x1 conv − reverse",
        "± is half of the 95 % interval",
        "0.2 % more parameters",
        "8 of 8 runs",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains(at.to_str().unwrap()), "the page names a folder of this machine");

    // Killed once in the middle of a run that has a checkpoint, and once more early in another.
    let runs = at.join("cut/runs");
    for (name, file) in [("additive-1x1-conv-0", "checkpoint.safetensors"), ("affine-reverse-0", "flow.ron")] {
        let mut grid = command(&["ablate", "tiny.ron", "--out", "cut"], at).stderr(Stdio::null()).spawn().unwrap();
        until(name, &mut grid, || runs.join(name).join(file).exists());
        grid.kill().unwrap();
        grid.wait().unwrap();
    }
    let first = runs.join("additive-reverse-0/metrics.jsonl");
    let written = first.metadata().unwrap().modified().unwrap();
    // Several at a time, each with fewer threads, are the same runs.
    succeeds(&["ablate", "tiny.ron", "--out", "cut", "--jobs", "2"], at);
    assert_eq!(read(&at.join("cut/report/table.csv")), table);
    assert_eq!(first.metadata().unwrap().modified().unwrap(), written, "a finished run was made again");
    for name in ["additive-1x1-conv-0", "affine-reverse-0", "affine-1x1-conv-1"] {
        let metrics = |grid: &str| read(&at.join(grid).join("runs").join(name).join("metrics.jsonl"));
        assert_eq!(metrics("cut"), metrics("whole"), "{name}");
        assert_eq!(metrics("cut").matches("\"interim\"").count(), 4);
    }

    // The same folder does not take another grid.
    fs::write(at.join("tiny.ron"), TINY.replace("Steps(80)", "Steps(81)")).unwrap();
    let refused = run(&["ablate", "tiny.ron", "--out", "cut"], at);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds another grid"));
}

#[test]
fn a_run_that_fails_is_marked_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let text = TINY.replace("seeds: [0, 1]", "seeds: [0]").replace("Steps(80)", "Steps(20)");
    let start = text.find("vary").unwrap();
    let end = text.find("seeds").unwrap();
    let vary = "vary: {\"learning_rate\": {\"low\": 1e-4, \"absurd\": 1e9, \"right\": 1e-3}},\n";
    let text =
        [&text[..start], vary, &text[end..]].concat().replace("\"Repeat\": 2,", "\"Repeat\": 2, \"warmup\": Steps(0),");
    fs::write(at.join("fails.ron"), text).unwrap();
    let output = run(&["ablate", "fails.ron", "--out", "grid", "--json"], at);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["variants"][1]["failed"], &json["variants"][2]["finished"]), (&1.into(), &1.into()), "{json}");
    let (table, page) = (read(&at.join("grid/report/table.csv")), read(&at.join("grid/report/report.md")));
    assert!(table.lines().nth(2).is_some_and(|line| line.starts_with("absurd,0,failed")), "{table}");
    assert!(page.contains("## Runs that failed\n\n- absurd, seed 0: non-finite values first appeared in"), "{page}");

    // It is not tried again unasked.
    let failed = at.join("grid/runs/absurd-0/failed.json");
    let written = failed.metadata().unwrap().modified().unwrap();
    assert_eq!(run(&["ablate", "fails.ron", "--out", "grid"], at).status.code(), Some(1));
    assert_eq!(failed.metadata().unwrap().modified().unwrap(), written);
}

#[test]
fn a_dry_run_counts_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tiny.ron"), TINY).unwrap();
    let text = succeeds(&["ablate", "tiny.ron", "--dry-run"], folder.path());
    assert!(text.contains("4 variants × 2 seeds = 8 runs of 80 steps") && text.contains("estimated"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&["ablate", "tiny.ron", "--dry-run", "--json"], folder.path())).unwrap();
    assert_eq!(json["runs"][7]["name"], "affine-1x1-conv-1");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    let wrong = TINY.replace("\"permutation\"", "\"permutatoin\"");
    fs::write(folder.path().join("tiny.ron"), wrong).unwrap();
    let refused = run(&["ablate", "tiny.ron"], folder.path());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("did you mean `permutation`?"));
}

#[test]
fn a_budget_in_seconds_ends_runs_and_says_that_they_cannot_be_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let text = TINY.replace("Steps(80)", "Seconds(0.2)").replace("seeds: [0, 1]", "seeds: [0]");
    fs::write(folder.path().join("timed.ron"), text).unwrap();
    succeeds(&["ablate", "timed.ron", "--out", "grid"], folder.path());
    let page = read(&folder.path().join("grid/report/report.md"));
    assert!(page.contains("cannot be reproduced exactly") && page.contains("4 of 4 runs"), "{page}");
}
