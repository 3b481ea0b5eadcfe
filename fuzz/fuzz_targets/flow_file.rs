//! A flow file is refused where it is wrong, or it is a flow: it expands, has shapes and figures, and reads back the same.
#![no_main]

use flowstone::backend::{Cpu, Initializer};
use flowstone::flow::{Flow, FlowFile, Registry};
use flowstone_fuzz::answered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some(file) = answered(FlowFile::parse("fuzz.ron", text), "fuzz.ron") else { return };
    let again = FlowFile::from_spec("again.ron", &file.spec).expect("a flow that was read can be written and read");
    assert_eq!(again.spec, file.spec);
    let device = Cpu::default();
    let flow = Flow::<f32, Cpu>::build(&file, &Registry::default(), &Initializer::blank(&device));
    if let Some(flow) = answered(flow, "fuzz.ron") {
        answered(flow.summary(&device, &file), "fuzz.ron");
    }
});
