//! Folders of PNG and JPEG pictures.
//!
//! A picture is turned as its camera says, its shorter side is brought to the flow's size and the middle is cut out; or it
//! is brought to another size and cut at random, as RealNVP does with LSUN (L. Dinh, J. Sohl-Dickstein and S. Bengio, 2017,
//! arXiv:1605.08803, section 4.1). Grey
//! and colour become what the flow has: grey is `0.2126 R + 0.7152 G + 0.0722 B`. Sixteen bits become eight, CMYK becomes
//! RGB, and transparency is ignored. A picture of the flow's size is read as it is; a smaller one is refused, since
//! enlarging makes pixels that say nothing.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::bytes::{DEFLATE_RATIO, reserve};
use super::split::train_and_test;
use super::{Cut, DataSet, ImageSource, Images, Opening, Place, folder_name};
use crate::error::{Error, Result};
use crate::files::open;

const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];
/// Names of the sub-folder with test images, beside one called `train`; all of them perhaps with an ending, as `_32x32`.
const TEST: [&str; 4] = ["test", "valid", "validation", "val"];
/// The longest side of a picture that is decoded, and the most memory that one may take.
const LONGEST_SIDE: u32 = 1 << 15;
const MOST_MEMORY: u64 = 1 << 29;
/// The most pixels that a byte of a file can hold: a PNG of one bit a pixel packs best. A JPEG's decoder would fill in all
/// that is missing, and take its time.
const PIXELS_IN_A_BYTE: u64 = 8 * DEFLATE_RATIO;
/// Folders within folders; more are taken for a loop of links.
const DEEPEST: usize = 8;

/// Opens the pictures of `folder` as images of the shape that is asked for, or of the size and colours of the first one:
/// decoded now, or when they are asked for where they take more memory than they may. Sub-folders are classes, in the order of their names. Where there are sub-folders `train` and `test` (or
/// `valid`, `validation`, `val`; or `train_32x32` and so on) these are the splits; otherwise every tenth picture, by class
/// and name, is to test on. In each split the classes take turns.
///
/// # Errors
/// [`Error::BadFile`] for a folder without pictures, a class without pictures, pictures both beside and in classes, a
/// picture that cannot be decoded or is too small, or splits whose classes differ; [`Error::Usage`] for a number of
/// channels other than 1 and 3; [`Error::Io`] for what cannot be read.
pub fn load(folder: &Path, opening: &Opening) -> Result<DataSet> {
    let (train, test) = splits(folder)?;
    let first = if train.paths.is_empty() { &test } else { &train };
    let shape = opening.shape.map_or_else(|| first.first_shape(), Ok)?;
    if shape[2] != 1 && shape[2] != 3 {
        let asked = shape[2];
        return Err(Error::Usage(format!("pictures have 1 channel (grey) or 3 (colour), and {asked} are asked for")));
    }
    let (name, classes) = (folder_name(folder), train.classes.clone());
    Ok(DataSet {
        name,
        train: train.images(shape, opening)?,
        test: test.images(shape, opening)?,
        bins: 256,
        classes,
        remarks: Vec::new(),
    })
}

/// The files of the pictures that [`load`] reads, to train on and to test on, in the same order.
///
/// # Errors
/// As [`load`], but for pictures that cannot be decoded.
pub fn files(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (train, test) = splits(folder)?;
    Ok((train.paths, test.paths))
}

/// The pictures to train on and to test on, in the order of their set.
fn splits(folder: &Path) -> Result<(List, List)> {
    let (_, folders) = entries(folder)?;
    let called = |name: &str| {
        let is = |path: &&PathBuf| matches!(folder_name(path).strip_prefix(name), Some(rest) if rest.is_empty() || rest.starts_with('_'));
        folders.iter().find(is).cloned()
    };
    let (train, test) = match (called("train"), TEST.into_iter().find_map(called)) {
        (Some(train), Some(test_folder)) => {
            let (train, test) = (List::read(&train)?, List::read(&test_folder)?);
            if train.classes != test.classes {
                let (expected, found) = (&train.classes, &test.classes);
                let reason = format!("its classes are {found:?}, and those to train on are {expected:?}");
                return Err(Error::bad_file(test_folder, reason));
            }
            (train, test)
        }
        _ => {
            let all = List::read(folder)?;
            let (train, test) = train_and_test(all.paths.len());
            (all.select(&train), all.select(&test))
        }
    };
    Ok((train.in_turns(), test.in_turns()))
}

/// The pictures of a folder; at first in the order of classes and names.
#[derive(Debug, Default)]
struct List {
    paths: Vec<PathBuf>,
    labels: Vec<u16>,
    classes: Vec<String>,
}

