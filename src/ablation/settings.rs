//! The settings of a flow, found by name in its text.
//!
//! A flow with every option written out has each of its settings in its text. A setting is named as the file names it,
//! perhaps after what it is inside of: `learning_rate`, `Split.log_scale_factor`, `coupling.width`. One name can mean
//! several places, and is then set in all of them; but what is inside of `image`, `context` or `encoder` is meant only by a
//! name that says so, such as `image.bits` or `encoder.width`. `Repeat` is the number of repetitions.

use crate::notation::{Tokens, is_name};
use std::ops::Range;

/// A place in a flow's text that has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The names that it is inside of, and its own.
    pub path: Vec<String>,
    /// The bytes of its value.
    pub value: Range<usize>,
}

impl Setting {
    /// Whether `name` means this setting: it ends in the setting's own name, and the names before it are among those
    /// around the setting, in this order.
    pub fn is_called(&self, name: &str) -> bool {
        let (Some((own, around)), mut words) = (self.path.split_last(), name.split('.').collect::<Vec<_>>()) else {
            return false;
        };
        let inside = |of: &&str| around.iter().any(|name| name == of) && !words.contains(of);
        let hidden = ["image", "context", "encoder"].iter().any(inside);
        if hidden || words.pop() != Some(own.as_str()) {
            return false;
        }
        let mut around = around.iter();
        words.into_iter().all(|word| around.any(|name| name == word))
    }
}

/// Every setting of a flow's text, in the order of the text.
pub fn settings(text: &str) -> Vec<Setting> {
    let tokens = Tokens::of(text);
    let words = tokens.ranges().iter().map(|range| (&text[range.clone()], range.clone())).collect();
    let mut walk = Walk { words, at: 0, path: Vec::new(), found: Vec::new() };
    while walk.at < walk.words.len() {
        walk.value();
        walk.at += 1;
    }
    walk.found.sort_by_key(|setting| setting.value.start);
    walk.found
}

/// The bytes of a text without what is only space or comment at its ends.
pub fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let tokens = Tokens::of(&text[range.clone()]);
    match (tokens.ranges().first(), tokens.ranges().last()) {
        (Some(first), Some(last)) => range.start + first.start..range.start + last.end,
        _ => range.start..range.start,
    }
}

struct Walk<'a> {
    words: Vec<(&'a str, Range<usize>)>,
    at: usize,
    path: Vec<String>,
    found: Vec<Setting>,
}

