//! Directions that change pictures: from the mean latent of those without an attribute to that of those with it (Glow,
//! section 5).

use super::classes::shared;
use super::code::{decode, encode};
use super::pictures::Pictures;
use super::points::{Points, mixture};
use crate::backend::{Device, Element};
use crate::data::{DataSet, Images};
use crate::flow::Flow;
use crate::plot::{Captioned, Row, Sheet};
use crate::{Error, Result};

/// Pictures that have something in common.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// What, in words.
    pub name: String,
    /// The pictures.
    pub images: Images,
}

impl Attribute {
    /// The pictures that `names` name: each a class of `set`, by name or number, whose training pictures are taken; or,
    /// where it has a colon, other data that `open` opens, all of whose pictures are taken. At most `most` of each, then evenly
    /// from each class.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class that `set` does not have or that holds no picture; what `open` reports.
    pub fn named(names: &[String], set: &DataSet, most: usize, open: impl Fn(&str) -> Result<DataSet>) -> Result<Self> {
        let mut levels = Vec::new();
        for name in names {
            let found =
                if name.contains(':') { both_splits(&open(name)?)? } else { of_classes(set, &[class(set, name)?])? };
            if found.is_empty() {
                return Err(Error::Usage(format!("`{name}` holds no picture")));
            }
            levels.extend_from_slice(&found.spread(most)?.levels()?);
        }
        let images = Images::new(levels, set.train.shape(), None)?;
        Ok(Self { name: names.join(" and "), images })
    }

    /// The training pictures of `set` that are of none of the classes that `names` name; at most `most`, then evenly from
    /// each class.
    ///
    /// # Errors
    /// As [`Attribute::named`], and where a name is one of other data.
    pub fn other_than(names: &[String], set: &DataSet, most: usize) -> Result<Self> {
        if let Some(name) = names.iter().find(|name| name.contains(':')) {
            return Err(Error::Usage(format!("`--with {name}` names data: say with `--without` which are without it")));
        }
        let excluded = names.iter().map(|name| class(set, name)).collect::<Result<Vec<_>>>()?;
        let labels = set.train.labels().unwrap_or(&[]);
        let others: Vec<u16> = labels.iter().copied().filter(|label| !excluded.contains(label)).collect();
        let images = of_classes(set, &others)?;
        if images.is_empty() {
            return Err(Error::Usage(format!("all of {}'s pictures are of {}", set.name, names.join(" or "))));
        }
        Ok(Self { name: "all others".into(), images: images.spread(most)? })
    }
}

/// The class of this name or number.
fn class(set: &DataSet, name: &str) -> Result<u16> {
    let labels = set.train.labels().ok_or_else(|| {
        Error::Usage(format!("{} has no classes: name data instead of `{name}`, such as images:DIR", set.name))
    })?;
    let by_name = set.classes.iter().position(|class| class == name).and_then(|label| u16::try_from(label).ok());
    let label = by_name.or_else(|| name.parse().ok()).filter(|label| labels.contains(label));
    label.ok_or_else(|| {
        let all = set.classes.join(", ");
        Error::Usage(format!("{} has no class `{name}`; there are: {all}", set.name))
    })
}

fn of_classes(set: &DataSet, classes: &[u16]) -> Result<Images> {
    let labels = set.train.labels().unwrap_or(&[]);
    set.train.select((0..labels.len()).filter(|&i| classes.contains(&labels[i])))
}

fn both_splits(set: &DataSet) -> Result<Images> {
    set.train.followed_by(&set.test)
}

/// A difference of latents.
///
/// Under a class-conditional flow its last latent is measured in the deviations of class 0, under which pictures are
/// standardised for it. What it makes of pictures would be the same under any class; its numbers would not, so they must
/// be used under class 0 again.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction<E> {
    /// One point.
    pub point: Points<E>,
    /// From what to what, in words.
    pub words: String,
}

impl<E: Element> Direction<E> {
    /// `mean(latents with) − mean(latents without)`. A class-conditional flow standardises all of them under class 0.
    ///
    /// # Errors
    /// As [`encode`], and [`Error::Usage`] where there is no picture.
    pub fn between<D: Device<E>>(flow: &Flow<E, D>, device: &D, with: &Attribute, without: &Attribute) -> Result<Self> {
        let mean = |of: &Attribute| encode(flow, device, &of.images, shared(flow, of.images.len()).as_deref())?.mean();
        let row = mean(with)?.iter().zip(mean(without)?).map(|(with, without)| E::of(with - without)).collect();
        let mut point = Points::new(flow.latent_shapes());
        point.push(row)?;
        let counted = |of: &Attribute| format!("{} ({} pictures)", of.name, of.images.len());
        Ok(Self { point, words: format!("{} − {}", counted(with), counted(without)) })
    }

