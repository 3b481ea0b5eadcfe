//! A run that is killed, stopped or out of disk at any moment loses nothing that was saved, and goes on exactly.
#![cfg(unix)]

use crate::text;
use flowstone::backend::Cpu;
use flowstone::flow::{Model, Registry};
use flowstone::noise::{NoiseKey, Purpose};
use rand::Rng;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const FLOW: &str = r#"Flow(
    image: (height: 8, width: 8, channels: 1, bins: 17),
    layers: [
        Squeeze(), Repeat(2, [ActNorm(), InvertibleConv(), AffineCoupling(width: 16)]), Split(),
        Squeeze(), ActNorm(), InvertibleConv(weight: LU), Shuffle(), AdditiveCoupling(width: 16),
    ],
    train: (
        data: "digits", length: Steps(90), validation: 100, validate_every: Steps(13), warmup: Steps(40),
        averaging: Ema(decay: 0.9), augmentation: Standard(), clip_gradient_norm: 5,
    ),
)"#;
/// Steps of the whole run.
const STEPS: &str = "90";
/// What must be the same, byte for byte, as in a run that nothing happened to.
const EXACT: [&str; 5] =
    ["metrics.jsonl", "model.safetensors", "best.safetensors", "checkpoint.safetensors", "flow.ron"];

/// A folder with the flow file, and `whole`: the run that nothing happened to.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("flow.ron"), FLOW).unwrap();
    succeeds(&mut flowstone(&folder, &["train", "flow.ron", "--out", "whole"]));
    folder
}

fn flowstone(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
    command.args(["--threads", "2"]).args(arguments).current_dir(folder.path());
    command
}

fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// A command that fails while running, with nothing on stdout; what it says.
fn fails(output: &Output) -> String {
    let stderr = text(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{:?}: {stderr}", output.status);
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

/// The command that begins the run, or goes on with it.
fn go_on(folder: &TempDir, run: &str) -> Command {
    let has_begun = folder.path().join(run).join("checkpoint.safetensors").exists();
    let (resume, begin) = (["train", "--resume", run], ["train", "flow.ron", "--out", run]);
    flowstone(folder, if has_begun { &resume } else { &begin })
}

/// What is in every file that was saved.
fn saved(run: &Path) -> Vec<(&'static str, Vec<u8>)> {
    EXACT.iter().map(|name| (*name, fs::read(run.join(name)).unwrap())).collect()
}

fn assert_exact(folder: &TempDir, run: &str) {
    let (whole, run) = (folder.path().join("whole"), folder.path().join(run));
    for ((name, expected), (_, found)) in saved(&whole).into_iter().zip(saved(&run)) {
        assert!(found == expected, "{name} differs");
    }
    assert_no_leftovers(&run);
}

/// No half-written file beside the others.
fn assert_no_leftovers(run: &Path) {
    let names = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(".flowstone-")));
}

/// When a run is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many milliseconds after it was started.
    After(u64),
    /// Once its metrics have so many lines, and so many microseconds.
    AtLine(usize, u64),
}

/// Waits for the moment, or for the end of the run; whether it is still running.
fn wait(child: &mut Child, run: &Path, moment: Moment) -> bool {
    let (begin, metrics) = (Instant::now(), run.join("metrics.jsonl"));
    let lines = || fs::read(&metrics).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
    let has_come = || match moment {
        Moment::After(millis) => begin.elapsed() >= Duration::from_millis(millis),
        Moment::AtLine(line, _) => lines() >= line,
    };
    while !has_come() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "{moment:?} does not come");
        std::thread::sleep(Duration::from_micros(300));
    }
    if let Moment::AtLine(_, micros) = moment {
        std::thread::sleep(Duration::from_micros(micros));
    }
    true
}

