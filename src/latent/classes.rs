//! Which class each image is standardised under.

use crate::backend::{Device, Element};
use crate::data::Images;
use crate::flow::Flow;
use crate::train::expect_labels;
use crate::{Error, Result};

/// The class of each image: `class` for all, or else the images' own; none for a flow without classes.
///
/// # Errors
/// [`Error::Usage`] for a class that the flow does not have, or where it needs classes and the images have none.
pub fn classes_of<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    images: &Images,
    class: Option<usize>,
) -> Result<Option<Vec<usize>>> {
    let Some(classes) = flow.classes() else {
        return match class {
            Some(class) => Err(Error::Usage(format!("class {class} was asked for, but this flow has no classes"))),
            None => Ok(None),
        };
    };
    let Some(class) = class else {
        expect_labels(flow, images, "image")?;
        let labels = images.labels_of(&(0..images.len()).collect::<Vec<_>>());
        return labels.map(Some).ok_or_else(|| {
            Error::Usage("this flow is class-conditional and the images have no classes: give --class".into())
        });
    };
    if class >= classes {
        return Err(Error::Usage(format!("class {class}: this flow has classes 0 to {}", classes - 1)));
    }
    Ok(Some(vec![class; images.len()]))
}

/// Class 0 for each of `n` points, where the flow has classes: what lines and directions are computed under, whatever
/// classes the pictures are of.
///
/// The top latent is `z = μ_c + σ_c · ẑ` of its standardised one. That is affine, so with weights that sum to 1, as along
/// a line, `Σ w ẑ` stands for `Σ w z` under any class c; and `ẑ + α·(ẑ_a − ẑ_b)` for `z + α·(z_a − z_b)`. Pictures are
/// therefore the same whichever class it is, as long as it is the same on both ways. The numbers are not: a direction is
/// measured in the deviations σ_0, and one that was saved is used under class 0 again.
pub(super) fn shared<E: Element, D: Device<E>>(flow: &Flow<E, D>, n: usize) -> Option<Vec<usize>> {
    flow.classes().map(|_| vec![0; n])
}
