//! Images of every kind that flows are for, from their files to sheets and back to the same grey levels.

use crate::cli::{is_refused, succeeds};
use crate::data::mnist_like;
use flowstone::data;
use flowstone::flow::FlowFile;
use flowstone::train::open_data;
use std::fs;
use std::path::Path;

/// Twelve pictures that are brighter to the right and redder to the bottom.
fn pictures(folder: &Path, width: u32, height: u32) {
    fs::create_dir(folder).unwrap();
    for i in 0..12u8 {
        let color = |x: u32, y: u32| image::Rgb([(y * 5) as u8, (x * 7) as u8, i * 20]);
        image::RgbImage::from_fn(width, height, color).save(folder.join(format!("{i:02}.png"))).unwrap();
    }
}

/// Trains for two steps, samples, and brings all test images to latents and back, which must be exact. The sheets are of
/// the right size, and pictures on them the right way up.
fn go_there_and_back(at: &Path, name: &str, (height, width, channels, bits): (usize, usize, usize, u32), source: &str) {
    let level = "Squeeze(), ActNorm(), InvertibleConv(), AffineCoupling(width: 4)";
    let image = format!("(height: {height}, width: {width}, channels: {channels}, bits: {bits})");
    let recipe = format!("train: (data: \"{source}\", batch: 4, length: Steps(2), initialization_images: 8)");
    let flow = format!("Flow(image: {image}, layers: [{level}, Split(), {level}], {recipe})");
    let (flow_file, run) = (format!("{name}.ron"), format!("runs/{name}"));
    fs::write(at.join(&flow_file), flow).unwrap();
    succeeds(&["train", &flow_file], at);
    succeeds(&["sample", &run, "-n", "4", "--npy", "levels.npy"], at);
    let factor = 64usize.div_ceil(height.max(width));
    let side = |images: usize, side: usize| (2 + images * (side * factor + 2)) as u32;
    let sheet = image::open(at.join("samples.png")).unwrap().into_rgb8();
    assert_eq!(sheet.dimensions(), (side(2, width), side(2, height)), "{name}");

    succeeds(&["encode", &run], at);
    succeeds(&["decode", &run, "latents.safetensors", "--npy", "back.npy"], at);
    let mut file = FlowFile::read(at.join(&flow_file).to_str().unwrap()).unwrap();
    let (kind, place) = source.split_once(':').unwrap();
    file.spec.train.data = Some(format!("{kind}:{}", at.join(place).display()));
    let test = open_data(&file, None).unwrap().test;
    let levels = test.gather(&(0..test.len()).collect::<Vec<_>>()).unwrap();
    assert!(fs::read(at.join("back.npy")).unwrap().ends_with(&levels), "{name}: the same grey levels");
    let sheet = image::open(at.join("decoded.png")).unwrap().into_rgb8();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let level = |channel: usize| u32::from(levels[(y * width + x) * channels + channel % channels]);
        let shade = [0, 1, 2].map(|channel| (level(channel) * 255 / ((1 << bits) - 1)) as u8);
        let found = sheet.get_pixel((2 + x * factor) as u32, (2 + y * factor) as u32);
        assert_eq!(found.0, shade, "{name}: {y}, {x}");
    }
}

#[test]
fn images_of_every_kind_are_learned_drawn_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("letters")).unwrap();
    mnist_like(&at.join("letters"));
    pictures(&at.join("photos"), 32, 48);
    go_there_and_back(at, "grey", (28, 28, 1, 8), "idx:letters");
    go_there_and_back(at, "tall", (48, 32, 3, 8), "images:photos");
    go_there_and_back(at, "five-bits", (48, 32, 3, 5), "images:photos");
    go_there_and_back(at, "one-bit", (28, 28, 1, 1), "idx:letters");
}

/// A red JPEG of 16×16 in CMYK, as Adobe's programs write it: with its inks inverted.
const CMYK: &str = "ffd8ffee000e41646f626500640000000000ffdb004300100b0c0e0c0a100e0d0e1211101318281a181616183123251d\
283a333d3c3933383740485c4e404457453738506d51575f626768673e4d71797064785c656763ffc000140800100010044311004d110059\
11004b1100ffc4001500010100000000000000000000000000000007ffc40014100100000000000000000000000000000000ffda000e0443\
004d0059004b00003f00a027e9fa80000000ffd9";

fn cmyk() -> Vec<u8> {
    let digits = CMYK.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn written(picture: &image::DynamicImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn pictures_of_other_kinds_become_eight_bits_of_grey_or_colour() {
    let animation = tempfile::NamedTempFile::new().unwrap();
    let frames = flowstone::plot::Row::new("", vec![200; 16]);
    flowstone::plot::save_animation(animation.path(), &frames, [4, 4, 1], 256, 4).unwrap();
    let sixteen = image::ImageBuffer::from_pixel(4, 4, image::Rgb([200u16 * 257, 0, 0]));
    let grey_alpha = image::GrayAlphaImage::from_pixel(4, 4, image::LumaA([200, 0]));
    for (what, bytes, expected) in [
        ("CMYK", cmyk(), [254, 0, 0]),
        ("16 bits", written(&sixteen.into()), [200, 0, 0]),
        ("grey and transparent", written(&grey_alpha.into()), [200; 3]),
        ("an animation, by its first frame", fs::read(animation.path()).unwrap(), [200; 3]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..10 {
            fs::write(folder.path().join(format!("{i}.png")), &bytes).unwrap();
        }
        let set = data::open_as(
            &format!("images:{}", folder.path().display()),
            &data::Opening { shape: Some([4, 4, 3]), ..data::Opening::default() },
        )
        .unwrap();
        let levels = set.test.gather(&[0]).unwrap();
        let near = |(level, expected): (&u8, &u8)| level.abs_diff(*expected) <= 2;
        assert!(levels.chunks(3).all(|color| color.iter().zip(&expected).all(near)), "{what}: {levels:?}");
    }
}

#[test]
fn data_that_cannot_be_used_are_one_error_that_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    pictures(&at.join("photos"), 32, 48);
    let whole = fs::read(at.join("photos/00.png")).unwrap();
    let flow = "Flow(image: (height: 48, width: 32, channels: 3), layers: [Squeeze()], train: (length: Steps(1)))";
    fs::write(at.join("flow.ron"), flow).unwrap();
    let refused = |source: &str, words: &[&str]| {
        let stderr = is_refused(&["train", "flow.ron", "--data", source, "--out", "run"], at);
        let stderr = stderr.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.iter().all(|words| stderr.contains(words)), "{source}: {stderr}");
    };
    refused("images:nowhere", &["nowhere", "No such file"]);
    refused("images:flow.ron", &["flow.ron", "expected a folder"]);
    fs::create_dir_all(at.join("classes/empty")).unwrap();
    fs::write(at.join("classes/empty/a.heic"), &whole).unwrap();
    refused("images:classes", &["classes: there is no picture", "found 1 .heic"]);
    for (name, bytes, words) in [
        ("nothing", &[][..], "cannot be decoded"),
        ("half", &whole[..whole.len() / 2], ""),
        ("a GIF", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "cannot be decoded"),
        ("small", &cmyk(), "smaller than the 48×32"),
    ] {
        fs::write(at.join("photos/05.png"), bytes).unwrap();
        println!("{name}");
        refused("images:photos", &["photos/05.png", words]);
    }
    fs::create_dir(at.join("cifar")).unwrap();
    fs::write(at.join("cifar/data_batch_1.bin"), vec![0; 3000]).unwrap();
    refused("cifar10:cifar", &["data_batch_1.bin", "cut short"]);
}
