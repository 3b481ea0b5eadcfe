//! Random changes of training images that leave them plausible: shifts and horizontal flips.
//!
//! Glow's reference code trains on CIFAR-10 through Keras 2.2.0's `ImageDataGenerator(width_shift_range=0.1,
//! height_shift_range=0.1)`: each image is moved by a random share of its sides, pixels that come in from outside are the
//! nearest ones inside, and a position between pixels is interpolated linearly, then rounded down. Interpolation blurs, so
//! such images take fewer bits than the ones a model is tested on; whole shifts move pixels and change none.
//!
//! What happens to an image depends on a key and the image's number alone, as all of [`crate::noise`].

use crate::noise::NoiseKey;

/// Which changes are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Augment {
    /// The farthest shift in each direction, as a share of the side: 0.1 for 3.2 of 32 pixels.
    pub range: f64,
    /// Whether shifts are whole pixels, each number within the range as likely; otherwise they are uniform reals.
    pub whole: bool,
    /// Whether every other image, at random, is mirrored from left to right.
    pub flip: bool,
}

impl Augment {
    /// The change of an image of `[height, width]` pixels under a key.
    pub fn draw(&self, key: NoiseKey, image: u64, [height, width]: [usize; 2]) -> Change {
        let mut u = [0.0; 3];
        key.uniform(image, &mut u);
        let shift = |u: f64, side: usize| {
            let farthest = self.range * side as f64;
            if self.whole {
                let pixels = (farthest + 1e-9).floor();
                (u * (2.0 * pixels + 1.0)).floor() - pixels
            } else {
                (2.0 * u - 1.0) * farthest
            }
        };
        Change { down: shift(u[0], height), right: shift(u[1], width), flipped: self.flip && u[2] < 0.5 }
    }

    /// Changes images in place: `levels` of `[n, height, width, channels]`, below `bins`, with a number for each.
    ///
    /// Levels that do not make a whole image, or have no number, stay as they are.
    pub fn apply(&self, key: NoiseKey, levels: &mut [u8], shape: [usize; 3], bins: u32, numbers: &[u64]) {
        let pixels: usize = shape.iter().product();
        for (image, &number) in levels.chunks_exact_mut(pixels.max(1)).zip(numbers) {
            let changed = self.draw(key, number, [shape[0], shape[1]]).of(image, shape, bins);
            image.copy_from_slice(&changed);
        }
    }
}

/// What is done to one image: a shift, then perhaps a flip.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Pixels that the content moves down.
    pub down: f64,
    /// Pixels that the content moves to the right.
    pub right: f64,
    /// Whether it is then mirrored from left to right.
    pub flipped: bool,
}

impl Change {
    /// The image, `[height, width, channels]` with levels below `bins`, after this change.
    ///
    /// A level between pixels is `⌊interpolated + (1 − bins/256)/2⌋`. With 256 levels that rounds down, as the reference
    /// code does; with fewer it adds what the bits that were dropped hold on average, so that images do not darken.
    pub fn of(&self, image: &[u8], [height, width, channels]: [usize; 3], bins: u32) -> Vec<u8> {
        let rounding = (1.0 - f64::from(bins.min(256)) / 256.0) / 2.0;
        let (rows, mut columns) = (taps(height, self.down), taps(width, self.right));
        if self.flipped {
            columns.reverse();
        }
        let level = |y: usize, x: usize, c: usize| f64::from(image[(y * width + x) * channels + c]);
        let mut changed = Vec::with_capacity(image.len());
        for &(top, bottom, low) in &rows {
            for &(left, right, far) in &columns {
                for c in 0..channels {
                    let across = |y: usize| mix(level(y, left, c), level(y, right, c), far);
                    changed.push((mix(across(top), across(bottom), low) + rounding) as u8);
                }
            }
        }
        changed
    }
}

/// For each place of a side, the two places that it comes from, and the weight of the second.
fn taps(side: usize, shift: f64) -> Vec<(usize, usize, f64)> {
    let last = side.saturating_sub(1);
    let from = |place: usize| {
        let source = (place as f64 - shift).clamp(0.0, last as f64);
        let first = source as usize;
        (first, (first + 1).min(last), source - first as f64)
    };
    (0..side).map(from).collect()
}

