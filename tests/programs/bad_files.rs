//! Files that lie: each is one error that names the file and its fault. None panics, hangs or takes memory on a
//! header's word.

use flowstone::ablation::{AblationFile, Plan};
use flowstone::backend::{Cpu, Initializer};
use flowstone::data;
use flowstone::flow::{Flow, FlowFile, Model, ModelMetadata, Registry};
use flowstone::latent::{Content, LatentFile};
use flowstone::train::{Checkpoint, XAxis, glow_log_series, read_metrics, read_timing};
use flowstone::{Error, Result};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

const FLOW: &str = "Flow(image: (height: 2, width: 2, channels: 1), layers: [
    Squeeze(), ActNorm(), InvertibleConv(), Shuffle(), InvertibleConv(weight: LU), AffineCoupling(width: 2)])";

/// Tensors of a file that is to be wrong in one way.
type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A right model's tensors.
fn tensors() -> Tensors {
    let device = Cpu::default();
    let file = FlowFile::parse("small.ron", FLOW).unwrap();
    let flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 1)).unwrap();
    let tensors = flow.tensors(&device).unwrap();
    tensors.into_iter().map(|(name, (shape, values))| (name, (Dtype::F32, shape, bytes_of(&values)))).collect()
}

fn metadata() -> Value {
    json!({ "version": 1, "name": "small.ron", "flow": FLOW, "step": 3, "averaged": false })
}

