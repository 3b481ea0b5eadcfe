//! The flow files that come with the program.

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::{BUILT_IN, Flow, FlowFile, Registry};
use flowstone::{Bijector, ImageShape, Parameters};

fn blank(name: &str) -> (FlowFile, Flow<f32, Cpu>) {
    let file = FlowFile::read(name).unwrap();
    // A flow of the rows of any table: here of seven features.
    let file = FlowFile::parse(name, file.text.replace("vector: (),", "vector: (features: 7),")).unwrap();
    let flow = Flow::build(&file, &Registry::default(), &Initializer::blank(&Cpu::default())).unwrap();
    (file, flow)
}

#[test]
fn parameters_are_the_reference_codes() {
    for (name, parameters) in [
        ("glow-cifar10", 44_603_604),
        ("glow-cifar10-additive", 38_395_668),
        ("glow-imagenet32", 66_861_588),
        ("glow-imagenet64", 112_377_540),
    ] {
        let (file, flow) = blank(name);
        assert_eq!(flow.summary(&Cpu::default(), &file).unwrap().parameters, parameters, "{name}");
    }
}

#[test]
fn what_check_counts_is_what_the_built_model_holds() {
    for name in ["digits", "reverse-additive", "shuffle-affine"] {
        let (file, flow) = blank(name);
        let summary = flow.summary(&Cpu::default(), &file).unwrap();
        let device = Cpu::default();
        let built = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 0)).unwrap();
        let mut values = 0;
        built.visit("", &mut |_, p| values += if p.is_trained() { p.to_host(&device).unwrap().len() } else { 0 });
        assert_eq!(summary.parameters, values, "{name}");
        assert_eq!(summary.layers.iter().map(|layer| layer.parameters).sum::<usize>(), values, "{name}");
    }
}

#[test]
fn every_flow_builds_and_its_latents_have_the_images_dimensions() {
    for (name, _) in BUILT_IN {
        let (_, flow) = blank(name);
        let latents: usize = flow.latent_shapes().iter().map(|(_, shape)| shape.dims()).sum();
        assert_eq!(latents, flow.image_shape().dims(), "{name}");
    }
}

#[test]
fn the_same_path_starts_alike_in_two_flows_of_one_seed() {
    let first = |text: &str| {
        let device = Cpu::default();
        let file = FlowFile::parse("pair", text).unwrap();
        let flow = Flow::<f64, Cpu>::build(&file, &Registry::default(), &Initializer::new(&device, 4)).unwrap();
        flow.tensors(&device).unwrap()
    };
    let image = "image: (height: 4, width: 4, channels: 1)";
    let a = first(&format!("Flow({image}, layers: [Squeeze(), InvertibleConv(), AffineCoupling(width: 3)])"));
    let b = first(&format!("Flow({image}, layers: [Squeeze(), Shuffle(), AffineCoupling(width: 3)])"));
    assert_eq!(a["layers.2.conv1.weight"], b["layers.2.conv1.weight"]);
}

#[test]
fn a_squeeze_refuses_what_does_not_divide() {
    let refused = Bijector::<f32, Cpu>::output_shape(&flowstone::bijectors::Squeeze, ImageShape::new(3, 2, 1));
    assert!(matches!(refused, Err(flowstone::Error::Shape { .. })));
}
