//! The command line, as a user meets it.

use crate::text;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub fn flowstone(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowstone")).args(arguments).current_dir(folder).output().unwrap()
}

/// Runs a command that must succeed; its stdout.
pub fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = flowstone(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Runs a command whose input is wrong: exit code 2, nothing on stdout, no panic; its stderr.
pub fn is_refused(arguments: &[&str], folder: &Path) -> String {
    let output = flowstone(arguments, folder);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty() && !stderr.contains("panicked"), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn a_wrong_flow_file_is_one_error_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let image = "Flow(\n    image: (height: 8, width: 8, channels: 1),\n";
    for (rest, line, words) in [
        ("    layers: [Squeeze(), Affinecoupling()])", 3, "AffineCoupling"),
        ("    layers: [\n        AffineCoupling(width: 4)])", 4, "even number of channels"),
        ("    layers: [\n        SplineCoupling(bins: 0)])", 4, "expected a number from 1 to 32, found 0"),
        ("    layers: [\n        MixtureCoupling(components: 65)])", 4, "expected a number from 1 to 64, found 65"),
        (
            "    layers: [\n        AdditiveCoupling(mask: Checkerboard(2))])",
            4,
            "the parity of row + column, 0 or 1, found 2",
        ),
        (
            "    layers: [Squeeze(), Squeeze(),\n        Squeeze(), AffineCoupling(mask: Checkerboard(1))])",
            4,
            "images of an even width, for its",
        ),
        ("    layers: [Squeeze(), Squeeze(), Squeeze(),\n        Squeeze()])", 4, "even height and width"),
        ("    layers: [AffineCoupling(width: \"wide\")])", 3, "width"),
        ("    layers: [\n        Use(\"stp\")], define: {\"step\": []})", 4, "step"),
        (
            "    define: {\n        \"a\": [Use(\"b\")],\n        \"b\": [Use(\"a\")] }, layers: [Use(\"a\")])",
            5,
            "uses itself",
        ),
        ("    layers: [Squeeze()], trian: ())", 3, "train"),
        ("    layers: [Custom(\"mine\")])", 3, "mine"),
        ("    layers: [Squeeze(", 3, ""),
        ("    prior: Gaussian())", 4, "layers"),
    ] {
        let path = folder.path().join("wrong.ron");
        fs::write(&path, format!("{image}{rest}")).unwrap();
        let stderr = is_refused(&["check", "wrong.ron"], folder.path());
        let at_line = stderr.contains(&format!("wrong.ron:{line}:"));
        assert!(stderr.contains(words) && (at_line || line == 4 && stderr.contains("wrong.ron:")), "{rest}: {stderr}");
    }
    assert!(is_refused(&["check", "digit"], folder.path()).contains("digits"));
}

#[test]
fn check_counts_and_speaks_json() {
    let folder = tempfile::tempdir().unwrap();
    assert!(succeeds(&["check", "glow-cifar10"], folder.path()).contains("44,603,604"));
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&["check", "digits", "--json"], folder.path())).unwrap();
    assert_eq!(json["parameters"], 493_636);
    assert_eq!(json["layers"][1]["path"], "layers.1.0.0");
}