fn file(tensors: &Tensors, metadata: &Value) -> Vec<u8> {
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    let metadata = HashMap::from([("flowstone".to_owned(), metadata.to_string())]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// A file of a header and data, whatever they say.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A right model but for one tensor.
fn with(name: &str, change: impl Fn(&mut (Dtype, Vec<usize>, Vec<u8>))) -> Vec<u8> {
    let mut tensors = tensors();
    change(tensors.get_mut(name).unwrap());
    file(&tensors, &metadata())
}

fn with_values(name: &str, values: &[f32]) -> Vec<u8> {
    with(name, |tensor| tensor.2 = bytes_of(values))
}

/// A right model but for one thing that it says of itself.
fn saying(key: &str, value: Value) -> Vec<u8> {
    let mut says = metadata();
    says[key] = value;
    file(&tensors(), &says)
}

/// The message of a refusal, which is of wrong input and names the file.
fn refusal<T>(result: Result<T>, path: &Path) -> String {
    let Err(error) = result else { panic!("{} was read", path.display()) };
    assert!(error.is_input(), "{error}");
    let message = error.to_string();
    assert!(matches!(error, Error::FlowFile(_)) || message.contains(path.to_str().unwrap()), "{message}");
    message
}

/// Reads each file as what it is not, and compares what is said.
fn refused<T>(table: Vec<(&str, Vec<u8>, &str)>, read: impl Fn(&Path) -> Result<T>) {
    let folder = tempfile::tempdir().unwrap();
    for (what, bytes, words) in table {
        let path = folder.path().join("bad");
        fs::write(&path, bytes).unwrap();
        let message = refusal(read(&path), &path);
        assert!(message.contains(words), "{what}: {message}");
    }
}

fn load(path: &Path) -> Result<Model<f32, Cpu>> {
    Model::load(path, &Cpu::default(), &Registry::default(), false)
}

#[test]
fn a_right_model_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("good");
    fs::write(&path, file(&tensors(), &metadata())).unwrap();
    load(&path).unwrap();
}

#[test]
fn models() {
    let right = file(&tensors(), &metadata());
    let cut = |share: f64| right[..(share * right.len() as f64) as usize].to_vec();
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let entry = |name: &str, shape: &str, end: u64| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,{end}]}}")
    };
    let header = |entries: &[String]| {
        let says = Value::String(metadata().to_string());
        format!("{{\"__metadata__\":{{\"flowstone\":{says}}},{}}}", entries.join(","))
    };
    refused(
        vec![
            ("nothing", vec![], "not a safetensors file"),
            ("text", b"hello, this is no model".to_vec(), "not a safetensors file"),
            ("cut in its header", cut(0.1), "not a safetensors file"),
            ("cut in its tensors", cut(0.9), "not a safetensors file"),
            ("a header of 2^60 bytes", [&(1_u64 << 60).to_le_bytes()[..], b"{}"].concat(), "not a safetensors file"),
            ("a header longer than the file", [&9999_u64.to_le_bytes()[..], b"{}"].concat(), "not a safetensors file"),
            ("deep nesting in the header", with_header(&nested, b""), "not a safetensors file"),
            (
                "a tensor of 2^60 numbers",
                with_header(&header(&[entry("a", "[1073741824,1073741824]", 4)]), &[0; 4]),
                "not a safetensors file",
            ),
            (
                "a tensor of more numbers than can be counted",
                with_header(&header(&[entry("a", "[4294967296,4294967296,4294967296]", 4)]), &[0; 4]),
                "not a safetensors file",
            ),
            (
                "a tensor of more bytes than there are",
                with_header(&header(&[entry("a", "[2]", 8)]), &[0; 4]),
                "not a safetensors file",
            ),
            (
                "a tensor twice",
                with_header(&header(&[entry("a", "[1]", 4), entry("a", "[1,1]", 4)]), &[0; 4]),
                "tensor `a` is there twice",
            ),
            (
                "another program's",
                safetensors::serialize(Vec::<(String, TensorView)>::new(), None).unwrap(),
                "not one of Flowstone's",
            ),
            ("no version", saying("version", Value::Null), "metadata cannot be read"),
            ("a later version", saying("version", json!(3)), "has format version 3; this program reads 1 and 2"),
            ("an earlier version", saying("version", json!(0)), "has format version 0; this program reads 1"),
            ("steps that are no number", saying("step", json!("three")), "metadata cannot be read"),
            ("names of classes that its flow has not", saying("classes", json!(["cat"])), "it names 1 classes, and"),
            ("names that are numbers", saying("classes", json!([1, 2])), "metadata cannot be read"),
            ("no flow", saying("flow", json!("Flow(")), "small.ron"),
            ("a flow of another width", saying("flow", json!(FLOW.replace("width: 2)])", "width: 3)])"))), "has shape"),
            (
                "a flow too large to count",
                saying("flow", json!(FLOW.replace("width: 2)])", "width: 18446744073709551615)])"))),
                "at most 1048576",
            ),
            (
                "another tensor",
                {
                    let mut more = tensors();
                    more.insert("layers.9.weight".into(), (Dtype::F32, vec![1], vec![0; 4]));
                    file(&more, &metadata())
                },
                "tensor `layers.9.weight` belongs to no layer",
            ),
            (
                "a tensor less",
                {
                    let mut fewer = tensors();
                    fewer.remove("layers.2.weight");
                    file(&fewer, &metadata())
                },
                "tensor `layers.2.weight` is missing",
            ),
            (
                "whole numbers",
                with("layers.1.bias", |tensor| tensor.0 = Dtype::I32),
                "tensor `layers.1.bias` is I32; expected F32 or F64",
            ),
            (
                "another shape",
                with("layers.1.bias", |tensor| tensor.1 = vec![2, 2]),
                "tensor `layers.1.bias` has shape [2, 2]; its flow has [4]",
            ),
            (
                "NaN",
                with_values("layers.1.logs", &[0.0, f32::NAN, 0.0, 0.0]),
                "tensor `layers.1.logs` holds NaN at position 1",
            ),
            (
                "infinity",
                with_values("layers.1.bias", &[0.0, 0.0, 0.0, f32::INFINITY]),
                "tensor `layers.1.bias` holds inf",
            ),
            ("a singular matrix", with_values("layers.2.weight", &[1.0; 16]), "singular"),
            ("an order that is none", with_values("layers.3.order", &[0.0, 1.0, 1.0, 3.0]), "order of the channels"),
            ("an order out of bounds", with_values("layers.3.order", &[0.0, 1.0, 2.0, 1e30]), "order of the channels"),
            ("an order of fractions", with_values("layers.3.order", &[0.0, 1.5, 2.0, 3.0]), "order of the channels"),
            ("an order below 0", with_values("layers.4.order", &[-1.0, 1.0, 2.0, 3.0]), "order of the channels"),
            ("an LU order twice", with_values("layers.4.order", &[0.0, 0.0, 2.0, 3.0]), "order of the channels"),
            (
                "an LU order out of bounds",
                with_values("layers.4.order", &[0.0, 1.0, 2.0, 3e38]),
                "order of the channels",
            ),
            ("a sign that is none", with_values("layers.4.sign", &[1.0, 2.0, 1.0, 1.0]), "signs of 1 and -1"),
            ("a sign of 0", with_values("layers.4.sign", &[1.0, 0.0, 1.0, 1.0]), "signs of 1 and -1"),
        ],
        load,
    );
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(load(&folder.path().join("none")), &folder.path().join("none")).contains("No such file"));
    let endless = Path::new("/dev/zero");
    if endless.exists() {
        assert!(refusal(load(endless), endless).contains("a device or a pipe"));
        assert!(refusal(FlowFile::read("/dev/zero"), endless).contains("a device or a pipe"));
        assert!(refusal(read_metrics(endless), endless).contains("a device or a pipe"));
        assert!(refusal(glow_log_series(endless, "", XAxis::Epoch), endless).contains("a device or a pipe"));
        assert!(refusal(data::open("npy:/dev/zero"), endless).contains("a device or a pipe"));
    }
    assert!(refusal(FlowFile::read(folder.path().to_str().unwrap()), folder.path()).contains("found a folder"));
}

