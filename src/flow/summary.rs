//! What `check` prints: every layer with its path, kind, output shape, parameters and multiply-adds.

use super::{Flow, FlowFile};
use crate::Result;
use crate::backend::{Device, Element, ImageShape, Parameters, images_on_card};
use crate::bijector::Bijector;
use serde::Serialize;

/// One layer of a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its path, as in the names of its tensors.
    pub path: String,
    /// Its kind, as flow files spell it.
    pub kind: String,
    /// The shape it gives, `[height, width, channels]`; for a split, of what goes on.
    pub output: [usize; 3],
    /// Numbers that training changes.
    pub parameters: usize,
    /// Multiplications with additions of its matrix products, for one image in the forward direction.
    pub multiply_adds: u64,
    /// The same in the inverse direction; more where that goes element by element.
    pub inverse_multiply_adds: u64,
}

/// A flow in figures, counted from the model that was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The flow file.
    pub flow: String,
    /// `[height, width, channels]`
    pub image: [usize; 3],
    /// Grey levels.
    pub bins: u32,
    /// What images are given, in words, where the flow is conditioned on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Every layer.
    pub layers: Vec<LayerSummary>,
    /// Names and shapes of the latents.
    pub latents: Vec<(String, [usize; 3])>,
    /// Numbers that training changes, together.
    pub parameters: usize,
    /// Multiply-adds for one image in the forward direction, together.
    pub multiply_adds: u64,
    /// The same in the inverse direction, as for a sample.
    pub inverse_multiply_adds: u64,
    /// Bytes that a training step by inversion needs for each image in work, beside the parameters.
    pub training_bytes_per_image: usize,
    /// Of these, bytes of inputs that are kept because their layers' inverses are too dear to rebuild them.
    pub spared_bytes_per_image: usize,
    /// Images in work at a time in each worker.
    pub images_in_work: usize,
    /// Images in work at a time on a card, if a batch has as many.
    pub images_on_card: usize,
}

fn list(shape: ImageShape) -> [usize; 3] {
    [shape.height, shape.width, shape.channels]
}

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// The flow in figures.
    ///
    /// # Errors
    /// None for a flow that was built; shapes are inferred again.
    pub fn summary(&self, device: &D, file: &FlowFile) -> Result<Summary> {
        let mut layers = Vec::new();
        for level in &self.levels {
            let mut shape = level.input;
            for (path, layer) in level.chain.layers() {
                let output = layer.output_shape(shape)?;
                layers.push(row(format!("layers.{path}"), layer, shape, output));
                shape = output;
            }
            if let Some(split) = &level.split {
                let output = shape.with_channels(shape.channels / 2);
                layers.push(row(format!("layers.{}", split.path), &split.prior, shape, output));
            }
        }
        layers.push(LayerSummary {
            path: "prior".into(),
            kind: "Gaussian".into(),
            output: list(self.top_shape),
            parameters: self.top.trained_count(),
            multiply_adds: 0,
            inverse_multiply_adds: 0,
        });
        if let Some(classifier) = &self.classifier {
            layers.push(LayerSummary {
                path: "classifier".into(),
                kind: "Classifier".into(),
                output: [1, 1, self.classes().unwrap_or(0)],
                parameters: classifier.trained_count(),
                multiply_adds: 0,
                inverse_multiply_adds: 0,
            });
        }
        if let Some(context) = &self.context {
            layers.push(LayerSummary {
                path: "context".into(),
                kind: context.kind().into(),
                output: list(context.encoded()),
                parameters: context.trained_count(),
                multiply_adds: context.multiply_adds(),
                inverse_multiply_adds: 0,
            });
        }
        Ok(Summary {
            context: self.context().map(|context| context.to_string()),
            flow: file.name.clone(),
            image: list(self.image),
            bins: self.bins(),
            latents: self.latent_shapes().into_iter().map(|(name, shape)| (name, list(shape))).collect(),
            parameters: self.trained_count(),
            training_bytes_per_image: self.training_bytes_per_image(),
            spared_bytes_per_image: self.spared_bytes_per_image(),
            images_in_work: self.images_in_work(device),
            images_on_card: images_on_card(self.activation()),
            multiply_adds: layers.iter().map(|layer| layer.multiply_adds).sum(),
            inverse_multiply_adds: layers.iter().map(|layer| layer.inverse_multiply_adds).sum(),
            layers,
        })
    }
}

fn row<E: Element, D: Device<E>>(
    path: String,
    layer: &dyn Bijector<E, D>,
    input: ImageShape,
    output: ImageShape,
) -> LayerSummary {
    LayerSummary {
        path,
        kind: layer.kind().to_owned(),
        output: list(output),
        parameters: layer.trained_count(),
        multiply_adds: layer.multiply_adds(input),
        inverse_multiply_adds: layer.inverse_multiply_adds(input),
    }
}
