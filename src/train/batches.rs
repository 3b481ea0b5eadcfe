//! The batches of a run, made in the background.

use crate::Result;
use crate::data::{Ahead, Augment, DataSet, Images, Place, Samples, permutation};
use crate::flow::spec::{Augmentation, Fit, Recipe, Shifts};
use crate::flow::{Batch, Dequantize};
use crate::noise::{NoiseKey, Purpose};

/// The images that a step learns from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Minibatch {
    /// Grey levels, cut and changed as the recipe says, or real numbers.
    pub samples: Samples,
    /// Their classes, if they have any.
    pub labels: Option<Vec<usize>>,
    /// Their contexts, if they have any.
    pub context: Option<Vec<f32>>,
    /// Their numbers among the training images, which their noise is drawn by.
    pub numbers: Vec<u64>,
}

impl Minibatch {
    /// The batch for a flow, whose grey levels are put so in their bins.
    pub fn batch(&self, dequantize: Dequantize) -> Batch<'_> {
        let (labels, context) = (self.labels.as_deref(), self.context.as_deref());
        Batch { values: (&self.samples).into(), labels, context, numbers: &self.numbers, dequantize }
    }
}

/// Which images each step of a run has, and what is done with them: a function of the recipe's seed and the step alone.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    images: Images,
    bins: u32,
    seed: u64,
    size: usize,
    first: usize,
    augment: Option<Augment>,
    cut_at_random: bool,
}

impl Batches {
    /// Those of a recipe's run on the training images of `data`.
    pub fn new(recipe: &Recipe, data: &DataSet) -> Self {
        let augment = match recipe.augmentation {
            Augmentation::Off => None,
            Augmentation::Standard { range, shifts, flip } => {
                Some(Augment { range, whole: shifts == Shifts::Whole, flip })
            }
        };
        Self {
            images: data.train.clone(),
            bins: data.bins,
            seed: recipe.seed,
            size: recipe.batch,
            first: recipe.initialization_images,
            augment,
            cut_at_random: matches!(recipe.fit, Fit::RandomCrop { .. }),
        }
    }

    /// The images of the data-dependent initialisation: the first ones of the first epoch.
    ///
    /// # Errors
    /// As [`Images::gather`].
    pub fn first(&self) -> Result<Minibatch> {
        let mut order = self.order(0);
        order.truncate(self.first);
        self.load(0, &order)
    }

    /// The batches of the steps from `step` on, counted from 0, without an end.
    ///
    /// # Errors
    /// As [`Ahead::new`]; what is made can fail as [`Images::gather`].
    pub fn from(&self, mut step: u64) -> Result<Ahead<Minibatch>> {
        let batches = self.clone();
        let (n, size) = (self.images.len() as u64, self.size as u64);
        let (mut epoch, mut order) = (0, self.order(0));
        Ahead::new(std::iter::repeat_with(move || {
            // A walk through one permutation of the training data after another.
            let mut image = |place: u64| {
                if place / n != epoch {
                    epoch = place / n;
                    order = batches.order(epoch);
                }
                order[(place % n) as usize]
            };
            let indices: Vec<usize> = (step * size..(step + 1) * size).map(&mut image).collect();
            step += 1;
            batches.load(step - 1, &indices)
        }))
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        permutation(NoiseKey::new(self.seed, Purpose::Shuffle), epoch, self.images.len())
    }

    fn load(&self, step: u64, indices: &[usize]) -> Result<Minibatch> {
        let numbers: Vec<u64> = indices.iter().map(|&i| i as u64).collect();
        let key = |purpose| NoiseKey::new(self.seed, purpose).at(step);
        let crop = key(Purpose::Crop);
        let place = |i: usize| if self.cut_at_random { Place::random(crop, i as u64) } else { Place::Middle };
        let mut samples = self.images.samples_at(indices, place)?;
        if let (Some(augment), Samples::Levels(levels)) = (self.augment, &mut samples) {
            augment.apply(key(Purpose::Augment), levels, self.images.shape(), self.bins, &numbers);
        }
        let (labels, context) = (self.images.labels_of(indices), self.images.contexts_of(indices));
        Ok(Minibatch { samples, labels, context, numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::open;

    fn batches(recipe: Recipe) -> Batches {
        let mut data = open("digits").unwrap();
        data.train = data.train.select(0..50).unwrap();
        Batches::new(&Recipe { batch: 20, ..recipe }, &data)
    }

    /// The first batches of a run that begins at a step.
    fn from(batches: &Batches, step: u64, count: usize) -> Vec<Minibatch> {
        let mut ahead = batches.from(step).unwrap();
        (0..count).map(|_| ahead.next().unwrap().unwrap()).collect()
    }

    #[test]
    fn every_image_comes_once_in_an_epoch_and_batches_reach_over_its_end() {
        let numbers: Vec<u64> = from(&batches(Recipe::default()), 0, 5).into_iter().flat_map(|b| b.numbers).collect();
        for epoch in numbers.chunks(50) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..50).collect::<Vec<u64>>());
        }
        assert_ne!(numbers[..50], numbers[50..]);
    }

    #[test]
    fn a_run_that_goes_on_has_the_batches_of_one_that_never_stopped() {
        let augmentation = Augmentation::Standard { range: 0.2, shifts: Shifts::Whole, flip: true };
        let batches =
            batches(Recipe { augmentation, fit: Fit::RandomCrop { shorter_side: None }, ..Recipe::default() });
        let all = from(&batches, 0, 7);
        assert_eq!(all[3..], from(&batches, 3, 4));
        assert_ne!(all[0].samples, all[1].samples);
    }

    #[test]
    fn a_batch_holds_the_levels_and_labels_of_its_numbers() {
        let batches = batches(Recipe::default());
        for batch in from(&batches, 1, 3) {
            let indices: Vec<usize> = batch.numbers.iter().map(|&number| number as usize).collect();
            assert_eq!(batch.samples, batches.images.samples(&indices).unwrap());
            assert_eq!(batch.labels, batches.images.labels_of(&indices));
        }
        let first = batches.first().unwrap();
        assert_eq!(first.numbers.len(), 50, "all, where there are fewer than the initialisation asks for");
        assert_eq!(first.numbers[..20], from(&batches, 0, 1)[0].numbers);
    }

    #[test]
    fn windows_differ_from_step_to_step() {
        let mut data = open("digits").unwrap().windowed([6, 6]).unwrap();
        data.train = data.train.select([3]).unwrap();
        let recipe = Recipe { batch: 1, fit: Fit::RandomCrop { shorter_side: None }, ..Recipe::default() };
        let whole = open("digits").unwrap().train.image(3).unwrap().to_vec();
        let window = |top: usize, left: usize| -> Vec<u8> {
            (0..6).flat_map(|y| whole[(top + y) * 8 + left..(top + y) * 8 + left + 6].to_vec()).collect()
        };
        let places: Vec<(usize, usize)> = (0..9).map(|i| (i / 3, i % 3)).collect();
        let mut seen = [false; 9];
        for batch in from(&Batches::new(&recipe, &data), 0, 100) {
            let place = places.iter().position(|&(top, left)| Samples::Levels(window(top, left)) == batch.samples);
            seen[place.expect("a window of the picture")] = true;
        }
        assert!(seen.iter().all(|seen| *seen), "{seen:?}");
        let middle = Batches::new(&Recipe { fit: Fit::Crop, ..recipe }, &data);
        assert_eq!(from(&middle, 5, 1)[0].samples, Samples::Levels(window(1, 1)));
    }
}