/// A model with classes, for latents.
fn model_with_classes() -> Model<f32, Cpu> {
    let text = "Flow(image: (height: 4, width: 4, channels: 1), layers: [Squeeze(), Split(), Squeeze()],
        prior: Gaussian(classes: 3))";
    let (device, file) = (Cpu::default(), FlowFile::parse("classes.ron", text).unwrap());
    let flow = Flow::build(&file, &Registry::default(), &Initializer::new(&device, 1)).unwrap();
    let (version, name, flow_text) = (1, file.name.clone(), file.text.clone());
    let metadata =
        ModelMetadata { version, name, flow: flow_text, step: 0, averaged: false, classes: vec![], features: vec![] };
    Model { flow, file, metadata, averaged: false }
}

#[test]
fn latents_and_directions() {
    let (device, model) = (Cpu::default(), model_with_classes());
    let about = |content: &str| {
        let fingerprint = model.fingerprint(&device).unwrap();
        json!({ "version": 1, "content": content, "model": fingerprint, "flow": "classes.ron", "image": [4, 4, 1],
            "bins": 256, "source": "two pictures" })
    };
    let (latents, direction) = (about("latents"), about("direction"));
    let tensor = |shape: &[usize]| (Dtype::F32, shape.to_vec(), bytes_of(&vec![0.5; shape.iter().product()]));
    let points = |n: usize| {
        let mut tensors = Tensors::new();
        tensors.insert("split.0".into(), tensor(&[n, 2, 2, 2]));
        tensors.insert("top".into(), tensor(&[n, 1, 1, 8]));
        tensors.insert("labels".into(), (Dtype::F32, vec![n], bytes_of(&[2.0, 0.0][..n])));
        tensors
    };
    let with = |name: &str, tensor: (Dtype, Vec<usize>, Vec<u8>)| {
        let mut tensors = points(2);
        tensors.insert(name.into(), tensor);
        file(&tensors, &latents)
    };
    let without = |name: &str| {
        let mut tensors = points(2);
        tensors.remove(name);
        file(&tensors, &latents)
    };
    let labels = |labels: &[f32]| with("labels", (Dtype::F32, vec![2], bytes_of(labels)));
    let saying = |key: &str, value: Value| {
        let mut says = latents.clone();
        says[key] = value;
        file(&points(2), &says)
    };
    let right = file(&points(2), &latents);
    let cut = |share: f64| right[..(share * right.len() as f64) as usize].to_vec();
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = HashMap::from([("flowstone".to_owned(), nested.clone())]);
    let longer_than_it_is = {
        let header =
            String::from_utf8(right[8..].iter().take_while(|byte| byte.is_ascii()).copied().collect()).unwrap();
        let header = header[..=header.rfind('}').unwrap()].replace("[2,1,1,8]", "[9,1,1,8]");
        with_header(&header, &[0; 136])
    };
    let other = file(&tensors(), &metadata());
    let read = |content: Content| {
        let (model, device) = (&model, &device);
        move |path: &Path| LatentFile::read(path, model, device, content)
    };
    refused(
        vec![
            ("nothing", vec![], "not a safetensors file"),
            ("cut in its header", cut(0.2), "not a safetensors file"),
            ("cut in its latents", cut(0.95), "not a safetensors file"),
            ("more points than there are", longer_than_it_is, "not a safetensors file"),
            ("deep nesting in the header", with_header(&nested, b""), "not a safetensors file"),
            (
                "deep nesting in what it says",
                safetensors::serialize(Vec::<(String, TensorView)>::new(), Some(deep)).unwrap(),
                "metadata cannot be read",
            ),
            ("a model", other.clone(), "it is a model; expected latents of pictures"),
            ("a direction", file(&points(1), &direction), "expected latents of pictures"),
            ("a later version", saying("version", json!(3)), "has format version 3"),
            ("no content", saying("content", Value::Null), "expected latents of pictures"),
            ("an image of no size", saying("image", json!([4, 4])), "metadata cannot be read"),
            ("another model's", saying("model", json!("0123456789abcdef")), "of another model: 0123456789abcdef"),
            ("whole numbers", with("top", (Dtype::I32, vec![2, 1, 1, 8], vec![0; 64])), "expected F32 or F64"),
            ("halves", with("top", (Dtype::F16, vec![2, 1, 1, 8], vec![0; 32])), "expected F32 or F64"),
            ("labels of another kind", with("labels", (Dtype::U8, vec![2], vec![0; 2])), "expected F32 or F64"),
            ("a latent less", without("top"), "latent `top` is missing"),
            ("a latent more", with("split.1", tensor(&[2, 1, 1, 4])), "`split.1` is no latent of the model"),
            ("another model's shape", with("top", tensor(&[2, 1, 2, 4])), "has shape [2, 1, 2, 4]"),
            ("as many values in one axis", with("top", tensor(&[16])), "has shape [16]"),
            ("a point less in one latent", with("top", tensor(&[1, 1, 1, 8])), "has shape [1, 1, 1, 8]"),
            ("no points", file(&points(0), &latents), "holds no point"),
            (
                "NaN",
                with("top", (Dtype::F32, vec![2, 1, 1, 8], bytes_of(&[f32::NAN; 16]))),
                "latent `top` holds NaN at position 0",
            ),
            (
                "a double too large for its precision",
                with("top", (Dtype::F64, vec![2, 1, 1, 8], 1e300_f64.to_le_bytes().repeat(16))),
                "latent `top` holds inf at position 0",
            ),
            ("no labels", without("labels"), "no tensor `labels`, and the model is class-conditional"),
            ("a label more", with("labels", tensor(&[3])), "`labels` has shape [3]"),
            ("a class out of range", labels(&[0.0, 3.0]), "holds class 3; the model has 3, counted from 0"),
            ("a class beyond counting", labels(&[0.0, 1e30]), "no class, counted from 0"),
            ("a class below 0", labels(&[-1.0, 0.0]), "no class, counted from 0"),
            ("a fraction of a class", labels(&[0.0, 0.5]), "no class, counted from 0"),
            ("a class that is not a number", labels(&[0.0, f32::NAN]), "no class, counted from 0"),
        ],
        read(Content::Latents),
    );
    refused(
        vec![
            ("a model", other, "it is a model; expected a direction in latent space"),
            ("latents of pictures", right, "expected a direction in latent space"),
            ("no direction", file(&points(0), &direction), "holds no point"),
            ("two directions", file(&points(2), &direction), "a direction is one point, and there are 2"),
        ],
        read(Content::Direction),
    );
}

