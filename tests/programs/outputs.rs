//! What commands write and say: files that are what their names say, in places that are looked at first, and pictures that
//! are none.

use crate::classes::pets;
use crate::cli::{is_refused, succeeds};
use crate::text;
use flowstone::data::npy;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

/// A short run of the digits, for tests that only read it. It stays until the next time, since nothing ends with a static.
static DIGITS: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outputs");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    succeeds(&["train", "digits", "--steps", "10", "--out", "run"], &folder);
    folder.join("run")
});

/// Arguments about the short run, given in a folder of the test's own.
fn of_digits(arguments: &[&str]) -> Vec<String> {
    let run = DIGITS.display().to_string();
    arguments.iter().map(|argument| if *argument == "run" { run.clone() } else { (*argument).to_owned() }).collect()
}

fn works(arguments: &[&str], at: &Path) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_flowstone")).args(of_digits(arguments)).current_dir(at).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    output
}

fn refusal(arguments: &[&str], at: &Path) -> String {
    let arguments = of_digits(arguments);
    // Messages are wrapped.
    let stderr = is_refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), at);
    stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn begins(path: &Path, beginning: &[u8]) -> bool {
    fs::read(path).unwrap().starts_with(beginning)
}

#[test]
fn samples_that_are_not_finite_are_counted_told_and_crossed_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let wild = ["sample", "run", "-n", "9", "--temperature", "1e30", "--npy", "a.npy"];
    let output = works(&[&wild[..], &["--json"]].concat(), at);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let lost: Vec<u64> = serde_json::from_value(json["not_finite"].clone()).unwrap();
    assert!(!lost.is_empty() && json["samples"] == 9, "{json}");
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains(&format!("{} of 9 samples", lost.len())) && stderr.contains("lower --temperature"),
        "{stderr}"
    );
    assert!(text(&works(&wild, at).stdout).contains("of them not images"));
    let sheet = image::open(at.join("samples.png")).unwrap().to_rgb8();
    let vermillion = sheet.pixels().filter(|pixel| pixel.0 == [213, 94, 0]).count();
    assert!(vermillion > 100 * lost.len(), "a cross and a frame for each");

    let output = works(&["sample", "run", "-n", "9", "--temperature", "0.5", "--json"], at);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["not_finite"].as_array().unwrap().is_empty() && output.stderr.is_empty());

    // A row for each temperature: numbers go on from row to row.
    let rows = ["sample", "run", "-n", "4", "--temperature", "0.5", "--temperature", "1e30", "--json"];
    let json: serde_json::Value = serde_json::from_slice(&works(&rows, at).stdout).unwrap();
    let lost: Vec<u64> = serde_json::from_value(json["not_finite"].clone()).unwrap();
    assert!(!lost.is_empty() && lost.iter().all(|number| (4..8).contains(number)), "{json}");

    // The same far along a direction.
    let far = ["manipulate", "run", "--with", "8", "--examples", "5", "--pictures", "0", "--alpha", "1e30", "--json"];
    let output = works(&far, at);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let lost: Vec<u64> = serde_json::from_value(json["not_finite"].clone()).unwrap();
    assert!(!lost.is_empty() && !lost.contains(&3), "the picture itself, in the middle, is one: {json}");
    assert!(text(&output.stderr).contains("smaller --alpha"));
}

