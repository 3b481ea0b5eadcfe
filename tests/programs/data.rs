//! Data sets, from files on disk to a trained flow.

use flowstone::backend::Cpu;
use flowstone::data::SAMPLED;
use flowstone::flow::{FlowFile, Registry};
use flowstone::train::{RunFolder, Start, Trainer, open_data};
use flowstone::{Error, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder of MNIST's files with 20 images of 28×28 to train on and 10 to test on; the first pixel is 255.
pub fn mnist_like(folder: &Path) {
    let write = |name: &str, axes: &[u32], values: &[u8]| {
        let lengths = axes.iter().flat_map(|length| length.to_be_bytes());
        let bytes: Vec<u8> =
            [0, 0, 8, axes.len() as u8].into_iter().chain(lengths).chain(values.iter().copied()).collect();
        fs::write(folder.join(name), bytes).unwrap();
    };
    for (split, n) in [("train", 20u32), ("t10k", 10)] {
        let level = |at: u32| if at.is_multiple_of(784) { 255 } else { (at * 31 % 200) as u8 };
        let levels: Vec<u8> = (0..n * 784).map(level).collect();
        let labels: Vec<u8> = (0..n).map(|i| (i % 10) as u8).collect();
        write(&format!("{split}-images-idx3-ubyte"), &[n, 28, 28], &levels);
        write(&format!("{split}-labels-idx1-ubyte"), &[n], &labels);
    }
}

/// A flow of one small step at each of some levels.
fn flow((height, width, channels, bits): (u32, u32, u32, u32), levels: usize, prior: &str, recipe: &str) -> FlowFile {
    let image = format!("(height: {height}, width: {width}, channels: {channels}, bits: {bits})");
    let level = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)";
    let layers = vec![level; levels].join(", Split(), ");
    let train = format!("(length: Steps(2), batch: 4, averaging: Off, {recipe})");
    FlowFile::parse("small", format!("Flow(image: {image}, layers: [{layers}], prior: {prior}, train: {train})"))
        .unwrap()
}

/// Trains for two steps; what the data are called, and bits/dim of the test images.
fn train(file: &FlowFile, data: &str, out: &Path) -> Result<(String, f64)> {
    let folder = RunFolder::create(Some(out), "")?;
    let data = open_data(file, Some(data))?;
    let (registry, device) = (Registry::<f32, Cpu>::default(), Cpu::default());
    let outcome = Trainer::new(&device, file, &registry, data, folder, Start::Fresh)?.run(&mut |_| ())?;
    Ok((outcome.test.data.name, outcome.test.loss.value()))
}

fn refused(result: Result<(String, f64)>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Usage(_)) && error.is_input(), "{error:?}");
    error.to_string()
}

#[test]
fn grey_images_that_do_not_divide_train_once_they_are_padded_or_cropped() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("letters")).unwrap();
    mnist_like(&at.join("letters"));
    let source = format!("idx:{}", at.join("letters").display());
    let of = |side, recipe| flow((side, side, 1, 8), 3, "Gaussian(classes: 10)", recipe);
    let (name, bits) = train(&of(32, "fit: Pad"), &source, &at.join("padded")).unwrap();
    assert!(name == "letters padded from 28×28 to 32×32" && bits.is_finite(), "{name}: {bits}");
    let (name, _) = train(&of(24, "fit: Crop, augmentation: Standard()"), &source, &at.join("cropped")).unwrap();
    assert_eq!(name, "letters cropped from 28×28 to 24×24");
    let (name, _) = train(&of(16, "shrink: 2, fit: Pad"), &source, &at.join("small")).unwrap();
    assert_eq!(name, "letters shrunk by 2 padded from 14×14 to 16×16");
    assert!(refused(train(&of(32, ""), &source, &at.join("a"))).contains("28×28×1; `fit: Pad` in the recipe"));
    assert!(refused(train(&of(24, ""), &source, &at.join("b"))).contains("28×28×1; `fit: Crop` in the recipe"));
    assert!(refused(train(&of(24, "fit: Pad"), &source, &at.join("c"))).contains("cannot pad"));
}

