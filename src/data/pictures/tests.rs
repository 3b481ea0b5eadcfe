//! Folders of pictures, read as a whole.

use super::super::{Cut, Place};
use super::*;
use image::{ExtendedColorType, GrayImage, ImageBuffer, ImageFormat, Luma, Rgb, RgbImage};
use std::fs;
use tempfile::TempDir;

/// A folder with the pictures of these names, each with levels of its own.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in names.iter().enumerate() {
        save(&folder, name, &picture(i as u8, 4, 2));
    }
    folder
}

fn picture(level: u8, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([level, x as u8, y as u8]))
}

fn save(folder: &TempDir, name: &str, picture: &RgbImage) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

fn exactly(shape: [usize; 3]) -> Opening {
    Opening { shape: Some(shape), ..Opening::default() }
}

fn read(folder: &TempDir, opening: &Opening) -> Result<DataSet> {
    load(folder.path().to_str().unwrap(), opening)
}

fn complaint(folder: &TempDir, shape: [usize; 3]) -> String {
    let error = read(folder, &exactly(shape)).unwrap_err();
    assert!(error.is_input(), "{error}");
    error.to_string()
}

const TEN: [&str; 10] = ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.PNG", "7.png", "8.png", "9.png"];

#[test]
fn pictures_of_the_right_size_are_read_as_they_are_in_the_order_of_names() {
    let folder = folder(&TEN);
    fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
    fs::write(folder.path().join(".hidden.png"), "not a picture").unwrap();
    let data = read(&folder, &exactly([2, 4, 3])).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.train.labels()), (9, 1, None));
    assert_eq!(data.train.image(6).unwrap(), picture(6, 4, 2).into_raw());
    assert_eq!(data.test.image(0).unwrap(), picture(9, 4, 2).into_raw());
    assert_eq!(read(&folder, &Opening::default()).unwrap(), data, "the first picture says the size");
    let (train, test) = files(folder.path().to_str().unwrap()).unwrap();
    assert_eq!((train[6].file_name(), test), (Some("6.PNG".as_ref()), vec![folder.path().join("9.png")]));
}

#[test]
fn of_few_pictures_all_are_to_test_on() {
    let folder = folder(&TEN[..3]);
    let data = read(&folder, &Opening::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.test.shape()), (0, 3, [2, 4, 3]));
    assert_eq!(data.test.image(2).unwrap(), picture(2, 4, 2).into_raw());
}

#[test]
fn pictures_that_are_read_when_needed_are_those_that_are_held() {
    let folder = folder(&TEN);
    let held = read(&folder, &exactly([2, 2, 3])).unwrap();
    let read = read(&folder, &Opening { memory: 0, ..exactly([2, 2, 3]) }).unwrap();
    assert!(read.train.is_streamed() && !held.train.is_streamed());
    assert_eq!(read.train.levels().unwrap(), held.train.levels().unwrap());
    assert_eq!(read.train.fingerprint().unwrap(), held.train.fingerprint().unwrap());
    fs::write(folder.path().join("7.png"), b"no picture").unwrap();
    let error = read.train.gather(&[0, 7]).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("7.png: it cannot be decoded"), "{error}");
}

#[test]
fn windows_are_cut_from_pictures_brought_to_a_shorter_side() {
    let folder = folder(&TEN);
    for name in TEN {
        // Twice 5×8, so that halving it by averages gives back levels of 10 · row + column.
        save(&folder, name, &RgbImage::from_fn(16, 10, |x, y| Rgb([(y / 2 * 10 + x / 2) as u8; 3])));
    }
    let cut = |shorter_side| Opening { cut: Cut::Window { shorter_side }, ..exactly([4, 3, 1]) };
    let images = read(&folder, &cut(Some(5))).unwrap().train;
    let windows: Vec<Vec<u8>> = [(0, 0), (1, 5)]
        .map(|(top, left)| (0..4).flat_map(|y| (0..3).map(move |x| ((top + y) * 10 + left + x) as u8)).collect())
        .to_vec();
    let near = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 3);
    for (corner, window) in [[0.0, 0.0], [1.0, 1.0]].into_iter().zip(windows) {
        let found = images.gather_at(&[4], |_| Place::At(corner)).unwrap();
        assert!(near(&found, &window), "{found:?} and {window:?}");
    }
    let whole = read(&folder, &cut(None)).unwrap().train.gather_at(&[4], |_| Place::At([0.0, 0.0])).unwrap();
    assert_eq!(whole, [0, 0, 1, 0, 0, 1, 10, 10, 11, 10, 10, 11], "as large as it is in its file");
    let error = read(&folder, &cut(Some(11))).unwrap_err();
    assert!(error.to_string().contains("it is 10×16, smaller than the 11×11"), "{error}");
    let small = read(&folder, &Opening { shape: Some([6, 6, 1]), ..cut(Some(5)) }).unwrap_err();
    assert!(small.to_string().contains("it is 5×8, smaller than the 6×6"));
}

