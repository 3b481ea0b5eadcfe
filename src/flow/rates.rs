//! What a recipe comes to with a number of images: all that it says in epochs, in steps.

use super::spec::{Optimizer, Recipe};
use serde::Serialize;
use std::fmt;

/// A recipe's lengths and decays, as training uses them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// Images to train on, those held out left out.
    pub images: usize,
    /// Steps in an epoch; a fraction counts.
    pub steps_per_epoch: f64,
    /// Steps until the learning rate is full.
    pub warmup_steps: f64,
    /// The optimizer's β2.
    pub beta2: f64,
    /// What the average keeps of itself at a step; none where there is no average.
    pub average_decay: Option<f64>,
}

impl Recipe {
    /// With so many images in the training split, of which some are held out.
    pub fn rates(&self, images: usize) -> Rates {
        let images = images.saturating_sub(self.validation);
        let steps_per_epoch = images as f64 / self.batch as f64;
        let beta2 = match self.optimizer {
            Optimizer::Adam(adam) => adam.beta2,
            Optimizer::Adamax(adamax) => adamax.beta2(steps_per_epoch),
        };
        let warmup_steps = self.warmup.steps(self.batch, images);
        Rates { images, steps_per_epoch, warmup_steps, beta2, average_decay: self.averaging.decay(steps_per_epoch) }
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { images, steps_per_epoch, warmup_steps, beta2, average_decay } = self;
        let average =
            average_decay.map_or_else(|| "no average".to_owned(), |decay| format!("the average's decay {decay:.6}"));
        write!(
            f,
            "{images} images: {steps_per_epoch:.1} steps an epoch, {warmup_steps:.0} steps of warm-up, β2 {beta2:.6}, {average}"
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::flow::FlowFile;

    /// The reference code's own words (`train.py`, `optim.py`): its epoch is 50,000 images at 32×32 whatever the data, and a
    /// worker's batch is 64 of them, fewer in proportion where images are larger.
    fn reference(workers: f64) -> (f64, f64) {
        let (epoch, batch) = (50_000.0_f64, 64.0 * workers);
        let steps = (epoch / batch).ceil();
        (10.0 * epoch / batch, 1.0 - 1.0 / steps)
    }

    #[test]
    fn the_full_size_recipes_come_to_the_reference_codes_steps_and_decays() {
        for (name, workers, size, images) in [
            ("glow-imagenet32", 8.0, 32.0, 1_281_149),
            ("glow-imagenet64", 8.0, 64.0, 1_281_149),
            ("glow-lsun64", 8.0, 64.0, 708_264),
            ("glow-celeba-hq256", 40.0, 256.0, 27_000),
        ] {
            let file = FlowFile::read(name).unwrap();
            let (recipe, (warmup, decay)) = (&file.spec.train, reference(workers));
            assert_eq!(recipe.batch as f64, workers * 64.0 * (32.0 * 32.0) / (size * size), "{name}");
            let rates = recipe.rates(images);
            assert!((rates.warmup_steps - warmup).abs() < 0.5, "{name}: {rates}");
            assert!((rates.beta2 - decay).abs() < 1e-9, "{name}: {rates}");
            assert!((rates.average_decay.unwrap() - decay).abs() < 1e-9, "{name}: {rates}");
            assert_eq!(rates, recipe.rates(images + 100_000).of(rates), "{name}: whatever the data");
        }
        // CIFAR-10 has 50,000 images, so its epochs are the reference code's but for a rounding.
        let cifar = FlowFile::read("glow-cifar10").unwrap().spec.train.rates(50_000);
        let (warmup, decay) = reference(8.0);
        assert!((cifar.warmup_steps - warmup).abs() < 1e-9 && (cifar.beta2 - decay).abs() < 5e-5, "{cifar}");
    }

    impl super::Rates {
        /// The same, of as many images as another.
        fn of(self, other: Self) -> Self {
            Self { images: other.images, steps_per_epoch: other.steps_per_epoch, ..self }
        }
    }

    #[test]
    fn what_is_held_out_is_not_trained_on() {
        let text = "Flow(image: (height: 8, width: 8, channels: 1), layers: [], train: (batch: 10, validation: 200,
            warmup: Epochs(2), averaging: Off, optimizer: Adam(beta2: 0.99)))";
        let rates = FlowFile::parse("", text).unwrap().spec.train.rates(1200);
        assert_eq!((rates.images, rates.steps_per_epoch, rates.warmup_steps), (1000, 100.0, 200.0));
        assert_eq!((rates.beta2, rates.average_decay), (0.99, None));
        assert!(
            rates
                .to_string()
                .contains("1000 images: 100.0 steps an epoch, 200 steps of warm-up, β2 0.990000, no average")
        );
    }
}
