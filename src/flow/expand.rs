//! From the layers as written to the layers as built: every `Use` replaced, every `Repeat` unrolled.

use crate::notation::{NodeId, suggestion};
use std::collections::BTreeMap;

use super::{
    file::FlowFile,
    spec::{Layer, LayerSpec},
};
use crate::error::Result;

/// More layers than any flow has: beyond it a file is taken for a mistake, before anything is built.
pub const MOST_LAYERS: usize = 100_000;

/// Definitions may use definitions this deep.
const DEEPEST: usize = 100;

/// One layer to build.
#[derive(Clone, Debug, PartialEq)]
pub struct Expanded {
    /// Its place among the layers as built, such as `1.17.2`: the third layer of the 18th repetition of what stands
    /// second. The layers of a `Use` are counted as if they stood in its place.
    pub path: String,
    /// Its place in the file.
    pub node: NodeId,
    /// What to build; never `Use` or `Repeat`.
    pub layer: LayerSpec,
}

/// The layers of a flow, from image to latents.
pub fn expand(file: &FlowFile) -> Result<Vec<Expanded>> {
    let mut counter = Counter { file, counts: BTreeMap::new(), open: Vec::new() };
    // All definitions, for one that nothing uses can be wrong too.
    for name in file.spec.define.keys() {
        counter.definition(name, NodeId::NOWHERE)?;
    }
    counter.list(&file.spec.layers)?;
    let mut expanded = Vec::new();
    unroll(file, &file.spec.layers, "", &mut 0, &mut expanded);
    Ok(expanded)
}

/// Counts what would be unrolled without unrolling it, each definition once; so neither cycles nor huge products do
/// harm. `Use` and `Repeat` count as one more than their layers, for unrolling nothing takes time too.
struct Counter<'a> {
    file: &'a FlowFile,
    counts: BTreeMap<&'a str, usize>,
    /// The definitions that are being counted, outermost first.
    open: Vec<&'a str>,
}

impl<'a> Counter<'a> {
    fn list(&mut self, layers: &'a [Layer]) -> Result<usize> {
        let mut total: usize = 0;
        for layer in layers {
            let within = match &layer.value {
                LayerSpec::Use(name) => self.definition(name, layer.node)?,
                LayerSpec::Repeat(times, body) => self.list(body)?.max(1).saturating_mul(*times),
                _ => 0,
            };
            total = total.saturating_add(within).saturating_add(1);
            if total > MOST_LAYERS {
                let message = format!("with this there are more than {MOST_LAYERS} layers");
                return Err(self.file.error_at(layer.node, message, Some("no flow has so many".to_owned())));
            }
        }
        Ok(total)
    }

    fn definition(&mut self, name: &'a str, from: NodeId) -> Result<usize> {
        if let Some(count) = self.counts.get(name) {
            return Ok(*count);
        }
        let error = |message: String, help: String| Err(self.file.error_at(from, message, Some(help)));
        let define = &self.file.spec.define;
        let Some(layers) = define.get(name) else {
            let help = suggestion(name, define.keys().map(String::as_str));
            return error(format!("`define` has no `{name}`"), help);
        };
        if let Some(start) = self.open.iter().position(|open| *open == name) {
            let cycle = [&self.open[start..], &[name]].concat().join(" → ");
            return error(format!("`{name}` uses itself: {cycle}"), "a definition is a finite list".to_owned());
        }
        if self.open.len() == DEEPEST {
            return error(format!("definitions use each other more than {DEEPEST} deep"), "use fewer".to_owned());
        }
        self.open.push(name);
        let count = self.list(layers)?;
        self.open.pop();
        self.counts.insert(name, count);
        Ok(count)
    }
}

