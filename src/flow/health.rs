//! How near a flow is to where its inverse, and so its gradient by inversion, goes wrong; and which layer is nearest.
//!
//! A layer's *strain* is the largest of its figures over their bounds. It is 1 where a layer alone can cost half of the
//! digits that the flow computes with:
//!
//! | figure | bound |
//! |---|---|
//! | condition number of W, and of the layer's Jacobian at the images; largest scale, and 1/smallest; `exp` of the largest `abs(ln scale)` | 1/√ε: 2,896 in f32 |
//! | error of the layer's own round trip, relative to its input where that exceeds 1 | 3·√ε: 0.00104 in f32, as for drift |
//! | numbers that are not finite | none |

use super::{Flow, quantize};
use crate::Result;
use crate::backend::kernels::MemoryKernel;
use crate::backend::{Device, Element, Image};
use crate::bijector::{Bijector, Effort, Health, jacobian_condition, larger};
use serde::Serialize;

/// How near a figure is to its bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Strain {
    /// The figure over its bound; infinite where something is not finite.
    pub ratio: f64,
    /// The figure, in words.
    pub cause: String,
}

/// One layer's figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerHealth {
    /// Its path, as in the names of its tensors.
    pub path: String,
    /// Its kind, as flow files spell it.
    pub kind: String,
    /// What it says of itself.
    #[serde(flatten)]
    pub health: Health,
    /// `max |f⁻¹(f(x)) − x| / max(1, max |x|)` over the images that reach it. NaN if a number was lost.
    pub round_trip: f64,
    /// Numbers of its output and of its rebuilt input that are not finite.
    pub non_finite: usize,
    /// The figure that is nearest to its bound.
    pub strain: Strain,
}

/// What becomes of images on the way to their latents and back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RoundTrip {
    /// `max |x̂ − x| / max(1, max |x|)` of `decode(encode(x))`. NaN if a number was lost.
    pub error: f64,
    /// The largest error of any level's own round trip at its border: the drift of a training step on these images.
    pub drift: f64,
    /// Numbers of the latents and of the rebuilt images that are not finite.
    pub non_finite: usize,
    /// Grey levels that come back as others; values outside their range count as the nearest level.
    pub wrong_levels: usize,
}

/// What a flow's figures come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Every figure is within its bound.
    Sound,
    /// A figure is past its bound: gradients by inversion are not to be relied on, and training stores activations.
    Strained,
    /// Real images do not come back: a number is not finite, or a grey level is another.
    Broken,
}

/// The judgement of a flow, with the layer that is nearest to its bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// In a word.
    pub condition: Condition,
    /// The path of the worst layer.
    pub layer: String,
    /// Its kind.
    pub kind: String,
    /// Its strain.
    pub strain: Strain,
    /// All of it in a sentence.
    pub sentence: String,
}

/// The error that is let pass, of a round trip and of a rebuilt image: three times the root of the precision, where
/// errors in rebuilt activations are still small beside the noise of a gradient.
pub(crate) fn default_drift_bound<E: Element>() -> f64 {
    3.0 * E::epsilon().as_f64().sqrt()
}

impl Strain {
    /// The worst of a layer's figures, for a flow that computes in `E`.
    fn of<E: Element>(health: &Health, round_trip: f64, non_finite: usize) -> Self {
        let bound = 1.0 / E::epsilon().as_f64().sqrt();
        let mut worst = Self { ratio: 0.0, cause: "nothing to lose".into() };
        let mut figure = |ratio: f64, cause: String| {
            // What cannot be computed is past every bound.
            let ratio = if ratio.is_nan() { f64::INFINITY } else { ratio };
            if ratio > worst.ratio {
                worst = Self { ratio, cause };
            }
        };
        if non_finite > 0 {
            let scale =
                health.log_scale.map_or_else(String::new, |log_scale| format!(", |ln scale| up to {log_scale:.2}"));
            figure(f64::INFINITY, format!("not finite: {non_finite} of its numbers{scale}"));
        }
        if let Some(condition) = health.condition {
            figure(condition / bound, format!("condition number {condition:.3e}"));
        }
        if let Some(condition) = health.jacobian_condition {
            figure(condition / bound, format!("condition number {condition:.3e} of its Jacobian"));
        }
        if let Some((smallest, largest)) = health.scales {
            figure(largest / bound, format!("largest scale {largest:.3e}"));
            figure(1.0 / smallest / bound, format!("smallest scale {smallest:.3e}"));
        }
        if let Some(log_scale) = health.log_scale {
            figure(log_scale.exp() / bound, format!("|ln scale| up to {log_scale:.2}"));
        }
        figure(round_trip / default_drift_bound::<E>(), format!("round-trip error {round_trip:.1e}"));
        worst
    }
}

