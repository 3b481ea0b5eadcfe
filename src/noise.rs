//! Random numbers without state: each is a function of a seed, a purpose, a step, an image and a position.
//!
//! The generator is Philox4x32-10 (J. Salmon, M. Moraes, R. Dror and D. Shaw, "Parallel random numbers: as easy as 1,
//! 2, 3", SC 2011): a counter of four 32-bit words is scrambled under a key of two. Numbers do not depend on the order
//! in which they are asked for, so neither do runs on threads, shards or devices, and a kernel can repeat them:
//!
//! | word | holds |
//! |---|---|
//! | key 0, 1 | low and high half of `mix(seed + 0x9e3779b97f4a7c15 · purpose)`, `mix` being SplitMix64's finaliser |
//! | counter 0 | the block: four words each, so element `i` is word `i mod 4` of block `⌊i / 4⌋` |
//! | counter 1 | image, bits 0–31 |
//! | counter 2 | step, bits 0–31 |
//! | counter 3 | image, bits 32–47, in its low half; step, bits 32–47, in its high half |
//!
//! Images and steps thus count to 2⁴⁸; higher bits are ignored.

use std::f64::consts::TAU;

use rand::RngCore;

/// What numbers are for: under one seed, two purposes never share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// The first values of parameters.
    Initialize = 1,
    /// The order of the training images.
    Shuffle = 2,
    /// Noise within grey levels, in the first batch that initialises layers.
    FirstBatch = 3,
    /// Noise within grey levels, while training.
    Dequantize = 4,
    /// The classes of samples.
    Class = 5,
    /// Noise within grey levels, for reported scores.
    Evaluate = 6,
    /// Latents of samples.
    Sample = 7,
    /// Random inputs of checks, laws and benchmarks.
    Check = 8,
    /// Shifts and flips of training images.
    Augment = 9,
    /// Places at which training images are cut out of larger ones.
    Crop = 10,
    /// Points of built-in densities in the plane.
    Toy = 11,
}

/// Which numbers: a seed and a purpose, at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoiseKey {
    key: [u32; 2],
    step: u64,
}

impl NoiseKey {
    /// The numbers of this seed and purpose, at step 0.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mixed = mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(purpose as u64)));
        Self { key: halves(mixed), step: 0 }
    }

    /// The same, at another step: of training, or a draw, or an epoch.
    pub fn at(self, step: u64) -> Self {
        Self { step, ..self }
    }

    /// The two words of the key, for a kernel that repeats these numbers.
    pub fn words(&self) -> [u32; 2] {
        self.key
    }

    /// The step.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Four words of an image: those of elements `4 · block` to `4 · block + 3`.
    pub fn block(&self, image: u64, block: u32) -> [u32; 4] {
        let ([image_low, image_high], [step_low, step_high]) = (halves(image), halves(self.step));
        philox4x32([block, image_low, step_low, (image_high & 0xffff) | (step_high << 16)], self.key)
    }

    /// Uniform numbers of an image: element `i` is `(⌊w / 2⁸⌋ + ½) / 2²⁴` of its word `w`, strictly between 0 and 1.
    ///
    /// Element `i` is the same whatever the length of `out`, up to 2³⁴.
    pub fn uniform(&self, image: u64, out: &mut [f64]) {
        for (block, four) in out.chunks_mut(4).enumerate() {
            for (u, word) in four.iter_mut().zip(self.block(image, block as u32)) {
                *u = (f64::from(word >> 8) + 0.5) / f64::from(1 << 24);
            }
        }
    }

    /// Standard normal numbers of an image, by Box–Muller: elements `2k` and `2k + 1` are `r cos φ` and `r sin φ`,
    /// with `r = √(−2 ln((w + ½) / 2³²))` of word `2k` and `φ = 2π (w + ½) / 2³²` of word `2k + 1`.
    ///
    /// Element `i` is the same whatever the length of `out`, up to 2³⁴. None is farther than 6.77 from 0.
    pub fn normal(&self, image: u64, out: &mut [f64]) {
        let unit = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
        for (block, four) in out.chunks_mut(4).enumerate() {
            let words = self.block(image, block as u32);
            for (pair, word) in four.chunks_mut(2).zip(words.chunks_exact(2)) {
                let (radius, (sin, cos)) = ((-2.0 * unit(word[0]).ln()).sqrt(), (TAU * unit(word[1])).sin_cos());
                for (z, direction) in pair.iter_mut().zip([cos, sin]) {
                    *z = radius * direction;
                }
            }
        }
    }

    /// The words of a stream one after the other, for `rand`'s distributions; it repeats after 2³⁴.
    ///
    /// A stream takes an image's place in the counter: use one purpose for streams or for images, not for both.
    pub fn rng(&self, stream: u64) -> PhiloxRng {
        PhiloxRng { key: *self, stream, block: 0, words: [0; 4], used: 4 }
    }
}

/// A [`NoiseKey`]'s words in order, as a `rand` generator.
#[derive(Clone, Debug)]
pub struct PhiloxRng {
    key: NoiseKey,
    stream: u64,
    block: u32,
    words: [u32; 4],
    used: usize,
}

