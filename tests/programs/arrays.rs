//! Arrays as people have them, through the program: what is said of them, and what is refused before the first step.

use crate::cli::{flowstone, is_refused, succeeds};
use crate::text;
use std::fs;
use std::path::Path;

fn npy(path: &Path, kind: &str, shape: &str, values: &[u8]) {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let start = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    fs::write(path, [&start, values].concat()).unwrap();
}

fn flow(path: &Path, bits: u32, more: &str) {
    let text = format!(
        "Flow(image: (height: 4, width: 4, channels: 1, bits: {bits}), layers: [Squeeze(), ActNorm(), AffineCoupling(width: 4)],
        train: (length: Steps(2), batch: 8, warmup: Steps(1), initialization_images: 8{more}))"
    );
    fs::write(path, text).unwrap();
}

#[test]
fn levels_are_read_as_they_are_meant_or_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let binary: Vec<u8> = (0..40 * 16).map(|i| u8::from(i % 3 == 0)).collect();
    npy(&at("binary.npy"), "|u1", "(40, 4, 4, 1)", &binary);
    flow(&at("one.ron"), 1, "");
    let output = flowstone(&["train", "one.ron", "--data", "npy:binary.npy", "--out", "one"], folder.path());
    let told = text(&output.stderr);
    assert!(output.status.success() && told.contains("read as images of 2 levels"), "{told}");
    // Half of the levels of a flow of four bits are used.
    let dark: Vec<u8> = (0..40 * 16).map(|i| (i % 8) as u8).collect();
    npy(&at("dark.npy"), "|u1", "(40, 4, 4, 1)", &dark);
    flow(&at("four.ron"), 4, "");
    let stderr = is_refused(&["train", "four.ron", "--data", "npy:dark.npy", "--out", "four"], folder.path());
    assert!(stderr.contains("`levels: 16`") && stderr.contains("`levels: 256`"), "{stderr}");
    succeeds(&["train", "four.ron", "--data", "npy:dark.npy?levels=16", "--out", "four"], folder.path());
    flow(&at("eight.ron"), 4, ", levels: 256");
    let output = flowstone(&["train", "eight.ron", "--data", "npy:dark.npy", "--out", "eight"], folder.path());
    let told = text(&output.stderr);
    assert!(
        output.status.success() && told.contains("every pixel of every training image of dark is level 0 of 16"),
        "{told}"
    );
}

#[test]
fn a_label_out_of_range_is_found_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let levels: Vec<u8> = (0..40 * 16).map(|i| (i * 7 % 256) as u8).collect();
    let sets = |train: &[u8], test: &[u8]| {
        let file = fs::File::create(at("l.npz")).unwrap();
        let mut archive = zip::ZipWriter::new(file);
        let inner = at("inner.npy");
        for (name, kind, shape, values) in [
            ("x_train", "|u1", "(40, 4, 4)", &levels[..]),
            ("y_train", "|u1", "(40,)", train),
            ("x_test", "|u1", "(4, 4, 4)", &levels[..64]),
            ("y_test", "|u1", "(4,)", test),
        ] {
            npy(&inner, kind, shape, values);
            archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut archive, &fs::read(&inner).unwrap()).unwrap();
        }
        archive.finish().unwrap();
    };
    flow(&at("f.ron"), 8, "");
    let text =
        fs::read_to_string(at("f.ron")).unwrap().replace("\n        train", " prior: Gaussian(classes: 3), train");
    fs::write(at("f.ron"), text).unwrap();
    let train: Vec<u8> = (0..40).map(|i| i % 3).collect();
    sets(&train, &[0, 1, 3, 2]);
    let stderr = is_refused(&["train", "f.ron", "--data", "npz:l.npz", "--out", "run"], folder.path());
    let place = Path::new("l.npz").join("y_test.npy");
    assert!(
        stderr.contains(&format!("test image 2 has label 3 ({} at [2])", place.display())) && !stderr.contains("step"),
        "{stderr}"
    );
    sets(&train, &[0, 1, 2, 2]);
    succeeds(&["train", "f.ron", "--data", "npz:l.npz", "--out", "right"], folder.path());
    sets(&train, &[0, 1, 2, 3]);
    for command in ["eval", "score", "encode", "inspect"] {
        let stderr = is_refused(&[command, "right", "--data", "npz:l.npz"], folder.path());
        assert!(stderr.contains("has label 3") && stderr.contains("y_test.npy at [3]"), "{command}: {stderr}");
    }
    let unlabelled = succeeds(&["eval", "right", "--data", "npz:l.npz", "--no-labels"], folder.path());
    assert!(unlabelled.contains("mean over classes"), "{unlabelled}");
    let from_1: Vec<u8> = (0..40).map(|i| i % 3 + 1).collect();
    sets(&from_1, &[1, 2, 3, 1]);
    let stderr = is_refused(&["train", "f.ron", "--data", "npz:l.npz", "--out", "run"], folder.path());
    assert!(stderr.contains("count from 1") && stderr.contains("subtract 1"), "{stderr}");
    assert!(!at("run/metrics.jsonl").exists(), "nothing was trained");
}