#[test]
fn a_file_is_what_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, beginning) in [("x.jpg", &b"\xff\xd8\xff"[..]), ("x.png", b"\x89PNG"), ("x.webp", b"RIFF")] {
        works(&["sample", "run", "-n", "2", "--out", name], at);
        assert!(begins(&at.join(name), beginning), "{name}");
    }
    works(&["encode", "run", "-n", "2"], at);
    works(&["decode", "run", "latents.safetensors", "--out", "d.jpeg"], at);
    works(&["reconstruct", "run", "-n", "2", "--out", "r.jpg"], at);
    works(&["manipulate", "run", "--with", "8", "--examples", "3", "--pictures", "0", "--out", "m.jpg"], at);
    let morph = ["interpolate", "run", "--steps", "2", "--frames", "1", "--out", "i.jpg", "--animation", "i.apng"];
    works(&morph, at);
    works(&["plot", "run", "--out", "c.jpg"], at);
    for name in ["d.jpeg", "r.jpg", "m.jpg", "i.jpg", "c.jpg"] {
        assert!(begins(&at.join(name), b"\xff\xd8\xff"), "{name}");
    }
    assert!(begins(&at.join("i.apng"), b"\x89PNG"));
    assert_eq!(text(&works(&["plot", "run", "--out", "only.svg"], at).stdout), "only.svg\n");
    assert!(begins(&at.join("only.svg"), b"<svg") && !at.join("only.svg.png").exists());
    works(&["plot", "run", "--out", "rate-0.001"], at);
    assert!(at.join("rate-0.001.svg").exists() && at.join("rate-0.001.png").exists());
}

/// A model that is not there is noticed only when there is something to compute.
#[test]
fn what_cannot_be_written_is_noticed_before_anything_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("taken")).unwrap();
    for (command, option, endings) in [
        (&["sample", "no"][..], "--out", ".png, .jpg, .jpeg, .webp"),
        (&["sample", "no"], "--npy", ".npy"),
        (&["decode", "no", "z"], "--out", ".png, .jpg, .jpeg, .webp"),
        (&["decode", "no", "z"], "--npy", ".npy"),
        (&["reconstruct", "no"], "--out", ".png, .jpg, .jpeg, .webp"),
        (&["interpolate", "no"], "--out", ".png, .jpg, .jpeg, .webp"),
        (&["interpolate", "no"], "--animation", ".png, .apng, .gif"),
        (&["manipulate", "no", "--with", "8"], "--out", ".png, .jpg, .jpeg, .webp"),
        (&["manipulate", "no", "--with", "8"], "--save", ".safetensors"),
        (&["encode", "no"], "--out", ".safetensors"),
        (&["score", "no"], "--out", ".npy"),
        (&["score", "no"], "--rank", ".csv, .json"),
        (&["plot", "no"], "--out", ".svg, .png, .jpg, .jpeg, .webp"),
    ] {
        let with = |name: &str| refusal(&[command, &[option, name]].concat(), at);
        let message = with("x.bmp");
        assert!(message.contains(option) && message.contains(&format!("name it {endings}")), "{command:?}: {message}");
        let ending = endings.split(", ").next().unwrap_or_default();
        let message = with(&format!("missing/x{ending}"));
        assert!(message.contains("there is no folder missing") && !message.contains("flowstone-"), "{message}");
        if option != "--out" || command[0] != "plot" {
            assert!(with("taken").contains("it is a folder"), "{command:?}");
        }
    }
    assert_eq!(fs::read_dir(at).unwrap().count(), 1);
}

#[test]
fn a_number_that_cannot_be_is_answered_with_those_that_can() {
    let folder = tempfile::tempdir().unwrap();
    for (command, words) in [
        (&["sample", "no", "--temperature", "-1"][..], "multiplies the standard deviation"),
        (&["sample", "no", "--temperature", "nan"], "multiplies the standard deviation"),
        (&["sample", "no", "-n", "-4"], "a whole number, 1 or more"),
        (&["sample", "no", "-n", "0"], "a whole number, 1 or more"),
        (&["sample", "no", "--seed", "-1"], "a whole number, 0 or more"),
        (&["sample", "no", "--resample", "top", "--pictures", "-1"], "counted from 0"),
        (&["sample", "no", "--channels", "-1"], "counted from 0"),
        (&["eval", "no", "-n", "0"], "no images"),
        (&["eval", "no", "--draws", "-1"], "a whole number, 1 or more"),
        (&["eval", "no", "--importance", "0"], "a whole number, 1 or more"),
        (&["train", "digits", "--steps", "-5"], "a whole number, 1 or more"),
        (&["train", "digits", "--epochs", "-5"], "a number above 0"),
        (&["train", "digits", "--epochs", "inf"], "a number above 0"),
        (&["train", "digits", "--batch", "0"], "a whole number, 1 or more"),
        (&["interpolate", "no", "--steps", "1"], "its two ends"),
        (&["interpolate", "no", "--frames", "-1"], "a whole number, 1 or more"),
        (&["manipulate", "no", "--with", "8", "--alpha", "inf"], "a finite number"),
        (&["reconstruct", "no", "--columns", "0"], "a whole number, 1 or more"),
        (&["bench", "digits", "--seconds", "-1"], "0 or more"),
        (&["ablate", "no", "--jobs", "-1"], "a whole number, 1 or more"),
        (&["--threads", "0", "check", "digits"], "a whole number, 1 or more"),
        (&["--threads", "-2", "check", "digits"], "a whole number, 1 or more"),
    ] {
        let message = refusal(command, folder.path());
        assert!(message.contains(words), "{command:?}: {message}");
    }
}