#[test]
fn sub_folders_are_classes_and_splits() {
    let folder = folder(&["train/cat/a.png", "train/ant/b/c.png", "val/ant/x.png", "val/cat/y.png"]);
    let data = read(&folder, &exactly([2, 4, 3])).unwrap();
    assert_eq!(data.classes, ["ant", "cat"]);
    assert_eq!((data.train.labels(), data.train.image(0).unwrap()[0]), (Some(&[0, 1][..]), 1));
    assert_eq!((data.test.labels(), data.test.image(0).unwrap()[0]), (Some(&[0, 1][..]), 2));
    for (plain, size) in [("train", "train_32x32"), ("val", "valid_32x32")] {
        fs::rename(folder.path().join(plain), folder.path().join(size)).unwrap();
    }
    let again = read(&folder, &exactly([2, 4, 3])).unwrap();
    assert_eq!((again.train, again.test, again.classes), (data.train, data.test, data.classes));
    for (plain, size) in [("train", "train_32x32"), ("val", "valid_32x32")] {
        fs::rename(folder.path().join(size), folder.path().join(plain)).unwrap();
    }
    fs::create_dir(folder.path().join("val/dog")).unwrap();
    assert_eq!(read(&folder, &exactly([2, 4, 3])).unwrap().classes, ["ant", "cat"]);
    save(&folder, "val/dog/z.png", &picture(1, 4, 2));
    assert!(complaint(&folder, [2, 4, 3]).contains("those to train on are [\"ant\", \"cat\"]"));
}

#[test]
fn larger_pictures_are_shrunk_and_their_middle_is_cut_out() {
    let folder = folder(&TEN);
    for name in TEN {
        let wide = RgbImage::from_fn(16, 4, |x, _| if (6..10).contains(&x) { Rgb([200; 3]) } else { Rgb([9; 3]) });
        save(&folder, name, &wide);
    }
    let data = read(&folder, &exactly([2, 2, 1])).unwrap();
    assert_eq!(
        data.train.image(0).unwrap()[..],
        [180, 180, 180, 180].map(|_| data.train.image(0).unwrap()[0]),
        "left and right alike"
    );
    assert!(data.train.image(0).unwrap()[0] > 150, "{:?}", data.train.image(0).unwrap());
}

#[test]
fn grey_colour_sixteen_bits_and_jpeg_are_handled() {
    let folder = folder(&TEN);
    let at = |name: &str| folder.path().join(name);
    GrayImage::from_pixel(4, 2, Luma([77])).save(at("0.png")).unwrap();
    ImageBuffer::from_pixel(4, 2, Luma([77u16 * 257])).save(at("1.png")).unwrap();
    image::RgbaImage::from_pixel(4, 2, image::Rgba([77, 77, 77, 0])).save(at("2.png")).unwrap();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    RgbImage::from_pixel(4, 2, Rgb([77; 3])).write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    fs::write(at("3.png"), jpeg.into_inner()).unwrap();
    let data = read(&folder, &exactly([2, 4, 3])).unwrap();
    for i in 0..4 {
        assert!(data.train.image(i).unwrap().iter().all(|level| level.abs_diff(77) <= 1), "{i}");
    }
}

#[test]
fn what_cannot_be_read_is_one_error_that_names_it() {
    let broken = folder(&TEN);
    let whole = fs::read(broken.path().join("5.png")).unwrap();
    fs::write(broken.path().join("5.png"), &whole[..whole.len() / 2]).unwrap();
    assert!(complaint(&broken, [2, 4, 3]).contains("5.png"));
    fs::write(broken.path().join("5.png"), b"no picture").unwrap();
    assert!(complaint(&broken, [2, 4, 3]).contains("5.png: it cannot be decoded"));
    assert!(complaint(&folder(&TEN), [3, 4, 3]).contains("0.png: it is 2×4, smaller than the 3×4"));
    assert!(complaint(&folder(&TEN), [2, 4, 4]).contains("4 are asked for"));
    assert!(complaint(&folder(&["a.png", "b/c.png"]), [2, 4, 3]).contains("a.png: a picture beside sub-folders"));
    assert!(complaint(&folder(&[]), [2, 4, 3]).contains("there is no picture"));
    assert!(load("nowhere", &Opening::default()).unwrap_err().is_input());
}