#[test]
fn checkpoints() {
    let says = |step: u64, updates: u64| {
        let mut says = metadata();
        (says["step"], says["updates"], says["best"]) = (json!(step), json!(updates), Value::Null);
        file(&Tensors::new(), &says)
    };
    refused(
        vec![
            ("a model", file(&tensors(), &metadata()), "it is a model; expected the checkpoint of a run"),
            ("more steps than can be counted", says(u64::MAX, 0), "which no run has made"),
            ("more updates than steps", says(3, 4), "says 4 updates in 3 steps"),
        ],
        |path| Checkpoint::read::<f32>(path).map(drop),
    );
}

#[test]
fn flow_files() {
    let flow =
        |layers: &str| format!("Flow(image: (height: 2, width: 2, channels: 1), layers: [{layers}])").into_bytes();
    let image = |sides: &str| format!("Flow(image: ({sides}), layers: [])").into_bytes();
    let deep = |open: &str, close: &str| flow(&format!("{}{}", open.repeat(50_000), close.repeat(50_000)));
    refused(
        vec![
            ("bytes", vec![0xff, 0xfe, 0x00], "not text"),
            ("nothing", vec![], "expected"),
            ("deep lists", deep("Repeat(2, [", "])"), "nested"),
            ("deep options", deep("Custom(\"a\", [", "])"), "nested"),
            ("unclosed lists", flow(&"[".repeat(100_000)), ""),
            ("unclosed comments", flow(&"/*".repeat(100_000)), ""),
            ("a huge image", image("height: 65536, width: 65536, channels: 65536"), "more than 2^28 values"),
            (
                "an image too large to count",
                image("height: 18446744073709551615, width: 18446744073709551615, channels: 2"),
                "more than 2^28 values",
            ),
            ("a number too large to read", image("height: 99999999999999999999999, width: 1, channels: 1"), ""),
            ("a negative number", image("height: -1, width: 1, channels: 1"), ""),
            ("a wide network", flow("Squeeze(), AffineCoupling(width: 4611686018427387904)"), "at most 1048576"),
            (
                "more parameters than can be counted",
                flow(&format!("Squeeze(), Repeat(9999, [{}])", "AffineCoupling(width: 1048576), ".repeat(9))),
                "more than 4294967296 parameters",
            ),
            ("a name twice", image("height: 1, height: 1, width: 1, channels: 1"), "height"),
            ("NaN", flow("ActNorm(log_scale_factor: NaN)"), "finite number above 0"),
        ],
        |path| {
            let file = FlowFile::read(path.to_str().unwrap())?;
            let device = Cpu::default();
            Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 1)).map(drop)
        },
    );
}

