//! Ablations: a flow, what to vary in it, and which of it matters.
//!
//! ```text
//! file, spec, ordered    an ablation file, read and checked where it stands
//! settings, change       any definition or setting of a flow, found by name and replaced in its text
//! plan                   variants and runs, counted before any data is read
//! estimate               how long that will take on this machine
//! grid                   the folder of a grid, and what has become of its runs
//! work                   runs made one after the other or several at a time, each as it would be alone
//! gather, statistics     what the runs left, over seeds
//! report                 table, figures and sentences
//! ```

mod change;
mod estimate;
mod file;
mod gather;
mod grid;
mod ordered;
mod plan;
mod report;
mod settings;
mod spec;
pub mod statistics;
mod work;

pub use estimate::{Cost, all_seconds, cost, seconds};
pub use file::{AblationFile, BUILT_IN};
pub use gather::{Gathered, Results, gather};
pub use grid::{Conditions, Grid, Status};
pub use ordered::{Entry, Ordered};
pub use plan::{Factor, Plan, Run, Variant};
pub use report::write_report;
pub use settings::{Setting, settings};
pub use spec::{AblationSpec, Budget, Raw};
pub use work::{Work, Worker, work};
