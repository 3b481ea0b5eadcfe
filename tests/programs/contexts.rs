//! Flows given a context, through the program: from an archive's second array, by class, and what is refused.

use crate::cli::{is_refused, succeeds};
use std::fs;
use std::io::Write;
use std::path::Path;

fn array(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), values].concat()
}

fn floats(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}

/// Forty images of 4×4 with these arrays beside them.
fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let levels: Vec<u8> = (0..40 * 16).map(|i| (i * 7 % 256) as u8).collect();
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let images = [("images", array("|u1", "(40, 4, 4)", &levels))];
    for (name, array) in images.iter().chain(arrays) {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap();
}

fn flow(path: &Path, context: &str) {
    let text = format!(
        "Flow(image: (height: 4, width: 4, channels: 1),
        context: {context},
        layers: [Squeeze(), ActNorm(), AffineCoupling(width: 4), Split(), AffineCoupling(width: 4)],
        train: (length: Steps(2), batch: 8, warmup: Steps(1), initialization_images: 8))"
    );
    fs::write(path, text).unwrap();
}

#[test]
fn every_command_takes_the_context_that_is_in_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| succeeds(arguments, folder.path());
    let vectors = array("<f4", "(40, 2)", &floats((0..80).map(|i| (i % 9) as f32 / 9.0)));
    npz(&at("vector.npz"), &[("context", vectors)]);
    flow(&at("vector.ron"), "Vector(features: 2), encoder: Dense(hidden: [4], features: 3)");
    let pictures =
        array("<f8", "(40, 2, 2, 1)", &(0..160).flat_map(|i| f64::from(i % 7).to_le_bytes()).collect::<Vec<u8>>());
    npz(&at("image.npz"), &[("context", pictures)]);
    flow(&at("image.ron"), "Image(height: 2, width: 2, channels: 1), encoder: Convolutional(width: 4, channels: 3)");
    fs::write(at("vector.npy"), array("<f4", "(3, 2)", &floats((0..6).map(|i| i as f32)))).unwrap();
    fs::write(at("image.npy"), array("<f4", "(3, 2, 2, 1)", &floats((0..12).map(|i| i as f32)))).unwrap();
    for name in ["vector", "image"] {
        let [flow, npz, npy] = ["ron", "npz", "npy"].map(|ending| format!("{name}.{ending}"));
        let (data, latents) = (format!("npz:{npz}"), format!("{name}.safetensors"));
        assert!(run(&["check", &flow]).contains("given, each image: a"));
        run(&["train", &flow, "--data", &data, "--out", name]);
        run(&["eval", name, "--data", &data]);
        run(&["score", name, "--data", &data]);
        run(&["inspect", name, "--data", &data]);
        assert!(run(&["reconstruct", name, "--data", &data]).contains("came back exactly, every grey level"));
        run(&["encode", name, "--data", &data, "--out", &latents]);
        assert!(run(&["decode", name, &latents]).contains("4 pictures"));
        assert!(run(&["sample", name, "--context", &npy]).contains("3 samples"));
        let stderr = is_refused(&["sample", name], folder.path());
        assert!(stderr.contains("--context FILE.npy"), "{stderr}");
    }
    let stderr = is_refused(&["sample", "vector", "--context", "image.npy"], folder.path());
    assert!(stderr.contains("a vector of 2 features") && stderr.contains("images of [2, 2, 1]"), "{stderr}");
    let stderr = is_refused(&["eval", "vector", "--data", "npz:image.npz"], folder.path());
    assert!(stderr.contains("[n, 2]"), "{stderr}");
}

#[test]
fn a_context_that_is_missing_or_wrong_is_found_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    flow(&at("f.ron"), "Vector(features: 2)");
    let refused = |arrays: &[(&str, Vec<u8>)]| {
        npz(&at("d.npz"), arrays);
        let stderr = is_refused(&["train", "f.ron", "--data", "npz:d.npz", "--out", "run"], folder.path());
        // Without the ends of lines.
        stderr.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    };
    let vectors = |count: usize, shape: &str| vec![("context", array("<f4", shape, &floats((0..count).map(|_| 0.5))))];
    let none = refused(&[]);
    assert!(none.contains("the training images have none") && none.contains("floats [n, 2]"), "{none}");
    assert!(refused(&vectors(120, "(40, 3)")).contains("vectors of 3 features"));
    let few = refused(&vectors(78, "(39, 2)"));
    assert!(few.contains("context.npy") && few.contains("40 contexts, one an image"), "{few}");
    assert!(refused(&vectors(160, "(40, 2, 2)")).contains("[n, features] or [n, height, width, channels]"));
    let lost =
        refused(&[("context", array("<f4", "(40, 2)", &floats((0..80).map(|i| if i == 7 { f32::NAN } else { 0.0 }))))]);
    assert!(lost.contains("context.npy") && lost.contains("image 3 has NaN as its number 1"), "{lost}");
    flow(&at("f.ron"), "Classes(10)");
    assert!(refused(&[]).contains("no labels"));
    flow(&at("f.ron"), "Image(height: 3, width: 3, channels: 1)");
    let misfit = is_refused(&["check", "f.ron"], folder.path());
    assert!(misfit.contains("f.ron:3") && misfit.contains("context, 3×3"), "{misfit}");
}

#[test]
fn a_flow_given_a_class_takes_it_from_labels_or_by_option() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| succeeds(arguments, folder.path());
    flow(&at("f.ron"), "Classes(10), encoder: Dense(hidden: [4], features: 3)");
    let labels: Vec<u8> = (0..40).map(|i| i % 10).collect();
    npz(&at("d.npz"), &[("labels", array("|u1", "(40,)", &labels))]);
    run(&["train", "f.ron", "--data", "npz:d.npz", "--out", "run"]);
    assert!(run(&["eval", "run", "--data", "npz:d.npz"]).contains("p(x | class)"));
    run(&["encode", "run", "--data", "npz:d.npz", "--class", "3", "--out", "l.safetensors"]);
    run(&["decode", "run", "l.safetensors"]);
    assert!(run(&["reconstruct", "run", "--data", "npz:d.npz"]).contains("came back exactly"));
    assert!(run(&["sample", "run", "--class", "3", "-n", "4"]).contains("4 samples"));
    run(&["sample", "run", "--class", "all"]);
    assert!(is_refused(&["sample", "run", "--class", "10"], folder.path()).contains("10"));
}