#[test]
fn ablation_files() {
    let ablation = |vary: &str, seeds: &str| {
        format!("Ablation(flow: \"digits\", vary: {{\"width\": {{{vary}}}}}, seeds: [{seeds}], budget: Steps(1))")
            .into_bytes()
    };
    let values: String =
        (0..20_000).map(|i| format!("\"{}\": {}, ", "!".repeat(1 + i % 3) + &i.to_string(), i + 1)).collect();
    let seeds: String = (0..100_000).map(|seed| format!("{seed}, ")).collect();
    refused(
        vec![
            ("bytes", vec![0xff, 0xfe], "not text"),
            ("nothing", vec![], "expected"),
            ("deep lists", ablation(&format!("\"a\": {}", "[".repeat(100_000)), "0"), ""),
            ("values that are no RON", ablation("\"a\": {\"b\": (}", "0"), ""),
            ("more values than anybody trains", ablation(&values, "0"), "more than 10000 runs"),
            ("more seeds than anybody trains", ablation("\"a\": 1", &seeds), "more than 10000 runs"),
            ("a seed twice among many", ablation("\"a\": 1", &format!("{seeds} 7")), "seed 7 is given twice"),
        ],
        |path| {
            let file = AblationFile::read(path.to_str().unwrap())?;
            Plan::new::<f32, Cpu>(&file, &Cpu::default(), &Registry::default(), None).map(drop)
        },
    );
}