impl RngCore for PhiloxRng {
    fn next_u32(&mut self) -> u32 {
        if self.used == self.words.len() {
            self.words = self.key.block(self.stream, self.block);
            self.block = self.block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    fn next_u64(&mut self) -> u64 {
        let low = self.next_u32();
        u64::from(low) | u64::from(self.next_u32()) << 32
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for bytes in dest.chunks_mut(4) {
            bytes.copy_from_slice(&self.next_u32().to_le_bytes()[..bytes.len()]);
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

/// A random order of `0..n` for an epoch, by Fisher–Yates; it depends on the key's seed and purpose, not on its step.
pub fn permutation(key: NoiseKey, epoch: u64, n: usize) -> Vec<usize> {
    let mut rng = key.at(epoch).rng(0);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        // The high half of a 128-bit product is uniform on 0..=last to within 2⁻⁶⁴ · n.
        let chosen = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, chosen as usize);
    }
    order
}

/// Philox4x32 with ten rounds.
fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let [low_0, high_0] = halves(0xd251_1f53 * u64::from(counter[0]));
        let [low_1, high_1] = halves(0xcd9e_8d57 * u64::from(counter[2]));
        counter = [high_1 ^ counter[1] ^ key[0], low_1, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
}

/// SplitMix64's finaliser: a bijection that spreads every bit over all.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The low and the high 32 bits.
fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 100_000;

    /// Sample mean of `f` less `expected`, in standard errors.
    fn sigmas(values: &[f64], expected: f64, f: impl Fn(f64) -> f64) -> f64 {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f(x)).sum::<f64>() / n;
        let variance = values.iter().map(|&x| (f(x) - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean - expected) / (variance / n).sqrt()
    }

    fn key() -> NoiseKey {
        NoiseKey::new(7, Purpose::Dequantize).at(3)
    }

    #[test]
    fn philox_gives_the_published_words() {
        let published = [
            ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
            (
                [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
                [0xa4093822, 0x299f31d0],
                [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
            ),
        ];
        for (counter, key, words) in published {
            assert_eq!(philox4x32(counter, key), words);
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let key = NoiseKey::new(0, Purpose::Initialize);
        assert_eq!(key.words(), [0x7b1dcdaf, 0xe220a839], "SplitMix64's first output for seed 0 is e220a8397b1dcdaf");
        let block = key.at(0x1_2345_6789_abcd).block(0xffff_5432_0000_0001, 9);
        assert_eq!(block, philox4x32([9, 1, 0x6789_abcd, 0x2345_5432], key.words()));
    }

    #[test]
    fn uniform_numbers_have_the_moments_of_the_unit_interval() {
        let mut u = vec![0.0; N];
        key().uniform(1, &mut u);
        assert!(u.iter().all(|&u| 0.0 < u && u < 1.0));
        assert!(sigmas(&u, 0.5, |u| u).abs() < 5.0);
        assert!(sigmas(&u, 1.0 / 12.0, |u| (u - 0.5).powi(2)).abs() < 5.0);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_a_gaussian_and_are_uncorrelated() {
        let mut z = vec![0.0; N];
        key().normal(1, &mut z);
        for (power, moment) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            assert!(sigmas(&z, moment, |z| z.powi(power)).abs() < 5.0, "moment {power}");
        }
        let products: Vec<f64> = z.windows(2).map(|pair| pair[0] * pair[1]).collect();
        assert!(sigmas(&products, 0.0, |product| product).abs() < 5.0);
    }

    #[test]
    fn an_element_is_the_same_whatever_the_length_asked_for() {
        let draw = |length| {
            let (mut u, mut z) = (vec![0.0; length], vec![0.0; length]);
            key().uniform(5, &mut u);
            key().normal(5, &mut z);
            (u, z)
        };
        let (long_u, long_z) = draw(19);
        for length in 0..19 {
            assert_eq!(draw(length), (long_u[..length].to_vec(), long_z[..length].to_vec()));
        }
    }

    #[test]
    fn seed_purpose_step_image_and_block_each_change_the_words() {
        let base = NoiseKey::new(1, Purpose::Sample).at(2);
        let words = [
            base.block(3, 4),
            NoiseKey::new(2, Purpose::Sample).at(2).block(3, 4),
            NoiseKey::new(1, Purpose::Evaluate).at(2).block(3, 4),
            base.at(3).block(3, 4),
            base.block(4, 4),
            base.block(3, 5),
        ];
        for (i, word) in words.iter().enumerate() {
            assert!(!words[..i].contains(word), "{i}");
        }
    }

    #[test]
    fn the_generator_walks_through_the_blocks() {
        let mut rng = key().rng(6);
        let walked: Vec<u32> = (0..8).map(|_| rng.next_u32()).collect();
        assert_eq!(walked, [key().block(6, 0), key().block(6, 1)].concat());
    }

    #[test]
    fn a_permutation_holds_every_index_once_and_differs_by_epoch() {
        let key = NoiseKey::new(0, Purpose::Shuffle);
        let (first, second) = (permutation(key, 0, 100), permutation(key, 1, 100));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(first, second);
        assert_eq!(first, permutation(key.at(9), 0, 100));
        assert_eq!((permutation(key, 0, 0), permutation(key, 0, 1)), (vec![], vec![0]));
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let key = NoiseKey::new(0, Purpose::Shuffle);
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..6_000 {
            *counts.entry(permutation(key, epoch, 3)).or_insert(0.0) += 1.0;
        }
        assert_eq!(counts.len(), 6);
        let deviation = (6_000.0 * 5.0 / 36.0_f64).sqrt();
        assert!(counts.values().all(|count: &f64| (count - 1_000.0).abs() < 5.0 * deviation), "{counts:?}");
    }
}
