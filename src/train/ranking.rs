//! Scores without labels: images in the order of how much they surprise a flow, and how well that tells two sets apart.

use crate::files::write_atomically;
use crate::flow::{Loss, Unit};
use crate::{Error, Result};
use serde::Serialize;
use std::path::Path;

/// An image with its score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// From 1, the image with the most bits/dim.
    pub rank: usize,
    /// Its number, counted from 0.
    pub image: usize,
    /// Its file, where the data are pictures in files.
    pub file: Option<String>,
    /// The name of its class, if it has one.
    pub class: Option<String>,
    /// Of this image; none of a vector.
    pub bits_per_dim: Option<f64>,
    /// `ln p`.
    pub nats: f64,
}

/// Images from the least likely to the likeliest, with their bits/dim where that is the flow's unit; `about` gives an image's file and class. What is not a number comes first.
pub fn rank(nats: &[f64], unit: Unit, about: impl Fn(usize) -> (Option<String>, Option<String>)) -> Vec<Ranked> {
    let bits: Vec<f64> = nats.iter().map(|&nats| unit.of(nats)).collect();
    let is_in_bits = matches!(unit, Unit::BitsPerDim { .. });
    let mut order: Vec<usize> = (0..nats.len()).collect();
    order.sort_by(|&a, &b| (bits[b].is_nan(), bits[b]).partial_cmp(&(bits[a].is_nan(), bits[a])).unwrap_or(a.cmp(&b)));
    let ranked = |(place, &image): (usize, &usize)| {
        let (file, class) = about(image);
        Ranked {
            rank: place + 1,
            image,
            file,
            class,
            bits_per_dim: is_in_bits.then_some(bits[image]),
            nats: nats[image],
        }
    };
    order.iter().enumerate().map(ranked).collect()
}

/// Writes a ranking as JSON where the file's name ends so, otherwise as CSV with a line of headings.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_ranking(path: &Path, ranking: &[Ranked]) -> Result<()> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        let text = serde_json::to_string_pretty(ranking).map_err(|error| Error::Device(error.to_string()))?;
        return write_atomically(path, text.as_bytes());
    }
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let mut write = || {
        table.write_record(["rank", "image", "file", "class", "bits_per_dim", "nats"])?;
        ranking.iter().try_for_each(|ranked| table.serialize(ranked))
    };
    write().map_err(|error| Error::Device(error.to_string()))?;
    write_atomically(path, &table.into_inner().map_err(|error| Error::Device(error.to_string()))?)
}

/// The area under the curve of true against false positives: the probability that a score of `positives` is above one of
/// `negatives`, ties counting half (Mann and Whitney's U over the number of pairs). ½ is chance.
///
/// None where a score is not a number, or one of the sets is empty.
///
/// ```
/// use flowstone::train::auroc;
/// assert_eq!(auroc(&[1.0, 2.0], &[2.0, 3.0]), Some(0.875));
/// ```
pub fn auroc(negatives: &[f64], positives: &[f64]) -> Option<f64> {
    if negatives.is_empty() || positives.is_empty() || negatives.iter().chain(positives).any(|score| score.is_nan()) {
        return None;
    }
    let mut sorted = negatives.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Pairs in halves: two for each score below, one for each equal one.
    let halves: u64 = positives
        .iter()
        .map(|score| {
            let below = sorted.partition_point(|negative| negative < score);
            let not_above = sorted.partition_point(|negative| negative <= score);
            (below + not_above) as u64
        })
        .sum();
    Some(halves as f64 / (2.0 * negatives.len() as f64 * positives.len() as f64))
}

/// An area under a curve, with its error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Area {
    /// See [`auroc`].
    pub area: f64,
    /// Its standard error over images of both sets (E. DeLong, D. DeLong and D. Clarke-Pearson, "Comparing the areas under two
    /// or more correlated receiver operating characteristic curves", 1988, Biometrics 44). Null where a set has one image.
    pub standard_error: Option<f64>,
}