#[test]
fn metrics() {
    refused(
        vec![
            ("bytes", vec![0xff, 0xfe, b'\n'], "not text"),
            ("other lines", b"{}\n".to_vec(), "line 1"),
            ("deep nesting", format!("{}\n", "[".repeat(100_000)).into_bytes(), "line 1"),
        ],
        read_metrics,
    );
}

#[test]
fn times() {
    let line = |step: &str| format!("{{\"step\": {step}, \"seconds\": 1, \"images_per_second\": 1}}\n");
    let read = |text: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timing.jsonl");
        fs::write(&path, text).unwrap();
        (read_timing(folder.path()), path, folder)
    };
    for text in ["{}\n".to_owned(), line("-1"), line("18446744073709551616"), format!("{}\n", "[".repeat(100_000))] {
        let (result, path, _folder) = read(text.as_bytes());
        assert!(refusal(result, &path).contains("line 1"));
    }
    // The last step that can be counted has no next one.
    let last = line("18446744073709551615");
    assert_eq!(read((last.clone() + &last).as_bytes()).0.unwrap().median(), Some(1.0));
}

#[test]
fn lists_of_attributes() {
    let list = |rows: &str| format!("image,Smiling,Young\n{rows}").into_bytes();
    refused(
        vec![
            ("nothing", vec![], "line 1: it names no attribute"),
            ("bytes", b"image,A\na,1\nb\xff,1\n".to_vec(), "line 3: it is not text in UTF-8"),
            ("no rows", list(""), "line 1: no image is listed"),
            ("a row cut short", list("0,1,0\n1,1\n"), "line 3: it has 2 columns; the image and 2 attributes are 3"),
            ("an unclosed quote", list("\"0,1,0\n1,1,1\n"), "line 2: it has 1 columns"),
            ("half an attribute", list("0,1,0.5\n"), "line 2: `Young` is `0.5`; expected 1 or 0"),
            ("an image twice", list("0,1,0\n0,1,0\n"), "line 3: `0` is listed already, in line 2"),
            ("an attribute twice", b"image,A,A\n0,1,1\n".to_vec(), "line 1: `A` is there twice"),
            ("one image under two names", list("0,1,0\n00,1,0\n"), "line 3: `00` is the image of line 2, `0`"),
            (
                "no image of the data",
                list("a.png,1,0\n"),
                "line 2: `a.png`, as all 1 that are listed, is not in the data",
            ),
            ("more images than can be counted", b"99999999999999999999\nA\na 1\n".to_vec(), "it names no attribute"),
            (
                "fewer images than it says",
                b"18446744073709551615\nA\na 1\n".to_vec(),
                "line 1: it says 18446744073709551615",
            ),
            ("CelebA's list without names", b"2\n".to_vec(), "it names no attribute"),
        ],
        |path| data::Attributes::read(path)?.of_numbers(3).map(drop),
    );
}

#[test]
fn logs_of_openai_glow() {
    refused(
        vec![
            ("bytes", vec![0xff, 0xfe, b'\n'], "not text"),
            ("nothing", vec![], "holds no results"),
            ("deep nesting", format!("{}\n", "[".repeat(100_000)).into_bytes(), "line 1"),
            ("no numbers", b"{\"epoch\": {}, \"n_images\": [], \"bits_x\": null}\n".to_vec(), "line 1"),
        ],
        |path| glow_log_series(path, "", XAxis::Epoch),
    );
}

/// A NumPy array's file that says one thing and holds another.
fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[test]
fn arrays() {
    let header =
        |kind: &str, shape: &str| format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let levels = |shape: &str, data: &[u8]| npy(&header("|u1", shape), data);
    refused(
        vec![
            ("nothing", vec![], ""),
            ("text", b"hello".to_vec(), ""),
            ("cut short", levels("(2, 2, 2, 1)", &[0; 7]), "cut short"),
            ("longer than it says", levels("(2, 2, 2, 1)", &[0; 9]), "more are there"),
            ("2^60 images", levels("(1152921504606846976, 2, 2, 1)", &[0; 8]), ""),
            ("sides too large to count", levels("(4294967296, 4294967296, 4294967296, 4)", &[0; 8]), ""),
            ("no images", levels("(0, 2, 2, 1)", &[]), ""),
            ("no sides", levels("()", &[0]), ""),
            ("floats", npy(&header("<f4", "(1, 2, 2, 1)"), &[0; 16]), ""),
            ("objects", npy(&header("|O", "(1, 2, 2, 1)"), &[0; 16]), ""),
            ("a header that is none", npy("import os\n", &[0; 16]), ""),
            ("a deep header", npy(&"(".repeat(20_000), &[]), ""),
            ("a header longer than the file", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec(), ""),
        ],
        |path| data::open(&format!("npy:{}", path.display())).map(drop),
    );
}

