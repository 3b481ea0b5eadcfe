//! Points of latent space on the host, for arithmetic.

use crate::backend::{Device, Element, Image, ImageShape};
use crate::flow::{Flow, Latents, Temperatures};
use crate::noise::{NoiseKey, Purpose};
use crate::{Error, Result};
use std::ops::Range;

/// The standardised latents of images, one row an image: `[n][dims]`, the latents of a row one after the other in the
/// flow's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Points<E> {
    latents: Vec<(String, ImageShape)>,
    rows: Vec<Vec<E>>,
}

impl<E: Element> Points<E> {
    /// No point yet, of latents with these names and shapes.
    pub fn new(latents: Vec<(String, ImageShape)>) -> Self {
        Self { latents, rows: Vec::new() }
    }

    /// Points from the values of each latent, `[n, height, width, channels]`, in the order of `latents`.
    ///
    /// # Errors
    /// [`Error::Shape`] where values do not fit, or not all latents have as many points.
    pub fn from_values(latents: Vec<(String, ImageShape)>, values: &[Vec<E>]) -> Result<Self> {
        let count = |((_, shape), values): (&(String, ImageShape), &Vec<E>)| {
            (values.len().is_multiple_of(shape.dims())).then(|| values.len() / shape.dims())
        };
        let counts: Option<Vec<usize>> = latents.iter().zip(values).map(count).collect();
        let first = counts.as_ref().and_then(|counts| counts.first().copied()).unwrap_or(0);
        let fits = values.len() == latents.len() && counts.is_some_and(|counts| counts.iter().all(|&n| n == first));
        if !fits {
            let found = values.iter().map(|values| values.len().to_string()).collect::<Vec<_>>().join(", ");
            let expected = format!("as many values for each of {}", describe(&latents));
            return Err(Error::Shape { layer: "latents".into(), expected, found: format!("{found} values") });
        }
        let row = |i: usize| {
            let part = |((_, shape), values): (&(String, ImageShape), &Vec<E>)| {
                values[i * shape.dims()..(i + 1) * shape.dims()].to_vec()
            };
            latents.iter().zip(values).flat_map(part).collect()
        };
        let rows = (0..first).map(row).collect();
        Ok(Self { latents, rows })
    }

    /// Points drawn for images numbered `numbers`: those of [`Flow::draw_latents`].
    ///
    /// # Errors
    /// [`Error::Usage`] for temperatures of latents that the flow does not have.
    pub fn drawn<D: Device<E>>(
        flow: &Flow<E, D>,
        numbers: Range<u64>,
        temperatures: &Temperatures,
        seed: u64,
    ) -> Result<Self> {
        temperatures.expect_names_of(flow)?;
        let (latents, key) = (flow.latent_shapes(), NoiseKey::new(seed, Purpose::Sample));
        let row = |number: u64| {
            let part = |(which, (name, shape)): (usize, &(String, ImageShape))| {
                let mut noise = vec![0.0; shape.dims()];
                key.at(which as u64).normal(number, &mut noise);
                let temperature = temperatures.of(name);
                noise.into_iter().map(move |z| E::of(temperature * z))
            };
            latents.iter().enumerate().flat_map(part).collect()
        };
        let rows = numbers.map(row).collect();
        Ok(Self { latents, rows })
    }

    /// Names and shapes of the latents.
    pub fn latents(&self) -> &[(String, ImageShape)] {
        &self.latents
    }

