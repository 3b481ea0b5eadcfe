//! A data set made of another: `cargo run --release --example larger_digits`.
//!
//! The 8×8 digits of the program are enlarged to 24×24 by linear interpolation, brought from 17 to 256 grey levels and put
//! into the middle of 28×28, as MNIST's are: something for a flow of Fashion-MNIST to be surprised by.
//!
//! ```text
//! flowstone score runs/fashion-mnist --against npy:larger-digits.npy --split all
//! ```

use flowstone::data::{npy, open};
use flowstone::{Error, Result};

/// How many times larger they become.
const FACTOR: usize = 3;
const SIDE: usize = 28;

/// The level of `digit`, 8×8, at a place between its pixels, from 0 to 16; outside it is 0.
fn level(digit: &[u8], y: f64, x: f64) -> f64 {
    let pixel = |y: f64, x: f64| {
        let inside = (0.0..8.0).contains(&y) && (0.0..8.0).contains(&x);
        if inside { f64::from(digit[y as usize * 8 + x as usize]) } else { 0.0 }
    };
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = (y - top, x - left);
    let across = |y: f64| (1.0 - right) * pixel(y, left) + right * pixel(y, left + 1.0);
    (1.0 - down) * across(top) + down * across(top + 1.0)
}

fn main() -> Result<()> {
    let out = std::env::args().nth(1).unwrap_or_else(|| "larger-digits.npy".into());
    let digits = open("digits")?;
    let images = digits.train.followed_by(&digits.test)?;
    let levels = images.levels()?;
    // The middle of a new pixel, in old pixels, whose middles are at whole numbers.
    let old = |new: usize| (new as f64 + 0.5 - SIDE as f64 / 2.0) / FACTOR as f64 + 3.5;
    let enlarged: Vec<u8> = levels
        .chunks_exact(64)
        .flat_map(|digit| {
            let places = (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (old(y), old(x))));
            places.map(|(y, x)| (level(digit, y, x) / 16.0 * 255.0).round() as u8)
        })
        .collect();
    npy::write_levels(&out, [images.len(), SIDE, SIDE, 1], &enlarged)?;
    let darkest = enlarged.iter().max().ok_or_else(|| Error::Usage("there are no digits".into()))?;
    println!("{out}: {} digits of {SIDE}×{SIDE}, levels 0 to {darkest}", images.len());
    Ok(())
}