#[test]
fn check_and_train_tell_of_recipes_that_come_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let flow = |recipe: &str| {
        let layers = "Repeat(3, [Squeeze()]), ActNorm(), AffineCoupling(width: 4)";
        let recipe = format!("data: \"digits\", {recipe}, length: Steps(1), validation: 0, test_images: 4");
        format!("Flow(image: (height: 8, width: 8, channels: 1, bins: 17), layers: [{layers}], train: ({recipe}))")
    };
    fs::write(at.join("one.ron"), flow("batch: 4, initialization_images: 1")).unwrap();
    fs::write(at.join("all.ron"), flow("batch: 1437")).unwrap();
    fs::write(at.join("good.ron"), flow("batch: 4, initialization_images: 2")).unwrap();
    for (name, told) in [
        (
            "one",
            &["ActNorm (layers.1) and 1 more layer one value a channel", "`initialization_images` to 2 or more"][..],
        ),
        ("all", &["1437 samples in batches of 1437: β2", "Adamax(beta2: 0.999)", "averaging: Ema(decay: 0.999)"]),
        ("good", &[]),
    ] {
        for command in [&["check"][..], &["train", "--out", name]] {
            let output = flowstone(&[command, &[&format!("{name}.ron")]].concat(), at);
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command:?} {name}: {stderr}");
            assert!(told.iter().all(|told| stderr.contains(told)), "{command:?} {name}: {stderr}");
            let quiet = !stderr.contains("initialization_images") && !stderr.contains("comes to 0");
            assert_eq!(quiet, told.is_empty(), "{command:?} {name}: {stderr}");
        }
    }
}

#[test]
fn every_figure_says_of_which_weights_it_is_and_what_its_error_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let layers = "Squeeze(), ActNorm(), AffineCoupling(width: 4)";
    let train = "data: \"digits\", batch: 8, length: Steps(3), validation: 0, initialization_images: 16";
    let flow =
        format!("Flow(image: (height: 8, width: 8, channels: 1, bins: 17), layers: [{layers}], train: ({train}))");
    fs::write(at.join("small.ron"), flow).unwrap();
    let json = |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&succeeds(arguments, at)).unwrap() };
    let outcome = json(&["train", "small.ron", "--out", "run", "--json"]);
    let metrics = fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    let record: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    for (key, weights, options) in [("test", "averaged", &[][..]), ("raw", "raw", &["--raw"])] {
        let evaluation = json(&[&["eval", "run", "--json"][..], options].concat());
        assert_eq!(outcome[key]["weights"], weights);
        assert_eq!(evaluation["weights"], weights);
        assert_eq!(outcome[key]["bits_per_dim"], evaluation["bits_per_dim"], "{weights}");
        let recorded = if key == "test" { &record["evaluation"] } else { &record["raw"] };
        assert_eq!(recorded["bits_per_dim"], evaluation["bits_per_dim"], "{record}");
    }
    assert_ne!(outcome["test"]["bits_per_dim"], outcome["raw"]["bits_per_dim"]);
    assert!(succeeds(&["eval", "run"], at).contains("± s.e. over images"));
    let one = succeeds(&["eval", "run", "-n", "1"], at);
    assert!(one.contains("± n/a bits/dim (1 image") && one.contains("one image has no standard error"), "{one}");
    assert_eq!(json(&["eval", "run", "-n", "1", "--json"])["standard_error"], serde_json::Value::Null);
}

