//! Where images and their labels stand in the files that they were read from, for messages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where each image of a set stands, and its label.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    parts: Arc<[Part]>,
    /// The number of each image, counted through all parts; `None` where the images are all of them, in their order.
    which: Option<Arc<[usize]>>,
}

/// A file that holds several images, and the one that holds their labels, which may be the same.
#[derive(Clone, Debug)]
struct Part {
    count: usize,
    images: PathBuf,
    labels: PathBuf,
}

impl Origin {
    /// Of so many images in one file, in its order, with their labels in another, in the same order.
    pub fn new(count: usize, images: impl Into<PathBuf>, labels: impl Into<PathBuf>) -> Self {
        Self { parts: [Part { count, images: images.into(), labels: labels.into() }].into(), which: None }
    }

    /// Of some of these images.
    pub fn select(&self, indices: &[usize]) -> Self {
        let which = indices.iter().map(|&i| self.number(i)).collect();
        Self { parts: Arc::clone(&self.parts), which: Some(which) }
    }

    /// Of several sets one after the other, each with its number of images.
    pub fn joined(sets: &[(Self, usize)]) -> Self {
        let mut before = 0;
        let mut which = Vec::new();
        for (set, count) in sets {
            which.extend((0..*count).map(|i| before + set.number(i)));
            before += set.parts.iter().map(|part| part.count).sum::<usize>();
        }
        let parts = sets.iter().flat_map(|(set, _)| set.parts.iter().cloned()).collect();
        Self { parts, which: Some(which.into()) }
    }

    /// Where image `i` is: `x.npy at [12]`.
    pub fn image(&self, i: usize) -> Option<String> {
        self.find(i, |part| &part.images)
    }

    /// Where the label of image `i` is.
    pub fn label(&self, i: usize) -> Option<String> {
        self.find(i, |part| &part.labels)
    }

    fn find(&self, i: usize, file: impl Fn(&Part) -> &Path) -> Option<String> {
        let mut number = self.number(i);
        for part in &*self.parts {
            if number < part.count {
                return Some(format!("{} at [{number}]", file(part).display()));
            }
            number -= part.count;
        }
        None
    }

    fn number(&self, i: usize) -> usize {
        self.which.as_ref().map_or(i, |which| which.get(i).copied().unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_keeps_its_place_through_any_choice_and_order() {
        let first = Origin::new(5, "a.npy", "a-labels.npy");
        let second = Origin::new(3, "b.npy", "b-labels.npy").select(&[2, 0]);
        let both = Origin::joined(&[(first.clone(), 5), (second, 2)]);
        assert_eq!(both.image(4).unwrap(), "a.npy at [4]");
        assert_eq!(both.label(5).unwrap(), "b-labels.npy at [2]");
        let some = both.select(&[6, 1]).select(&[0]);
        assert_eq!(some.image(0).unwrap(), "b.npy at [0]");
        assert_eq!((some.image(1), first.label(5)), (None, None));
    }
}