/// From `a` at weight 0 to `b` at weight 1; exactly `a` where they are equal.
fn mix(a: f64, b: f64, weight: f64) -> f64 {
    a + weight * (b - a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Purpose;
    use proptest::prelude::*;

    const SHAPE: [usize; 3] = [5, 4, 3];

    fn key() -> NoiseKey {
        NoiseKey::new(3, Purpose::Augment).at(8)
    }

    fn image() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), SHAPE.iter().product::<usize>())
    }

    fn change(down: f64, right: f64, flipped: bool) -> Change {
        Change { down, right, flipped }
    }

    proptest! {
        #[test]
        fn no_shift_is_the_identity(image in image(), bins in 2..=256u32) {
            let image: Vec<u8> = image.into_iter().map(|level| (u32::from(level) % bins) as u8).collect();
            prop_assert_eq!(Change::default().of(&image, SHAPE, bins), image);
        }

        #[test]
        fn two_flips_are_the_identity(image in image()) {
            let flip = change(0.0, 0.0, true);
            let once = flip.of(&image, SHAPE, 256);
            prop_assert_eq!(&once[..3], &image[9..12], "the first pixel was the fourth of its row");
            prop_assert_eq!(flip.of(&once, SHAPE, 256), image);
        }

        #[test]
        fn whole_shifts_move_pixels_and_repeat_the_border(image in image(), down in -2..=2i64, right in -2..=2i64) {
            let moved = change(down as f64, right as f64, false).of(&image, SHAPE, 256);
            for (i, &level) in moved.iter().enumerate() {
                let (y, x, c) = (i as i64 / 12, i as i64 / 3 % 4, i % 3);
                let from = ((y - down).clamp(0, 4) * 4 + (x - right).clamp(0, 3)) as usize * 3 + c;
                prop_assert_eq!(level, image[from]);
            }
        }

        #[test]
        fn what_is_between_pixels_is_between_their_levels(image in image(), down in -2.0..2.0f64, bins in 2..=256u32) {
            let image: Vec<u8> = image.into_iter().map(|level| (u32::from(level) % bins) as u8).collect();
            let (least, most) = (*image.iter().min().unwrap(), *image.iter().max().unwrap());
            let moved = change(down, 0.3, false).of(&image, SHAPE, bins);
            prop_assert!(moved.iter().all(|level| (least..=most).contains(level)));
        }

        #[test]
        fn an_even_image_stays_as_it_is(level: u8, down in -2.0..2.0f64, right in -2.0..2.0f64) {
            let image = vec![level; SHAPE.iter().product()];
            prop_assert_eq!(change(down, right, true).of(&image, SHAPE, 256), image);
        }
    }

    #[test]
    fn half_a_pixel_is_the_mean_rounded_as_the_levels_ask() {
        let half = |levels: &[u8], bins| change(0.0, -0.5, false).of(levels, [1, 3, 1], bins);
        assert_eq!(half(&[10, 13, 20], 256), [11, 16, 20], "eleven and a half, rounded down as in the reference code");
        assert_eq!(half(&[10, 12, 17], 32), [11, 14, 17]);
    }

    /// Draws of 20,000 images, each a shift down and a shift to the right.
    fn draws(augment: Augment) -> Vec<Change> {
        (0..20_000).map(|image| augment.draw(key(), image, [32, 20])).collect()
    }

    /// Whether counts of equally likely cells could be by chance: χ² within five deviations of its mean.
    fn is_even(counts: &[f64]) -> bool {
        let expected = counts.iter().sum::<f64>() / counts.len() as f64;
        let freedom = counts.len() as f64 - 1.0;
        let chi_squared: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        (chi_squared - freedom).abs() < 5.0 * (2.0 * freedom).sqrt()
    }

    #[test]
    fn fractional_shifts_are_uniform_over_a_tenth_of_each_side() {
        let draws = draws(Augment { range: 0.1, whole: false, flip: false });
        let (mut down, mut right) = ([0.0; 16], [0.0; 16]);
        for change in draws {
            assert!(change.down.abs() < 3.2 && change.right.abs() < 2.0 && !change.flipped, "{change:?}");
            down[((change.down + 3.2) / 6.4 * 16.0) as usize] += 1.0;
            right[((change.right + 2.0) / 4.0 * 16.0) as usize] += 1.0;
        }
        assert!(is_even(&down) && is_even(&right), "{down:?} {right:?}");
    }

    #[test]
    fn whole_shifts_are_each_as_likely_and_half_of_the_images_are_flipped() {
        let draws = draws(Augment { range: 0.1, whole: true, flip: true });
        let (mut down, mut right, mut flipped) = ([0.0; 7], [0.0; 5], [0.0; 2]);
        for change in draws {
            down[(change.down + 3.0) as usize] += 1.0;
            right[(change.right + 2.0) as usize] += 1.0;
            flipped[usize::from(change.flipped)] += 1.0;
        }
        assert!(is_even(&down) && is_even(&right) && is_even(&flipped), "{down:?} {right:?} {flipped:?}");
    }

    #[test]
    fn the_same_key_and_number_give_the_same_pixels_whatever_is_beside_them() {
        let augment = Augment { range: 0.3, whole: false, flip: true };
        let one: Vec<u8> = (0..60).map(|i| i * 4).collect();
        let apply = |key, numbers: &[u64]| {
            let mut levels = one.repeat(numbers.len());
            augment.apply(key, &mut levels, SHAPE, 256, numbers);
            levels
        };
        let together = apply(key(), &[7, 2, 9]);
        assert_eq!(together[60..120], apply(key(), &[2]));
        assert_eq!(together, apply(key(), &[7, 2, 9]));
        assert_ne!(together[..60], together[60..120]);
        assert_ne!(together, apply(key().at(9), &[7, 2, 9]));
        assert_ne!(together, apply(NoiseKey::new(4, Purpose::Augment).at(8), &[7, 2, 9]));
    }
}