#[test]
fn a_run_leaves_what_it_promises_and_every_command_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let train = ["train", "digits", "--steps", "20", "--out", "run", "--json"];
    let outcome: serde_json::Value = serde_json::from_str(&succeeds(&train, at)).unwrap();
    assert_eq!(outcome["test"]["images"], 360);
    let promised = [
        "flow.ron",
        "model.safetensors",
        "checkpoint.safetensors",
        "metrics.jsonl",
        "timing.jsonl",
        "curve.svg",
        "curve.png",
        "samples/samples.png",
    ];
    for name in promised {
        assert!(at.join("run").join(name).metadata().unwrap().len() > 0, "{name}");
    }

    // The same seed gives the same number, another seed another; the training's own figure is met.
    let eval = |seed: &str| succeeds(&["eval", "run", "--seed", seed, "--json"], at);
    assert_eq!(eval("0"), eval("0"));
    assert_ne!(eval("0"), eval("1"));
    let evaluation: serde_json::Value = serde_json::from_str(&eval("0")).unwrap();
    assert_eq!(evaluation["bits_per_dim"], outcome["test"]["bits_per_dim"]);
    assert_eq!(evaluation["weights"], "averaged");
    assert_ne!(succeeds(&["eval", "run", "--raw"], at), succeeds(&["eval", "run"], at));

    let importance = succeeds(&["eval", "run", "--importance", "16", "--json"], at);
    let importance: serde_json::Value = serde_json::from_str(&importance).unwrap();
    assert_eq!((&importance["importance"], &importance["draws"]), (&16.into(), &1.into()));
    assert!(importance["bits_per_dim"].as_f64() < evaluation["bits_per_dim"].as_f64(), "a tighter bound");
    assert!(succeeds(&["eval", "run", "--importance", "2"], at).contains("importance-weighted over 2"));
    assert_eq!(evaluation.get("importance"), None);

    let inspection: serde_json::Value = serde_json::from_str(&succeeds(&["inspect", "run", "--json"], at)).unwrap();
    assert_eq!((&inspection["verdict"]["condition"], &inspection["images"]), (&"sound".into(), &16.into()));
    let layers = inspection["layers"].as_array().unwrap();
    assert!(layers.iter().any(|layer| layer["path"] == inspection["verdict"]["layer"]));
    assert!(layers.iter().all(|layer| (layer["kind"] == "InvertibleConv") == layer["condition"].is_f64()));
    assert!(inspection["f64"]["real"]["error"].as_f64() < Some(1e-12), "{inspection}");
    assert!(inspection["f32"]["out_of_range"]["drift"].is_f64(), "{inspection}");
    assert!(succeeds(&["inspect", "run", "--raw", "-n", "2"], at).starts_with("sound: "));
    assert!(is_refused(&["inspect", "run", "-n", "0"], at).contains("no images"));

    let score = |out: &str| succeeds(&["score", "run", "--dequantize", "midpoint", "--f64", "--out", out], at);
    score("a.npy");
    score("b.npy");
    assert_eq!(fs::read(at.join("a.npy")).unwrap(), fs::read(at.join("b.npy")).unwrap());

    succeeds(&["sample", "run", "-n", "4", "--out", "sheet.png", "--npy", "pixels.npy"], at);
    assert!(fs::read(at.join("sheet.png")).unwrap().starts_with(b"\x89PNG"));
    succeeds(&["plot", "run", "run", "--out", "both"], at);
    assert!(fs::read_to_string(at.join("both.svg")).unwrap().contains("bits/dim"));
    succeeds(&["train", "--resume", "run", "--steps", "22"], at);
    succeeds(&["train", "digits", "--from", "run", "--steps", "1", "--out", "tuned"], at);

    assert!(is_refused(&["train", "digits", "--steps", "1", "--out", "run"], at).contains("--resume run"));
    assert!(is_refused(&["sample", "run", "--class", "1"], at).contains("no classes"));
    assert!(is_refused(&["train", "glow-cifar10", "--data", "digits", "--steps", "1"], at).contains("grey levels"));
    fs::write(at.join("half.safetensors"), &fs::read(at.join("run/model.safetensors")).unwrap()[..5000]).unwrap();
    assert!(is_refused(&["eval", "half.safetensors"], at).contains("not a safetensors file"));
    is_refused(&["eval", "nowhere"], at);
}

#[test]
fn a_recipe_that_shrinks_its_data_does_so_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let flow = |side: usize, shrink: usize| {
        let image = format!("image: (height: {side}, width: {side}, channels: 1, bins: 17)");
        let recipe = format!("train: (data: \"digits\", shrink: {shrink}, length: Steps(2))");
        fs::write(at.join("small.ron"), format!("Flow({image}, layers: [Squeeze(), ActNorm()], {recipe})")).unwrap();
    };
    flow(4, 2);
    succeeds(&["train", "small.ron", "--out", "run"], at);
    assert!(succeeds(&["eval", "run"], at).contains("test split of digits shrunk by 2"));
    assert!(succeeds(&["score", "run"], at).contains("360 images"));
    flow(8, 2);
    assert!(is_refused(&["train", "small.ron", "--out", "other"], at).contains("4×4×1"));
    flow(8, 3);
    assert!(is_refused(&["train", "small.ron", "--out", "other"], at).contains("cannot shrink digits by 3"));
}