/// Folders of one file, each under the name that its reader looks for.
fn refused_in_a_folder(kind: &str, name: &str, table: Vec<(&str, Vec<u8>, &str)>) {
    for (what, bytes, words) in table {
        let folder = tempfile::tempdir().unwrap();
        // So many that they would have a test split, were they right.
        for copy in 0..if kind == "images" { 10 } else { 1 } {
            let name = if copy == 0 { name.to_owned() } else { format!("{copy}-{name}") };
            fs::write(folder.path().join(name), &bytes).unwrap();
        }
        let message = refusal(
            data::open_as(
                &format!("{kind}:{}", folder.path().display()),
                &data::Opening { shape: Some([2, 2, 3]), ..data::Opening::default() },
            ),
            folder.path(),
        );
        assert!(message.contains(name) && message.contains(words), "{what}: {message}");
    }
}

#[test]
fn cifar_batches_and_idx_files() {
    refused_in_a_folder(
        "cifar10",
        "data_batch_1.bin",
        vec![
            ("nothing", vec![], "found 0 bytes"),
            ("cut short", vec![0; 3072], "cut short"),
            ("a label that is none", vec![10; 3073], "has label 10"),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        fs::write(folder.path().join(format!("{name}.bin")), [0; 3073]).unwrap();
    }
    let names = folder.path().join("batches.meta.txt");
    fs::write(&names, [0xff, 0xfe]).unwrap();
    assert!(refusal(data::open(&format!("cifar10:{}", folder.path().display())), &names).contains("not text"));
    let idx = |kind: u8, sides: &[u32]| {
        let bytes = sides.iter().flat_map(|side| side.to_be_bytes());
        [0, 0, kind, sides.len() as u8].into_iter().chain(bytes).collect::<Vec<u8>>()
    };
    refused_in_a_folder(
        "idx",
        "train-images-idx3-ubyte",
        vec![
            ("nothing", vec![], "cut short"),
            ("text", b"hello, world".to_vec(), ""),
            ("floats", idx(0x0d, &[1, 2, 2]), ""),
            ("2^96 levels", idx(8, &[u32::MAX, u32::MAX, u32::MAX]), ""),
            ("more images than there are", idx(8, &[60_000, 28, 28]), "cut short"),
        ],
    );
}

#[test]
fn pictures() {
    let png = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::new(4, 4);
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        // The sides in the first chunk, and its checksum.
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        bytes
    };
    let jpeg = |side: u16| {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::new(4, 4);
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        // The sides behind the marker of the frame, its length and its precision.
        let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
        bytes[frame + 5..frame + 9].copy_from_slice(&sides);
        bytes
    };
    let cut = |share: usize| png(4, 4)[..png(4, 4).len() / share].to_vec();
    refused_in_a_folder(
        "images",
        "a.png",
        vec![
            ("nothing", vec![], ""),
            ("text", b"hello".to_vec(), ""),
            ("cut short", cut(2), ""),
            ("2^62 pixels", png(1 << 31, 1 << 31), ""),
            ("a long line", png(1 << 30, 4), ""),
            ("300 MB of pixels in a few bytes", png(10_000, 10_000), "bytes cannot hold"),
            ("a JPEG of as many", jpeg(10_000), "bytes cannot hold"),
            ("3 GiB of pixels", png(1 << 15, 1 << 15), "Memory limit exceeded"),
            ("more than there is", png(4, 4000), ""),
        ],
    );
}
