//! Learning curves, picture sheets and animations, drawn without any library of the system: the font is in the binary.

mod animation;
mod axis;
mod captioned;
mod channels;
mod corner;
mod crossed;
mod curve;
mod density;
mod format;
mod frame;
mod panels;
mod sheet;

pub use animation::save_animation;
pub use captioned::Captioned;
pub use channels::{Channels, Shown};
pub use corner::{Corner, MOST};
pub use curve::{Figure, Series};
pub use density::Density;
pub use format::{ANIMATIONS, FIGURES, PICTURES};
pub use panels::Panels;
pub use sheet::{Row, Sheet, sheet};

use format::write_picture;

use std::fmt::Display;
use std::sync::OnceLock;

use plotters::prelude::{FontFamily, FontStyle, RGBColor, TextStyle};
use plotters::style::register_font;

use crate::error::{Error, Result};

/// Colours that stay apart for colour-blind readers and on white: those of M. Okabe and K. Ito, less the yellow.
pub const PALETTE: [(u8, u8, u8); 7] = [
    (0, 114, 178),   // blue
    (213, 94, 0),    // vermillion
    (0, 158, 115),   // bluish green
    (204, 121, 167), // reddish purple
    (230, 159, 0),   // orange
    (86, 180, 233),  // sky blue
    (0, 0, 0),       // black
];

const INK: RGBColor = RGBColor(40, 40, 40);

/// Text of this size in pixels, in the built-in font.
fn text(size: u32) -> Result<TextStyle<'static>> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let register = || register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).is_ok();
    match REGISTERED.get_or_init(register) {
        true => Ok(TextStyle::from((FontFamily::SansSerif, size)).color(&INK)),
        false => Err(cannot_draw("the built-in font cannot be read")),
    }
}

/// The width in pixels of the longest of these.
fn width_of(lines: impl IntoIterator<Item = impl AsRef<str>>, style: &TextStyle) -> Result<u32> {
    lines.into_iter().try_fold(0, |longest: u32, line| {
        let (width, _) = style.font.box_size(line.as_ref()).map_err(cannot_draw)?;
        Ok(longest.max(width))
    })
}

/// The error for a picture that could not be drawn.
fn cannot_draw(reason: impl Display) -> Error {
    Error::io("picture")(std::io::Error::other(format!("cannot draw it: {reason}")))
}