impl LayerHealth {
    fn new<E: Element>(path: String, kind: &str, health: Health, (round_trip, non_finite): (f64, usize)) -> Self {
        let strain = Strain::of::<E>(&health, round_trip, non_finite);
        Self { path, kind: kind.into(), health, round_trip, non_finite, strain }
    }

    /// The one that is nearest to its bound, or farthest past it; of equals the first, since what is not finite goes on to
    /// every layer after it.
    pub fn worst(layers: impl IntoIterator<Item = Self>) -> Option<Self> {
        layers.into_iter().reduce(|a, b| if b.strain.ratio > a.strain.ratio { b } else { a })
    }
}

impl Verdict {
    /// Judges a flow by its layers and by the way of real images there and back.
    pub fn of<E: Element>(layers: &[LayerHealth], real: &RoundTrip) -> Self {
        let nothing = Strain { ratio: 0.0, cause: "no layers".into() };
        let (layer, kind, strain) = match LayerHealth::worst(layers.iter().cloned()) {
            Some(worst) => (worst.path, worst.kind, worst.strain),
            None => ("flow".into(), "Flow".into(), nothing),
        };
        let drifts = real.drift.is_nan() || real.drift > default_drift_bound::<E>();
        let (condition, what) = if real.non_finite > 0 || real.wrong_levels > 0 || real.error.is_nan() {
            (Condition::Broken, "real images do not come back")
        } else if strain.ratio > 1.0 {
            (Condition::Strained, "a layer is past its bound")
        } else if drifts {
            (Condition::Strained, "each layer is within its bounds, but together they lose too many digits")
        } else {
            (Condition::Sound, "every figure is within its bound")
        };
        let name = match condition {
            Condition::Sound => "sound",
            Condition::Strained => "strained",
            Condition::Broken => "broken",
        };
        let (ratio, cause) = (strain.ratio, &strain.cause);
        let share = if ratio.is_finite() { format!(", {ratio:.2e} of its bound") } else { String::new() };
        let sentence = format!("{name}: {what}; worst is {layer} ({kind}): {cause}{share}");
        Self { condition, layer, kind, strain, sentence }
    }
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// The figures of every layer, the splits' priors and the top prior among them, on images `x`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for images it cannot take, [`Error::Usage`](crate::Error::Usage) for
    /// labels that do not fit.
    pub fn layer_health(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<Vec<LayerHealth>> {
        self.layer_health_with(x, labels, Effort::THOROUGH)
    }

    /// The same with more or less work in the condition of those Jacobians that layers do not know themselves.
    ///
    /// # Errors
    /// As [`Flow::layer_health`].
    pub fn layer_health_with(
        &self,
        x: Image<E, D>,
        labels: Option<&[usize]>,
        effort: Effort,
    ) -> Result<Vec<LayerHealth>> {
        x.expect_shape("flow", self.image)?;
        let (mut all, mut x) = (Vec::new(), self.conditioned(x, labels)?);
        for level in &self.levels {
            for (path, layer) in level.chain.layers() {
                x = examine(format!("layers.{path}"), layer, x, effort, &mut all)?;
            }
            if let Some(split) = &level.split {
                let y = examine(format!("layers.{}", split.path), &split.prior, x, effort, &mut all)?;
                x = y.channels(0, y.shape().channels / 2)?;
            }
        }
        let health = self.top.health(&x, labels)?;
        let (y, _) = self.top.standardize(x.copied()?, labels)?;
        let back = self.top.unstandardize(y.copied()?, labels)?;
        all.push(LayerHealth::new::<E>("prior".into(), "Gaussian", health, there_and_back(&x, &y, &back)?));
        Ok(all)
    }

    /// What becomes of images `x` on the way to their latents and back.
    ///
    /// # Errors
    /// As [`Flow::layer_health`].
    pub fn round_trip(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<RoundTrip> {
        let latents = self.encode(x.copied()?, labels)?;
        let lost: Vec<usize> = latents.latents.iter().map(|(_, z)| non_finite(z)).collect::<Result<_>>()?;
        let back = self.decode(latents, labels)?;
        let levels = |x: &Image<E, D>| quantize(x, self.bins()).map(|quantized| quantized.levels);
        let wrong_levels = match self.is_of_vectors() {
            true => 0,
            false => levels(&back)?.iter().zip(levels(&x)?).filter(|(back, level)| *back != level).count(),
        };
        let (error, in_images) = (difference(&back, &x)?, non_finite(&back)?);
        let drift = self.drift(x, labels)?;
        Ok(RoundTrip { error, drift, non_finite: lost.iter().sum::<usize>() + in_images, wrong_levels })
    }

    /// The largest error at a border, where each level is rebuilt from what the true images became above it.
    fn drift(&self, x: Image<E, D>, labels: Option<&[usize]>) -> Result<f64> {
        let (mut drift, mut x) = (0.0, self.conditioned(x, labels)?);
        for (i, level) in self.levels.iter().enumerate() {
            let border = x.copied()?;
            let mut y = level.chain.forward_and_ladj(x)?.0;
            x = y.copied()?;
            if let Some(split) = &level.split {
                let z = split.prior.forward_and_ladj(y)?.0;
                x = z.channels(0, z.shape().channels / 2)?;
                y = split.prior.inverse_of(z)?;
            }
            if i + 1 == self.levels.len() {
                y = self.top.unstandardize(self.top.standardize(y, labels)?.0, labels)?;
            }
            drift = larger(difference(&level.chain.inverse_of(y)?, &border)?, drift);
        }
        Ok(drift)
    }
}

/// Adds a layer's figures to the list; gives its output.
fn examine<E: Element, D: Device<E>>(
    path: String,
    layer: &dyn Bijector<E, D>,
    x: Image<E, D>,
    effort: Effort,
    into: &mut Vec<LayerHealth>,
) -> Result<Image<E, D>> {
    let mut health = layer.health(&x)?;
    if health.jacobian_condition.is_none() {
        health.jacobian_condition = jacobian_condition(layer, &x, effort)?;
    }
    let y = layer.forward(&x)?.giving(x.shared_given());
    let back = layer.inverse(&y)?;
    into.push(LayerHealth::new::<E>(path, layer.kind(), health, there_and_back(&x, &y, &back)?));
    Ok(y)
}

/// The error of a rebuilt input, and the numbers that are not finite in it or in the output.
fn there_and_back<E: Element, D: Device<E>>(
    x: &Image<E, D>,
    y: &Image<E, D>,
    back: &Image<E, D>,
) -> Result<(f64, usize)> {
    Ok((difference(back, x)?, non_finite(y)? + non_finite(back)?))
}

/// `max |rebuilt − true| / max(1, max |true|)`; NaN if either holds one, and where the difference is infinite.
fn difference<E: Element, D: Device<E>>(rebuilt: &Image<E, D>, x: &Image<E, D>) -> Result<f64> {
    let (difference, size) = MemoryKernel::<E>::max_difference(x.device(), rebuilt.data(), x.data())?;
    Ok(difference / size.max(1.0))
}

fn non_finite<E: Element, D: Device<E>>(x: &Image<E, D>) -> Result<usize> {
    Ok(x.to_host()?.iter().filter(|x| !x.is_finite()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strain(health: Health, round_trip: f64, non_finite: usize) -> f64 {
        Strain::of::<f32>(&health, round_trip, non_finite).ratio
    }

    #[test]
    fn a_figure_at_its_bound_strains_a_layer_by_1() {
        let (bound, none) = (1.0 / f64::from(f32::EPSILON).sqrt(), Health::default());
        let at_their_bounds = [
            strain(Health { condition: Some(bound), ..none }, 0.0, 0),
            strain(Health { jacobian_condition: Some(bound), ..none }, 0.0, 0),
            strain(Health { scales: Some((1.0, bound)), ..none }, 0.0, 0),
            strain(Health { scales: Some((1.0 / bound, 1.0)), ..none }, 0.0, 0),
            strain(Health { log_scale: Some(bound.ln()), ..none }, 0.0, 0),
            strain(none, 3.0 / bound, 0),
        ];
        assert!(at_their_bounds.iter().all(|ratio| (ratio - 1.0).abs() < 1e-12), "{at_their_bounds:?}");
        assert_eq!(strain(none, 0.0, 0), 0.0);
        // Of several figures the worst one counts, whichever comes first.
        let both = |condition, largest| Health { condition: Some(condition), scales: Some((1.0, largest)), ..none };
        assert_eq!(strain(both(3.0 * bound, 2.0 * bound), 0.0, 0), strain(both(2.0 * bound, 3.0 * bound), 0.0, 0));
    }

    #[test]
    fn what_is_lost_is_past_every_bound() {
        let none = Health::default();
        assert_eq!(strain(none, 0.0, 1), f64::INFINITY);
        assert_eq!(strain(none, f64::NAN, 0), f64::INFINITY);
        assert_eq!(strain(Health { condition: Some(f64::NAN), ..none }, 0.0, 0), f64::INFINITY);
    }

    #[test]
    fn a_flow_is_sound_up_to_its_bounds_and_broken_where_an_image_is_lost() {
        let layer = |ratio: f64| LayerHealth {
            path: format!("{ratio}"),
            kind: "ActNorm".into(),
            health: Health::default(),
            round_trip: 0.0,
            non_finite: 0,
            strain: Strain { ratio, cause: "cause".into() },
        };
        let judge = |ratio: f64, real: RoundTrip| Verdict::of::<f32>(&[layer(0.5), layer(ratio)], &real).condition;
        let good = RoundTrip { error: 0.0, drift: 0.0, non_finite: 0, wrong_levels: 0 };
        let bound = default_drift_bound::<f32>();
        assert_eq!(judge(1.0, RoundTrip { drift: bound, ..good }), Condition::Sound);
        assert_eq!(judge(1.01, good), Condition::Strained);
        for drift in [1.01 * bound, f64::NAN] {
            assert_eq!(judge(1.0, RoundTrip { drift, ..good }), Condition::Strained);
        }
        let lost = [
            RoundTrip { error: f64::NAN, ..good },
            RoundTrip { non_finite: 1, ..good },
            RoundTrip { wrong_levels: 1, ..good },
        ];
        lost.into_iter().for_each(|real| assert_eq!(judge(0.0, real), Condition::Broken, "{real:?}"));
    }

    #[test]
    fn of_layers_under_the_same_strain_the_first_is_named() {
        let layer = |path: &str| LayerHealth {
            path: path.into(),
            kind: "ActNorm".into(),
            health: Health::default(),
            round_trip: f64::NAN,
            non_finite: 1,
            strain: Strain { ratio: f64::INFINITY, cause: "lost".into() },
        };
        let real = RoundTrip { error: f64::NAN, drift: f64::NAN, non_finite: 1, wrong_levels: 0 };
        assert_eq!(Verdict::of::<f32>(&[layer("first"), layer("second")], &real).layer, "first");
    }
}
