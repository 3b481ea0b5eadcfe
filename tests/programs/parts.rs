//! Parts of a data set: which images are held out and which come first, and images that are in two splits at once.

use crate::text;
use flowstone::Result;
use flowstone::backend::Cpu;
use flowstone::data::{self, DataSet, Portion};
use flowstone::flow::{FlowFile, Registry};
use flowstone::train::{Record, RunFolder, Start, Trainer, read_metrics};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes IDX files of 4×4 images whose first two levels are their number, of three classes one after the other: 90 to
/// train on and 45 to test, of which two are the 8th and the 9th to train on.
fn sorted_by_class(folder: &Path) {
    let file = |axes: &[u32], values: Vec<u8>| {
        let axes_bytes = axes.iter().flat_map(|axis| axis.to_be_bytes());
        [0, 0, 8, axes.len() as u8].into_iter().chain(axes_bytes).chain(values).collect::<Vec<u8>>()
    };
    for (split, count, first) in [("train", 90_u32, 0_u32), ("t10k", 45, 1000)] {
        let image = |i: u32| {
            let number = if split == "t10k" && i < 2 { i + 7 } else { first + i };
            (0..16).map(move |k| if k < 2 { number.to_be_bytes()[2 + k] } else { (number * 37 % 251) as u8 })
        };
        let labels = (0..count).map(|i| (i / (count / 3)) as u8).collect();
        fs::write(folder.join(format!("{split}-labels-idx1-ubyte")), file(&[count], labels)).unwrap();
        let images = (0..count).flat_map(image).collect();
        fs::write(folder.join(format!("{split}-images-idx3-ubyte")), file(&[count, 4, 4], images)).unwrap();
    }
}

fn flow(steps: u64) -> FlowFile {
    let train = format!(
        "data: \"digits\", batch: 16, length: Steps({steps}), validation: 40, validate_every: Steps(2), test_every: \
         Steps(2), test_images: 30"
    );
    let layers = "Squeeze(), ActNorm(), AffineCoupling(width: 4)";
    let image = "(height: 8, width: 8, channels: 1, bins: 17)";
    FlowFile::parse("small.ron", format!("Flow(image: {image}, layers: [{layers}], train: ({train}))")).unwrap()
}

/// A run in a folder.
fn train(folder: &Path, steps: u64, start: Start, portion: Option<Portion>) -> Result<()> {
    let (file, registry, device) = (flow(steps), Registry::default(), Cpu::default());
    let run = match start {
        Start::Resume => RunFolder::open(folder)?,
        _ => RunFolder::create(Some(folder), "")?,
    };
    let data = data::open("digits")?;
    let trainer: Trainer<f32, Cpu> = match portion {
        Some(portion) => Trainer::with_portions(&device, &file, &registry, data, run, start, portion)?,
        None => Trainer::new(&device, &file, &registry, data, run, start)?,
    };
    trainer.run(&mut |_| ()).map(drop)
}

/// The fingerprints of the images that were held out, and of those evaluated along the way, and how the latter were taken.
fn of_metrics(folder: &Path) -> (String, String, Option<String>) {
    let (mut held, mut interim) = (String::new(), (String::new(), None));
    for record in read_metrics(&folder.join("metrics.jsonl")).unwrap() {
        match record {
            Record::Validation(record) => held = record.evaluation.data.fingerprint,
            Record::Interim(record) => interim = (record.evaluation.data.fingerprint, record.evaluation.taken),
            _ => {}
        }
    }
    (held, interim.0, interim.1)
}

/// Removes what version 0.1.0 did not write from a checkpoint.
fn make_old(checkpoint: &Path) {
    let bytes = fs::read(checkpoint).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let about = header["__metadata__"]["flowstone"].as_str().unwrap();
    let mut about: serde_json::Value = serde_json::from_str(about).unwrap();
    assert_eq!(about.as_object_mut().unwrap().remove("portion").unwrap(), "Ends");
    for later in ["blake3", "data"] {
        about.as_object_mut().unwrap().remove(later).unwrap();
    }
    about["version"] = 1.into();
    header["__metadata__"]["flowstone"] = about.to_string().into();
    let mut header = header.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let old = [&(header.len() as u64).to_le_bytes()[..], &header, &bytes[8 + length..]].concat();
    fs::write(checkpoint, old).unwrap();
}