    /// Pictures moved along the direction: a row for each, from `−alpha` to `+alpha`.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no picture, they are not the flow's, or there are fewer than two steps.
    pub fn sheet<D: Device<E>>(
        &self,
        flow: &Flow<E, D>,
        device: &D,
        pictures: &Pictures,
        (alpha, steps): (f64, usize),
    ) -> Result<Captioned> {
        if steps < 2 || !alpha.is_finite() || pictures.is_empty() {
            let message = "expected at least one picture, two steps and a finite alpha";
            return Err(Error::Usage(format!("{} pictures in {steps} steps to ±{alpha}: {message}", pictures.len())));
        }
        let images = &pictures.images;
        let alphas: Vec<f64> = (0..steps).map(|i| alpha * (2.0 * i as f64 / (steps - 1) as f64 - 1.0)).collect();
        let points = encode(flow, device, images, shared(flow, images.len()).as_deref())?;
        let moved = strip(&points, &self.point, &alphas)?;
        let decoded = decode(flow, device, &moved, shared(flow, moved.len()).as_deref())?;
        let all = decoded.levels.chunks_exact(steps * images.pixels_per_image());
        let row = |(i, (caption, levels)): (usize, (&String, &[u8]))| {
            let not_finite =
                decoded.not_finite.iter().filter(|number| **number / steps == i).map(|n| n % steps).collect();
            Row { caption: caption.clone(), levels: levels.to_vec(), not_finite }
        };
        let rows = pictures.captions.iter().zip(all).enumerate().map(row).collect();
        let signed = |alpha: &f64| match alpha.total_cmp(&0.0) {
            _ if *alpha == 0.0 => "0".to_owned(),
            std::cmp::Ordering::Less => format!("−{:.2}", alpha.abs()),
            _ => format!("+{alpha:.2}"),
        };
        Ok(Captioned {
            title: format!("picture + α · [{}]", self.words),
            headings: alphas.iter().map(signed).collect(),
            sheet: Sheet { rows, shape: images.shape(), bins: flow.bins(), columns: steps },
        })
    }
}

/// Each point moved along a direction by each of `alphas`: a row of points for each.
///
/// # Errors
/// [`Error::Shape`] where the direction is not one of these latents; [`Error::Usage`] unless it is one point.
pub fn strip<E: Element>(points: &Points<E>, direction: &Points<E>, alphas: &[f64]) -> Result<Points<E>> {
    let [direction] = direction.rows() else {
        return Err(Error::Usage(format!("a direction is one point, and there are {}", direction.len())));
    };
    let mut moved = Points::new(points.latents().to_vec());
    for row in points.rows() {
        alphas.iter().try_for_each(|&alpha| moved.push(mixture(&[(1.0, row.as_slice()), (alpha, direction)])))?;
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ImageShape;

    fn set() -> DataSet {
        let images = Images::new((0..6).collect(), [1, 1, 1], Some(vec![0, 1, 2, 0, 1, 2])).unwrap();
        let classes = ["cat", "dog", "7"].map(str::to_owned).to_vec();
        DataSet {
            name: "pets".into(),
            train: images.clone(),
            test: images,
            bins: 256,
            classes,
            features: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn named(names: &[&str]) -> Result<Attribute> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Attribute::named(&names, &set(), 5, |_| Ok(set()))
    }

    #[test]
    fn classes_go_by_name_and_number_and_data_by_their_source() {
        assert_eq!(named(&["dog"]).unwrap().images.levels().unwrap()[..], [1, 4]);
        assert_eq!(
            named(&["7", "0"]).unwrap().images.levels().unwrap()[..],
            [2, 5, 0, 3],
            "a name comes before a number"
        );
        let five = named(&["images:here"]).unwrap().images.levels().unwrap().to_vec();
        assert_eq!(five, [2, 3, 1, 2, 3], "at most five of both splits, of every class");
        assert_eq!(named(&["cat", "dog"]).unwrap().name, "cat and dog");
        let others = Attribute::other_than(&["cat".into(), "dog".into()], &set(), 9).unwrap();
        assert_eq!(others.images.levels().unwrap()[..], [2, 5]);
    }

    #[test]
    fn an_unknown_class_is_answered_with_those_there_are() {
        assert!(named(&["bird"]).unwrap_err().to_string().contains("there are: cat, dog, 7"));
        assert!(named(&["9"]).is_err());
        assert!(Attribute::other_than(&["images:x".into()], &set(), 9).unwrap_err().to_string().contains("--without"));
        assert!(Attribute::other_than(&["cat".into(), "dog".into(), "7".into()], &set(), 9).is_err());
    }

    #[test]
    fn a_strip_goes_from_one_side_of_the_picture_to_the_other() {
        let points = |rows: &[[f64; 2]]| {
            let mut points = Points::new(vec![("top".into(), ImageShape::new(1, 1, 2))]);
            rows.iter().for_each(|row| points.push(row.to_vec()).unwrap());
            points
        };
        let strip = strip(&points(&[[1.0, 0.0], [5.0, 5.0]]), &points(&[[0.5, 2.0]]), &[-2.0, 0.0, 2.0]).unwrap();
        assert_eq!(strip.rows(), [[0.0, -4.0], [1.0, 0.0], [2.0, 4.0], [4.0, 1.0], [5.0, 5.0], [6.0, 9.0]]);
    }
}