impl List {
    fn read(folder: &Path) -> Result<Self> {
        let (mut list, (paths, folders)) = (Self::default(), entries(folder)?);
        if folders.is_empty() {
            list.paths = paths;
        } else if let Some(path) = paths.first() {
            return Err(Error::bad_file(path, "a picture beside sub-folders: put it into one, they are the classes"));
        }
        for (label, class) in folders.iter().enumerate() {
            let label = u16::try_from(label)
                .map_err(|_| Error::bad_file(folder, format!("{} sub-folders are too many classes", folders.len())))?;
            let before = list.paths.len();
            collect(class, &mut list.paths, DEEPEST)?;
            if list.paths.len() == before {
                return Err(Error::bad_file(class, "this class holds no PNG or JPEG"));
            }
            list.labels.resize(list.paths.len(), label);
            list.classes.push(folder_name(class));
        }
        if list.paths.is_empty() {
            return Err(Error::bad_file(folder, "there is no PNG or JPEG in this folder"));
        }
        Ok(list)
    }

    /// These pictures, in this order.
    fn select(&self, order: &[usize]) -> Self {
        let paths = order.iter().filter_map(|&i| self.paths.get(i).cloned()).collect();
        let labels = order.iter().filter_map(|&i| self.labels.get(i).copied()).collect();
        Self { paths, labels, classes: self.classes.clone() }
    }

    /// The classes taking turns, so that each has its share in any part, such as the last images, held out to validate.
    fn in_turns(&self) -> Self {
        let mut sizes = vec![0u64; self.classes.len()];
        let place = |&label: &u16| {
            sizes[usize::from(label)] += 1;
            sizes[usize::from(label)]
        };
        let places: Vec<u64> = self.labels.iter().map(place).collect();
        // Sorted by how far through its class each is, (2 · place − 1) / size, without rounding.
        let part = |i: usize| (2 * places[i] - 1, sizes[usize::from(self.labels[i])]);
        let mut order: Vec<usize> = (0..self.paths.len()).collect();
        if !self.labels.is_empty() {
            order.sort_by(|&a, &b| {
                let ((a, size_of_a), (b, size_of_b)) = (part(a), part(b));
                (a * size_of_b).cmp(&(b * size_of_a))
            });
        }
        self.select(&order)
    }

    /// `[height, width, channels]` of the first picture.
    fn first_shape(&self) -> Result<[usize; 3]> {
        let picture = self.paths.first().map(|path| decode(path)).transpose()?.unwrap_or_default();
        let channels = if picture.color().has_color() { 3 } else { 1 };
        Ok([picture.height() as usize, picture.width() as usize, channels])
    }

    /// All pictures; those that are held are decoded now, on all threads. Of several errors it is that of the first one.
    fn images(self, shape: [usize; 3], opening: &Opening) -> Result<Images> {
        let bytes = shape.iter().product::<usize>() as u64 * self.paths.len() as u64;
        let held = opening.cut == Cut::Middle && opening.holds(bytes);
        if let (Some(first), true) = (self.paths.first(), held) {
            reserve(first, &mut Vec::new(), bytes)?;
        }
        let labels = Some(self.labels).filter(|labels| !labels.is_empty());
        let pictures = Pictures { paths: self.paths, shape, cut: opening.cut };
        let images = Images::streamed(Arc::new(pictures), labels)?;
        if held { images.held() } else { Ok(images) }
    }
}

/// The files of pictures, and what is made of them.
#[derive(Debug)]
struct Pictures {
    paths: Vec<PathBuf>,
    shape: [usize; 3],
    cut: Cut,
}

impl ImageSource for Pictures {
    fn count(&self) -> usize {
        self.paths.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn read(&self, i: usize, place: Place) -> Result<Vec<u8>> {
        fitted(&self.paths[i], self.shape, self.cut, place)
    }
}

/// Pictures and sub-folders, each by name; what is hidden, and other files, are left out.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    if folder.is_file() {
        return Err(Error::bad_file(folder, "expected a folder of pictures, found a file"));
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        paths.push(entry.map_err(Error::io(folder))?.path());
    }
    paths.retain(|path| !folder_name(path).starts_with('.'));
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let is_picture = |path: &PathBuf| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        ENDINGS.contains(&&*ending)
    };
    Ok((files.into_iter().filter(is_picture).collect(), folders))
}

/// All pictures in a folder and the folders within.
fn collect(folder: &Path, pictures: &mut Vec<PathBuf>, depth: usize) -> Result<()> {
    if depth == 0 {
        return Err(Error::bad_file(folder, format!("more than {DEEPEST} folders deep: do links run in a circle?")));
    }
    let (paths, folders) = entries(folder)?;
    pictures.extend(paths);
    folders.iter().try_for_each(|folder| collect(folder, pictures, depth - 1))
}

