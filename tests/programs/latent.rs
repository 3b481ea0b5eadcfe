//! Latent space: there and back, files that know their model, lines, directions and samples.

use flowstone::backend::Cpu;
use flowstone::data::{self, Images};
use flowstone::flow::{FlowFile, Model, Registry, Temperatures};
use flowstone::latent::{
    Attribute, Classes, Content, Direction, Interpolation, LatentFile, Pictures, Points, Reconstruction, Request,
    classes_of, decode, decode_rows, encode, strip,
};
use flowstone::plot::Row;
use flowstone::train::{RunFolder, Start, Trainer};
use flowstone::{Element, Error};
use std::path::Path;

/// A few steps on the digits, so that no parameter is where it began; class-conditional or not.
fn trained(folder: &Path, classes: bool) {
    let prior = if classes { "prior: Gaussian(learned: true, classes: 10)," } else { "" };
    let level = "Squeeze(), Repeat(2, [ActNorm(), InvertibleConv(), AffineCoupling(width: 8)])";
    let recipe = "train: (data: \"digits\", length: Steps(12), warmup: Steps(2), averaging: Ema(decay: 0.5))";
    let text = format!(
        "Flow(image: (height: 8, width: 8, channels: 1, bins: 17), layers: [{level}, Split(), {level}], {prior} {recipe})"
    );
    let file = FlowFile::parse("latent-test", text).unwrap();
    let (registry, digits) = (Registry::<f32, Cpu>::default(), data::open("digits").unwrap());
    let folder = RunFolder::create(Some(folder), "").unwrap();
    Trainer::new(&Cpu::default(), &file, &registry, digits, folder, Start::Fresh).unwrap().run(&mut |_| ()).unwrap();
}

fn load<E: Element>(folder: &Path, raw: bool) -> Model<E, Cpu>
where
    Cpu: flowstone::Device<E>,
{
    Model::load(folder, &Cpu::default(), &Registry::default(), raw).unwrap()
}

fn test_digits(n: usize) -> Images {
    data::open("digits").unwrap().test.select(0..n).unwrap()
}

#[test]
fn decoding_gives_back_every_grey_level_through_a_file_too() {
    let folder = tempfile::tempdir().unwrap();
    let device = Cpu::default();
    let images = test_digits(40);
    for classes in [false, true] {
        let run = folder.path().join(classes.to_string());
        trained(&run, classes);
        let model: Model<f32, Cpu> = load(&run, false);
        let labels = classes_of(&model.flow, &images, None).unwrap();
        assert_eq!(labels.is_some(), classes);
        let points = encode(&model.flow, &device, &images, labels.as_deref()).unwrap();
        assert_eq!(points.describe(), "split.0 4×4×2, top 2×2×8");
        assert_eq!(
            decode(&model.flow, &device, &points, labels.as_deref()).unwrap().levels,
            images.levels().unwrap().to_vec()
        );

        let path = folder.path().join("latents.safetensors");
        LatentFile::new(&model, &device, Content::Latents, points, labels, "forty digits".into())
            .unwrap()
            .write(&path)
            .unwrap();
        let file = LatentFile::read(&path, &model, &device, Content::Latents).unwrap();
        assert_eq!((file.about.image, file.about.bins, file.about.source.as_str()), ([8, 8, 1], 17, "forty digits"));
        let again = decode(&model.flow, &device, &file.points, file.labels_for(&model)).unwrap();
        assert_eq!(again.levels, images.levels().unwrap().to_vec());

        // The same model in double precision reads them; its raw weights are another model.
        assert!(LatentFile::read(&path, &load::<f64>(&run, false), &device, Content::Latents).is_ok());
        let raw = LatentFile::read(&path, &load::<f32>(&run, true), &device, Content::Latents).unwrap_err();
        assert!(raw.is_input() && raw.to_string().contains("another model"), "{raw}");
    }
}

