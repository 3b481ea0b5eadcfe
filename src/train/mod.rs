//! Training: the loop, and what it needs to stop and go on exactly.
//!
//! Everything random in a run is keyed by its seed, step and image ([`crate::noise`]), so the state of a run is its
//! step, its weights and what the optimizer keeps beside them: [`checkpoint`](Checkpoint) holds all of it.

mod average;
mod batches;
mod checkpoint;
mod curves;
mod evaluate;
mod glow_log;
mod identity;
mod inspect;
mod metrics;
mod optimizer;
mod portrait;
mod ranking;
mod resident;
mod run;
mod source;
mod timing;
mod trainer;

pub use average::Average;
pub use checkpoint::Checkpoint;
pub use curves::{XAxis, run_series, series_of_runs, unit_of_run};
pub use evaluate::{Classification, DataName, Evaluation, Labels, Noise, evaluate, evaluate_as, score};
pub(crate) use evaluate::{expect_context, expect_contexts_of, expect_images, expect_labels};
pub use glow_log::glow_log_series;
pub use identity::DataIdentity;
pub use inspect::{Inspection, Probes, inspect};
pub use metrics::{HealthRecord, Metrics, Record, StepRecord, ValidationRecord, read_metrics};
pub use optimizer::OptimizerState;
pub use portrait::draw_vectors;
pub use ranking::{Area, Comparison, Ranked, auroc, rank, write_ranking};
pub use resident::peak_mib;
pub use run::{RunFolder, TEMPERATURES, draw_samples, sample_labels};
pub use source::{open_data, open_data_as, with_features_of_data};
pub use timing::{StepTimes, Timing, read_timing};
pub use trainer::{Event, Outcome, Start, Trainer};