/// A picture as it is in its file, turned upright.
fn decode(path: &Path) -> Result<DynamicImage> {
    let wrong = |error: image::ImageError| match error {
        image::ImageError::IoError(error) => super::bytes::unreadable(path)(error),
        error => Error::bad_file(path, format!("it cannot be decoded: {error}")),
    };
    let (file, length) = open(path)?;
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().map_err(Error::io(path))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST_SIDE), Some(LONGEST_SIDE));
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(wrong)?;
    // A decoder holds to the limits in what it needs beside the picture; the picture itself is ours.
    limits.reserve(decoder.total_bytes()).map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > length.saturating_mul(PIXELS_IN_A_BYTE) {
        let reason = format!("its header says {width}×{height} pixels, which its {length} bytes cannot hold");
        return Err(Error::bad_file(path, reason));
    }
    let orientation = decoder.orientation().map_err(wrong)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The levels of a picture, `[height, width, channels]`.
fn fitted(path: &Path, [height, width, channels]: [usize; 3], cut: Cut, place: Place) -> Result<Vec<u8>> {
    let mut picture = decode(path)?;
    let size = |picture: &DynamicImage| [picture.height() as usize, picture.width() as usize];
    let mut found = size(&picture);
    let shorter = match cut {
        Cut::Window { shorter_side: Some(side) } => [side; 2],
        _ => [height, width],
    };
    if found[0] < shorter[0] || found[1] < shorter[1] {
        let ([found, across], [height, width]) = (found, shorter);
        let reason = format!("it is {found}×{across}, smaller than the {height}×{width} that are asked for");
        return Err(Error::bad_file(path, reason));
    }
    match cut {
        Cut::Middle if found != [height, width] => {
            picture = picture.resize_to_fill(width as u32, height as u32, FilterType::Triangle);
        }
        Cut::Window { shorter_side: Some(side) } if found[0].min(found[1]) != side => {
            // Rounded to the nearest, and the shorter side exact.
            let scaled = found.map(|other| (other * side + found[0].min(found[1]) / 2) / found[0].min(found[1]));
            picture = picture.resize_exact(scaled[1] as u32, scaled[0] as u32, FilterType::Triangle);
        }
        Cut::Middle | Cut::Window { .. } => {}
    }
    found = size(&picture);
    if found[0] < height || found[1] < width {
        let ([found, across], side) = (found, shorter[0]);
        let reason = format!(
            "with a shorter side of {side} it is {found}×{across}, smaller than the {height}×{width} that are cut out"
        );
        return Err(Error::bad_file(path, reason));
    }
    if found != [height, width] {
        let [top, left] = place.corner(found, [height, width]);
        picture = picture.crop_imm(left as u32, top as u32, width as u32, height as u32);
    }
    Ok(if channels == 1 { picture.into_luma8().into_raw() } else { picture.into_rgb8().into_raw() })
}

#[cfg(test)]
mod tests {
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

    fn complaint(folder: &TempDir, shape: [usize; 3]) -> String {
        let error = load(folder.path(), &exactly(shape)).unwrap_err();
        assert!(error.is_input(), "{error}");
        error.to_string()
    }

    const TEN: [&str; 10] = ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.PNG", "7.png", "8.png", "9.png"];

    #[test]
    fn pictures_of_the_right_size_are_read_as_they_are_in_the_order_of_names() {
        let folder = folder(&TEN);
        fs::write(folder.path().join("notes.txt"), "not a picture").unwrap();
        fs::write(folder.path().join(".hidden.png"), "not a picture").unwrap();
        let data = load(folder.path(), &exactly([2, 4, 3])).unwrap();
        assert_eq!((data.train.len(), data.test.len(), data.train.labels()), (9, 1, None));
        assert_eq!(data.train.image(6).unwrap(), picture(6, 4, 2).into_raw());
        assert_eq!(data.test.image(0).unwrap(), picture(9, 4, 2).into_raw());
        assert_eq!(load(folder.path(), &Opening::default()).unwrap(), data, "the first picture says the size");
        let (train, test) = files(folder.path()).unwrap();
        assert_eq!((train[6].file_name(), test), (Some("6.PNG".as_ref()), vec![folder.path().join("9.png")]));
    }

    #[test]
    fn of_few_pictures_all_are_to_test_on() {
        let folder = folder(&TEN[..3]);
        let data = load(folder.path(), &Opening::default()).unwrap();
        assert_eq!((data.train.len(), data.test.len(), data.test.shape()), (0, 3, [2, 4, 3]));
        assert_eq!(data.test.image(2).unwrap(), picture(2, 4, 2).into_raw());
    }