    /// Their names and shapes, as `split.0 4×4×2, top 2×2×8`.
    pub fn describe(&self) -> String {
        describe(&self.latents)
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All latents of each point, `[n][dims]`.
    pub fn rows(&self) -> &[Vec<E>] {
        &self.rows
    }

    /// Adds a point.
    ///
    /// # Errors
    /// [`Error::Shape`] for one of another length.
    pub fn push(&mut self, row: Vec<E>) -> Result<()> {
        let dims: usize = self.latents.iter().map(|(_, shape)| shape.dims()).sum();
        if row.len() == dims {
            self.rows.push(row);
            return Ok(());
        }
        let (expected, found) = (format!("{dims} values"), row.len().to_string());
        Err(Error::Shape { layer: "latents".into(), expected, found })
    }

    /// Adds all points of another set.
    ///
    /// # Errors
    /// [`Error::Shape`] for points of another length.
    pub fn extend(&mut self, others: Self) -> Result<()> {
        others.rows.into_iter().try_for_each(|row| self.push(row))
    }

    /// The point `i` alone.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is no such point.
    pub fn select(&self, i: usize) -> Result<Self> {
        let missing = || Error::Usage(format!("there is no point {i}: there are {}, counted from 0", self.len()));
        Ok(Self { latents: self.latents.clone(), rows: vec![self.rows.get(i).ok_or_else(missing)?.clone()] })
    }

    /// One latent of all points, `[n, height, width, channels]`.
    pub fn values(&self, which: usize) -> Vec<E> {
        let range = self.range(which);
        self.rows.iter().flat_map(|row| row.get(range.clone()).unwrap_or(&[]).iter().copied()).collect()
    }

    /// Overwrites the latent `which` of point `to` with that of another set's point `from`; nothing where there is none.
    pub fn copy_latent(&mut self, which: usize, to: usize, others: &Self, from: usize) {
        let range = self.range(which);
        if let (Some(to), Some(from)) = (self.rows.get_mut(to), others.rows.get(from))
            && let (Some(to), Some(from)) = (to.get_mut(range.clone()), from.get(range))
        {
            to.copy_from_slice(from);
        }
    }

    /// The mean of the points, summed in f64.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is none.
    pub fn mean(&self) -> Result<Vec<f64>> {
        if self.is_empty() {
            return Err(Error::Usage("no latents to take the mean of".into()));
        }
        let dims = self.rows.first().map_or(0, Vec::len);
        let sum = |i: usize| self.rows.iter().map(|row| row[i].as_f64()).sum::<f64>();
        Ok((0..dims).map(|i| sum(i) / self.len() as f64).collect())
    }

    /// The points `range` on a device, as a flow decodes them.
    ///
    /// # Errors
    /// [`Error::Device`] when the device fails.
    pub fn upload<D: Device<E>>(&self, device: &D, range: Range<usize>) -> Result<Latents<E, D>> {
        let rows = self.rows.get(range).unwrap_or(&[]);
        let upload = |(which, (name, shape)): (usize, &(String, ImageShape))| {
            let part = self.range(which);
            let values: Vec<E> = rows.iter().flat_map(|row| row[part.clone()].iter().copied()).collect();
            Ok((name.clone(), Image::from_host(device, rows.len(), *shape, &values)?))
        };
        Ok(Latents { latents: self.latents.iter().enumerate().map(upload).collect::<Result<_>>()? })
    }

    /// Where a latent lies in a row.
    fn range(&self, which: usize) -> Range<usize> {
        let dims = |(_, shape): &(String, ImageShape)| shape.dims();
        let start: usize = self.latents.iter().take(which).map(dims).sum();
        start..start + self.latents.get(which).map_or(0, dims)
    }
}

/// `Σ weight · row`, in f64.
pub(super) fn mixture<E: Element>(parts: &[(f64, &[E])]) -> Vec<E> {
    let dims = parts.iter().map(|(_, row)| row.len()).min().unwrap_or(0);
    (0..dims).map(|i| E::of(parts.iter().map(|(weight, row)| weight * row[i].as_f64()).sum())).collect()
}

/// `split.0 4×4×2, top 2×2×8`
pub(super) fn describe(latents: &[(String, ImageShape)]) -> String {
    latents.iter().map(|(name, shape)| format!("{name} {shape}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latents() -> Vec<(String, ImageShape)> {
        vec![("split.0".into(), ImageShape::new(1, 1, 2)), ("top".into(), ImageShape::new(1, 1, 1))]
    }

    #[test]
    fn rows_hold_the_latents_one_after_the_other() {
        let points = Points::from_values(latents(), &[vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]]).unwrap();
        assert_eq!(points.rows(), [[1.0, 2.0, 5.0], [3.0, 4.0, 6.0]]);
        assert_eq!((points.values(0), points.values(1)), (vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]));
        assert_eq!(points.mean().unwrap(), [2.0, 3.0, 5.5]);
        let mut other = points.clone();
        other.copy_latent(0, 1, &points, 0);
        assert_eq!(other.rows(), [[1.0, 2.0, 5.0], [1.0, 2.0, 6.0]]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for values in [vec![vec![1.0; 3], vec![1.0]], vec![vec![1.0; 4], vec![1.0]], vec![vec![1.0; 2]]] {
            assert!(Points::from_values(latents(), &values).is_err(), "{values:?}");
        }
        let mut none = Points::<f64>::new(latents());
        assert!(none.push(vec![0.0; 2]).is_err() && none.mean().is_err() && none.is_empty());
    }

    #[test]
    fn a_mixture_weighs_its_parts() {
        assert_eq!(mixture(&[(0.25, &[4.0, 0.0][..]), (0.75, &[0.0, 4.0])]), [1.0, 3.0]);
    }
}