#[test]
fn classes_must_fit_and_any_of_them_gives_the_picture_back() {
    let folder = tempfile::tempdir().unwrap();
    trained(&folder.path().join("run"), true);
    let (device, images) = (Cpu::default(), test_digits(8));
    let model: Model<f64, Cpu> = load(&folder.path().join("run"), false);
    let flow = &model.flow;
    let unlabelled = Images::new(images.levels().unwrap().to_vec(), images.shape(), None).unwrap();
    assert!(classes_of(flow, &unlabelled, None).unwrap_err().to_string().contains("--class"));
    assert!(classes_of(flow, &images, Some(10)).unwrap_err().to_string().contains("classes 0 to 9"));
    let own = classes_of(flow, &images, None).unwrap();
    let wrong = classes_of(flow, &unlabelled, Some(4)).unwrap();
    let (a, b) = (
        encode(flow, &device, &images, own.as_deref()).unwrap(),
        encode(flow, &device, &images, wrong.as_deref()).unwrap(),
    );
    assert_eq!(a.values(0), b.values(0), "only the top depends on the class");
    assert_ne!(a.values(1), b.values(1));
    assert_eq!(decode(flow, &device, &b, wrong.as_deref()).unwrap().levels, images.levels().unwrap().to_vec());
    assert!(matches!(encode(flow, &device, &images, Some(&[0])), Err(Error::Usage(_))));
}

#[test]
fn a_file_that_does_not_fit_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let (run, device) = (folder.path().join("run"), Cpu::default());
    trained(&run, false);
    let model: Model<f32, Cpu> = load(&run, false);
    let at = |name: &str| folder.path().join(name);
    let refused = |path: &Path, content: Content| {
        let error = LatentFile::read(path, &model, &device, content).unwrap_err();
        assert!(error.is_input(), "{error}");
        error.to_string()
    };
    assert!(refused(&run.join("model.safetensors"), Content::Latents).contains("it is a model"));
    let points = encode(&model.flow, &device, &test_digits(2), None).unwrap();
    let file = LatentFile::new(&model, &device, Content::Latents, points, None, String::new()).unwrap();
    file.write(&at("good")).unwrap();
    assert!(refused(&at("good"), Content::Direction).contains("expected a direction"));

    let shapes = model.flow.latent_shapes();
    let with = |points: Points<f32>| {
        LatentFile { points, ..file.clone() }.write(&at("bad")).unwrap();
        refused(&at("bad"), Content::Latents)
    };
    let values = |n: usize| vec![0.5f32; n];
    let one = Points::from_values(shapes[..1].to_vec(), &[values(32)]).unwrap();
    assert!(with(one).contains("latent `top` is missing"));
    let mut renamed = shapes.clone();
    renamed.push(("split.7".into(), shapes[0].1));
    let three = Points::from_values(renamed, &[values(32), values(32), values(32)]).unwrap();
    assert!(with(three).contains("`split.7` is no latent"));
    let mut reshaped = shapes.clone();
    reshaped[1].1 = flowstone::ImageShape::new(4, 4, 2);
    let other = Points::from_values(reshaped, &[values(32), values(32)]).unwrap();
    assert!(with(other).contains("latent `top` has shape [1, 4, 4, 2]"));
    let nan = Points::from_values(shapes.clone(), &[vec![f32::NAN; 32], values(32)]).unwrap();
    assert!(with(nan).contains("holds NaN"));
    let labelled = LatentFile { labels: Some(vec![0; 3]), ..file.clone() };
    labelled.write(&at("bad")).unwrap();
    assert!(refused(&at("bad"), Content::Latents).contains("`labels` has shape [3]"));
}