impl Area {
    /// Of these scores. `None` as for [`auroc`].
    pub fn of(negatives: &[f64], positives: &[f64]) -> Option<Self> {
        let auroc = auroc(negatives, positives)?;
        // Each score's share of the other set that is on its right side, ties counting half; their mean is the area.
        let shares = |of: &[f64], others: &[f64]| -> Vec<f64> {
            let mut sorted = others.to_vec();
            sorted.sort_by(f64::total_cmp);
            let share = |score: &f64| {
                let below = sorted.partition_point(|other| other < score);
                let not_above = sorted.partition_point(|other| other <= score);
                (below + not_above) as f64 / (2.0 * others.len() as f64)
            };
            of.iter().map(share).collect()
        };
        let variance_of_mean = |shares: &[f64]| {
            let n = shares.len() as f64;
            let mean = shares.iter().sum::<f64>() / n;
            shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (n - 1.0) / n
        };
        let has_error = negatives.len() > 1 && positives.len() > 1;
        let variance =
            || variance_of_mean(&shares(positives, negatives)) + variance_of_mean(&shares(negatives, positives));
        Some(Self { area: auroc, standard_error: has_error.then(|| variance().sqrt()) })
    }

    fn words(self) -> String {
        let error = self.standard_error.map_or_else(|| "n/a".to_owned(), |error| format!("{error:.4}"));
        format!("AUROC {:.4} ± {error}", self.area)
    }
}

/// Two sets of images under one flow: does it take more bits for those of the other set?
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The name of the other set.
    pub data: String,
    /// Images of it.
    pub images: usize,
    /// Images of the set that it is compared with.
    pub beside: usize,
    /// The mean of the other set.
    #[serde(flatten)]
    pub loss: Loss,
    /// That bits/dim tell the other set's images from these. Null where a score is not a number.
    pub auroc: Option<Area>,
    /// The same of the distance of bits/dim from the mean of these, in either direction: a flow can give images of another
    /// kind fewer bits than its own (E. Nalisnick et al., "Detecting out-of-distribution inputs to deep generative models
    /// using typicality", 2019, arXiv:1906.02994, for single images). The distance of one of these is from the mean of the
    /// others, for it would else have a part in what it is measured by. Null where a score is not finite, or these are one.
    pub distance_auroc: Option<Area>,
}

impl Comparison {
    /// From scores in nats.
    ///
    /// # Errors
    /// [`Error::Usage`] where one of the sets has no image.
    pub fn new(data: &str, these: &[f64], theirs: &[f64], unit: Unit) -> Result<Self> {
        if these.is_empty() || theirs.is_empty() {
            return Err(Error::Usage("nothing to compare: one of the sets has no image".into()));
        }
        let bits = |nats: &[f64]| nats.iter().map(|&nats| unit.of(nats)).collect::<Vec<f64>>();
        let (these, theirs) = (bits(these), bits(theirs));
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
        let (typical, n) = (mean(&these), these.len() as f64);
        let distances =
            |of: &[f64], factor: f64| of.iter().map(|bits| (bits - typical).abs() * factor).collect::<Vec<f64>>();
        // x less the mean of the n − 1 others is n/(n − 1) times x less the mean of all.
        let from_others = |of: &[f64]| distances(of, n / (n - 1.0));
        Ok(Self {
            data: data.into(),
            images: theirs.len(),
            beside: these.len(),
            loss: unit.loss(mean(&theirs)),
            auroc: Area::of(&these, &theirs),
            distance_auroc: (these.len() > 1)
                .then(|| Area::of(&from_others(&these), &distances(&theirs, 1.0)))
                .flatten(),
        })
    }

    /// What it says, beside a set called `name`.
    pub fn sentence(&self, name: &str) -> String {
        let Self { data, images, beside, loss, auroc, distance_auroc } = self;
        let (what, unit) = (loss.sample(), loss.unit());
        let count = |n: usize| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
        let by_bits = match auroc {
            Some(area) => format!(
                "{} (s.e. over {what}s): of one {what} of each, that of {data} takes more {unit} than that of {name} in \
                 {:.1} % of pairs",
                area.words(),
                100.0 * area.area
            ),
            None => "no AUROC, since a score is not a number".into(),
        };
        let by_distance = match distance_auroc {
            Some(area) => format!("By distance from the mean of {name}, either way: {}", area.words()),
            None => format!(
                "By distance from the mean of {name} there is none: a score is not finite, or there is one {what}"
            ),
        };
        format!(
            "{data}: {}, beside {} of {name}; mean {:.4} {unit}; {by_bits}. {by_distance}",
            count(*images),
            count(*beside),
            loss.value()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_least_likely_comes_first_and_what_is_no_number_before_it() {
        let about = |i: usize| (Some(format!("{i}.png")), None);
        let ranking = rank(&[-1.0, -3.0, f64::NAN, -2.0], Unit::Nats, about);
        assert_eq!(ranking.iter().map(|ranked| ranked.image).collect::<Vec<_>>(), [2, 1, 3, 0]);
        assert_eq!((ranking[1].rank, ranking[1].file.as_deref()), (2, Some("1.png")));
    }

    #[test]
    fn a_ranking_is_csv_or_json() {
        let folder = tempfile::tempdir().unwrap();
        let ranking = rank(&[-std::f64::consts::LN_2], Unit::BitsPerDim { dims: 2 }, |_| {
            (Some("a, \"b\".png".into()), Some("cat".into()))
        });
        let path = |name: &str| folder.path().join(name);
        write_ranking(&path("r.csv"), &ranking).unwrap();
        let lines = std::fs::read_to_string(path("r.csv")).unwrap();
        assert_eq!(
            lines,
            "rank,image,file,class,bits_per_dim,nats\n1,0,\"a, \"\"b\"\".png\",cat,0.5,-0.6931471805599453\n"
        );
        write_ranking(&path("r.json"), &ranking).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path("r.json")).unwrap()).unwrap();
        assert_eq!((json[0]["bits_per_dim"].as_f64(), json[0]["class"].as_str()), (Some(0.5), Some("cat")));
    }

