//! Flow files: found by path or by the name of one that comes with the program, and read.

use crate::notation::{FLOW, FileKind, NodeId, locate, read, suggestion};
use std::path::Path;

use super::{
    FlowFileError,
    spec::{ContextSpec, FlowSpec, GaussianPrior, Prior},
};
use crate::error::{Error, Result};
use crate::files;

/// The flows that come with the program: their names and texts.
pub const BUILT_IN: [(&str, &str); 17] = [
    ("digits", include_str!("../../flows/digits.ron")),
    ("fashion-mnist", include_str!("../../flows/fashion-mnist.ron")),
    ("glow-celeba-hq256", include_str!("../../flows/glow-celeba-hq256.ron")),
    ("glow-cifar10", include_str!("../../flows/glow-cifar10.ron")),
    ("glow-cifar10-additive", include_str!("../../flows/glow-cifar10-additive.ron")),
    ("glow-cifar10-classes", include_str!("../../flows/glow-cifar10-classes.ron")),
    ("glow-cifar10-small", include_str!("../../flows/glow-cifar10-small.ron")),
    ("glow-conditional-digits", include_str!("../../flows/glow-conditional-digits.ron")),
    ("glow-imagenet32", include_str!("../../flows/glow-imagenet32.ron")),
    ("glow-imagenet64", include_str!("../../flows/glow-imagenet64.ron")),
    ("glow-lsun64", include_str!("../../flows/glow-lsun64.ron")),
    ("maf-csv", include_str!("../../flows/maf-csv.ron")),
    ("nsf-2d", include_str!("../../flows/nsf-2d.ron")),
    ("realnvp-cifar10", include_str!("../../flows/realnvp-cifar10.ron")),
    ("realnvp-digits", include_str!("../../flows/realnvp-digits.ron")),
    ("reverse-additive", include_str!("../../flows/reverse-additive.ron")),
    ("shuffle-affine", include_str!("../../flows/shuffle-affine.ron")),
];

/// A flow file that has been read: its text, and what the text says.
#[derive(Clone, Debug)]
pub struct FlowFile {
    /// Its path, or the name of a built-in flow.
    pub name: String,
    /// The file as it is.
    pub text: String,
    /// What it declares.
    pub spec: FlowSpec,
}

impl FlowFile {
    /// Reads the file of this path, or else the built-in flow of this name.
    pub fn read(path_or_name: &str) -> Result<Self> {
        let (name, text) = find(path_or_name, FLOW, &BUILT_IN)?;
        Self::parse(name, text)
    }

    /// Reads a flow from a text; the name is for messages.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (name, text) = (name.into(), text.into());
        let spec = read(&text).map_err(|error| Box::new(FlowFileError::from_ron(&name, &text, error, FLOW)))?;
        let file = Self { name, text, spec };
        file.check()?;
        Ok(file)
    }

    /// Writes a flow as a file, and reads it back: values out of bounds are refused, and every layer has a place.
    pub fn from_spec(name: impl Into<String>, spec: &FlowSpec) -> Result<Self> {
        Self::parse(name, spec.to_ron()?)
    }

    /// An error about what was read from one place in the file.
    pub fn error_at(&self, node: NodeId, message: impl Into<String>, help: Option<String>) -> Error {
        // What was never written (a default) is an error of the file as a whole: its first byte.
        let range = locate::<FlowSpec>(&self.text, node).unwrap_or(0..0);
        Box::new(FlowFileError::new(&self.name, &self.text, range, message.into(), help)).into()
    }

    fn check(&self) -> Result<()> {
        let FlowSpec { image, vector, context, encoder, prior, train, .. } = &self.spec;
        let samples = match (image, vector) {
            (Some(image), None) => (image.node, image.contradiction()),
            (None, Some(vector)) => (vector.node, vector.contradiction()),
            (Some(_), Some(vector)) => (
                vector.node,
                Some(("`image` and `vector` are both given", "a flow models images or vectors: give one")),
            ),
            (None, None) => {
                let help = "add `image: (height: 32, width: 32, channels: 3)`, or `vector: (features: 6)`";
                (NodeId::NOWHERE, Some(("a flow needs `image` or `vector`: what it models", help)))
            }
        };
        let Prior::Gaussian(GaussianPrior { classes, .. }) = prior.value;
        // What is not given stands nowhere.
        let of_context = if context.value == ContextSpec::None { encoder.node } else { context.node };
        let recipe = vector.as_ref().and_then(|_| train.contradiction_of_vectors());
        let wrong = [
            samples,
            (of_context, context.contradiction(encoder, classes)),
            (prior.node, prior.contradiction()),
            (train.node, recipe),
        ];
        match wrong.into_iter().find_map(|(node, wrong)| Some((node, wrong?))) {
            Some((node, (message, help))) => Err(self.error_at(node, message, Some(help.to_owned()))),
            None => Ok(()),
        }
    }
}

