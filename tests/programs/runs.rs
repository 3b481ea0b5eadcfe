//! Runs as people have them: in folders that are not theirs, several at once, on data that moved or changed, unheard.

use crate::cli::{is_refused, succeeds};
use crate::text;
use flowstone::data::npy::write_levels;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

const FLOW: &str = r#"Flow(
    image: (height: 4, width: 4, channels: 1, bits: 8),
    layers: [Squeeze(), ActNorm(), AffineCoupling(width: 4)],
    train: (data: "npy:data/x.npy", length: Steps(3), batch: 8, warmup: Steps(1), initialization_images: 8),
)"#;

/// A folder with a flow and its data.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    data(&folder.path().join("data/x.npy"), 7);
    fs::write(folder.path().join("f.ron"), FLOW).unwrap();
    folder
}

fn data(path: &Path, factor: usize) {
    let levels: Vec<u8> = (0..40 * 16).map(|i| (i * factor % 256) as u8).collect();
    write_levels(path, [40, 4, 4, 1], &levels).unwrap();
}

#[cfg(unix)]
#[test]
fn a_run_that_nobody_listens_to_ends_as_any_other() {
    let folder = folder();
    let unheard = |name: &str, stderr: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
        command.args(["train", "f.ron", "--out", name]).current_dir(folder.path()).stdout(Stdio::null()).stderr(stderr);
        command.spawn().unwrap()
    };
    let mut full = unheard("full", File::options().write(true).open("/dev/full").unwrap().into());
    let mut closed = unheard("closed", Stdio::piped());
    drop(closed.stderr.take());
    assert!(full.wait().unwrap().success() && closed.wait().unwrap().success());
    for name in ["full", "closed"] {
        succeeds(&["eval", name], folder.path());
    }
}

#[test]
fn several_at_once_get_a_folder_each() {
    let folder = folder();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
            command.args(["--threads", "1", "train", "f.ron"]).current_dir(folder.path());
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    for name in ["f", "f-2", "f-3", "f-4"] {
        assert!(folder.path().join("runs").join(name).join("model.safetensors").exists(), "{name}");
    }
}

#[test]
fn a_folder_that_is_not_a_runs_is_left_as_it_is() {
    let folder = folder();
    let out = folder.path().join("pictures");
    fs::create_dir(&out).unwrap();
    for name in ["a.png", "b.png"] {
        fs::write(out.join(name), "mine").unwrap();
    }
    let stderr = is_refused(&["train", "f.ron", "--out", "pictures"], folder.path());
    assert!(stderr.contains("is not empty") && stderr.contains("a.png, b.png"), "{stderr}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "nothing was written");
    fs::create_dir(folder.path().join("stale")).unwrap();
    fs::write(folder.path().join("stale/metrics.jsonl"), "{}\n").unwrap();
    assert!(is_refused(&["train", "f.ron", "--out", "stale"], folder.path()).contains("metrics.jsonl"));
    assert_eq!(fs::read(folder.path().join("stale/metrics.jsonl")).unwrap(), b"{}\n");
    assert!(is_refused(&["train", "f.ron", "--out", "f.ron"], folder.path()).contains("is a file"));
    // What a start that was refused leaves is no hindrance.
    fs::create_dir_all(folder.path().join("empty/samples")).unwrap();
    fs::write(folder.path().join("empty/.lock"), "").unwrap();
    succeeds(&["train", "f.ron", "--out", "empty"], folder.path());
    let stderr = is_refused(&["train", "f.ron", "--out", "empty"], folder.path());
    assert!(stderr.contains("already holds a run") && stderr.contains("--resume"), "{stderr}");
}

#[test]
fn a_run_goes_on_with_the_data_it_began_with_wherever_they_are() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    succeeds(&["train", "f.ron", "--out", "run"], folder.path());
    // Others in their place.
    fs::rename(at("data/x.npy"), at("data/kept.npy")).unwrap();
    data(&at("data/x.npy"), 11);
    let stderr = is_refused(&["train", "--resume", "run", "--steps", "4"], folder.path());
    // Lines are broken at hyphens.
    let stderr = stderr.replace("\n  │ ", " ").replace("- ", "-");
    assert!(stderr.contains("began with other data") && stderr.contains("--allow-other-data"), "{stderr}");
    assert_eq!(stderr.matches("fingerprint").count(), 4, "both, to train and to test on: {stderr}");
    succeeds(&["train", "--resume", "run", "--steps", "4", "--data", "npy:data/kept.npy"], folder.path());
    succeeds(
        &["train", "--resume", "run", "--steps", "5", "--data", "npy:data/x.npy", "--allow-other-data"],
        folder.path(),
    );
    // From another folder.
    fs::create_dir(at("elsewhere")).unwrap();
    let stderr = is_refused(&["eval", "../run"], &at("elsewhere"));
    assert!(stderr.contains("those of the recipe of") && stderr.contains("with --data"), "{stderr}");
    succeeds(&["train", "--resume", "../run", "--steps", "6"], &at("elsewhere"));
}

