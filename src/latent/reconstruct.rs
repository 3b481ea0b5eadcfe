//! Pictures, what comes back from their latents, and how far the two are apart.

use super::code::{decode_given, encode};
use crate::Result;
use crate::backend::{Device, Element};
use crate::data::{Contexts, Images};
use crate::flow::{Conditions, Flow};
use crate::plot::{Captioned, Row, Sheet};

/// Pictures that went to latents and back.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    /// How many.
    pub images: usize,
    /// Pictures of which every grey level came back.
    pub exact: usize,
    /// Grey levels that came back otherwise, of all pictures.
    pub changed_levels: usize,
    /// The largest error before rounding, in grey levels: below ½ it rounds away.
    pub largest_error: f64,
    /// The pictures, by number from 0, that came back as no images: they have values that are not finite.
    pub not_finite: Vec<usize>,
    /// The pictures, what came back, and the error before rounding, enlarged.
    pub sheet: Captioned,
}

impl Reconstruction {
    /// Encodes images at the middle of their bins and decodes them. The first `columns` are shown, all are compared.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn of<E: Element, D: Device<E>>(
        flow: &Flow<E, D>,
        device: &D,
        images: &Images,
        labels: Option<&[usize]>,
        columns: usize,
    ) -> Result<Self> {
        let conditions = Conditions { labels, context: images.contexts().map(Contexts::values) };
        let decoded = decode_given(flow, device, &encode(flow, device, images, labels)?, conditions)?;
        let (levels, bins) = (images.levels()?, f64::from(flow.bins()));
        let error = |(&level, value): (&u8, &E)| ((value.as_f64() + 0.5) * bins - f64::from(level) - 0.5).abs();
        let errors: Vec<f64> = levels.iter().zip(&decoded.values).map(error).collect();
        // `f64::max` leaves out what is not a number, and an error must not be.
        let worse = |a: f64, b: &f64| if *b > a || b.is_nan() { *b } else { a };
        let largest_error = errors.iter().fold(0.0, worse);
        let (caption, factor) = enlargement(largest_error, bins);
        let shown = columns.min(images.len());
        let first = |levels: &[u8]| levels.iter().copied().take(shown * images.pixels_per_image()).collect::<Vec<u8>>();
        let difference: Vec<u8> =
            errors.iter().map(|error| (error * factor).round().clamp(0.0, bins - 1.0) as u8).collect();
        // What is not finite has come back as no level, whatever was made of it.
        let is_changed = |(error, (level, back)): (&f64, (&u8, &u8))| !error.is_finite() || level != back;
        let changed: Vec<bool> = errors.iter().zip(levels.iter().zip(&decoded.levels)).map(is_changed).collect();
        let lost: Vec<usize> = decoded.not_finite.iter().copied().filter(|number| *number < shown).collect();
        let crossed = |caption: String, levels| Row { caption, levels, not_finite: lost.clone() };
        let sheet = Sheet {
            rows: vec![
                Row::new("picture", first(&levels)),
                crossed("from latents".into(), first(&decoded.levels)),
                crossed(caption, first(&difference)),
            ],
            shape: images.shape(),
            bins: flow.bins(),
            columns: shown,
        };
        Ok(Self {
            images: images.len(),
            exact: changed.chunks_exact(images.pixels_per_image()).filter(|image| !image.contains(&true)).count(),
            changed_levels: changed.iter().filter(|changed| **changed).count(),
            largest_error,
            not_finite: decoded.not_finite,
            sheet: Captioned { title: String::new(), headings: Vec::new(), sheet },
        })
    }

    /// How exact it is.
    pub fn sentence(&self) -> String {
        let Self { images, exact, changed_levels, largest_error, .. } = self;
        let error = format!("largest error before rounding {largest_error:.1e} of a grey level");
        match changed_levels {
            0 => format!("all {images} pictures came back exactly, every grey level; {error}"),
            _ => format!(
                "{exact} of {images} pictures came back exactly; {changed_levels} grey levels of the others differ; \
                 {error}. `inspect` or `--f64` tells whether a layer is badly conditioned"
            ),
        }
    }
}

/// The caption of errors, and the power of ten that makes the largest visible.
fn enlargement(largest: f64, bins: f64) -> (String, f64) {
    if largest == 0.0 {
        return ("no difference".into(), 0.0);
    }
    let exponent = ((bins - 1.0) / largest).log10().floor();
    if !exponent.is_finite() || exponent < 1.0 {
        return ("difference".into(), 1.0);
    }
    (format!("difference × 1e{exponent}"), 10f64.powf(exponent))
}

#[cfg(test)]
mod tests {
    use super::enlargement;

    #[test]
    fn errors_are_enlarged_as_far_as_the_largest_can_be_shown() {
        assert_eq!(enlargement(0.0, 17.0), ("no difference".into(), 0.0));
        assert_eq!(enlargement(3e-5, 256.0), ("difference × 1e6".into(), 1e6));
        assert_eq!(enlargement(20.0, 17.0), ("difference".into(), 1.0));
    }
}
