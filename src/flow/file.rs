//! Flow files: found by path or by the name of one that comes with the program, and read.

use std::path::Path;

use super::{
    FlowFileError,
    located::{NodeId, locate, read},
    spec::FlowSpec,
    suggest::suggestion,
};
use crate::error::{Error, Result};

/// The flows that come with the program: their names and texts.
pub const BUILT_IN: [(&str, &str); 10] = [
    ("digits", include_str!("../../flows/digits.ron")),
    ("glow-celeba-hq256", include_str!("../../flows/glow-celeba-hq256.ron")),
    ("glow-cifar10", include_str!("../../flows/glow-cifar10.ron")),
    ("glow-cifar10-additive", include_str!("../../flows/glow-cifar10-additive.ron")),
    ("glow-cifar10-classes", include_str!("../../flows/glow-cifar10-classes.ron")),
    ("glow-imagenet32", include_str!("../../flows/glow-imagenet32.ron")),
    ("glow-imagenet64", include_str!("../../flows/glow-imagenet64.ron")),
    ("glow-lsun64", include_str!("../../flows/glow-lsun64.ron")),
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
        let path = Path::new(path_or_name);
        if path.exists() {
            let bytes = std::fs::read(path).map_err(Error::io(path))?;
            let text =
                String::from_utf8(bytes).map_err(|_| Error::bad_file(path, "not a flow file: it is not text"))?;
            return Self::parse(path_or_name, text);
        }
        match BUILT_IN.iter().find(|(name, _)| *name == path_or_name) {
            Some((name, text)) => Self::parse(*name, *text),
            None => {
                let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or(path_or_name);
                let help = suggestion(stem, BUILT_IN.map(|(name, _)| name));
                Err(Error::Usage(format!("no flow file and no built-in flow is called `{path_or_name}`; {help}")))
            }
        }
    }

    /// Reads a flow from a text; the name is for messages.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let (name, text) = (name.into(), text.into());
        let spec = read(&text).map_err(|error| Box::new(FlowFileError::from_ron(&name, &text, error)))?;
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
        let FlowSpec { image, prior, .. } = &self.spec;
        let wrong = [(image.node, image.contradiction()), (prior.node, prior.contradiction())];
        match wrong.into_iter().find_map(|(node, wrong)| Some((node, wrong?))) {
            Some((node, (message, help))) => Err(self.error_at(node, message, Some(help.to_owned()))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn explore() {
        let head = "Flow(\n  image: (height: 8, width: 8, channels: 1),\n";
        let cases = [
            "",
            "  \n",
            "hello world",
            "{\"image\": 3}",
            "\0\u{1}",
            "Flow",
            "Flow(",
            "Flow(image: (height: 8, width: 8, channels: 1), layers: [",
            "Flow(image: (height: 8, width: 8, channels: 1), layers: [Squeeze()",
            "Flow(layers: [])",
            "Flow(image: (height: 8), layers: [])",
            "Flow(image: (height: 8, width: 8, channels: 1, bits: 9), layers: [])",
            "Flow(image: (height: 8, width: 8, channels: 1, bits: 5, bins: 32), layers: [])",
            "Flow(image: (height: -8, width: 8, channels: 1), layers: [])",
            "Flow(image: (height: 8.5, width: 8, channels: 1), layers: [])",
            "Flow(image: (height: \"8\", width: 8, channels: 1), layers: [])",
            "Flow(image: (height: 99999999999999999999999, width: 8, channels: 1), layers: [])",
            "Flow(image: (height: eight, width: 8, channels: 1), layers: [])",
            "Flow(image: (height: 8, hieght: 8), layers: [])",
            "Flow(image: (height: 8, height: 8), layers: [])",
            "Flow(image: [8, 8, 1], layers: [])",
            "Flow(image: None, layers: [])",
            "Flow(image: 8, layers: [])",
            "Flow(image: (height: 8, width: 8, channels: 1), layers: []) x",
        ];
        for text in cases {
            show(text);
        }
        for rest in [
            "layers: [Affinecoupling()]",
            "layers: [InvertibleConv1x1()]",
            "layers: [Conv1x1()]",
            "layers: [Reverse]",
            "layers: [Reverse, Squeeze()]",
            "layers: [ActNorm // x\n, Squeeze()]",
            "layers: [Reverse(x: 1)]",
            "layers: [AffineCoupling(widht: 3)]",
            "layers: [AffineCoupling(width: 0)]",
            "layers: [AffineCoupling(width: \"a\")]",
            "layers: [AffineCoupling(scale: Sigmoid())]",
            "layers: [AffineCoupling(scale: ClampedTanh)]",
            "layers: [AffineCoupling(scale: ClampedTanh(bound: 0))]",
            "layers: [AffineCoupling(scale: Tanh)]",
            "layers: [AffineCoupling(edge_channel: yes)]",
            "layers: [AffineCoupling((width: 3))]",
            "layers: [AffineCoupling(3)]",
            "layers: [Squeeze() Split()]",
            "layers: [Squeeze(), Split()",
            "layers: [Squeeze(]",
            "layers: [Repeat(3)]",
            "layers: [Repeat(0, [])]",
            "layers: [Repeat([Squeeze()])]",
            "layers: [Repeat(3, Squeeze())]",
            "layers: [Repeat(3, [], 4)]",
            "layers: [Use(step)]",
            "layers: [Use()]",
            "layers: [Use(\"a\", 2)]",
            "layers: [Custom()]",
            "layers: [Custom(\"a\", (x: ))]",
            "layers: [Custom(\"a\", (x: 1)]",
            "layers: [Custom(\"a]",
            "layers: [Use(\"a\")], define: {\"a\": [], \"a\": []}",
            "layers: [], define: {\"a\": 3}",
            "layers: [], define: {a: []}",
            "layers: [], define: [a]",
            "layers: [], define: {\"a\" []}",
            "layers: [], /* x",
            "layers: Squeeze()",
            "layers: [\"Squeeze\"]",
            "layers: [3]",
            "layer: []",
            "layers: [], train: (batch: 0)",
            "layers: [], train: (learning_rate: -1)",
            "layers: [], train: (learning_rate: NaN)",
            "layers: [], train: (optimizer: Adam(beta1: 1.0))",
            "layers: [], train: (optimizer: Adam)",
            "layers: [], train: (optimizer: SGD())",
            "layers: [], train: (length: 10)",
            "layers: [], train: (length: Epochs(-1))",
            "layers: [], train: (length: Epochs(1, 2))",
            "layers: [], train: (length: Steps(1.5))",
            "layers: [], train: (clip_gradient_norm: 0)",
            "layers: [], train: (averaging: Ema())",
            "layers: [], train: (learning_rate: 1e)",
            "layers: [], prior: Gaussian(classifier: true)",
            "layers: [], train: (data: digits)",
            "layers: [], train: (data: \"a\\q\")",
            "layers: [Affine-Coupling()]",
            "layers: [], train: (batch: 1_000, seed: 0x)",
            "layers: [], image: 1",
            "layers: [], 3: 3",
            "layers: [], prior: Gauss()",
            "layers: [], prior: Gaussian",
        ] {
            show(&format!("{head}  {rest}\n)"));
        }
        show(&format!("{head} layers: [{}", "Repeat(2, [".repeat(40)));
        show(&format!("{head} layers: [Custom(\"a\", {}", "[".repeat(400)));
    }
    fn show(text: &str) {
        match FlowFile::parse("f", text) {
            Ok(_) => println!("OK        <- {}", text.lines().last().unwrap_or("")),
            Err(Error::FlowFile(e)) => {
                println!("{e}   HELP {:?}   <- {:?}", e.advice(), text.lines().skip(2).collect::<Vec<_>>().join("⏎"))
            }
            Err(e) => println!("{e}"),
        }
    }
}