    #[test]
    fn images_that_take_fewer_bits_are_told_apart_by_their_distance() {
        let comparison = Comparison::new("plain", &[-3.0, -4.0, -5.0], &[-1.0, -0.5], Unit::Nats).unwrap();
        let areas = |c: &Comparison| (c.auroc.map(|area| area.area), c.distance_auroc.map(|area| area.area));
        assert_eq!(areas(&comparison), (Some(0.0), Some(1.0)));
        assert_eq!((comparison.images, comparison.beside), (2, 3));
        assert!(
            comparison
                .sentence("rich")
                .contains("By distance from the mean of rich, either way: AUROC 1.0000 ± 0.0000")
        );
        // Their own images lie as far from the mean of the others as theirs do: the mean of all would say nearer.
        let alike = Comparison::new("alike", &[-3.0, -5.0], &[-2.0, -6.0], Unit::Nats).unwrap();
        assert_eq!(areas(&alike).1, Some(0.5));
        let lost = Comparison::new("lost", &[-3.0], &[f64::NEG_INFINITY], Unit::Nats).unwrap();
        assert_eq!(areas(&lost), (Some(1.0), None));
        let words = lost.sentence("rich");
        assert!(words.contains("AUROC 1.0000 ± n/a") && words.contains("1 vector, beside 1 vector of rich"), "{words}");
    }

    #[test]
    fn there_is_no_area_without_scores() {
        assert_eq!((auroc(&[], &[1.0]), auroc(&[1.0], &[]), auroc(&[1.0], &[f64::NAN])), (None, None, None));
        assert_eq!(auroc(&[1.0], &[f64::INFINITY]), Some(1.0));
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            negatives in prop::collection::vec(0..9i32, 1..20),
            positives in prop::collection::vec(0..9i32, 1..20),
        ) {
            let mut pairs = 0.0;
            for negative in &negatives {
                for positive in &positives {
                    pairs += match positive.cmp(negative) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let scores = |of: &[i32]| of.iter().map(|&score| score.into()).collect::<Vec<f64>>();
            let area = auroc(&scores(&negatives), &scores(&positives)).unwrap();
            prop_assert!((area - pairs / (negatives.len() * positives.len()) as f64).abs() < 1e-12);
        }

        /// DeLong's variance against its definition, pair by pair.
        #[test]
        fn the_error_of_an_area_is_that_of_its_pairs(
            negatives in prop::collection::vec(0..9i32, 2..12),
            positives in prop::collection::vec(0..9i32, 2..12),
        ) {
            let psi = |p: i32, n: i32| if p > n { 1.0 } else if p == n { 0.5 } else { 0.0 };
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            let variance = |of: &[f64]| {
                let m = mean(of);
                of.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (of.len() as f64 - 1.0)
            };
            let v10: Vec<f64> = positives.iter().map(|&p| mean(&negatives.iter().map(|&n| psi(p, n)).collect::<Vec<_>>())).collect();
            let v01: Vec<f64> = negatives.iter().map(|&n| mean(&positives.iter().map(|&p| psi(p, n)).collect::<Vec<_>>())).collect();
            let right = (variance(&v10) / v10.len() as f64 + variance(&v01) / v01.len() as f64).sqrt();
            let scores = |of: &[i32]| of.iter().map(|&score| score.into()).collect::<Vec<f64>>();
            let area = Area::of(&scores(&negatives), &scores(&positives)).unwrap();
            prop_assert!((area.standard_error.unwrap() - right).abs() < 1e-12);
        }
    }
}