#[test]
fn a_cause_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let message = refusal(&["manipulate", "run", "--with", "A", "--attributes", "nowhere.csv"], folder.path());
    assert_eq!(message.matches("No such file").count(), 1, "{message}");
}

#[test]
fn images_of_five_channels_come_out_as_arrays_and_are_shown_by_channels() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let levels: Vec<u8> = (0..20 * 4 * 4 * 5).map(|i| (i * 89 % 251) as u8).collect();
    npy::write_levels(at.join("five.npy"), [20, 4, 4, 5], &levels).unwrap();
    let layers = "layers: [Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)]";
    let recipe = "train: (data: \"npy:five.npy\", length: Steps(2), batch: 4, initialization_images: 8)";
    let flow = format!("Flow(image: (height: 4, width: 4, channels: 5), {layers}, {recipe})");
    fs::write(at.join("five.ron"), flow).unwrap();
    succeeds(&["train", "five.ron", "--out", "five"], at);

    assert_eq!(succeeds(&["sample", "five", "-n", "3", "--npy", "s.npy"], at), "s.npy: 3 samples at temperature 0.7\n");
    assert_eq!(fs::read(at.join("s.npy")).unwrap().len() % 128, 3 * 80 % 128);
    assert!(!at.join("samples.png").exists());
    succeeds(&["encode", "five", "-n", "2"], at);
    succeeds(&["decode", "five", "latents.safetensors", "--npy", "d.npy"], at);
    assert!(!at.join("decoded.png").exists() && fs::read(at.join("d.npy")).unwrap().len() % 128 == 2 * 80 % 128);
    assert!(succeeds(&["reconstruct", "five", "-n", "2"], at).contains("came back exactly"));

    for command in [
        &["sample", "five"][..],
        &["sample", "five", "--npy", "s.npy", "--out", "s.png"],
        &["decode", "five", "latents.safetensors"],
        &["reconstruct", "five", "--out", "r.png"],
        &["interpolate", "five"],
    ] {
        assert!(is_refused(command, at).contains("--channels 2,1,0"), "{command:?}");
    }
    assert!(is_refused(&["sample", "five", "--channels", "5,1,0"], at).contains("no channel 5"));

    succeeds(&["sample", "five", "-n", "1", "--channels", "4,0,1", "--npy", "s.npy", "--out", "s.png"], at);
    let sheet = image::open(at.join("s.png")).unwrap().to_rgb8();
    let array = fs::read(at.join("s.npy")).unwrap();
    let first = &array[array.len() - 80..][..5];
    assert_eq!(sheet.get_pixel(5, 5).0, [first[4], first[0], first[1]]);
    succeeds(&["reconstruct", "five", "-n", "2", "--channels", "0"], at);
    succeeds(&["interpolate", "five", "--between", "0,1", "--channels", "2,1,0", "--animation", "i.gif"], at);
    assert!(begins(&at.join("i.gif"), b"GIF89a"));
}

