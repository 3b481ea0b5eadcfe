//! How far from the mean samples are drawn, one latent like another or each by itself.

use super::Flow;
use crate::backend::{Device, Element};
use crate::notation::suggestion;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Factors of the standard deviation of latents: 1 is the model's own, 0 the mean of each Gaussian.
///
/// ```
/// use flowstone::flow::Temperatures;
/// let t: Temperatures = "0.7,top=0.5".parse()?;
/// assert_eq!((t.of("top"), t.of("split.0")), (0.5, 0.7));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Temperatures {
    others: f64,
    named: BTreeMap<String, f64>,
}

impl Temperatures {
    /// Of a text that names no temperature for all.
    pub const DEFAULT: f64 = 0.7;

    /// Of the latent of this name.
    pub fn of(&self, latent: &str) -> f64 {
        self.named.get(latent).copied().unwrap_or(self.others)
    }

    /// Refuses names of latents that the flow does not have.
    ///
    /// # Errors
    /// [`Error::Usage`], with the names that there are.
    pub fn expect_names_of<E: Element, D: Device<E>>(&self, flow: &Flow<E, D>) -> Result<()> {
        self.named.keys().try_for_each(|name| flow.latent_position(name).map(drop))
    }
}

impl From<f64> for Temperatures {
    fn from(others: f64) -> Self {
        Self { others, named: BTreeMap::new() }
    }
}

impl fmt::Display for Temperatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.others)?;
        self.named.iter().try_for_each(|(name, temperature)| write!(f, ", {name} {temperature}"))
    }
}

/// `0.7`, `top=0.7,split.0=0.5`, or both: a number without a name is for all latents that are not named.
impl FromStr for Temperatures {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (mut others, mut named) = (None, BTreeMap::new());
        for part in text.split(',').map(str::trim) {
            let (name, number) = part.split_once('=').map_or((None, part), |(name, number)| (Some(name), number));
            let temperature = number.trim().parse().ok().filter(|t: &f64| t.is_finite() && *t >= 0.0);
            let temperature = temperature.ok_or_else(|| {
                format!(
                    "`{part}`: expected a number of 0 or more, such as 0.7, or a latent's name, `=` and one. A \
                    temperature multiplies the standard deviation of latents: 1 is the model's own, 0 their mean"
                )
            })?;
            let twice = match name {
                Some(name) => named.insert(name.trim().to_owned(), temperature).is_some(),
                None => others.replace(temperature).is_some(),
            };
            if twice {
                return Err(format!("`{part}`: {} has a temperature already", name.unwrap_or("all latents")));
            }
        }
        Ok(Self { others: others.unwrap_or(Self::DEFAULT), named })
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// The place of a latent in [`Flow::latent_shapes`].
    ///
    /// # Errors
    /// [`Error::Usage`] for a name that the flow does not have, with those it has.
    pub fn latent_position(&self, name: &str) -> Result<usize> {
        let shapes = self.latent_shapes();
        let position = shapes.iter().position(|(latent, _)| latent == name);
        position.ok_or_else(|| {
            let help = suggestion(name, shapes.iter().map(|(latent, _)| latent.as_str()));
            Error::Usage(format!("this flow has no latent `{name}`; {help}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_a_name_is_for_all_others() {
        let t: Temperatures = "top=0.5, 1".parse().unwrap();
        assert_eq!((t.of("top"), t.of("split.3")), (0.5, 1.0));
        assert_eq!(t.to_string(), "1, top 0.5");
        assert_eq!("0.3".parse(), Ok(Temperatures::from(0.3)));
        assert_eq!("top=0".parse::<Temperatures>().unwrap().of("split.0"), Temperatures::DEFAULT);
    }

    #[test]
    fn what_is_no_temperature_is_refused() {
        for text in ["", "-1", "nan", "top", "top=", "=1=2", "1,2", "top=1,top=2", "top=inf"] {
            assert!(text.parse::<Temperatures>().is_err(), "{text}");
        }
    }
}