/// Appends a list that has been counted; its paths begin with `prefix` and go on from `index`.
fn unroll(file: &FlowFile, layers: &[Layer], prefix: &str, index: &mut usize, into: &mut Vec<Expanded>) {
    for layer in layers {
        match &layer.value {
            LayerSpec::Use(name) => {
                if let Some(definition) = file.spec.define.get(name) {
                    unroll(file, definition, prefix, index, into);
                }
                continue;
            }
            LayerSpec::Repeat(times, body) => {
                for repetition in 0..*times {
                    unroll(file, body, &format!("{prefix}{index}.{repetition}."), &mut 0, into);
                }
            }
            single => {
                into.push(Expanded { path: format!("{prefix}{index}"), node: layer.node, layer: single.clone() });
            }
        }
        *index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn file(define: &str, layers: &str) -> FlowFile {
        let head = "Flow(image: (height: 8, width: 8, channels: 1),";
        FlowFile::parse("f", format!("{head}\ndefine: {{{define}}},\nlayers: [{layers}])")).unwrap()
    }

    fn paths(define: &str, layers: &str) -> String {
        let expanded = expand(&file(define, layers)).unwrap();
        expanded.iter().map(|layer| format!("{} {}", layer.path, layer.layer.kind())).collect::<Vec<_>>().join(", ")
    }

    fn refusal(define: &str, layers: &str) -> (usize, usize, String) {
        match expand(&file(define, layers)) {
            Err(Error::FlowFile(error)) => {
                (error.line(), error.column(), format!("{}; {}", error.message(), error.advice().unwrap_or_default()))
            }
            other => panic!("{:?}", other.map(|layers| layers.len())),
        }
    }

    #[test]
    fn paths_count_repetitions_and_see_through_use() {
        let step = r#""p": [Reverse()], "none": [], "step": [ActNorm(), Use("none"), Use("p"), Split()]"#;
        assert_eq!(
            paths(step, r#"Squeeze(), Repeat(2, [Use("step"), Shuffle()]), Use("step"), Split()"#),
            "0 Squeeze, 1.0.0 ActNorm, 1.0.1 Reverse, 1.0.2 Split, 1.0.3 Shuffle, \
             1.1.0 ActNorm, 1.1.1 Reverse, 1.1.2 Split, 1.1.3 Shuffle, 2 ActNorm, 3 Reverse, 4 Split, 5 Split"
        );
        assert_eq!(
            paths("", "Repeat(2, [Squeeze(), Repeat(2, [Split()])])"),
            "0.0.0 Squeeze, 0.0.1.0.0 Split, 0.0.1.1.0 Split, 0.1.0 Squeeze, 0.1.1.0.0 Split, 0.1.1.1.0 Split"
        );
        assert_eq!(paths("", ""), "");
    }

    #[test]
    fn an_expanded_layer_stands_where_it_was_written() {
        let file = file(r#""p": [Reverse()]"#, r#"Repeat(2, [Use("p")])"#);
        let expanded = expand(&file).unwrap();
        assert!(expanded.iter().all(|layer| layer.node == file.spec.define["p"][0].node));
    }

    #[test]
    fn unknown_definitions_are_refused() {
        let (line, column, message) = refusal(r#""step": []"#, r#"Squeeze(), Use("stpe")"#);
        assert_eq!((line, column), (3, 21));
        assert!(message.contains("`define` has no `stpe`") && message.contains("did you mean `step`?"), "{message}");
        assert_eq!(refusal(r#""unused": [Use("x")]"#, "").0, 2);
    }

    #[test]
    fn cycles_are_refused() {
        let (line, column, message) = refusal(r#""a": [Use("b")], "b": [Repeat(2, [Use("c")])], "c": [Use("b")]"#, "");
        assert_eq!((line, column), (2, 63));
        assert!(message.contains("b → c → b"), "{message}");
        assert!(refusal(r#""a": [Use("a")]"#, "").2.contains("a → a"));
    }

    #[test]
    fn absurd_sizes_are_refused_before_they_are_built() {
        let too_many = |define: &str, layers: &str| {
            let (_, _, message) = refusal(define, layers);
            assert!(message.contains("more than 100000 layers"), "{message}");
        };
        too_many("", "Repeat(18446744073709551615, [Repeat(18446744073709551615, [Squeeze()])])");
        too_many("", "Repeat(18446744073709551615, [])");
        let doubling: String = (1..90).map(|n| format!(r#""{n}": [Use("{m}"), Use("{m}")], "#, m = n - 1)).collect();
        too_many(&format!(r#"{doubling} "0": []"#), "");
        let chain: String = (0..5000).map(|n| format!(r#""{n}": [Use("{}")], "#, n + 1)).collect();
        assert!(refusal(&format!(r#"{chain} "5000": []"#), "").2.contains("100 deep"));
        assert_eq!(refusal("", "Squeeze(), Repeat(2, [Repeat(60000, [Squeeze()])])").1, 21);
    }
}
