//! Classes of one set as those of another, by their names.

use super::Images;
use crate::error::{Error, Result};

/// Classes that a message names, at most.
const NAMED: usize = 20;

/// Whether these are names, and not the numbers that stand for those of classes without names: `0`, `1`, ….
pub fn are_named(classes: &[String]) -> bool {
    classes.iter().enumerate().any(|(number, name)| *name != number.to_string())
}

/// Images whose labels are numbers among `theirs`, with the numbers that the same classes have among `ours`, such as those
/// of a model. Classes that have no names on one side are the same by number; then, and where all numbers are the same
/// anyway, there is nothing to change: `None`.
///
/// # Errors
/// [`Error::Usage`], with both lists, where images are of a class that is not among `ours`.
pub fn renumbered(images: &Images, theirs: &[String], ours: &[String]) -> Result<Option<Images>> {
    let Some(labels) = images.labels().filter(|_| are_named(theirs) && !ours.is_empty()) else { return Ok(None) };
    let places: Vec<Option<u16>> = theirs
        .iter()
        .map(|name| ours.iter().position(|ours| ours == name).and_then(|place| u16::try_from(place).ok()))
        .collect();
    let place = |label: &u16| places.get(usize::from(*label)).copied().flatten();
    let unknown = labels.iter().find(|label| place(label).is_none());
    match unknown {
        // Numbers are the names of `ours`; other names may still mean the same classes.
        Some(_) if !are_named(ours) => Ok(None),
        Some(label) => {
            let name = theirs.get(usize::from(*label)).cloned().unwrap_or_else(|| label.to_string());
            Err(Error::Usage(format!(
                "the data have pictures of the class `{name}`, which the model does not know. Classes of the data: {}; of the \
                 model: {}. Give --class for one class for all, or score without classes by --no-labels",
                listed(theirs),
                listed(ours)
            )))
        }
        None if labels.iter().all(|label| place(label) == Some(*label)) => Ok(None),
        None => images.with_labels(labels.iter().map(|label| place(label).unwrap_or(*label)).collect()).map(Some),
    }
}

/// What to say where a model's weights are taken for data with other classes, or the same in another order.
pub fn differing_words(theirs: &[String], ours: &[String]) -> Option<String> {
    (are_named(theirs) && are_named(ours) && theirs != ours).then(|| {
        format!(
            "classes of the data: {}; of the model to start from: {}. Each class starts from the one of its number",
            listed(theirs),
            listed(ours)
        )
    })
}

/// Names of classes, as far as a message goes.
fn listed(classes: &[String]) -> String {
    let names = classes.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match classes.len().checked_sub(NAMED) {
        None | Some(0) => names,
        Some(more) => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// The labels 0, 1 and 2 as they are renumbered.
    fn labels(theirs: &str, ours: &str) -> std::result::Result<Option<Vec<u16>>, String> {
        let images = Images::new(vec![7, 8, 9], [1, 1, 1], Some(vec![0, 1, 2])).unwrap();
        let found = renumbered(&images, &names(theirs), &names(ours)).map_err(|error| error.to_string())?;
        if let Some(found) = &found {
            assert_eq!(found.levels().unwrap(), images.levels().unwrap());
        }
        Ok(found.map(|images| images.labels().unwrap().to_vec()))
    }

    #[test]
    fn classes_are_the_same_by_name_where_both_sides_have_names() {
        assert_eq!(labels("ant bee cat", "ant bee cat"), Ok(None));
        assert_eq!(labels("ant bee cat", "cat ant bee"), Ok(Some(vec![1, 2, 0])));
        assert_eq!(labels("ant bee cat", "ape ant bee bat cat"), Ok(Some(vec![1, 2, 4])));
        assert_eq!(labels("3 7 8", "0 1 2 3 4 5 6 7 8 9"), Ok(Some(vec![3, 7, 8])), "numbers can be names");
    }

    #[test]
    fn classes_without_names_are_the_same_by_number() {
        assert_eq!(labels("0 1 2", "ant bee cat"), Ok(None));
        assert_eq!(labels("ant bee cat", ""), Ok(None));
        assert_eq!(labels("", "ant bee cat"), Ok(None));
        assert_eq!(labels("ant bee cat", "0 1 2"), Ok(None));
    }

    #[test]
    fn a_class_that_is_not_there_is_refused_with_both_lists() {
        let message = labels("ant bee cow", "cat bee ant").unwrap_err();
        for words in ["class `cow`", "ant, bee, cow;", "cat, bee, ant.", "--no-labels"] {
            assert!(message.contains(words), "{message}");
        }
        let unused = Images::new(vec![7], [1, 1, 1], Some(vec![1])).unwrap();
        let found = renumbered(&unused, &names("ant bee cow"), &names("bee")).unwrap().unwrap();
        assert_eq!(found.labels(), Some(&[0][..]), "classes that no image is of need not be known");
    }

    #[test]
    fn other_classes_to_start_from_are_told() {
        assert_eq!(differing_words(&names("a b"), &names("a b")), None);
        assert_eq!(differing_words(&names("a b"), &names("0 1")), None);
        assert!(differing_words(&names("a b"), &names("b a")).unwrap().contains("data: a, b; of the model"));
    }
}