#[test]
fn text_is_read_as_programs_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let flow = "Flow(image: (height: 4, width: 4, channels: 1),\r\n layers: [Squeeze(), ActNorm()])\r\n";
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    let wrong = flow.replace("ActNorm", "Actnorm");
    for bytes in [marked, |text: &str| text.as_bytes().to_vec()] {
        fs::write(at.join("f.ron"), bytes(flow)).unwrap();
        succeeds(&["check", "f.ron"], at);
    }
    for order in [u16::to_le_bytes, u16::to_be_bytes] {
        fs::write(at.join("f.ron"), utf16(flow, order)).unwrap();
        succeeds(&["check", "f.ron"], at);
        fs::write(at.join("f.ron"), utf16(&wrong, order)).unwrap();
        assert!(is_refused(&["check", "f.ron"], at).contains("f.ron:2:22"), "{}", is_refused(&["check", "f.ron"], at));
    }
    fs::write(at.join("f.ron"), marked(&wrong)).unwrap();
    assert!(is_refused(&["check", "f.ron"], at).contains("f.ron:2:22"));
    let ablation = "Ablation(flow: \"digits\", vary: {\"a\": {\"b\": 1}}, seeds: [0], budget: Steps(1), colour: 3)";
    fs::write(at.join("a.ron"), marked(ablation)).unwrap();
    assert!(is_refused(&["ablate", "a.ron"], at).contains("colour"));

    let list = "image;Curved\n0;1\n1;0\n2;1\n3;0\n";
    for (name, bytes) in [
        ("semicolons.csv", list.as_bytes().to_vec()),
        ("tabs.csv", list.replace(';', "\t").into_bytes()),
        ("utf16.csv", utf16(list, u16::to_le_bytes)),
    ] {
        fs::write(at.join(name), bytes).unwrap();
        works(&["manipulate", "run", "--with", "Curved", "--attributes", name, "--pictures", "0"], at);
    }
}

#[test]
fn classes_are_those_of_the_model_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pets(at);
    succeeds(&["train", "pets.ron", "--out", "mine"], at);
    // `dog` is class 1 of the model, and the only one, class 0, of these.
    for (from, to) in [("dog", "dogs/dog"), ("cat", "others/ape"), ("dog", "others/dog")] {
        fs::create_dir_all(at.join(to)).unwrap();
        for i in 0..10 {
            fs::copy(at.join(format!("pets/{from}/{i}.png")), at.join(format!("{to}/{i}.png"))).unwrap();
        }
    }
    for command in ["eval", "score"] {
        let of = |data: &str, options: &[&str]| -> serde_json::Value {
            let json =
                succeeds(&[&[command, "mine", "--split", "all", "--json", "--data", data], options].concat(), at);
            serde_json::from_str::<serde_json::Value>(&json).unwrap()["bits_per_dim"].clone()
        };
        assert_eq!(of("images:dogs", &[]), of("images:dogs", &["--class", "dog"]), "{command}");
        assert_ne!(of("images:dogs", &[]), of("images:dogs", &["--class", "cat"]), "{command}");
        let refused = is_refused(&[command, "mine", "--data", "images:others"], at);
        let refused = refused.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["class `ape`", "ape, dog", "cat, dog", "--no-labels"] {
            assert!(refused.contains(words), "{command}: {refused}");
        }
        of("images:others", &["--no-labels"]);
        of("images:others", &["--class", "cat"]);
    }
    let latents = |options: &[&str]| {
        let encode = ["encode", "mine", "--split", "all", "--data", "images:dogs", "--out", "z.safetensors"];
        succeeds(&[&encode[..], options].concat(), at);
        succeeds(&["decode", "mine", "z.safetensors", "--class", "cat", "--npy", "z.npy"], at);
        fs::read(at.join("z.npy")).unwrap()
    };
    assert_eq!(latents(&[]), latents(&["--class", "dog"]));
    assert!(is_refused(&["encode", "mine", "--data", "images:others"], at).contains("ape"));
    let tuned = ["train", "pets.ron", "--from", "mine", "--data", "images:others", "--steps", "1", "--out", "tuned"];
    let told = text(&works(&tuned, at).stderr);
    assert!(told.contains("classes of the data: ape, dog; of the model to start from: cat, dog"), "{told}");
    succeeds(&["score", "mine", "--split", "all", "--data", "images:dogs", "--rank", "rank.csv"], at);
    assert!(fs::read_to_string(at.join("rank.csv")).unwrap().contains(",dogs/dog/9.png,dog,"));
}