    #[test]
    fn pictures_that_are_read_when_needed_are_those_that_are_held() {
        let folder = folder(&TEN);
        let held = load(folder.path(), &exactly([2, 2, 3])).unwrap();
        let read = load(folder.path(), &Opening { memory: 0, ..exactly([2, 2, 3]) }).unwrap();
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
        let images = load(folder.path(), &cut(Some(5))).unwrap().train;
        let windows: Vec<Vec<u8>> = [(0, 0), (1, 5)]
            .map(|(top, left)| (0..4).flat_map(|y| (0..3).map(move |x| ((top + y) * 10 + left + x) as u8)).collect())
            .to_vec();
        let near = |a: &[u8], b: &[u8]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 3);
        for (corner, window) in [[0.0, 0.0], [1.0, 1.0]].into_iter().zip(windows) {
            let found = images.gather_at(&[4], |_| Place::At(corner)).unwrap();
            assert!(near(&found, &window), "{found:?} and {window:?}");
        }
        let whole = load(folder.path(), &cut(None)).unwrap().train.gather_at(&[4], |_| Place::At([0.0, 0.0])).unwrap();
        assert_eq!(whole, [0, 0, 1, 0, 0, 1, 10, 10, 11, 10, 10, 11], "as large as it is in its file");
        let error = load(folder.path(), &cut(Some(11))).unwrap().train.gather(&[0]).unwrap_err();
        assert!(error.to_string().contains("it is 10×16, smaller than the 11×11"), "{error}");
        let small = load(folder.path(), &Opening { shape: Some([6, 6, 1]), ..cut(Some(5)) }).unwrap();
        assert!(small.train.gather(&[0]).unwrap_err().to_string().contains("it is 5×8, smaller than the 6×6"));
    }

    #[test]
    fn sub_folders_are_classes_and_splits() {
        let folder = folder(&["train/cat/a.png", "train/ant/b/c.png", "val/ant/x.png", "val/cat/y.png"]);
        let data = load(folder.path(), &exactly([2, 4, 3])).unwrap();
        assert_eq!(data.classes, ["ant", "cat"]);
        assert_eq!((data.train.labels(), data.train.image(0).unwrap()[0]), (Some(&[0, 1][..]), 1));
        assert_eq!((data.test.labels(), data.test.image(0).unwrap()[0]), (Some(&[0, 1][..]), 2));
        for (plain, size) in [("train", "train_32x32"), ("val", "valid_32x32")] {
            fs::rename(folder.path().join(plain), folder.path().join(size)).unwrap();
        }
        assert_eq!(load(folder.path(), &exactly([2, 4, 3])).unwrap(), data);
        for (plain, size) in [("train", "train_32x32"), ("val", "valid_32x32")] {
            fs::rename(folder.path().join(size), folder.path().join(plain)).unwrap();
        }
        fs::create_dir(folder.path().join("val/dog")).unwrap();
        assert!(complaint(&folder, [2, 4, 3]).contains("this class holds no PNG"));
        save(&folder, "val/dog/z.png", &picture(1, 4, 2));
        assert!(complaint(&folder, [2, 4, 3]).contains("those to train on are [\"ant\", \"cat\"]"));
    }

    #[test]
    fn classes_take_turns_in_proportion() {
        let list = List {
            paths: (0..8).map(|i| PathBuf::from(i.to_string())).collect(),
            labels: vec![0, 0, 0, 0, 0, 0, 1, 1],
            classes: vec!["a".into(), "b".into()],
        };
        assert_eq!(list.in_turns().labels, [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(list.in_turns().paths[2], PathBuf::from("6"));
        assert_eq!(List { labels: vec![], classes: vec![], ..list }.in_turns().paths.len(), 8);
    }

    #[test]
    fn larger_pictures_are_shrunk_and_their_middle_is_cut_out() {
        let folder = folder(&TEN);
        for name in TEN {
            let wide = RgbImage::from_fn(16, 4, |x, _| if (6..10).contains(&x) { Rgb([200; 3]) } else { Rgb([9; 3]) });
            save(&folder, name, &wide);
        }
        let data = load(folder.path(), &exactly([2, 2, 1])).unwrap();
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
        let data = load(folder.path(), &exactly([2, 4, 3])).unwrap();
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
        assert!(complaint(&folder(&[]), [2, 4, 3]).contains("no PNG or JPEG"));
        assert!(load(Path::new("nowhere"), &Opening::default()).unwrap_err().is_input());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_pictures_are_read_or_refused(jpeg: bool, at in 0.0..1.0f64, byte: u8, cut in 0.0..1.0f64) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            let format = if jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
            picture(9, 20, 18).save_with_format(&path, format).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let (at, length) = ((at * bytes.len() as f64) as usize, bytes.len());
            bytes[at] = byte;
            bytes.truncate(((0.2 + cut) * length as f64) as usize);
            fs::write(&path, bytes).unwrap();
            if let Err(error) = fitted(&path, [18, 20, 3], Cut::Middle, Place::Middle) {
                proptest::prop_assert!(error.is_input(), "{}", error);
            }
        }
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
}
