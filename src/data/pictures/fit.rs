//! A picture of any size brought to the size that is asked for.

use std::path::Path;

use image::DynamicImage;
use image::imageops::FilterType;

use super::super::{Cut, Place};
use super::decode::{decode, sides};
use crate::error::{Error, Result};

/// What the pictures of a set become.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// `[height, width, channels]`.
    pub shape: [usize; 3],
    pub cut: Cut,
}

impl Fit {
    /// The levels of a picture, `[height, width, channels]`, of which a part is cut out at a place.
    pub fn read(self, path: &Path, place: Place) -> Result<Vec<u8>> {
        let mut picture = decode(path)?;
        let [height, width, channels] = self.shape;
        let found = [picture.height() as usize, picture.width() as usize];
        let scaled = self.scaled(found).map_err(|reason| Error::bad_file(path, reason))?;
        if self.cut == Cut::Middle && found != [height, width] {
            picture = picture.resize_to_fill(width as u32, height as u32, FilterType::Triangle);
        } else if scaled != found {
            picture = picture.resize_exact(scaled[1] as u32, scaled[0] as u32, FilterType::Triangle);
        }
        if self.cut != Cut::Middle && scaled != [height, width] {
            let [top, left] = place.corner(scaled, [height, width]);
            picture = picture.crop_imm(left as u32, top as u32, width as u32, height as u32);
        }
        Ok(levels(picture, channels))
    }

    /// Refuses a picture whose header says that it is no picture, or too small.
    pub fn expect_sides(self, path: &Path) -> Result<()> {
        self.scaled(sides(path)?).map(drop).map_err(|reason| Error::bad_file(path, reason))
    }

    /// The size that a picture of `[height, width]` is brought to before a part is cut out, or what is wrong with its own.
    fn scaled(self, found: [usize; 2]) -> std::result::Result<[usize; 2], String> {
        let [height, width, _] = self.shape;
        let smallest = match self.cut {
            Cut::Window { shorter_side: Some(side) } => [side; 2],
            _ => [height, width],
        };
        if found[0] < smallest[0] || found[1] < smallest[1] {
            let ([found, across], [height, width]) = (found, smallest);
            return Err(format!("it is {found}×{across}, smaller than the {height}×{width} that are asked for"));
        }
        let shorter = found[0].min(found[1]);
        let scaled = match self.cut {
            Cut::Middle => [height, width],
            // Rounded to the nearest, and the shorter side exact.
            Cut::Window { shorter_side: Some(side) } => found.map(|other| (other * side + shorter / 2) / shorter),
            Cut::Window { shorter_side: None } => found,
        };
        if scaled[0] < height || scaled[1] < width {
            let ([found, across], side) = (scaled, scaled[0].min(scaled[1]));
            return Err(format!(
                "with a shorter side of {side} it is {found}×{across}, smaller than the {height}×{width} that are cut out"
            ));
        }
        Ok(scaled)
    }
}

/// The grey or coloured levels of a picture.
fn levels(picture: DynamicImage, channels: usize) -> Vec<u8> {
    if channels == 1 { picture.into_luma8().into_raw() } else { picture.into_rgb8().into_raw() }
}
