//! What a person should hear of before training: what a recipe allows and comes to nothing with so many images.

use super::Flow;
use super::spec::{Averaging, Optimizer, Recipe};
use crate::backend::{Device, Element, ImageShape};

impl<E: Element, D: Device<E>> Flow<E, D> {
    /// That layers are initialised from one value a channel, if that is so for so many images: their variance is 0 then
    /// whatever the value, and their scale 10⁶.
    pub fn initialization_remark(&self, images: usize) -> Option<String> {
        let (path, kind) = self.normalizing(images).next()?;
        let more = match self.normalizing(images).count() - 1 {
            0 => String::new(),
            1 => " and 1 more layer".into(),
            n => format!(" and {n} more layers"),
        };
        Some(format!(
            "the flow is initialised from one sample, which gives {kind} (layers.{path}){more} one value a channel: one value has \
             no variance, and the scale becomes 10⁶; set `initialization_images` to 2 or more (default 256), and have as many \
             samples"
        ))
    }

    /// Path and kind of the layers that take the variance of one value of each channel.
    fn normalizing(&self, images: usize) -> impl Iterator<Item = (&str, &str)> {
        let is_one = move |shape: ImageShape| images * shape.pixels() == 1;
        self.levels.iter().flat_map(move |level| {
            let mut shape = level.input;
            level.chain.layers().filter_map(move |(path, layer)| {
                let input = shape;
                shape = layer.output_shape(input).unwrap_or(input);
                (layer.normalizes() && is_one(input)).then(|| (path, layer.kind()))
            })
        })
    }
}

impl Recipe {
    /// What the formulas of an epoch's length come to with so many images in the training split, of which some are held
    /// out: that β2 or the average remembers nothing.
    pub fn remarks(&self, images: usize) -> Vec<String> {
        let rates = self.rates(images);
        let all = format!("{} samples in batches of {}", rates.images, self.batch);
        let mut remarks = Vec::new();
        if matches!(self.optimizer, Optimizer::Adamax(adamax) if adamax.beta2.is_none()) && rates.beta2 == 0.0 {
            remarks.push(format!(
                "{all}: β2 = 1 − 1/(steps an epoch · polyak_epochs) comes to 0, and Adamax divides by the last gradient alone; \
                 set `beta2`, as in `optimizer: Adamax(beta2: 0.999)`"
            ));
        }
        if matches!(self.averaging, Averaging::Polyak { .. }) && rates.average_decay == Some(0.0) {
            remarks.push(format!(
                "{all}: the average's decay, 1 − 1/(steps an epoch · epochs), comes to 0, and the average is the last weights; \
                 set `averaging: Ema(decay: 0.999)` or `averaging: Off`"
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::{Cpu, Image, Initializer, Parameters};
    use crate::flow::{Flow, FlowFile, Registry};

    fn file(side: usize, train: &str) -> FlowFile {
        let text = format!(
            "Flow(image: (height: {side}, width: {side}, channels: 1), layers: [Squeeze(), Repeat(2, [ActNorm(), \
             InvertibleConv(), AffineCoupling(width: 4)])], train: ({train}))"
        );
        FlowFile::parse("", &text).unwrap()
    }

    fn built(side: usize) -> Flow<f64, Cpu> {
        let initializer = Initializer::new(&Cpu::default(), 0);
        Flow::build(&file(side, ""), &Registry::default(), &initializer).unwrap()
    }

    /// The largest scale that initialisation gives an actnorm, from images that have no two values alike.
    fn largest_scale(mut flow: Flow<f64, Cpu>, images: usize) -> f64 {
        let (shape, mut largest) = (flow.image_shape(), 0.0_f64);
        let values: Vec<f64> = (0..images * shape.dims()).map(|i| (i as f64 * 0.7).sin()).collect();
        flow.initialize(Image::from_host(&Cpu::default(), images, shape, &values).unwrap()).unwrap();
        flow.visit("", &mut |name, parameter| {
            if name.ends_with("logs") {
                let logs = parameter.to_host(&Cpu::default()).unwrap();
                logs.iter().for_each(|logs| largest = largest.max((3.0 * logs).exp()));
            }
        });
        largest
    }

    #[test]
    fn one_value_a_channel_is_told_exactly_where_it_makes_a_scale_of_a_million() {
        for (side, images) in [(2, 1), (2, 2), (2, 8), (4, 1), (4, 2)] {
            let told = built(side).initialization_remark(images);
            let largest = largest_scale(built(side), images);
            assert_eq!(told.is_some(), largest > 0.99e6, "{side}, {images}: {largest:e}, {told:?}");
            assert_eq!(told.is_some(), side == 2 && images == 1);
        }
        let told = built(2).initialization_remark(1).unwrap();
        assert!(told.contains("ActNorm (layers.1.0.0) and 3 more layers one value a channel"), "{told}");
        assert!(told.contains("`initialization_images` to 2 or more"), "{told}");
    }

    #[test]
    fn networks_without_inner_actnorms_take_no_variance() {
        let text = "Flow(image: (height: 1, width: 1, channels: 2), layers: [AffineCoupling(width: 4, inner_actnorm: \
                    false)])";
        let initializer = Initializer::blank(&Cpu::default());
        let flow = Flow::<f64, Cpu>::build(&FlowFile::parse("", text).unwrap(), &Registry::default(), &initializer);
        assert_eq!(flow.unwrap().initialization_remark(1), None);
    }

    #[test]
    fn a_memory_of_no_step_is_told_with_what_to_set() {
        let ten = file(4, "batch: 16").spec.train.remarks(10);
        assert!(
            ten[0].contains("10 samples in batches of 16: β2") && ten[0].contains("`optimizer: Adamax(beta2: 0.999)`")
        );
        assert!(ten[1].contains("the average's decay") && ten[1].contains("`averaging: Off`") && ten.len() == 2);
        for (images, recipe) in [
            (17, "batch: 16"),
            (10, "batch: 16, optimizer: Adamax(beta2: 0.999), averaging: Off"),
            (10, "batch: 16, optimizer: Adamax(polyak_epochs: 2), averaging: Ema(decay: 0.9)"),
            (10, "batch: 16, optimizer: Adam(), averaging: Polyak(epochs: 2)"),
        ] {
            assert_eq!(file(4, recipe).spec.train.remarks(images), Vec::<String>::new(), "{recipe}");
        }
        assert_eq!(file(4, "batch: 16, validation: 10").spec.train.remarks(26).len(), 2, "what is held out counts not");
    }
}