#[test]
fn pictures_that_are_not_square_train_in_five_bits() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("pictures");
    for class in ["a", "b"] {
        fs::create_dir_all(pictures.join(class)).unwrap();
        for i in 0..10u8 {
            let color = |x: u32, y: u32| image::Rgb([i * 20, (x * 3) as u8, (y * 5) as u8]);
            let picture = image::RgbImage::from_fn(64 + u32::from(i), 50, color);
            picture.save(pictures.join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    let file = flow((48, 32, 3, 5), 3, "Gaussian(classes: 2)", "shrink: 1");
    let (name, bits) = train(&file, &format!("images:{}", pictures.display()), &folder.path().join("run")).unwrap();
    assert!(name == "pictures" && bits.is_finite() && bits < 6.0, "{name}: {bits}");
}

#[test]
fn arrays_that_were_written_are_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("squares.npy");
    let levels: Vec<u8> = (0..20 * 48).map(|i| (i * 7 % 256) as u8).collect();
    flowstone::data::npy::write_levels(&path, [20, 4, 4, 3], &levels).unwrap();
    let source = format!("npy:{}", path.display());
    let (name, _) = train(&flow((4, 4, 3, 8), 1, "Gaussian()", ""), &source, &folder.path().join("run")).unwrap();
    assert_eq!(name, "squares");
    let message = refused(train(&flow((4, 4, 1, 8), 1, "Gaussian()", ""), &source, &folder.path().join("a")));
    assert!(message.ends_with("the data are 4×4×3"), "{message}");
}

/// Thirty pictures of 9×8 in two classes.
fn pictures(folder: &Path) {
    for i in 0..30u8 {
        let class = folder.join(if i % 3 == 0 { "a" } else { "b" });
        fs::create_dir_all(&class).unwrap();
        let color = |x: u32, y: u32| image::Rgb([i * 8, (x * 20) as u8, (y * 30) as u8]);
        image::RgbImage::from_fn(9, 8, color).save(class.join(format!("{i:02}.png"))).unwrap();
    }
}

/// The lines of a run's metrics.
fn metrics(run: &Path) -> String {
    fs::read_to_string(run.join("metrics.jsonl")).unwrap()
}

#[test]
fn images_that_are_read_in_the_background_train_as_those_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    pictures(&at("pictures"));
    let levels: Vec<u8> = (0..30 * 192).map(|i| (i * 7 % 256) as u8).collect();
    flowstone::data::npy::write_levels(at("squares.npy"), [30, 8, 8, 3], &levels).unwrap();
    for (kind, name) in [("images", "pictures"), ("npy", "squares.npy")] {
        let source = format!("{kind}:{}", at(name).display());
        for fit in ["fit: Exact", "fit: Pad, shrink: 2", "fit: RandomCrop()"] {
            let side = if fit.contains("Random") {
                4
            } else if fit.contains("Pad") && kind == "npy" {
                8
            } else {
                4
            };
            if fit.contains("Exact") && kind == "npy" {
                continue;
            }
            let mut runs = Vec::new();
            for loading in ["Memory", "Stream"] {
                let recipe = format!(
                    "loading: {loading}, {fit}, augmentation: Standard(flip: true), validation: 5, initialization_images: 8"
                );
                let out = at(&format!("{name}-{}-{loading}", fit.len()));
                train(&flow((side, side, 3, 5), 1, "Gaussian()", &recipe), &source, &out).unwrap();
                runs.push(metrics(&out));
            }
            assert_eq!(runs[0], runs[1], "{source}, {fit}");
        }
    }
}

#[test]
fn a_picture_that_breaks_during_a_run_is_named_and_the_run_goes_on_once_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    pictures(&at("pictures"));
    fs::write(
        at("flow.ron"),
        r#"Flow(
            image: (height: 8, width: 8, channels: 3, bits: 5),
            layers: [Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)],
            train: (data: "images:pictures", loading: Stream, batch: 2, length: Steps(27), initialization_images: 2),
        )"#,
    )
    .unwrap();
    let flowstone = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
        command.args(["--threads", "2"]).args(arguments).current_dir(folder.path()).output().unwrap()
    };
    let whole = flowstone(&["train", "flow.ron", "--out", "whole"]);
    let told = String::from_utf8_lossy(&whole.stderr).into_owned();
    assert!(whole.status.success() && told.contains("read in the background"), "{told}");
    // Of 27 training images each comes once in 14 steps. One that the first step has, or that a run looks at to know its
    // data, is the run's own first error; this one is as likely any other.
    let train = flowstone::data::open(&format!("images:{}", at("pictures").display())).unwrap().train;
    let looked_at: Vec<usize> = (0..SAMPLED).map(|k| k * train.len() / SAMPLED).collect();
    let broken = (7..train.len()).find(|i| !looked_at.contains(i)).and_then(|i| train.file(i)).unwrap().to_path_buf();
    let picture = fs::read(&broken).unwrap();
    fs::write(&broken, &picture[..picture.len() / 2]).unwrap();
    let stopped = flowstone(&["train", "flow.ron", "--out", "stopped"]);
    let told = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert!(
        stopped.status.code() == Some(2)
            && told.contains(broken.file_name().unwrap().to_str().unwrap())
            && !told.contains("panicked"),
        "{told}"
    );
    fs::write(&broken, picture).unwrap();
    let resumed = flowstone(&["train", "--resume", "stopped"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(metrics(&at("stopped")), metrics(&at("whole")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_set_that_is_streamed_takes_no_memory_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.npy");
    let count = 64 << 10;
    flowstone::data::npy::write_levels(&path, [count, 16, 16, 4], &vec![7; count << 10]).unwrap();
    let peak = |loading: &str| {
        let recipe = format!("loading: {loading}, test_images: 10, initialization_images: 4");
        let file = flow((16, 16, 4, 8), 1, "Gaussian()", &recipe);
        let (flow_path, out) = (folder.path().join(format!("{loading}.ron")), folder.path().join(loading));
        fs::write(&flow_path, &file.text).unwrap();
        let source = format!("npy:{}", path.display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowstone"));
        command.arg("train").arg(flow_path).args(["--data", &source, "--out"]).arg(&out);
        // The peak of the training steps: it is reset before them, when data are open.
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let timing = fs::read_to_string(out.join("timing.jsonl")).unwrap();
        let last: serde_json::Value = serde_json::from_str(timing.lines().last().unwrap()).unwrap();
        last["peak_mib"].as_f64().unwrap()
    };
    let (held, streamed) = (peak("Memory"), peak("Stream"));
    assert!(streamed + 55.0 < held, "{streamed} MiB and {held} MiB, and the set has 64");
}
