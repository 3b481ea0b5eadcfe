//! Which images are taken where a part must stand for the whole: to validate on, or to be looked at before all are.

use serde::{Deserialize, Serialize};

use super::Images;

/// How a part is taken from a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Portion {
    /// From the ends of the set: the last images are held out to validate, the first test images are evaluated along the
    /// way. So did version 0.1.0, and what it began goes on so. Where images are sorted by class, such a part misses
    /// classes.
    Ends,
    /// Evenly from each class: [`Images::spread`].
    Spread,
}

impl Portion {
    /// What a file means that says nothing of it: version 0.1.0 had no other.
    pub(crate) fn of_version_1() -> Self {
        Self::Ends
    }

    /// The places of `n` images that are to be held out, ascending; `n` is at most their number.
    pub(super) fn held_out(self, images: &Images, n: usize) -> Vec<usize> {
        match self {
            Self::Ends => (images.len() - n..images.len()).collect(),
            Self::Spread => spread(images.labels(), images.len(), n),
        }
    }

    /// At most `n` images, to be evaluated instead of all.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn of(self, images: &Images, n: usize) -> crate::Result<Images> {
        match self {
            Self::Ends => images.select(0..n.min(images.len())),
            Self::Spread => images.spread(n),
        }
    }
}

/// The places of `n` images of `count`, ascending. The images are put in the order of their classes, each class in the
/// order of the set, and `n` at equal distances are taken: those at `⌊(k + 1/2) · count/n⌋`. So each class has its share of
/// the `n`, to within one image, from its beginning to its end. Images without classes are taken as of one.
pub(super) fn spread(labels: Option<&[u16]>, count: usize, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if let Some(labels) = labels {
        // Stable: within a class the set's order stays.
        order.sort_by_key(|&i| labels[i]);
    }
    let at = |k: usize| ((2 * k as u128 + 1) * count as u128 / (2 * n as u128)) as usize;
    let mut places: Vec<usize> = (0..n.min(count)).map(|k| order[at(k)]).collect();
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_class_has_its_share_whatever_the_order(labels in prop::collection::vec(0_u16..5, 1..200), share in 0.0..=1.0) {
            let (count, n) = (labels.len(), (labels.len() as f64 * share) as usize);
            let places = spread(Some(&labels), count, n);
            prop_assert_eq!(places.len(), n);
            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]) && places.iter().all(|&i| i < count));
            for class in 0..5 {
                let of = |places: &mut dyn Iterator<Item = usize>| places.filter(|&i| labels[i] == class).count() as f64;
                let (all, taken) = (of(&mut (0..count)), of(&mut places.iter().copied()));
                let its_share = all * n as f64 / count as f64;
                prop_assert!((taken - its_share).abs() < 1.0, "class {}: {} of {}, {} in all", class, taken, all, n);
            }
        }

        #[test]
        fn without_classes_the_distances_differ_by_one_at_most(count in 1_usize..300, share in 0.01..=1.0) {
            let n = ((count as f64 * share) as usize).max(1);
            let places = spread(None, count, n);
            prop_assert_eq!(places.len(), n);
            let gaps: Vec<usize> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
            prop_assert!(gaps.iter().all(|&gap| gap == count / n || gap == count.div_ceil(n)), "{:?}", gaps);
            let (before, after) = (places[0], count - 1 - places[n - 1]);
            prop_assert!(before.abs_diff(after) <= 1, "{} before and {} after", before, after);
        }
    }

    #[test]
    fn a_part_of_the_old_rule_is_at_the_ends() {
        let images = Images::new((0..10).collect(), [1, 1, 1], Some((0..10).collect())).unwrap();
        assert_eq!(Portion::Ends.held_out(&images, 3), [7, 8, 9]);
        let first = Portion::Ends.of(&images, 3).unwrap();
        assert_eq!((&first.levels().unwrap()[..], first.taken()), (&[0, 1, 2][..], None));
    }

    #[test]
    fn images_that_stand_for_all_keep_their_places() {
        let images = Images::new((0..10).collect(), [1, 1, 1], None).unwrap();
        let three = images.spread(3).unwrap();
        assert_eq!(three.levels().unwrap()[..], [1, 5, 8]);
        assert_eq!((0..3).map(|i| three.place(i)).collect::<Vec<_>>(), [1, 5, 8]);
        assert_eq!(three.taken().unwrap(), "3 of 10, evenly spaced");
        assert_eq!(three.spread(1).unwrap().place(0), 5, "its place among all");
        let all = images.spread(10).unwrap();
        assert_eq!((all.taken(), all.place(7), all.len()), (None, 7, 10));
        assert!(images.spread(0).unwrap().is_empty());
    }
}