#[test]
fn a_header_that_says_too_much_is_refused_without_the_memory() {
    let folder = folder(&TEN);
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    image::ImageEncoder::write_image(encoder, &[0; 8], 4, 2, ExtendedColorType::L8).unwrap();
    // The width is at byte 16, under the checksum of its chunk at byte 29.
    png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
    let mut sum = flate2::Crc::new();
    sum.update(&png[12..29]);
    png[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    fs::write(folder.path().join("0.png"), png).unwrap();
    assert!(complaint(&folder, [2, 4, 1]).contains("0.png: it cannot be decoded"));
}

/// Ten pictures in two classes of which two cannot be decoded, one is cut and one is too small.
fn partly_unreadable() -> TempDir {
    let names =
        ["a/0.png", "a/1.png", "a/2.jpg", "a/3.png", "b/4.png", "b/5.png", "b/6.png", "b/7.png", "b/8.png", "b/9.png"];
    let folder = folder(&names);
    fs::write(folder.path().join("a/0.png"), b"no picture").unwrap();
    fs::write(folder.path().join("b/9.png"), b"").unwrap();
    let jpeg = fs::read(folder.path().join("a/2.jpg")).unwrap();
    fs::write(folder.path().join("a/2.jpg"), &jpeg[..jpeg.len() * 6 / 10]).unwrap();
    save(&folder, "b/5.png", &picture(5, 3, 2));
    folder
}

#[test]
fn all_that_cannot_be_read_is_listed_at_once() {
    let folder = partly_unreadable();
    let message = complaint(&folder, [2, 4, 3]);
    assert!(message.contains("4 of 10 pictures are unreadable:") && message.contains("--skip-unreadable"), "{message}");
    for words in
        ["a/0.png: it cannot be", "a/2.jpg: the file is cut", "b/5.png: it is 2×3, smaller", "b/9.png: it cannot"]
    {
        assert!(message.contains(&format!("\n  {words}")), "{words} in {message}");
    }
    let many = self::folder(&[]);
    (10..35).for_each(|i| fs::write(many.path().join(format!("{i}.png")), "").unwrap());
    save(&many, "a.png", &picture(1, 4, 2));
    let message = complaint(&many, [2, 4, 3]);
    assert_eq!(message.lines().count(), 23, "{message}");
    assert!(message.contains("25 of 26") && message.contains("\n  and 5 more\n"), "{message}");
}

#[test]
fn without_what_cannot_be_read_images_labels_and_files_are_those_of_the_rest() {
    let folder = partly_unreadable();
    let skipping = Opening { skip_unreadable: true, ..exactly([2, 4, 3]) };
    let held = read(&folder, &skipping).unwrap();
    let streamed = read(&folder, &Opening { memory: 0, ..skipping }).unwrap();
    assert!(streamed.test.is_streamed());
    for data in [held, streamed] {
        let remark = data.remarks.last().unwrap();
        assert!(remark.contains("4 of 10 pictures are unreadable and left out:\n  "), "{remark}");
        assert!(remark.contains("b/5.png: it is 2×3, smaller than the 2×4 that are asked for"), "{remark}");
        let all = data.train.followed_by(&data.test).unwrap();
        assert_eq!((all.len(), all.files().unwrap().count()), (6, 6));
        for i in 0..all.len() {
            // Each picture's first level is its number, and so is its file's name.
            let file = all.file(i).unwrap();
            let number: u8 = file.file_stem().unwrap().to_str().unwrap().parse().unwrap();
            assert_eq!(all.image(i).unwrap()[0], number);
            assert_eq!(data.classes[all.label(i).unwrap()], folder_name(file.parent().unwrap()));
        }
        assert_eq!(all.select([5, 0]).unwrap().file(1), all.file(0));
    }
    let lost = self::folder(&[]);
    fs::write(lost.path().join("a.png"), "").unwrap();
    assert!(read(&lost, &skipping).is_err(), "nothing is left");
}

#[test]
fn of_pictures_that_are_read_when_needed_those_too_small_are_known_before() {
    let folder = folder(&TEN);
    save(&folder, "3.png", &picture(3, 4, 1));
    save(&folder, "8.png", &picture(8, 1, 2));
    let error = read(&folder, &Opening { memory: 0, ..exactly([2, 4, 3]) }).unwrap_err().to_string();
    assert!(error.contains("\n  3.png: it is 1×4") && error.contains("\n  8.png: it is 2×1"), "{error}");
}

#[test]
fn leftovers_and_what_is_hidden_are_not_there_and_other_files_are_counted() {
    let folder = folder(&["c.png", ".hidden/d.png", "__MACOSX/e.png", "empty/.f.png"]);
    for name in ["a.jpe", "b.jfif"] {
        fs::write(folder.path().join(name), samples::written(picture(1, 4, 2), ImageFormat::Jpeg)).unwrap();
    }
    for name in ["Thumbs.db", "desktop.ini", ".DS_Store", "x.heic", "y.HEIC", "z.txt"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let data = read(&folder, &exactly([2, 4, 3])).unwrap();
    assert_eq!((data.test.len(), data.classes.len()), (3, 0));
    let remarks: Vec<&str> = data.remarks.iter().map(|remark| remark.split_once(": ").unwrap().1).collect();
    assert_eq!(remarks, ["without pictures: empty", "3 files are left out, as they are no pictures: 2 .heic, 1 .txt"]);
}

#[test]
fn a_folder_without_pictures_says_what_is_there() {
    let folder = folder(&[]);
    assert!(complaint(&folder, [2, 4, 3]).ends_with("it holds no file"));
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    for name in ["x.txt", "a/y.heic", "a/b/z.heic"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let message = complaint(&folder, [2, 4, 3]);
    assert!(
        message.contains("in this folder or those within") && message.ends_with("found 2 .heic, 1 .txt"),
        "{message}"
    );
}