#[test]
fn a_run_that_is_too_fast_says_so_and_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let run = |recipe: &str| {
        let file = format!(
            "Flow(image: (height: 8, width: 8, channels: 1, bins: 17),
                layers: [Squeeze(), Repeat(4, [ActNorm(), InvertibleConv(), AffineCoupling(width: 8)])],
                train: (data: \"digits\", length: Steps(4), {recipe}))"
        );
        fs::write(at.join("fast.ron"), file).unwrap();
        let output = flowstone(&["train", "fast.ron"], at);
        // A report is wrapped, with a bar at the side.
        let stderr = text(&output.stderr).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        (output.status.code(), text(&output.stdout), stderr)
    };
    // Numbers that are not finite end the run.
    let (code, _, stderr) = run("learning_rate: 1e3, warmup: Steps(0)");
    assert_eq!(code, Some(1), "{stderr}");
    for words in ["first appeared in layers.", "at step 2", "at a learning rate of 1.0e3", "`clip_gradient_norm: 50`"] {
        assert!(stderr.contains(words), "{stderr}");
    }
    // Images that do not come back are told of at the first step, the second and the fourth, with the worst layer.
    let (code, stdout, stderr) = run("drift_bound: 1e-12");
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("do not come back by inversion").count(), 3, "{stderr}");
    assert!(stderr.contains("as at 3 steps before; worst is layers.") && stderr.contains("`warmup`"), "{stderr}");
    assert!(stdout.contains("4 steps were past the drift bound"), "{stdout}");
    assert!(stdout.contains("has learned nothing: all grey levels alike have 4.087 bits/dim"), "{stdout}");
}

#[test]
fn runs_of_any_length_and_published_logs_are_drawn_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(&["train", "digits", "--steps", "3", "--out", "short"], at);
    succeeds(&["train", "digits", "--steps", "9"], at);
    let line = |epoch: u32| format!("{{\"epoch\": {epoch}, \"n_images\": {epoch}, \"bits_x\": \"3.5000\"}}\n");
    fs::write(at.join("test.txt"), line(0) + &line(1)).unwrap();
    succeeds(&["plot", "short", "runs/digits", "--log", "test.txt=published", "--out", "all"], at);
    let svg = fs::read_to_string(at.join("all.svg")).unwrap();
    assert!(["epoch", "short", "digits", "published"].iter().all(|words| svg.contains(words)));
    succeeds(&["plot", "--log", "test.txt", "--out", "log"], at);
    succeeds(&["plot", "short", "--x", "seconds", "--out", "time"], at);
    assert!(is_refused(&["plot", "short", "--log", "test.txt", "--x", "step"], at).contains("epochs and images"));
    fs::write(at.join("test.txt"), line(0) + "3.5\n").unwrap();
    assert!(is_refused(&["plot", "--log", "test.txt"], at).contains("test.txt: line 2"));
    assert!(is_refused(&["plot", "nowhere"], at).contains("nowhere"));
}

#[test]
fn threads_change_the_speed_and_not_the_result_of_scoring() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(&["train", "digits", "--steps", "3", "--out", "run"], at);
    let eval = |threads: &str| succeeds(&["--threads", threads, "eval", "run", "--json"], at);
    assert_eq!(eval("1"), eval("3"));
}