#[test]
fn a_changed_flow_file_of_a_run_is_noticed() {
    let folder = folder();
    succeeds(&["train", "f.ron", "--out", "run"], folder.path());
    let copy = folder.path().join("run/flow.ron");
    let text = fs::read_to_string(&copy).unwrap();
    fs::write(&copy, text.replace("width: 4)]", "width: 8)]")).unwrap();
    let stderr = is_refused(&["train", "--resume", "run", "--steps", "4"], folder.path());
    assert!(stderr.contains("was changed since the run began") && stderr.contains("--from"), "{stderr}");
    // A comment changes nothing.
    fs::write(&copy, format!("// mine\n{text}")).unwrap();
    succeeds(&["train", "--resume", "run", "--steps", "4"], folder.path());
}

#[test]
fn what_is_given_instead_of_a_model_is_named() {
    let folder = folder();
    succeeds(&["train", "f.ron", "--out", "run"], folder.path());
    succeeds(&["encode", "run", "-n", "2", "--out", "z.safetensors"], folder.path());
    for (given, words) in [
        ("run/checkpoint.safetensors", "it is the checkpoint of a run; expected a model"),
        ("f.ron", "it is a flow file; expected a model"),
        ("z.safetensors", "it is latents of pictures; expected a model"),
        ("data/x.npy", "it is an array of NumPy; expected a model"),
    ] {
        let stderr = is_refused(&["eval", given], folder.path());
        assert!(stderr.replace("\n  │", "").contains(words), "{given}: {stderr}");
    }
    assert!(
        is_refused(&["check", "run/model.safetensors"], folder.path()).contains("a model has its flow file within")
    );
    assert!(is_refused(&["decode", "run", "run/model.safetensors"], folder.path()).contains("it is a model"));
    // A bit of a weight.
    let path = folder.path().join("run/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 30;
    bytes[at] ^= 4;
    fs::write(&path, bytes).unwrap();
    assert!(is_refused(&["eval", "run"], folder.path()).contains("its hash is not that of its contents"));
}

/// As `nohup` starts it.
#[cfg(unix)]
#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let folder = folder();
    let script = format!("trap '' HUP; exec {} train f.ron --steps 300 --out run", env!("CARGO_BIN_EXE_flowstone"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let metrics = folder.path().join("run/metrics.jsonl");
    while fs::metadata(&metrics).map_or(0, |metrics| metrics.len()) < 1000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_terminal_that_is_closed_saves_the_run() {
    let folder = folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
    command.args(["train", "f.ron", "--steps", "1000000", "--out", "run"]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let metrics = folder.path().join("run/metrics.jsonl");
    while fs::metadata(&metrics).map_or(0, |metrics| metrics.len()) < 1000 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    succeeds(&["eval", "run"], folder.path());
}
