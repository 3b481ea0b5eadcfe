//! What can go wrong, in the words of the person who will read it.
//!
//! Every error says what is wrong, where, what was expected and what to do. [`Error::is_input`] tells
//! a mistake in what the user gave (exit code 2) from a failure while running (exit code 1).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The result of anything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Anything that can go wrong.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum Error {
    /// A tensor of a shape that the layer cannot take.
    #[error("{layer}: expected {expected}, found {found}")]
    Shape {
        /// The kind of layer, or its path where it is known.
        layer: String,
        /// What would have been right.
        expected: String,
        /// What came.
        found: String,
    },
    /// A flow file that is not RON, not a flow, or a flow whose shapes do not fit; or an ablation file or a list of sources
    /// likewise.
    #[error(transparent)]
    #[diagnostic(transparent)]
    FlowFile(#[from] Box<crate::notation::FlowFileError>),
    /// A file that could not be read or written.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said. It is in the message, and so not this error's source: reports would say it twice.
        reason: std::io::Error,
    },
    /// A file that was read and is not what it should be.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a data set that none of its sources gave.
    #[error("{what} could not be fetched: {reason}")]
    #[diagnostic(help("{advice}"))]
    Fetch {
        /// The file, and the set that it is of.
        what: String,
        /// What each source said.
        reason: String,
        /// How to go on.
        advice: String,
    },
    /// An option, a name or a value that the user gave and that cannot be used.
    #[error("{0}")]
    Usage(String),
    /// A matrix that cannot be inverted.
    #[error("{layer}: the matrix is singular, so the flow has no inverse (log|det W| = {log_abs_det})")]
    #[diagnostic(help(
        "if training made it so, lower `learning_rate`, lengthen `warmup` or set `clip_gradient_norm: 50`; \
         `InvertibleConv(weight: LU)` keeps its determinant away from 0"
    ))]
    Singular {
        /// The layer whose matrix it is.
        layer: String,
        /// Its log-determinant as computed.
        log_abs_det: f64,
    },
    /// A value that is not a number, or infinite, where training needs a finite one.
    #[error("non-finite values first appeared in {layer} at step {step}: {cause}")]
    #[diagnostic(help(
        "training went out of bounds, and would again from the same checkpoint. What was saved stays. Train anew with a \
         lower `learning_rate` (try a tenth), a longer `warmup` or `clip_gradient_norm: 50`"
    ))]
    NonFinite {
        /// Path of the first layer that produced one.
        layer: String,
        /// The training step, counted from 1.
        step: u64,
        /// What was seen.
        cause: String,
    },
    /// A run that was asked to stop, with all of its state saved.
    #[error("stopped after step {step}; model and checkpoint are saved in {folder}")]
    #[diagnostic(help("go on, exactly from here, with `flowstone train --resume {folder}`"))]
    Stopped {
        /// Steps done.
        step: u64,
        /// The run's folder.
        folder: String,
    },
    /// The device has no memory left.
    #[error("out of memory on the device: it has no {} MiB more", bytes.div_ceil(1 << 20))]
    #[diagnostic(help(
        "lower the images that initialise the flow (`initialization_images`) or the batch (`--batch`), train by inversion \
         (`--memory invert`), or narrow the coupling networks (`width`)"
    ))]
    OutOfMemory {
        /// What was asked for last.
        bytes: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

impl Error {
    /// A file operation that failed, with the path it failed on.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |reason| Self::Io { path, reason }
    }

    /// A file whose content is wrong.
    pub fn bad_file(path: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::BadFile { path: path.as_ref().to_path_buf(), reason: reason.into() }
    }

    /// Whether the user's input was wrong (exit code 2), rather than the work failing (exit code 1).
    pub fn is_input(&self) -> bool {
        match self {
            Self::FlowFile(_) | Self::BadFile { .. } | Self::Usage(_) | Self::Shape { .. } => true,
            Self::Io { reason, .. } => matches!(
                reason.kind(),
                ErrorKind::NotFound
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
                    | ErrorKind::PermissionDenied
                    | ErrorKind::InvalidFilename
            ),
            Self::Fetch { .. }
            | Self::Singular { .. }
            | Self::NonFinite { .. }
            | Self::Stopped { .. }
            | Self::OutOfMemory { .. }
            | Self::Device(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_is_said_once() {
        let error = std::fs::read("nowhere/at/all").map_err(Error::io("nowhere/at/all")).unwrap_err();
        assert!(error.is_input());
        let report = format!("{:?}", miette::Report::new(error));
        assert_eq!(report.matches("No such file").count(), 1, "{report}");
    }
}