#[test]
fn pictures_go_to_latents_and_back_and_lie_on_lines_and_directions() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(&["train", "digits", "--steps", "3", "--out", "run"], at);
    let size = |name: &str| at.join(name).metadata().map(|metadata| metadata.len()).unwrap_or(0);
    let encoded = succeeds(&["encode", "run", "-n", "20"], at);
    assert!(
        encoded.contains("20 pictures, test split (20 of 360, evenly from each class) of digits; split.0"),
        "{encoded}"
    );
    assert!(succeeds(&["decode", "run", "latents.safetensors", "--npy", "back.npy"], at).contains("20 pictures"));
    let back = fs::read(at.join("back.npy")).unwrap();
    let digits = flowstone::data::open("digits").unwrap();
    assert!(back.ends_with(&digits.test.spread(20).unwrap().levels().unwrap()), "the same grey levels");
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&["reconstruct", "run", "-n", "30", "--json"], at)).unwrap();
    assert_eq!((json["exact"].as_u64(), json["changed_levels"].as_u64()), (Some(30), Some(0)));
    succeeds(&["interpolate", "run", "--between", "3,9", "--animation", "morph.png", "--frames", "2"], at);
    succeeds(&["interpolate", "run", "--between", "3,9", "--animation", "morph.gif", "--frames", "2"], at);
    assert!(fs::read(at.join("morph.gif")).unwrap().starts_with(b"GIF89a"));
    succeeds(&["interpolate", "run", "--between", "3,9,12,20", "--steps", "3", "--out", "grid.png"], at);
    succeeds(&["manipulate", "run", "--with", "8", "--examples", "20", "--save", "d.safetensors"], at);
    let saved = ["manipulate", "run", "--direction", "d.safetensors", "--pictures", "7", "--out", "again.png"];
    assert!(succeeds(&saved, at).contains("8 (20 pictures) − all others (20 pictures)"));
    for name in ["decoded.png", "reconstructions.png", "interpolation.png", "morph.png", "grid.png", "again.png"] {
        assert!(size(name) > 0, "{name}");
    }
    succeeds(&["train", "digits", "--steps", "2", "--seed", "1", "--out", "other"], at);
    assert!(is_refused(&["decode", "other", "latents.safetensors"], at).contains("another model"));
    assert!(is_refused(&["decode", "run", "d.safetensors"], at).contains("direction"));
    assert!(is_refused(&["decode", "run", "run/model.safetensors"], at).contains("it is a model; expected latents"));
    assert!(is_refused(&["encode", "run", "--class", "1"], at).contains("no classes"));
    assert!(is_refused(&["interpolate", "run", "--between", "1,2,3"], at).contains("two or four"));
    assert!(is_refused(&["manipulate", "run", "--with", "ten"], at).contains("there are: 0, 1, 2"));
    is_refused(&["manipulate", "run"], at);
}

#[test]
fn samples_come_in_rows_and_scores_are_ranked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    succeeds(&["train", "digits", "--steps", "2", "--out", "run"], at);
    let sample = |arguments: &[&str]| succeeds(&[&["sample", "run", "-n", "2"], arguments].concat(), at);
    assert!(sample(&["--sweep"]).contains("16 samples in 8 rows"));
    assert!(sample(&["--resample", "all"]).contains("4 samples in 2 rows"));
    assert!(sample(&["--resample", "all", "--pictures", "3,7"]).contains("12 samples in 4 rows"));
    assert!(is_refused(&["sample", "run", "--pictures", "3"], at).contains("--resample"));
    assert!(is_refused(&["sample", "run", "--data", "digits"], at).contains("--pictures"));
    let nowhere = ["sample", "run", "--resample", "top", "--pictures", "360"];
    assert!(is_refused(&nowhere, at).contains("there is no image 360"));
    assert!(sample(&["--temperature", "top=0.7,split.0=0.5"]).contains("2 samples at temperature"));
    assert!(is_refused(&["sample", "run", "--temperature", "tip=1"], at).contains("top"));
    assert!(is_refused(&["sample", "run", "--resample", "split.4"], at).contains("split.0"));
    assert!(is_refused(&["sample", "run", "--class", "all"], at).contains("no classes"));

    succeeds(&["score", "run", "-n", "5", "--rank", "rank.csv"], at);
    let csv = fs::read_to_string(at.join("rank.csv")).unwrap();
    assert_eq!((csv.lines().count(), csv.lines().next()), (6, Some("rank,image,file,class,bits_per_dim,nats")));
    let against = succeeds(&["score", "run", "-n", "5", "--against", "digits", "--json"], at);
    let against: serde_json::Value = serde_json::from_str(&against).unwrap();
    assert_eq!(against["against"]["auroc"]["area"], 0.5, "a set is no stranger to itself");
}

