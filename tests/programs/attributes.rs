//! Directions from a list of attributes.

use crate::cli::{is_refused, succeeds};
use std::fs;
use std::path::Path;

/// Twenty pictures, the bright ones with even numbers, and a flow for them.
fn faces(at: &Path) {
    fs::create_dir(at.join("faces")).unwrap();
    for i in 0..20u8 {
        let level = |x: u32, y: u32| image::Luma([50 + 100 * ((i + 1) % 2) + i + (7 * x + 11 * y) as u8]);
        image::GrayImage::from_fn(4, 4, level).save(at.join(format!("faces/{i:02}.png"))).unwrap();
    }
    let layers = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)";
    let recipe = "train: (data: \"images:faces\", batch: 6, length: Steps(3), initialization_images: 12)";
    let flow = format!("Flow(image: (height: 4, width: 4, channels: 1), layers: [{layers}], {recipe})");
    fs::write(at.join("faces.ron"), flow).unwrap();
    succeeds(&["train", "faces.ron", "--out", "run"], at);
}

#[test]
fn a_list_says_which_pictures_a_direction_is_from_and_to() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    faces(at);
    let sign = |yes: bool| if yes { 1 } else { -1 };
    let rows = |from: u8, end: &str, comma: &str| -> String {
        let row = |i: u8| format!("{i:02}{end}{comma}{}{comma}{}\n", sign(i.is_multiple_of(2)), sign(i < 8));
        (from..20).map(row).collect()
    };
    fs::write(at.join("list.csv"), format!("file,Bright,Early\n{}", rows(0, ".png", ","))).unwrap();
    let celeba = format!("21\nBright Early\n{}21.jpg 1 1\n", rows(0, ".jpg", " "));
    fs::write(at.join("celeba.txt"), celeba).unwrap();
    let manipulate = |list: &str, options: &[&str], out: &str| {
        let base = ["manipulate", "run", "--pictures", "0", "--attributes", list, "--out", out, "--save", "d"];
        succeeds(&[&base[..], options].concat(), at)
    };
    // Of 20 pictures, 9 and 19 are to test on.
    let said = manipulate("list.csv", &["--with", "Bright"], "a.png");
    assert!(said.contains("Bright (10 pictures) − all others (8 pictures)"), "{said}");
    let direction = fs::read(at.join("d")).unwrap();
    manipulate("celeba.txt", &["--with", "Bright"], "b.png");
    assert!(direction == fs::read(at.join("d")).unwrap(), "CelebA's list says the same");
    let said = manipulate("list.csv", &["--with", "Bright,Early", "--without", "no:Bright,Early"], "c.png");
    assert!(said.contains("Bright and Early (4 pictures) − no Bright and Early (4 pictures)"), "{said}");
    let said = manipulate("list.csv", &["--with", "Bright", "--without", "Early", "--examples", "3"], "c.png");
    assert!(said.contains("Bright (3 pictures) − Early (3 pictures)"), "{said}");

    // Images that are not files go by number in the split.
    let levels: Vec<u8> = (0..20 * 16).map(|i| (i * 7 % 251) as u8).collect();
    flowstone::data::npy::write_levels(at.join("a.npy"), [20, 4, 4, 1], &levels).unwrap();
    fs::write(at.join("numbers.csv"), "n,Odd\n0,no\n1,yes\n2,no\n3,yes\n").unwrap();
    let said = manipulate("numbers.csv", &["--with", "Odd", "--data", "npy:a.npy", "--split", "train"], "c.png");
    assert!(said.contains("Odd (2 pictures) − all others (2 pictures)"), "{said}");
}

#[test]
fn a_list_that_does_not_fit_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    faces(at);
    let refused = |list: &str, options: &[&str]| {
        fs::write(at.join("list.csv"), list).unwrap();
        let stderr =
            is_refused(&[&["manipulate", "run", "--pictures", "0", "--attributes", "list.csv"], options].concat(), at);
        stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let right = "file,Bright,Early\n00,1,1\n01,0,1\n";
    let unknown = refused(right, &["--with", "bright"]);
    assert!(unknown.contains("list.csv: there is no attribute `bright`; did you mean `Bright`?"), "{unknown}");
    assert!(refused(right, &["--with", "Early"]).contains("none is of `all others`"));
    assert!(refused(right, &["--with", "Bright", "--without", "Bright"]).contains("are the same pictures"));
    assert!(refused("file,Bright\nx.png,1\n", &["--with", "Bright"]).contains("is not in the data, such as `00.png`"));
    assert!(refused("file,Bright\n00,2\n", &["--with", "Bright"]).contains("line 2: `Bright` is `2`"));
    refused(right, &[]);
    refused(right, &["--direction", "d"]);
}
