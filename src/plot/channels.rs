//! Which channels of images are shown, where there are others than grey or red, green and blue.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Channels, by number from 0: one, shown as grey, or three, shown as red, green and blue.
///
/// ```
/// let infrared: flowstone::plot::Channels = "3,1,0".parse()?;
/// assert_eq!(infrared.of(&[10, 11, 12, 13], [1, 1, 4]).unwrap(), (vec![13, 11, 10], [1, 1, 3]));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels(Vec<usize>);

impl Channels {
    /// These channels of images `[n, height, width, channels]`, and the shape `[height, width, channels]` of what is left.
    ///
    /// # Errors
    /// [`Error::Usage`] where images do not have one of them.
    pub fn of(&self, levels: &[u8], shape: [usize; 3]) -> Result<(Vec<u8>, [usize; 3])> {
        let [height, width, channels] = shape;
        self.expect_in(channels)?;
        let pixels = levels.chunks_exact(channels);
        Ok((
            pixels.flat_map(|pixel| self.0.iter().map(|&channel| pixel[channel])).collect(),
            [height, width, self.0.len()],
        ))
    }

    /// Refuses images that do not have one of these channels.
    fn expect_in(&self, channels: usize) -> Result<()> {
        match self.0.iter().find(|channel| **channel >= channels) {
            Some(channel) => Err(Error::Usage(format!(
                "--channels {self}: images have {channels} channels, 0 to {}, and no channel {channel}",
                channels.saturating_sub(1)
            ))),
            None => Ok(()),
        }
    }
}

/// `2` or `2,1,0`.
impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers: Option<Vec<usize>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        match numbers {
            Some(numbers) if matches!(numbers.len(), 1 | 3) => Ok(Self(numbers)),
            _ => {
                Err("expected the number of one channel (shown as grey), or of three parted by commas (red, green and \
                      blue), such as 2,1,0; they are counted from 0"
                    .into())
            }
        }
    }
}

impl fmt::Display for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
    }
}

/// How images are shown on sheets and in animations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As they are: grey, or red, green and blue.
    Whole,
    /// These of their channels.
    Channels(Channels),
    /// Not at all; why, and what to do, in words.
    Not(String),
}

impl Shown {
    /// How images of so many channels are shown where `chosen` was asked for.
    ///
    /// # Errors
    /// [`Error::Usage`] for channels that the images do not have.
    pub fn choose(chosen: Option<&Channels>, channels: usize) -> Result<Self> {
        match chosen {
            Some(chosen) => chosen.expect_in(channels).map(|()| Self::Channels(chosen.clone())),
            None if matches!(channels, 1 | 3) => Ok(Self::Whole),
            None => {
                let three = if channels > 2 { "--channels 2,1,0 shows three as red, green and blue, and " } else { "" };
                Ok(Self::Not(format!(
                    "images of {channels} channels have no colours to be shown in; {three}--channels 0 one as grey"
                )))
            }
        }
    }

    /// The same, where a picture must come of it.
    ///
    /// # Errors
    /// As [`Shown::choose`], and [`Error::Usage`] where nothing can be shown.
    pub fn expect(chosen: Option<&Channels>, channels: usize) -> Result<Self> {
        match Self::choose(chosen, channels)? {
            Self::Not(why) => Err(Error::Usage(why)),
            shown => Ok(shown),
        }
    }

    /// What is shown of images `[n, height, width, channels]`, and its shape.
    ///
    /// # Errors
    /// As [`Shown::expect`].
    pub fn of(&self, levels: Vec<u8>, shape: [usize; 3]) -> Result<(Vec<u8>, [usize; 3])> {
        match self {
            Self::Whole => Ok((levels, shape)),
            Self::Channels(channels) => channels.of(&levels, shape),
            Self::Not(why) => Err(Error::Usage(why.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_channel_or_three_are_taken_in_the_order_that_is_asked_for() {
        let pixels: Vec<u8> = (0..10).collect();
        let of = |text: &str| text.parse::<Channels>().unwrap().of(&pixels, [1, 2, 5]).unwrap();
        assert_eq!(of("4"), (vec![4, 9], [1, 2, 1]));
        assert_eq!(of("2, 0,2"), (vec![2, 0, 2, 7, 5, 7], [1, 2, 3]));
        for text in ["", "1,2", "0,1,2,3", "-1", "red", "1,,2"] {
            assert!(text.parse::<Channels>().unwrap_err().contains("counted from 0"), "{text}");
        }
    }

    #[test]
    fn what_has_no_colours_is_shown_only_by_channels_that_it_has() {
        let choose =
            |text: Option<&str>, channels| Shown::choose(text.map(|text| text.parse().unwrap()).as_ref(), channels);
        assert_eq!([1, 3].map(|channels| choose(None, channels).unwrap()), [Shown::Whole, Shown::Whole]);
        assert!(matches!(choose(None, 5).unwrap(), Shown::Not(why) if why.contains("--channels 2,1,0")));
        assert!(matches!(choose(None, 2).unwrap(), Shown::Not(why) if !why.contains("2,1,0")));
        assert!(matches!(choose(Some("2,1,0"), 5).unwrap(), Shown::Channels(_)));
        assert!(choose(Some("5"), 5).unwrap_err().to_string().contains("no channel 5"));
        assert!(Shown::expect(None, 5).unwrap_err().is_input());
    }
}
