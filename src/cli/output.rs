//! What commands write: where, which is looked at when the command line is read and so before anything is computed, and
//! what is said of pictures that are none.

use super::common::tell;
use crate::files::{ending, expect_output};
use crate::flow::not_finite_words;
use crate::plot::{ANIMATIONS, Channels, FIGURES, PICTURES, Shown};
use crate::{Error, Result};
use clap::builder::{PathBufValueParser, TypedValueParser};
use std::path::{Path, PathBuf};

/// Formats of pictures that are not written, for which a name is not taken for one without an ending.
const OTHER_FIGURES: [&str; 9] = ["pdf", "eps", "ps", "gif", "bmp", "tif", "tiff", "html", "emf"];

/// A file to write whose name ends in one of these, or has no ending.
fn file(endings: &'static [&'static str]) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| expect_output(&path, endings).map(|()| path))
}

/// A picture.
pub fn picture() -> impl TypedValueParser<Value = PathBuf> {
    file(&PICTURES)
}

/// A picture, or a table where what is written are vectors.
pub fn picture_or_table() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let endings: &'static [&'static str] =
            if ending(&path).is_some_and(|ending| ending == "csv") { &["csv"] } else { &PICTURES };
        expect_output(&path, endings).map(|()| path)
    })
}

/// An animation.
pub fn animation() -> impl TypedValueParser<Value = PathBuf> {
    file(&ANIMATIONS)
}

/// An array of NumPy.
pub fn array() -> impl TypedValueParser<Value = PathBuf> {
    file(&["npy"])
}

/// Latents, or a direction.
pub fn latents() -> impl TypedValueParser<Value = PathBuf> {
    file(&["safetensors"])
}

/// A ranking.
pub fn ranking() -> impl TypedValueParser<Value = PathBuf> {
    file(&["csv", "json"])
}

/// A figure in one format, or the name of one in two, which may have points in it that begin no ending.
pub fn figure() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| {
        let found = ending(&path).filter(|ending| FIGURES.iter().chain(&OTHER_FIGURES).any(|known| known == ending));
        match found {
            Some(_) => expect_output(&path, &FIGURES),
            None => ["svg", "png"].iter().try_for_each(|ending| {
                let whole = PathBuf::from(format!("{}.{ending}", path.display()));
                expect_output(&whole, &FIGURES)
            }),
        }
        .map(|()| path)
    })
}

/// Which channels of pictures are shown.
#[derive(Clone, Debug, clap::Args)]
pub struct ChannelArgs {
    /// Channels to show where images have others than grey or red, green and blue: three, as 2,1,0, or one; counted from 0
    #[arg(long, value_name = "N[,N,N]")]
    pub channels: Option<Channels>,
}

impl ChannelArgs {
    /// How images of so many channels are shown. Where they cannot be, that is an error if a sheet `is_needed` or was asked
    /// for by naming channels, and otherwise told.
    pub fn shown(&self, channels: usize, is_needed: bool) -> Result<Shown> {
        if is_needed {
            return Shown::expect(self.channels.as_ref(), channels);
        }
        let shown = Shown::choose(self.channels.as_ref(), channels)?;
        if let Shown::Not(why) = &shown {
            tell(&format!("no sheet is drawn: {why}"));
        }
        Ok(shown)
    }
}

/// Tells which pictures are none, if any are, with what helps.
pub fn tell_not_finite(numbers: &[usize], of: usize, what: &str, advice: &str) {
    if let Some(words) = not_finite_words(numbers, of, what) {
        tell(&format!("{words}. On sheets they are crossed out; in arrays their levels mean nothing. {advice}"));
    }
}

/// `, 3 of them not images`, if there are any.
pub fn not_images(numbers: &[usize]) -> String {
    if numbers.is_empty() { String::new() } else { format!(", {} of them not images", numbers.len()) }
}

/// The sheet, as the result names it.
pub fn name(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

/// What is written in all; nothing is an error of the command line.
pub fn names(paths: &[Option<&Path>]) -> Result<String> {
    let names: Vec<String> = paths.iter().filter_map(|path| name(*path)).collect();
    match names.is_empty() {
        true => Err(Error::Usage("nothing is written: name a file".into())),
        false => Ok(names.join(", ")),
    }
}
