//! The command line on `--device cuda`: what it leaves is the CPU's as much as its own, and what fails is one sentence.

use crate::device::has_card;
use crate::emulator;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The program in a folder of its own, with a small flow for the digits.
struct Program {
    folder: TempDir,
    libraries: Option<PathBuf>,
}

impl Program {
    fn new() -> Option<Self> {
        let libraries = if has_card() { None } else { Some(emulator::folder()?.to_owned()) };
        let folder = tempfile::tempdir().unwrap();
        let step = "ActNorm(), InvertibleConv(), AffineCoupling(width: 4)";
        let recipe = "(data: \"digits\", batch: 4, initialization_images: 8, averaging: Off)";
        let level = format!("Squeeze(), Repeat(1, [{step}])");
        let layers = format!("[{level}, Split(), {level}]");
        let image = "(height: 8, width: 8, channels: 1, bins: 17)";
        std::fs::write(
            folder.path().join("small.ron"),
            format!("Flow(image: {image}, layers: {layers}, train: {recipe})"),
        )
        .unwrap();
        Some(Self { folder, libraries })
    }

    fn command(&self, arguments: &str) -> Command {
        // A test program that was carried to another machine is told where the program lies there.
        let carried = std::env::var_os("FLOWSTONE_PROGRAM");
        let mut command = Command::new(carried.unwrap_or_else(|| env!("CARGO_BIN_EXE_flowstone").into()));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        if let Some(libraries) = &self.libraries {
            command.env("FLOWSTONE_CUDA_LIBRARIES", libraries);
        }
        command
    }

    fn run(&self, arguments: &str) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", complaint(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.run(arguments)).unwrap()
    }

    fn has(&self, file: &str) -> bool {
        Path::new(&self.folder.path().join(file)).exists()
    }
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into()
}

#[test]
fn a_run_goes_on_where_it_left_off_and_serves_both_devices() {
    let Some(program) = Program::new() else { return };
    program.run("train small.ron --device cuda --steps 3 --out run");
    program.run("train --resume run --device cuda --steps 5");
    program.run("train --resume run --steps 6");
    let bits = |device: &str| {
        program.json(&format!("eval run -n 20 --f64 --json --device {device}"))["bits_per_dim"].as_f64().unwrap()
    };
    let (cpu, cuda) = (bits("cpu"), bits("cuda"));
    assert!((cpu - cuda).abs() < 1e-9, "{cpu} and {cuda} bits/dim");

    program.run("encode run -n 3 --out latents.safetensors --device cuda");
    program.run("decode run latents.safetensors --out back.png --device cpu");
    program.run("sample run -n 4 --out samples.png --device cuda:0");
    program.run("reconstruct run -n 2 --out reconstruction.png --device cuda");
    program.run("interpolate run --out line.png --device cuda");
    program.run("inspect run --device cuda");
    program.run("score run -n 5 --out scores.npy --device cuda");
    for file in ["back.png", "samples.png", "reconstruction.png", "line.png", "scores.npy"] {
        assert!(program.has(file), "{file}");
    }
}

#[test]
fn a_benchmark_says_where_the_card_spends_its_time() {
    let Some(program) = Program::new() else { return };
    let report = program.json("bench small.ron --device cuda --seconds 0.01 --json");
    assert!(report["train_invert"]["images_per_second"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["fma_peak_gflops"].is_null(), "{report}");
    let text = program.run("bench small.ron --device cuda --seconds 0.01 --tf32");
    assert!(text.contains("couple_gradient") && text.contains("products"), "{text}");
}

#[test]
fn with_little_memory_shards_are_smaller_and_with_less_it_says_what_to_lower() {
    let Some(program) = Program::new() else { return };
    if has_card() {
        return println!("skipped: a card has more memory than a test can use up");
    }
    program.run("train small.ron --device cuda --steps 2 --out run");
    let with_memory = |bytes: usize, arguments: &str| {
        program.command(arguments).env("EMULATED_MEMORY", bytes.to_string()).output().unwrap()
    };
    // All 360 test images at a time need more than 1.2 MB.
    let score = "eval run --device cuda --json";
    let bits = |output: &Output| {
        assert!(output.status.success(), "{}", complaint(output));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["bits_per_dim"].as_f64().unwrap()
    };
    let (much, little) = (bits(&with_memory(1 << 30, score)), bits(&with_memory(400_000, score)));
    assert!((much - little).abs() < 1e-5, "{much} and {little} bits/dim");

    let output = with_memory(70_000, "train --resume run --device cuda --steps 4");
    let complaint = complaint(&output);
    assert_eq!(output.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("out of memory on the device") && complaint.contains("--batch"), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
    program.run("train --resume run --device cuda --steps 4");
}

#[test]
fn a_card_that_is_not_there_is_one_sentence() {
    let Some(program) = Program::new() else { return };
    let output = program.command("sample run --device cuda:7").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", complaint(&output));
    assert!(complaint(&output).contains("there is no CUDA device 7"), "{}", complaint(&output));
    if !has_card() {
        let mut command = program.command("sample run --device cuda");
        let output = command.env_remove("FLOWSTONE_CUDA_LIBRARIES").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(complaint(&output).contains("use --device cpu"), "{}", complaint(&output));
    }
}