/// Every command that computes, with as little as its command line needs.
const COMPUTING: [&[&str]; 12] = [
    &["train", "digits"],
    &["eval", "nowhere"],
    &["inspect", "nowhere"],
    &["score", "nowhere"],
    &["sample", "nowhere"],
    &["encode", "nowhere"],
    &["decode", "nowhere", "latents.safetensors"],
    &["reconstruct", "nowhere"],
    &["interpolate", "nowhere"],
    &["manipulate", "nowhere", "--with", "8"],
    &["bench", "digits"],
    &["ablate", "digits"],
];

/// Those whose matrix products may be less exact than f32.
const WITH_TF32: [&str; 4] = ["train", "sample", "bench", "ablate"];

#[cfg(not(feature = "cuda"))]
#[test]
fn a_program_without_cuda_says_so_before_anything_else() {
    let folder = tempfile::tempdir().unwrap();
    let sentence = "this program was built without CUDA (feature `cuda`); use --device cpu";
    let is_said = |stderr: &str| stderr.split_whitespace().collect::<Vec<_>>().join(" ").contains(sentence);
    for command in COMPUTING {
        let tf32: &[&str] = if WITH_TF32.contains(&command[0]) { &["--tf32"] } else { &[] };
        for device in ["cuda", "cuda:1"] {
            let stderr = is_refused(&[command, &["--device", device], tf32].concat(), folder.path());
            assert!(is_said(&stderr), "{command:?}: {stderr}");
        }
    }
    for resumed in [["train", "--resume", "run"], ["train", "digits", "--from=run"]] {
        assert!(is_said(&is_refused(&[&resumed[..], &["--device", "cuda"]].concat(), folder.path())));
    }

    // A run of a grid ends with its stdin, and says on stdout why it failed.
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowstone"))
        .args(["run-of-grid", "digits", "run", "--device", "cuda", "--tf32"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), format!("{{\"failed\":\"{sentence}\"}}\n")));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn devices_and_tf32_are_checked_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    for command in COMPUTING {
        let refused = |options: &[&str]| is_refused(&[command, options].concat(), folder.path());
        assert!(refused(&["--device", "gpu"]).contains("expected `cpu`, `cuda` or `cuda:N`"), "{command:?}");
        let reason = match WITH_TF32.contains(&command[0]) {
            true => "--tf32 is for matrix products on CUDA",
            false => "unexpected argument '--tf32'",
        };
        let stderr = refused(&["--tf32"]);
        assert!(stderr.contains(reason), "{command:?}: {stderr}");
    }
    assert!(is_refused(&["check", "digits", "--device", "cpu"], folder.path()).contains("unexpected argument"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_benchmark_of_the_cpu_names_it_and_says_what_its_threads_do() {
    let folder = tempfile::tempdir().unwrap();
    let bench = ["--threads", "2", "bench", "digits", "--batch", "4", "--seconds", "0", "--json"];
    let json: serde_json::Value = serde_json::from_str(&succeeds(&bench, folder.path())).unwrap();
    assert_eq!((&json["device"], &json["threads"], json.get("kernels")), (&"cpu".into(), &2.into(), None));
    for kind in ["train_invert", "train_store", "score", "sample"] {
        assert!(json[kind]["images_per_second"].as_f64() > Some(0.0), "{json}");
        assert!(json[kind]["in_products"].is_f64() && json[kind]["in_passes"].is_f64(), "{json}");
    }
    assert!(json["product_peak_gflops"].as_f64() > Some(0.0) && json["fma_peak_gflops"].as_f64() > Some(0.0));
}
