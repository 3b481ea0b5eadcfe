//! Files in RON: read with the place of every value, and their errors in plain words.
//!
//! Flows, ablations and lists of data are declared in such files. What they can say stands with what reads them; here is what
//! all have in common: [`Located`] values and where they were written, the names nearest to a misspelt one, and
//! [`FlowFileError`], which shows the line.

mod diagnosis;
mod located;
mod suggest;
mod tokens;

pub use diagnosis::FlowFileError;
pub(crate) use diagnosis::{FLOW, FileKind};
pub use located::{Located, NodeId};
pub(crate) use located::{locate, options, read};
pub(crate) use suggest::suggestion;
pub(crate) use tokens::{Tokens, is_name};