/// The name and the text of the file of this path, or else of the built-in one of this name.
pub(crate) fn find(path_or_name: &str, kind: FileKind, built_in: &[(&str, &str)]) -> Result<(String, String)> {
    let path = Path::new(path_or_name);
    let FileKind { noun, what, .. } = kind;
    if path.exists() {
        let bytes = files::read(path)?;
        return match files::text(&bytes) {
            Ok(text) => Ok((path_or_name.to_owned(), text)),
            Err(reason) => {
                let Some(found) = files::looks_like(&bytes) else { return Err(Error::bad_file(path, reason)) };
                let help = if found == files::SAFETENSORS { "; a model has its flow file within" } else { "" };
                Err(Error::bad_file(path, format!("not {what} file: it is {found}{help}")))
            }
        };
    }
    match built_in.iter().find(|(name, _)| *name == path_or_name) {
        Some((name, text)) => Ok(((*name).to_owned(), (*text).to_owned())),
        None => {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(path_or_name);
            let help = suggestion(stem, built_in.iter().map(|(name, _)| *name));
            Err(Error::Usage(format!("no {noun} file and no built-in {noun} is called `{path_or_name}`; {help}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::spec::*;

    #[test]
    fn built_in_flows_read_and_round_trip() {
        for (name, _) in BUILT_IN {
            let file = FlowFile::read(name).unwrap();
            let again = FlowFile::from_spec(name, &file.spec).unwrap();
            assert_eq!(again.spec, file.spec);
            assert!(!crate::flow::expand::expand(&file).unwrap().is_empty());
        }
    }

    #[test]
    fn built_in_recipes_name_data_of_a_known_kind() {
        for (name, _) in BUILT_IN {
            let recipe = FlowFile::read(name).unwrap().spec.train.clone();
            // The folder need not be there; the kind of data must be.
            if let Some(Err(error)) = recipe.data.as_deref().map(crate::data::open) {
                assert!(!error.to_string().contains("there is no data set"), "{name}: {error}");
            }
        }
    }

    #[test]
    fn every_flow_of_the_folder_is_built_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
        let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = all.filter(|path| path.is_file()).collect();
        let mut stems: Vec<_> = files.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
        stems.sort();
        assert_eq!(stems, BUILT_IN.map(|(name, _)| name));
    }

    #[test]
    fn everything_a_file_can_say_round_trips() {
        let text = r#"Flow(
            image: (height: 8, width: 8, channels: 1),
            define: {"é \" /*": [], "b": [Use("é \" /*")]},
            layers: [
                ActNorm(log_scale_factor: 1), InvertibleConv(weight: LU), Reverse(), Shuffle(), Squeeze(), Split(),
                AffineCoupling(scale: ClampedTanh()), AffineCoupling(scale: ClampedTanh(bound: 0.1)),
                AffineCoupling(scale: Exp, edge_channel: false, inner_actnorm: false),
                AdditiveCoupling(net: Custom("mlp", (depth: 3, activation: Relu, skip: Some(1)))),
                Custom("mine"), Custom("mine", [1, (a: 'x', /* c */ b: {"k": None})]), Repeat(2, [Use("b")]),
            ],
            prior: Gaussian(learned: false, classes: 10, classifier: true),
            train: (
                optimizer: Adam(), clip_gradient_norm: 50, averaging: Off, memory: Store, length: Images(9),
                drift_bound: Some(1e-3), learning_rate: 1e-17, warmup: Epochs(0), shrink: 2,
                fit: RandomCrop(shorter_side: 96), loading: Auto(mib: 1),
                augmentation: Standard(range: 0, shifts: Whole, flip: true),
            ),
        )"#;
        let file = FlowFile::parse("all", text).unwrap();
        assert_eq!(FlowFile::from_spec("all", &file.spec).unwrap().spec, file.spec);
        assert_eq!(file.spec.image.unwrap().bins(), 256);
        assert_eq!(file.spec.train.clip_gradient_norm, Some(50.0));
        let LayerSpec::AdditiveCoupling(AdditiveCoupling { net: Net::Custom(_, settings), .. }) = &*file.spec.layers[9]
        else {
            panic!()
        };
        #[derive(serde::Deserialize, Debug, PartialEq)]
        enum Activation {
            Relu,
        }
        #[derive(serde::Deserialize, Debug, PartialEq)]
        struct Mlp {
            depth: u32,
            activation: Activation,
            skip: Option<u32>,
        }
        assert_eq!(settings.read::<Mlp>().unwrap(), Mlp { depth: 3, activation: Activation::Relu, skip: Some(1) });
    }

    #[test]
    fn defaults_are_the_reference_code_s() {
        let head = "Flow(image: (height: 8, width: 8, channels: 1),";
        let short = FlowFile::parse("", format!("{head} layers: [AffineCoupling(), Split()])")).unwrap();
        let long = format!(
            "{head} layers: [AffineCoupling(scale: Sigmoid, width: 512, edge_channel: true, inner_actnorm: true,
            log_scale_factor: 3, net: Convolutional), Split(edge_channel: true, log_scale_factor: 3)],
            prior: Gaussian(learned: true), train: (batch: 64, learning_rate: 0.001, warmup: Epochs(10), seed: 0,
            optimizer: Adamax(beta1: 0.9, beta2: None, polyak_epochs: 1, epsilon: 1e-8, rule: Reference),
            averaging: Polyak(epochs: 1), initialization_images: 256))"
        );
        assert_eq!(short.spec, FlowFile::parse("", long).unwrap().spec);
    }

    #[test]
    fn layers_are_found_in_nested_lists() {
        let text = "Flow(\n image: (height: 8, width: 8, channels: 1),\n define: {\n  \"é\": [/* é */ Reverse(),\n\
            \tShuffle()]},\n layers: [Squeeze(), Repeat(2, [\n   Use(\"é\"), Repeat(\n3, [Split()])])])";
        let file = FlowFile::parse("f", text).unwrap();
        let LayerSpec::Repeat(_, body) = &*file.spec.layers[1] else { panic!() };
        let LayerSpec::Repeat(_, inner) = &*body[1] else { panic!() };
        let define = &file.spec.define["é"];
        for (node, line, column) in [
            (file.spec.image.as_ref().unwrap().node, 2, 9),
            (define[0].node, 4, 17),
            (define[1].node, 5, 2),
            (file.spec.layers[0].node, 6, 11),
            (file.spec.layers[1].node, 6, 22),
            (body[0].node, 7, 4),
            (body[1].node, 7, 14),
            (inner[0].node, 8, 5),
            (file.spec.prior.node, 1, 1),
        ] {
            let Error::FlowFile(error) = file.error_at(node, "no", None) else { panic!() };
            assert_eq!((error.line(), error.column()), (line, column));
        }
    }

    #[test]
    fn files_are_found_by_path_then_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.ron");
        std::fs::write(&path, BUILT_IN[0].1).unwrap();
        assert_eq!(FlowFile::read(path.to_str().unwrap()).unwrap().spec, FlowFile::read("digits").unwrap().spec);
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(FlowFile::read(path.to_str().unwrap()).unwrap_err().is_input());
        let unknown = FlowFile::read("flows/glow-cifar.ron").unwrap_err();
        assert!(unknown.is_input() && unknown.to_string().contains("did you mean `glow-cifar10`?"), "{unknown}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}|[A-Za-z0-9(){}\\[\\]:,./*\"' \\n-]{0,200}") {
            let _ = FlowFile::parse("f", text);
        }

        #[test]
        fn mutated_flows_are_read_or_refused(
            which in 0..BUILT_IN.len(), at in 0.0..1.0f64, cut in 0..20usize, paste in "[(){}\\[\\]:,\"'/*a-z0-9 -]{0,6}",
        ) {
            let text: Vec<char> = BUILT_IN[which].1.chars().collect();
            let start = (at * text.len() as f64) as usize;
            let (before, after) = (text[..start].iter(), text[(start + cut).min(text.len())..].iter());
            let mutated: String = before.copied().chain(paste.chars()).chain(after.copied()).collect();
            if let Ok(file) = FlowFile::parse("f", &mutated) {
                let _ = crate::flow::expand::expand(&file);
            }
        }
    }
}