/// Begins the run or goes on with it, and kills it; whether it still ran.
fn kill(folder: &TempDir, run: &str, moment: Moment) -> bool {
    let mut child = go_on(folder, run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let path = folder.path().join(run);
    let alive = wait(&mut child, &path, moment);
    child.kill().unwrap();
    child.wait().unwrap();
    // Whatever the moment, a model that is there is a whole one.
    let model = path.join("model.safetensors");
    if model.exists() {
        Model::<f32, Cpu>::load(&model, &Cpu::default(), &Registry::default(), false).unwrap();
    }
    alive
}

#[test]
fn a_run_killed_at_any_moment_goes_on_exactly() {
    let folder = folder();
    let mut rng = NoiseKey::new(6, Purpose::Check).rng(0);
    // Of a run of its own each, before and about the first step; then of one run, again and again, to its end.
    for millis in [0, 2, 5, 10, 20, 40, 80] {
        kill(&folder, "young", Moment::After(millis + rng.gen_range(0..=millis)));
    }
    succeeds(&mut go_on(&folder, "young"));
    assert_exact(&folder, "young");
    // The record of a validation and that of the layers' health stand between steps 13 and 14, and so on.
    let mut moments: Vec<usize> = vec![1, 2, 12, 13, 14, 15, 16, 29, 30, 31, 90, 100, 104, 105];
    moments.extend((0..10).map(|_| rng.gen_range(1..=105)));
    moments.sort_unstable();
    let killed = moments.iter().filter(|&&line| {
        let micros = rng.gen_range(0..20_000);
        kill(&folder, "old", Moment::AtLine(line, micros))
    });
    println!("killed while it ran: {} of {}", killed.count(), moments.len());
    let last = go_on(&folder, "old").output().unwrap();
    let had_ended = text(&last.stderr).contains("nothing to train");
    assert!(last.status.success() || had_ended, "{}", text(&last.stderr));
    assert_exact(&folder, "old");
}

#[test]
fn what_interrupts_a_run_saves_it_and_says_how_to_go_on() {
    let folder = folder();
    for signal in ["-INT", "-TERM"] {
        let run = format!("run{signal}");
        let path = folder.path().join(&run);
        let mut child = go_on(&folder, &run).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert!(wait(&mut child, &path, Moment::AtLine(5, 0)));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let stderr = fails(&child.wait_with_output().unwrap()).replace('\n', " ");
        assert!(stderr.contains("stopped after step") && stderr.contains("--resume"), "{stderr}");
        succeeds(&mut go_on(&folder, &run));
        assert_exact(&folder, &run);
    }
}

/// A run of less than half the steps, up to a validation, to go on with.
fn half(folder: &TempDir, run: &str) -> PathBuf {
    succeeds(&mut flowstone(folder, &["train", "flow.ron", "--out", run, "--steps", "39"]));
    folder.path().join(run)
}

fn finishes_exactly(folder: &TempDir, run: &str) {
    succeeds(&mut flowstone(folder, &["train", "--resume", run, "--steps", STEPS]));
    let (whole, run) = (folder.path().join("whole"), folder.path().join(run));
    let metrics = |run: &Path| fs::read(run.join("metrics.jsonl")).unwrap();
    assert!(metrics(&whole) == metrics(&run), "the metrics differ");
    // Files are not the same byte for byte: that of the shorter run has its length written out.
    let tensors = |run: &Path| {
        let device = Cpu::default();
        let model = Model::<f32, Cpu>::load(run, &device, &Registry::default(), false).unwrap();
        model.flow.tensors(&device).unwrap()
    };
    assert!(tensors(&whole) == tensors(&run), "the weights differ");
    assert_no_leftovers(&run);
}

#[test]
fn files_that_cannot_grow_are_an_error_that_loses_nothing() {
    let folder = folder();
    let run = half(&folder, "run");
    let (model, checkpoint) = (run.join("model.safetensors"), run.join("checkpoint.safetensors"));
    let before = (fs::read(&model).unwrap(), fs::read(&checkpoint).unwrap());
    // No file of more than 32 KiB: the model does not fit, the metrics do.
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_flowstone"), "--threads", "2"]);
    let output = command.args(["train", "--resume", "run", "--steps", STEPS]).current_dir(folder.path()).output();
    let stderr = fails(&output.unwrap());
    assert!(stderr.contains(".safetensors: File too large"), "{stderr}");
    assert!(before == (fs::read(&model).unwrap(), fs::read(&checkpoint).unwrap()));
    assert_no_leftovers(&run);
    finishes_exactly(&folder, "run");
}

/// Runs a script where it may mount; `None`, with a line that says so, where the system does not let it.
fn where_it_may_mount(folder: &TempDir, script: &str) -> Option<Output> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_flowstone")]).current_dir(folder.path());
        command.output().ok()
    };
    let probe = unshare("mkdir -p probe && mount -t tmpfs -o size=64k none probe");
    if probe.is_none_or(|output| !output.status.success()) {
        println!("skipped: this system does not let a test mount a file system of its own");
        return None;
    }
    unshare(script)
}

#[test]
fn a_full_disk_is_an_error_that_loses_nothing() {
    let folder = folder();
    half(&folder, "run");
    // Room for what is there and a half-written model, then for everything; the mount goes with its shell.
    let script = r#"
        mkdir full && mount -t tmpfs -o size=64m none full && cp -r run full/ || exit 9
        size=$(du -sk full | cut -f1)
        mount -o remount,size=$((size + 20))k none full || exit 9
        "$0" --threads 2 train --resume full/run --steps 90; code=$?
        mount -o remount,size=64m none full || exit 9
        "$0" --threads 2 eval full/run >/dev/null 2>&1 || exit 8
        mv run run.old && cp -r full/run run
        exit $code"#;
    let Some(output) = where_it_may_mount(&folder, script) else { return };
    let stderr = fails(&output);
    assert!(stderr.contains("No space left"), "{stderr}");
    finishes_exactly(&folder, "run");
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_loses_nothing() {
    let folder = folder();
    let run = half(&folder, "run");
    let before = saved(&run);
    let script = r#"
        mount --bind run run && mount -o remount,bind,ro run || exit 9
        "$0" --threads 2 train --resume run --steps 90"#;
    let Some(output) = where_it_may_mount(&folder, script) else { return };
    let stderr = fails(&output);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert!(saved(&run) == before);
    finishes_exactly(&folder, "run");
}

#[test]
fn two_runs_in_one_folder_are_refused() {
    let folder = folder();
    let path = folder.path().join("run");
    let mut first = flowstone(&folder, &["train", "flow.ron", "--out", "run", "--steps", "100000"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(wait(&mut first, &path, Moment::AtLine(1, 0)));
    let refused = |arguments: &[&str], words: &str| {
        let output = flowstone(&folder, arguments).output().unwrap();
        let stderr = text(&output.stderr);
        assert!(output.status.code() == Some(2) && stderr.contains(words), "{stderr}");
    };
    refused(&["train", "--resume", "run"], "another process is training");
    refused(&["train", "flow.ron", "--out", "run"], "--resume run");
    first.kill().unwrap();
    first.wait().unwrap();
    refused(&["train", "flow.ron", "--out", "run"], "--resume run");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: this system has no /dev/full");
        return;
    };
    let folder = folder();
    let output = flowstone(&folder, &["eval", "whole", "-n", "4"]).stdout(full).output().unwrap();
    let stderr = text(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("No space left"), "{stderr}");
}