#[test]
fn reconstructions_lines_and_directions_begin_and_end_at_pictures() {
    let folder = tempfile::tempdir().unwrap();
    trained(&folder.path().join("run"), true);
    let (device, digits) = (Cpu::default(), data::open("digits").unwrap());
    let model: Model<f32, Cpu> = load(&folder.path().join("run"), false);
    let (flow, images) = (&model.flow, &digits.test);

    let labels = classes_of(flow, &test_digits(12), None).unwrap();
    let outcome = Reconstruction::of(flow, &device, &test_digits(12), labels.as_deref(), 5).unwrap();
    assert_eq!((outcome.images, outcome.exact, outcome.changed_levels), (12, 12, 0));
    assert!(outcome.largest_error < 0.01 && outcome.sentence().contains("all 12 pictures came back exactly"));
    assert_eq!(outcome.sheet.sheet.rows[0].levels, test_digits(5).levels().unwrap().to_vec());

    let picture = |i: usize| images.image(i).unwrap().to_vec();
    let chosen = |numbers: &[usize]| Pictures::of(images, numbers, &digits.classes);
    let strip = Interpolation::new(flow, &device, &chosen(&[3, 7]).unwrap()).unwrap().sheet(4).unwrap();
    let levels = &strip.sheet.rows[0].levels;
    assert_eq!((&levels[..64], &levels[192..]), (&picture(3)[..], &picture(7)[..]));
    assert_eq!(strip.title, "from no. 3, class 5 to no. 7, class 9");
    assert_eq!(strip.headings, ["0.00", "0.33", "0.67", "1.00"]);
    let grid = Interpolation::new(flow, &device, &chosen(&[0, 1, 2, 3]).unwrap()).unwrap();
    let levels = &grid.sheet(3).unwrap().sheet.rows[0].levels;
    assert_eq!([0, 2, 6, 8].map(|i| levels[64 * i..64 * (i + 1)].to_vec()), [0, 1, 2, 3].map(picture));
    assert_eq!(grid.frames(2).unwrap().levels.len(), 64 * 8);
    assert!(Interpolation::new(flow, &device, &chosen(&[0, 1, 2]).unwrap()).unwrap().sheet(3).is_err());
    assert!(chosen(&[0, 360]).unwrap_err().to_string().contains("no image 360"));

    let named = |name: &str| Attribute::named(&[name.into()], &digits, 50, data::open).unwrap();
    let there = Direction::between(flow, &device, &named("8"), &named("3")).unwrap();
    let back = Direction::between(flow, &device, &named("3"), &named("8")).unwrap();
    assert_eq!(there.words, "8 (50 pictures) − 3 (50 pictures)");
    let opposite: Vec<f32> = there.point.rows()[0].iter().map(|value| -value).collect();
    assert_eq!(back.point.rows()[0], opposite);
    let sheet = there.sheet(flow, &device, &chosen(&[2, 5]).unwrap(), (1.0, 3)).unwrap();
    assert_eq!(sheet.headings, ["−1.00", "0", "+1.00"]);
    for (row, number) in sheet.sheet.rows.iter().zip([2, 5]) {
        assert_eq!(row.levels[64..128], picture(number)[..], "the picture itself is in the middle");
    }
}

#[test]
fn rows_of_samples_differ_in_what_they_say_and_in_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    trained(&folder.path().join("run"), true);
    let device = Cpu::default();
    let model: Model<f32, Cpu> = load(&folder.path().join("run"), false);
    let flow = &model.flow;
    let base = Request {
        count: Some(4),
        temperatures: vec![Temperatures::from(0.8)],
        classes: Classes::These(vec![2]),
        class_names: vec!["nought".into()],
        resampled: Vec::new(),
        contexts: None,
        seed: 5,
    };
    let drawn = |request: &Request| decode_rows(flow, &device, &request.rows(flow).unwrap()).unwrap();
    assert_eq!(drawn(&base), [Row::new("", flow.sample(&device, 0..4, 0.8, Some(&[2; 4]), 5).unwrap().levels)]);

    let classes = drawn(&Request { classes: Classes::All, ..base.clone() });
    assert_eq!((classes.len(), classes[0].caption.as_str(), classes[3].caption.as_str()), (10, "nought", "class 3"));
    assert_eq!(classes[2].levels, drawn(&base)[0].levels);

    let temperatures = vec!["0.5".parse().unwrap(), "0.8,top=0".parse().unwrap()];
    let rows = Request { temperatures, ..base.clone() }.rows(flow).unwrap();
    assert_eq!(rows[1].caption, "temperature 0.8, top 0");
    assert!(rows[1].points.values(1).iter().all(|z| *z == 0.0) && rows[1].points.values(0).iter().any(|z| *z != 0.0));

    let resampled = Request { resampled: vec!["all".into()], ..base.clone() }.rows(flow).unwrap();
    assert_eq!(resampled.iter().map(|row| row.caption.as_str()).collect::<Vec<_>>(), ["split.0 anew", "top anew"]);
    let own = base.rows(flow).unwrap()[0].points.clone();
    for (which, row) in resampled.iter().enumerate() {
        assert_eq!(row.points.values(which), own.values(which));
        let others = row.points.values(1 - which);
        assert!(others.chunks(others.len() / 4).all(|values| *values == own.select(0).unwrap().values(1 - which)));
    }

    let refused = |request: Request| request.rows(flow).unwrap_err().to_string();
    assert!(refused(Request { resampled: vec!["split.1".into()], ..base.clone() }).contains("did you mean `split.0`"));
    assert!(refused(Request { classes: Classes::These(vec![10]), ..base.clone() }).contains("classes 0 to 9"));
    assert!(refused(Request { temperatures: vec!["tap=1".parse().unwrap()], ..base.clone() }).contains("`tap`"));
    assert!(refused(Request { count: Some(0), ..base.clone() }).contains("at least one"));
    let two = Request { classes: Classes::All, resampled: vec!["top".into()], ..base };
    assert!(refused(two).contains("not of two"));
}

