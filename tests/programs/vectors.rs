//! Flows of vectors through the program: tables in, densities, tables out.

use crate::cli::{flowstone, is_refused, succeeds};
use crate::text;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A table of 300 rows: two features far from 0 that lie on a line, and a kind.
fn table(path: &Path) {
    let mut text = "time;width;kind\n".to_owned();
    for i in 0..300 {
        let (t, noise) = (f64::from(i * 7 % 300) / 300.0, f64::from(i * 97 % 101) / 101.0 - 0.5);
        writeln!(text, "{};{};{}", 1.7e9 + t, 3.0 * t + noise, if i % 2 == 0 { "even" } else { "odd" }).unwrap();
    }
    fs::write(path, text).unwrap();
}

fn flow(path: &Path, layers: &str, more: &str) {
    let text = format!(
        "Flow(vector: (), layers: [{layers}], prior: Gaussian(learned: false),
        train: (length: Steps(40), batch: 64, warmup: Steps(5), optimizer: Adam(), averaging: Off{more}))"
    );
    fs::write(path, text).unwrap();
}

/// The numbers of a table with a line of headings.
fn numbers(path: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(|field| field.parse().unwrap()).collect()).collect()
}

#[test]
fn a_table_becomes_a_density_and_its_samples_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    table(&at("t.csv"));
    flow(
        &at("f.ron"),
        "SplineCoupling(bins: 4, net: Dense(hidden: [16])), Reverse(), AffineCoupling(net: Dense(hidden: [16]))",
        "",
    );
    let data = "csv:t.csv?label=kind";
    let trained = flowstone(&["train", "f.ron", "--data", data, "--out", "run", "--json"], folder.path());
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let outcome: serde_json::Value = serde_json::from_slice(&trained.stdout).unwrap();
    // −ln p of the times alone, uniform over one second, is near 0; that of a sample in bits/dim would be no such number.
    assert!(outcome["test"]["nats"].as_f64().is_some_and(|nats| nats < 1.5), "{outcome}");
    assert!(outcome["test"].get("bits_per_dim").is_none() && outcome.get("uniform_bits_per_dim").is_none());
    assert!(at("run/samples/density.png").exists());
    assert!(fs::read_to_string(at("run/flow.ron")).unwrap().contains("features: 2"));

    succeeds(&["sample", "run", "-n", "400", "--out", "new.csv", "--npy", "new.npy"], folder.path());
    let samples = numbers(&at("new.csv"));
    assert_eq!((samples.len(), samples[0].len()), (400, 2));
    // f32 knows times to 128 seconds: the digits are kept beside it.
    let times: Vec<f64> = samples.iter().map(|row| row[0] - 1.7e9).collect();
    let mean = times.iter().sum::<f64>() / 400.0;
    assert!((mean - 0.5).abs() < 0.1 && times.iter().all(|t| (-3.0..4.0).contains(t)), "{mean}");
    assert!(fs::read_to_string(at("new.csv")).unwrap().starts_with("time,width\n"));

    succeeds(&["encode", "run", "--data", data, "--out", "z.safetensors"], folder.path());
    succeeds(&["decode", "run", "z.safetensors", "--out", "back.csv"], folder.path());
    let back = numbers(&at("back.csv"));
    let text_of_table = fs::read_to_string(at("t.csv")).unwrap();
    let rows: Vec<Vec<f64>> = text_of_table
        .lines()
        .skip(1)
        .map(|line| line.split(';').take(2).map(|field| field.parse().unwrap()).collect())
        .collect();
    for (row, back) in rows.iter().skip(9).step_by(10).zip(&back) {
        assert!((row[0] - back[0]).abs() < 1e-5 && (row[1] - back[1]).abs() < 1e-5, "{row:?} and {back:?}");
    }

    let scored = succeeds(&["score", "run", "--data", data, "--out", "s.npy"], folder.path());
    assert!(scored.contains("30 vectors") && !scored.contains("bits/dim"), "{scored}");
    let evaluated = succeeds(&["eval", "run", "--data", data], folder.path());
    assert!(evaluated.contains(" nats (30 vectors, raw weights; ± s.e. over vectors)"), "{evaluated}");
    succeeds(&["density", "run", "--data", data, "--out", "d.png"], folder.path());
    succeeds(&["inspect", "run", "--data", data], folder.path());
    let checked = succeeds(&["check", "f.ron", "--data", data], folder.path());
    assert!(checked.starts_with("f.ron: vectors of 2 features"), "{checked}");
}

#[test]
fn a_run_on_vectors_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    table(&at("t.csv"));
    flow(&at("f.ron"), "ActNorm(), AffineCoupling(net: Dense(hidden: [8]))", ", validation: 30");
    let data = "csv:t.csv?label=kind";
    succeeds(&["train", "f.ron", "--data", data, "--out", "whole"], folder.path());
    succeeds(&["train", "f.ron", "--data", data, "--steps", "15", "--out", "parts"], folder.path());
    succeeds(&["train", "--resume", "parts", "--steps", "40"], folder.path());
    let steps = |run: &str| -> Vec<String> {
        let metrics = fs::read_to_string(at(run).join("metrics.jsonl")).unwrap();
        metrics.lines().filter(|line| line.contains("\"step\",\"step\"")).map(str::to_owned).collect()
    };
    assert_eq!(steps("whole"), steps("parts"));
    assert_eq!(steps("whole").len(), 40);
}

#[test]
fn what_does_not_fit_vectors_is_refused_with_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    table(&at("t.csv"));
    flow(&at("f.ron"), "ActNorm()", "");
    let refused = |args: &[&str]| is_refused(args, folder.path());
    assert!(
        refused(&["train", "f.ron", "--data", "csv:t.csv"]).contains("line 2, column 3 (`kind`): `even` is no finite")
    );
    assert!(refused(&["train", "f.ron", "--data", "digits"]).contains("are no vectors"));
    assert!(refused(&["check", "f.ron"]).contains("which data is not said"));
    assert!(refused(&["train", "digits", "--data", "csv:t.csv"]).contains("the flow is of images"));
    flow(&at("s.ron"), "ActNorm()", ", shrink: 2");
    assert!(refused(&["check", "s.ron"]).contains("are for images"));
    fs::write(at("both.ron"), "Flow(image: (height: 2, width: 2, channels: 1), vector: (features: 2), layers: [])")
        .unwrap();
    assert!(refused(&["check", "both.ron"]).contains("`image` and `vector` are both given"));
    fs::write(at("none.ron"), "Flow(layers: [])").unwrap();
    assert!(refused(&["check", "none.ron"]).contains("a flow needs `image` or `vector`"));
    succeeds(&["train", "f.ron", "--data", "csv:t.csv?label=kind", "--out", "run", "--steps", "2"], folder.path());
    let data = "csv:t.csv?without=kind";
    assert!(refused(&["sample", "run", "--out", "x.png"]).contains("which are written as a table"));
    assert!(refused(&["sample", "run", "--sweep"]).contains("this flow is of vectors"));
    assert!(refused(&["reconstruct", "run", "--data", data]).contains("this flow is of vectors"));
    assert!(
        refused(&["eval", "run", "--data", "csv:t.csv?without=kind,time"])
            .contains("of 2 features, and the data have 1")
    );
}
