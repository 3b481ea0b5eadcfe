//! The classes of a model by name.

use super::Model;
use crate::backend::{Device, Element};
use crate::notation::suggestion;
use crate::{Error, Result};

/// The longest name of a class in a caption, in characters.
const LONGEST: usize = 40;

/// What a class is called in captions: its name among `names`, or `class 3` where it has none but its number.
pub fn class_words(names: &[String], class: usize) -> String {
    match names.get(class).filter(|name| !name.is_empty() && **name != class.to_string()) {
        Some(name) if name.chars().count() > LONGEST => name.chars().take(LONGEST - 1).chain(['…']).collect(),
        Some(name) => name.clone(),
        None => format!("class {class}"),
    }
}

impl<E: Element, D: Device<E>> Model<E, D> {
    /// What a class of the model is called; see [`class_words`].
    pub fn class_words(&self, class: usize) -> String {
        class_words(&self.metadata.classes, class)
    }

    /// The class that a name or a number means; a name comes before a number.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class that the model does not have, with those it has.
    pub fn class(&self, text: &str) -> Result<usize> {
        let refuse = |reason: String| Err(Error::Usage(reason));
        let Some(classes) = self.flow.classes() else {
            return refuse(format!("class {text} was asked for, but this flow has no classes"));
        };
        let names = &self.metadata.classes;
        let by_name = names.iter().position(|name| name == text);
        if let Some(class) = by_name.or_else(|| text.parse().ok()).filter(|class| *class < classes) {
            return Ok(class);
        }
        let numbers = format!("this flow has classes 0 to {}", classes - 1);
        if names.is_empty() {
            return refuse(format!("class {text} was asked for; {numbers}, and its model does not name them"));
        }
        refuse(format!("class {text} was asked for; {numbers}; {}", suggestion(text, names.iter().map(String::as_str))))
    }
}

#[cfg(test)]
mod tests {
    use super::class_words;

    #[test]
    fn a_class_goes_by_its_name_and_without_one_by_its_number() {
        let names = ["cat".to_owned(), "1".into(), String::new(), "x".repeat(50)];
        let words = [0, 1, 2, 4].map(|class| class_words(&names, class));
        assert_eq!(words, ["cat", "class 1", "class 2", "class 4"]);
        assert_eq!(class_words(&names, 3), "x".repeat(39) + "…");
    }
}