#[test]
fn one_latent_of_a_real_picture_is_drawn_anew_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    trained(&folder.path().join("run"), true);
    let (device, digits) = (Cpu::default(), data::open("digits").unwrap());
    let model: Model<f32, Cpu> = load(&folder.path().join("run"), false);
    let flow = &model.flow;
    let pictures = Pictures::of(&digits.test, &[3, 7], &digits.classes).unwrap();
    let labels = classes_of(flow, &pictures.images, None).unwrap();
    let request = Request {
        count: Some(4),
        temperatures: vec![Temperatures::from(1.0)],
        classes: Classes::Any,
        class_names: Vec::new(),
        resampled: vec!["all".into()],
        contexts: None,
        seed: 5,
    };
    let rows = request.rows_of_pictures(flow, &device, &pictures, labels.as_deref()).unwrap();
    let captions: Vec<_> = rows.iter().map(|row| row.caption.as_str()).collect();
    let [a, b] = &pictures.captions[..] else { panic!("{pictures:?}") };
    let expected = [(a, "split.0"), (a, "top"), (b, "split.0"), (b, "top")];
    assert_eq!(captions, expected.map(|(picture, latent)| format!("{picture}: {latent} anew")));
    let points = encode(flow, &device, &pictures.images, labels.as_deref()).unwrap();
    let drawn = Points::drawn(flow, 0..4, &Temperatures::from(1.0), 5).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let (picture, which) = (points.select(i / 2).unwrap(), i % 2);
        assert_eq!(row.points.len(), 5, "the picture and four draws");
        assert_eq!(row.points.values(which), [picture.values(which), drawn.values(which)].concat());
        assert_eq!(row.points.values(1 - which), picture.values(1 - which).repeat(5));
    }
    let decoded = decode_rows(flow, &device, &rows).unwrap();
    assert!(
        (0..4).all(|i| decoded[i].levels[..64] == pictures.images.image(i / 2).unwrap()[..]),
        "the first column is the picture"
    );
    assert!(decoded.iter().all(|row| row.levels[..64] != row.levels[64..128]));

    let refused = |request: Request| request.rows_of_pictures(flow, &device, &pictures, labels.as_deref()).is_err();
    assert!(refused(Request { resampled: Vec::new(), ..request.clone() }));
    assert!(refused(Request { resampled: vec!["split.1".into()], ..request.clone() }));
    assert!(refused(Request { temperatures: vec![1.0.into(), 0.5.into()], ..request.clone() }));
    assert!(refused(Request { count: Some(0), ..request }));
}

/// `ẑ = (z − μ_c)/σ_c` is affine, so pictures along a direction are those of any class; its numbers are not.
#[test]
fn a_picture_moved_along_a_direction_is_the_same_under_any_class_that_both_are_standardised_under() {
    let folder = tempfile::tempdir().unwrap();
    trained(&folder.path().join("run"), true);
    let (device, digits) = (Cpu::default(), data::open("digits").unwrap());
    let model: Model<f64, Cpu> = load(&folder.path().join("run"), false);
    let flow = &model.flow;
    let named = |name: &str| Attribute::named(&[name.into()], &digits, 20, data::open).unwrap();
    let (with, without, pictures) = (named("8"), named("3"), digits.test.select([2, 5]).unwrap());
    let under = |class: usize| {
        let latents = |images: &Images| encode(flow, &device, images, Some(&vec![class; images.len()])).unwrap();
        let (a, b) = (latents(&with.images).mean().unwrap(), latents(&without.images).mean().unwrap());
        let mut direction = Points::new(flow.latent_shapes());
        direction.push(a.iter().zip(b).map(|(a, b)| a - b).collect()).unwrap();
        let moved = strip(&latents(&pictures), &direction, &[-1.0, 0.0, 1.5]).unwrap();
        let values = decode(flow, &device, &moved, Some(&vec![class; moved.len()])).unwrap().values;
        (direction, values)
    };
    let (direction, values) = under(0);
    assert_eq!(
        Direction::between(flow, &device, &with, &without).unwrap().point,
        direction,
        "class 0 is the one it takes"
    );
    for class in 1..10 {
        let (other, others) = under(class);
        let largest = values.iter().zip(&others).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest < 1e-9, "class {class}: {largest:e}");
        assert_eq!(other.values(0), direction.values(0), "only the top is standardised under a class");
        let largest = other.values(1).iter().zip(direction.values(1)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(largest > 1e-6, "class {class} has deviations of its own");
    }
}
