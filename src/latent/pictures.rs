//! Real pictures that were chosen by number.

use crate::Result;
use crate::data::Images;
use crate::flow::class_words;

/// Pictures of some data, with what they are called in captions.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// The pictures.
    pub images: Images,
    /// Of each its number in the data, and its class where it has one: `no. 3, cat`.
    pub captions: Vec<String>,
}

impl Pictures {
    /// The images with these numbers; `classes` are the names of their classes.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) where there is no such image.
    pub fn of(images: &Images, numbers: &[usize], classes: &[String]) -> Result<Self> {
        let caption = |&number: &usize| match images.label(number) {
            Some(label) => format!("no. {number}, {}", class_words(classes, label)),
            None => format!("no. {number}"),
        };
        let captions = numbers.iter().map(caption).collect();
        Ok(Self { images: images.select(numbers.iter().copied())?, captions })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.captions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_name_number_and_class() {
        let images = Images::new(vec![0; 3], [1, 1, 1], Some(vec![1, 0, 1])).unwrap();
        let pictures = Pictures::of(&images, &[2, 1], &["cat".into()]).unwrap();
        assert_eq!(pictures.captions, ["no. 2, class 1", "no. 1, cat"]);
        assert_eq!((pictures.len(), pictures.images.label(1)), (2, Some(0)));
        let plain = Images::new(vec![0; 3], [1, 1, 1], None).unwrap();
        assert_eq!(Pictures::of(&plain, &[1], &[]).unwrap().captions, ["no. 1"]);
        assert!(Pictures::of(&plain, &[3], &[]).is_err());
    }
}