#[test]
fn a_run_of_version_1_goes_on_with_the_images_that_it_began_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    train(&at("whole"), 4, Start::Fresh, Some(Portion::Ends)).unwrap();
    train(&at("resumed"), 2, Start::Fresh, Some(Portion::Ends)).unwrap();
    make_old(&at("resumed/checkpoint.safetensors"));
    train(&at("resumed"), 4, Start::Resume, None).unwrap();
    // All but the time it took: metrics, weights, and the model that was best on the images held out.
    for file in ["metrics.jsonl", "model.safetensors", "checkpoint.safetensors"] {
        assert!(fs::read(at("whole").join(file)).unwrap() == fs::read(at("resumed").join(file)).unwrap(), "{file}");
    }
    let DataSet { train: images, test, .. } = data::open("digits").unwrap();
    let held = images.select(images.len() - 40..images.len()).unwrap().fingerprint().unwrap();
    let first = test.select(0..30).unwrap().fingerprint().unwrap();
    assert_eq!(of_metrics(&at("resumed")), (held.clone(), first.clone(), None));

    // One that begins now holds others out, and goes on with those.
    train(&at("new"), 2, Start::Fresh, None).unwrap();
    let begun = of_metrics(&at("new"));
    assert!(begun.0 != held && begun.1 != first, "{begun:?}");
    assert_eq!(begun.2.as_deref(), Some("30 of 360, evenly from each class"));
    train(&at("new"), 4, Start::Resume, None).unwrap();
    assert_eq!(of_metrics(&at("new")), begun);
}

/// Runs a command that must succeed: its stdout, and its stderr.
fn succeeds(folder: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_flowstone")).args(arguments).current_dir(folder).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    (text(&output.stdout), stderr)
}

#[test]
fn images_of_all_classes_come_first_and_copies_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    sorted_by_class(at);
    let recipe = "train: (data: \"idx:.\", batch: 8, length: Steps(2), validation: 9)";
    let image = "image: (height: 4, width: 4, channels: 1)";
    fs::write(at.join("small.ron"), format!("Flow({image}, layers: [Squeeze(), ActNorm()], {recipe})")).unwrap();
    let copies = "2 of 45 test images are also among the training images, byte for byte";

    // The images held out are no copies: only two of the test images are.
    let (_, stderr) = succeeds(at, &["train", "small.ron", "--out", "run"]);
    assert!(stderr.contains(copies) && !stderr.contains("validation images are also"), "{stderr}");
    let (stdout, stderr) = succeeds(at, &["eval", "run"]);
    assert!(stderr.contains(copies) && !stdout.contains("evenly"), "{stdout}{stderr}");
    // Of the nine that are taken, none is a copy.
    let (stdout, stderr) = succeeds(at, &["eval", "run", "-n", "9"]);
    assert!(stdout.contains("test split (9 of 45, evenly from each class) of"), "{stdout}");
    assert!(!stderr.contains("byte for byte"), "{stderr}");

    // Every image keeps its number, and with it its noise.
    let (stdout, _) = succeeds(at, &["score", "run", "-n", "9", "--rank", "nine.json"]);
    assert!(stdout.contains("images (9 of 45, evenly from each class);"), "{stdout}");
    succeeds(at, &["score", "run", "--rank", "all.json"]);
    let ranking = |name: &str| -> Vec<(u64, String, f64)> {
        let ranking: serde_json::Value = serde_json::from_slice(&fs::read(at.join(name)).unwrap()).unwrap();
        let row = |row: &serde_json::Value| {
            let class = row["class"].as_str().unwrap().to_owned();
            (row["image"].as_u64().unwrap(), class, row["nats"].as_f64().unwrap())
        };
        ranking.as_array().unwrap().iter().map(row).collect()
    };
    let (nine, all) = (ranking("nine.json"), ranking("all.json"));
    assert!(nine.iter().all(|row| all.contains(row)), "{nine:?}");
    for class in ["0", "1", "2"] {
        assert_eq!(nine.iter().filter(|(_, of, _)| of == class).count(), 3, "{nine:?}");
    }

    let (stdout, _) = succeeds(at, &["data", "check", "idx:."]);
    assert!(stdout.contains("90 images to train on, 45 to test, of 4×4×1, 256 grey levels, 3 classes"), "{stdout}");
    assert!(stdout.contains(copies), "{stdout}");
    let (stdout, _) = succeeds(at, &["data", "check", "idx:.", "--flow", "small.ron", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["test_images_among_training_images"], 2);
    let (stdout, _) = succeeds(at, &["data", "check", "digits"]);
    assert!(stdout.contains("no test image is also among the training images"), "{stdout}");
}