impl Walk<'_> {
    fn word(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |(word, _)| word)
    }

    /// Passes one value, and records the settings within; its bytes.
    fn value(&mut self) -> Range<usize> {
        let start = self.words.get(self.at).map_or(0, |(_, range)| range.start);
        let name = self.word(self.at).to_owned();
        let named = is_name(&name) && self.word(self.at + 1) == "(";
        if named {
            self.at += 1;
            self.path.push(name);
        }
        if matches!(self.word(self.at), "(" | "[" | "{") {
            self.at += 1;
            self.members(named);
        }
        if named {
            self.path.pop();
        }
        let end = self.words.get(self.at).or(self.words.last()).map_or(start, |(_, range)| range.end);
        self.at += 1;
        start..end
    }

    /// Passes what is between brackets, up to the closing one.
    fn members(&mut self, named: bool) {
        let mut position = 0;
        while self.at < self.words.len() && !matches!(self.word(self.at), ")" | "]" | "}") {
            if self.word(self.at) == "," {
                self.at += 1;
            } else if self.word(self.at + 1) == ":" {
                let name = self.word(self.at).trim_matches('"').to_owned();
                self.at += 2;
                self.member(name);
            } else if named && position == 0 {
                let name = self.path.pop().unwrap_or_default();
                self.member(name.clone());
                self.path.push(name);
                position += 1;
            } else {
                self.value();
                position += 1;
            }
        }
    }

    fn member(&mut self, name: String) {
        self.path.push(name);
        let value = self.value();
        self.found.push(Setting { path: self.path.clone(), value });
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowFile;

    const TEXT: &str = r#"Flow(
        image: (height: 8, width: 9, channels: 1), // width: 3
        define: {"coupling": [AffineCoupling(scale: ClampedTanh(bound: 2), width: 64), Split(log_scale_factor: 3)]},
        layers: [Squeeze(), Repeat(24, [Use("coupling"), Custom("mine", (width: 5))])],
        train: (optimizer: Adam(beta1: 0.9), warmup: Epochs(1)),
    )"#;

    fn values(name: &str) -> Vec<&'static str> {
        settings(TEXT).into_iter().filter(|s| s.is_called(name)).map(|s| &TEXT[s.value]).collect()
    }

    #[test]
    fn settings_are_found_by_their_names_and_what_is_around_them() {
        assert_eq!(values("width"), ["64", "5"]);
        assert_eq!(values("AffineCoupling.width"), ["64"]);
        assert_eq!(values("coupling.width"), ["64"]);
        assert_eq!(values("image.width"), ["9"]);
        assert_eq!(values("scale"), ["ClampedTanh(bound: 2)"]);
        assert_eq!(values("bound"), ["2"]);
        assert_eq!(values("Repeat"), ["24"]);
        assert_eq!(values("optimizer"), ["Adam(beta1: 0.9)"]);
        assert_eq!(values("train.optimizer.beta1"), ["0.9"]);
        assert_eq!(values("warmup"), ["Epochs(1)"]);
        assert!(values("beta2").is_empty() && values("image.beta1").is_empty() && values("").is_empty());
    }

    #[test]
    fn every_setting_of_a_written_flow_can_be_put_back() {
        for name in ["digits", "glow-cifar10-classes"] {
            let file = FlowFile::read(name).unwrap();
            let text = file.spec.to_ron().unwrap();
            let all = settings(&text);
            for wanted in
                ["learning_rate", "width", "memory", "averaging", "clip_gradient_norm", "Repeat", "image.bits"]
            {
                assert!(all.iter().any(|setting| setting.is_called(wanted)), "{name}: {wanted}\n{text}");
            }
            for setting in all {
                let value = text[setting.value.clone()].to_owned();
                let again = [&text[..setting.value.start], &value, &text[setting.value.end..]].concat();
                assert_eq!(FlowFile::parse(name, again).unwrap().spec, file.spec, "{:?}", setting.path);
            }
        }
    }

    #[test]
    fn any_text_is_walked_to_its_end() {
        for text in ["", "((", "a(b: [", "a: b: c", ")]}", "a(b(c, d: e), f)", "[1, 2] 3", "a(:", "a(b:"] {
            settings(text);
        }
        assert_eq!(trimmed(" a /* x */ b // c\n ", 0..17), 1..12);
    }

    /// Rows of the table of defaults in the book: an option and its default.
    fn table() -> Vec<(String, String)> {
        let book = include_str!("../../docs/flow-files.md");
        let (_, from) = book.split_once("## Defaults, beside the reference code and the paper").unwrap();
        let table = from.split("\n## ").next().unwrap();
        let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
        let row = |row: &str| {
            let mut cells = row.split('|').map(str::trim);
            (cells.next().unwrap().trim_end_matches('`').to_owned(), cells.next().unwrap().to_owned())
        };
        rows.map(row).collect()
    }

    #[test]
    fn the_book_has_every_default_as_it_is() {
        let layers = "ActNorm(), InvertibleConv(), AffineCoupling(), AdditiveCoupling(), SplineCoupling(), MixtureCoupling(), Split()";
        let written = |optimizer: &str| {
            let text = format!(
                "Flow(image: (height: 8, width: 8, channels: 4), layers: [{layers}], prior: Gaussian(), train: (optimizer: {optimizer}))"
            );
            FlowFile::parse("all", text).unwrap().spec.to_ron().unwrap()
        };
        let texts = ["Adamax()", "Adam()"].map(written);
        let plain = |text: &str| text.replace(".0)", ")");
        let alike = |told: &str, found: &str| match (told.parse::<f64>(), found.parse::<f64>()) {
            (Ok(told), Ok(found)) => told == found,
            // Of what has options of its own, the table has them in rows of their own.
            _ => told == plain(found) || told.strip_suffix("()").is_some_and(|name| found.starts_with(name)),
        };
        let rows = table();
        for (option, told) in &rows {
            let found = texts.iter().find_map(|text| {
                settings(text).into_iter().find(|s| s.is_called(option)).map(|s| text[s.value].to_owned())
            });
            let found = found.unwrap_or_else(|| panic!("{option} is no option"));
            let found = found.strip_prefix("Some(").and_then(|inner| inner.strip_suffix(')')).unwrap_or(&found);
            assert!(alike(told, found), "{option}: the book says {told}, and it is {found}");
        }
        // And none is left out: an option of a layer, of the prior, of the recipe or of an optimizer.
        for text in &texts {
            for setting in settings(text) {
                let [.., of, name] = &setting.path[..] else { continue };
                let spline = matches!(of.as_str(), "SplineCoupling" | "MixtureCoupling");
                let known = [
                    "ActNorm",
                    "InvertibleConv",
                    "AffineCoupling",
                    "AdditiveCoupling",
                    "Split",
                    "Gaussian",
                    "train",
                    "Adamax",
                    "Adam",
                ];
                if known.contains(&of.as_str()) || spline && ["bins", "bound", "components"].contains(&name.as_str()) {
                    let option = format!("{of}.{name}");
                    let told = rows.iter().any(|(told, _)| *told == option);
                    // The kind of a value is no option of its own.
                    assert!(told || ["Adamax", "Adam"].contains(&name.as_str()), "{option} is not in the book");
                }
            }
        }
    }
}
