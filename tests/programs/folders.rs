//! Folders of pictures as people have them: what is said of them, what is refused, and what is gone on without.

use crate::cli::{flowstone, is_refused, succeeds};
use crate::text;
use std::fs;
use std::path::Path;

const FLOW: &str = "Flow(image: (height: 4, width: 4, channels: 1), layers: [Squeeze(), ActNorm()],
    train: (data: \"images:photos\", batch: 4, length: Steps(2), initialization_images: 4))";

/// Pictures of 4×4 in two classes under a folder: six of each, whose levels tell them apart.
fn classes(folder: &Path) {
    for (class, first) in [("cats", 0u8), ("dogs", 100)] {
        fs::create_dir_all(folder.join(class)).unwrap();
        for i in 0..6 {
            let level = |x: u32, y: u32| image::Luma([first + i * 10 + (x * y) as u8]);
            image::GrayImage::from_fn(4, 4, level).save(folder.join(format!("{class}/{i}.png"))).unwrap();
        }
    }
}

/// What a command that succeeds says on stderr, in one line.
fn said(arguments: &[&str], at: &Path) -> String {
    let output = flowstone(arguments, at);
    let stderr = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn refusal(arguments: &[&str], at: &Path) -> String {
    is_refused(arguments, at).replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn folders_to_train_on_and_to_test_on_are_named_at_the_start_or_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("flow.ron"), FLOW).unwrap();
    classes(&at.join("photos/Training"));
    classes(&at.join("photos/Testing"));
    fs::write(at.join("photos/Testing/cats/7.heic"), "").unwrap();
    let words = said(&["train", "flow.ron", "--out", "run"], at);
    assert!(words.contains("photos: sub-folder Training is to train on, Testing to test on"), "{words}");
    assert!(words.contains("photos: 1 file is left out, as it is no picture: 1 .heic"), "{words}");
    assert!(succeeds(&["eval", "run"], at).contains("12 images"));

    classes(&at.join("photos/toys"));
    let words = refusal(&["eval", "run"], at);
    assert!(words.contains("photos?train=Training&test=Testing\": without toys"), "{words}");
    let words = said(&["eval", "run", "--data", "images:photos?train=toys&test=Testing"], at);
    assert!(words.contains("left out, and neither trained nor tested on: Training"), "{words}");
}

#[test]
fn a_run_goes_on_without_pictures_that_cannot_be_read_where_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("flow.ron"), FLOW).unwrap();
    classes(&at.join("photos"));
    let whole = fs::read(at.join("photos/cats/1.png")).unwrap();
    fs::write(at.join("photos/cats/1.png"), &whole[..whole.len() * 6 / 10]).unwrap();
    fs::write(at.join("photos/dogs/0.png"), "no picture").unwrap();
    let train = ["train", "flow.ron", "--out", "run"];
    let words = refusal(&train, at);
    assert!(words.contains("2 of 12 pictures are unreadable: cats/1.png: "), "{words}");
    assert!(words.contains(" dogs/0.png: ") && words.contains("--skip-unreadable"), "{words}");
    if at.join("run").exists() {
        fs::remove_dir_all(at.join("run")).unwrap();
    }

    let words = said(&[&train[..], &["--skip-unreadable"]].concat(), at);
    assert!(words.contains("2 of 12 pictures are unreadable and left out: cats/1.png: "), "{words}");
    let resume = ["train", "--resume", "run", "--steps", "3"];
    assert!(refusal(&resume, at).contains("--skip-unreadable"));
    said(&[&resume[..], &["--skip-unreadable"]].concat(), at);

    let score = ["score", "run", "--split", "all", "--out", "scores.npy", "--rank", "ranking.csv", "--skip-unreadable"];
    said(&score, at);
    let ranking = fs::read_to_string(at.join("ranking.csv")).unwrap();
    assert_eq!(ranking.lines().count(), 11, "{ranking}");
    for row in ranking.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        assert!(Path::new(fields[2]).parent().unwrap().ends_with(fields[3]), "the file of its own class: {row}");
    }
    assert!(!ranking.contains("cats/1.png") && !ranking.contains("dogs/0.png"), "{ranking}");
}
