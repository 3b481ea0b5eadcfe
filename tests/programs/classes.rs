//! Classes: scores with the right one, with a wrong one and without, and their names from the data to captions.

use crate::cli::{is_refused, succeeds};
use flowstone::backend::Cpu;
use flowstone::data;
use flowstone::flow::{Dequantize, FlowFile, Model, Registry};
use flowstone::train::{Labels, RunFolder, Start, Trainer, score};
use std::fs;
use std::path::Path;

#[test]
fn the_right_class_is_likelier_than_another_and_none_is_the_mean_over_all() {
    let folder = tempfile::tempdir().unwrap();
    let level = "Squeeze(), Repeat(2, [ActNorm(), InvertibleConv(), AdditiveCoupling(width: 32)])";
    let recipe = "train: (data: \"digits\", length: Steps(100), warmup: Steps(20), averaging: Off)";
    let text = format!(
        "Flow(image: (height: 8, width: 8, channels: 1, bins: 17), layers: [{level}, Split(), {level}],
              prior: Gaussian(classes: 10, classifier: true, weight_y: 1.0), {recipe})"
    );
    let (device, digits) = (Cpu::default(), data::open("digits").unwrap());
    let (registry, file) = (Registry::<f32, Cpu>::default(), FlowFile::parse("classes", text).unwrap());
    let run = RunFolder::create(Some(&folder.path().join("run")), "").unwrap();
    Trainer::new(&device, &file, &registry, digits.clone(), run, Start::Fresh).unwrap().run(&mut |_| ()).unwrap();
    let model: Model<f64, Cpu> = Model::load(&folder.path().join("run"), &device, &Registry::default(), false).unwrap();
    let images = digits.test.select(0..100).unwrap();
    let nats = |labels: Labels| score(&model.flow, &device, &images, labels, Dequantize::Midpoint).unwrap();
    let (own, mixture) = (nats(Labels::Own), nats(Labels::Mixture));
    let given: Vec<Vec<f64>> = (0..10).map(|class| nats(Labels::Class(class))).collect();
    for (class, given) in given.iter().enumerate() {
        let others = (0..100).filter(|&i| images.label(i) != Some(class));
        let gains: Vec<f64> = others.map(|i| own[i] - given[i]).collect();
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        assert!(mean > 0.0, "{mean} nats for the right class over class {class}");
    }
    for i in 0..100 {
        assert_eq!(own[i], given[images.label(i).unwrap()][i]);
        let largest = given.iter().map(|given| given[i]).fold(f64::NEG_INFINITY, f64::max);
        let mean = given.iter().map(|given| (given[i] - largest).exp()).sum::<f64>() / 10.0;
        assert!((mixture[i] - largest - mean.ln()).abs() < 1e-10 * largest.abs(), "image {i}");
    }
    assert!(score(&model.flow, &device, &images, Labels::Class(10), Dequantize::Midpoint).is_err());
}

/// Twenty pictures of two classes, and a class-conditional flow for them.
pub fn pets(at: &Path) {
    for (class, red) in [("cat", 30), ("dog", 220)] {
        fs::create_dir_all(at.join("pets").join(class)).unwrap();
        for i in 0..10u8 {
            let color = |x: u32, y: u32| image::Rgb([red + i, (x * 50) as u8, (y * 40) as u8 + i]);
            image::RgbImage::from_fn(4, 4, color).save(at.join(format!("pets/{class}/{i}.png"))).unwrap();
        }
    }
    let layers = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4), Split(), Squeeze(), ActNorm()";
    let fast = "length: Steps(9), warmup: Steps(0), learning_rate: 0.02, initialization_images: 12";
    let recipe = format!("train: (data: \"images:pets\", batch: 6, {fast})");
    let prior = "prior: Gaussian(classes: 2)";
    let flow = format!("Flow(image: (height: 4, width: 4, channels: 3), layers: [{layers}], {prior}, {recipe})");
    fs::write(at.join("pets.ron"), flow).unwrap();
}

#[test]
fn a_model_knows_the_names_of_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pets(at);
    succeeds(&["train", "pets.ron", "--out", "run"], at);
    let read = |name: &str| fs::read(at.join(name)).unwrap();
    let names = || Model::<f32, Cpu>::load(&at.join("run"), &Cpu::default(), &Registry::default(), false).unwrap();
    assert_eq!(names().metadata.classes, ["cat", "dog"]);

    let sampled = |class: &str| {
        succeeds(&["sample", "run", "-n", "3", "--class", class, "--npy", "levels.npy"], at);
        (read("levels.npy"), read("samples.png"))
    };
    assert_eq!(sampled("dog"), sampled("1"));
    assert_ne!(sampled("dog").0, sampled("cat").0);
    assert_eq!(sampled("cat,dog"), sampled("all"));
    assert!(is_refused(&["sample", "run", "--class", "dogs"], at).contains("`dog`"));
    assert!(is_refused(&["sample", "run", "--class", "2"], at).contains("classes 0 to 1"));

    let json = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&succeeds(&[arguments, &["--json"]].concat(), at)).unwrap()
    };
    for command in ["eval", "score"] {
        let of = |options: &[&str]| json(&[&[command, "run", "--split", "all"], options].concat());
        assert_eq!(of(&[])["likelihood"], "p(x | class)");
        assert_eq!(of(&["--class", "1"])["likelihood"], "p(x | dog)");
        assert_eq!(of(&["--class", "dog"])["bits_per_dim"], of(&["--class", "1"])["bits_per_dim"]);
        assert_ne!(of(&["--class", "dog"])["bits_per_dim"], of(&[])["bits_per_dim"]);
        assert_eq!(of(&["--no-labels"])["likelihood"], "mean over classes of p(x | class)");
        assert!(is_refused(&[command, "run", "--class", "dog", "--no-labels"], at).contains("cannot be used with"));
    }
    let against = ["score", "run", "--class", "cat", "--against", "images:pets"];
    assert_eq!(json(&against)["likelihood"], "p(x | cat)");
    succeeds(&["score", "run", "--rank", "rank.csv"], at);
    assert!(fs::read_to_string(at.join("rank.csv")).unwrap().contains(",pets/dog/9.png,dog,"));

    // Latents of a wrong class are others, and give the same pictures back under it.
    let decoded = |encode: &[&str], decode: &[&str]| {
        succeeds(&[&["encode", "run", "--split", "all"], encode].concat(), at);
        succeeds(&[&["decode", "run", "latents.safetensors", "--npy", "back.npy"], decode].concat(), at);
        (read("latents.safetensors"), read("back.npy"))
    };
    let (own, wrong, moved) = (decoded(&[], &[]), decoded(&["--class", "dog"], &[]), decoded(&[], &["--class", "dog"]));
    assert!(own.0 != wrong.0 && own.1 == wrong.1 && moved.1 != own.1);

    succeeds(&["train", "--resume", "run", "--steps", "11"], at);
    assert_eq!(names().metadata.classes, ["cat", "dog"]);
    succeeds(&["reconstruct", "run", "--class", "dog"], at);
    succeeds(&["sample", "run", "--resample", "top", "--pictures", "0,1", "--class", "dog"], at);
    let two = ["sample", "run", "--resample", "top", "--pictures", "0", "--class", "all"];
    assert!(is_refused(&two, at).contains("of their own classes"));
}
