//! A run's folder, and the pictures that end up in it.

use super::run_series;
use crate::backend::{Device, Element};
use crate::flow::Flow;
use crate::noise::{NoiseKey, Purpose};
use crate::plot::{Figure, Sheet};
use crate::{Error, Result, files};
use rand::Rng;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The temperatures of a sample sheet, as in the reference code's.
pub const TEMPERATURES: [f64; 8] = [0.0, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// A folder that one run at a time may write to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    // Held as long as the run: the lock goes when the process does, however it ends.
    _lock: File,
}

impl RunFolder {
    /// Makes a new run's folder: `path`, or the first of `runs/NAME`, `runs/NAME-2`, … that holds no run.
    ///
    /// # Errors
    /// [`Error::Usage`] if `path` already holds a run, [`Error::Io`] if it cannot be made.
    pub fn create(path: Option<&Path>, name: &str) -> Result<Self> {
        let path = match path {
            Some(path) => path.to_path_buf(),
            None => {
                let numbered =
                    |n: u32| PathBuf::from("runs").join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
                (1..).map(numbered).find(|path| !holds_a_run(path)).unwrap_or_else(|| PathBuf::from("runs"))
            }
        };
        if holds_a_run(&path) {
            let shown = path.display();
            let message =
                format!("{shown} already holds a run; go on with `train --resume {shown}`, or choose another --out");
            return Err(Error::Usage(message));
        }
        fs::create_dir_all(path.join("samples")).map_err(Error::io(&path))?;
        Self::open(&path)
    }

    /// Opens a folder that exists.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is training in it, [`Error::Io`] if it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let lock_path = path.join(".lock");
        let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {
                for folder in [path.to_path_buf(), path.join("samples")].iter().filter(|folder| folder.is_dir()) {
                    files::remove_leftovers(folder)?;
                }
                Ok(Self { path: path.to_path_buf(), _lock: lock })
            }
            Err(TryLockError::WouldBlock) => {
                Err(Error::Usage(format!("another process is training in {}", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(Error::io(&lock_path)(error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Draws `curve.svg` and `curve.png` from the metrics.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written.
    pub fn draw_curve(&self, title: &str) -> Result<()> {
        let figure = Figure {
            title: title.to_owned(),
            x_label: "step".into(),
            y_label: "bits/dim".into(),
            series: run_series(&self.path, "")?,
        };
        figure.save(self.file("curve"))
    }
}

/// A run writes its flow file first: a folder without one is what a refused start left.
fn holds_a_run(path: &Path) -> bool {
    path.join("flow.ron").exists()
}

/// The sheet at the end of a run: ten samples at each temperature from 0 to 1.
pub(super) fn sample_sheet<E: Element, D: Device<E>>(flow: &Flow<E, D>, device: &D, seed: u64) -> Result<Sheet> {
    draw_samples(flow, device, seed, &TEMPERATURES, 10, None)
}

/// A sheet with a row of `columns` samples at each temperature. A class-conditional flow draws each column of one class,
/// if `class` names none.
///
/// # Errors
/// [`Error::Usage`] for a class that the flow does not have.
pub fn draw_samples<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    seed: u64,
    temperatures: &[f64],
    columns: usize,
    class: Option<usize>,
) -> Result<Sheet> {
    let labels = sample_labels(flow, columns, class, seed)?;
    let row = |&temperature: &f64| {
        let levels = flow.sample(device, 0..columns as u64, temperature, labels.as_deref(), seed)?;
        Ok((format!("temperature {temperature}"), levels))
    };
    let shape = flow.image_shape();
    Ok(Sheet {
        rows: temperatures.iter().map(row).collect::<Result<_>>()?,
        shape: [shape.height, shape.width, shape.channels],
        bins: flow.bins(),
        columns,
    })
}

/// The class of each of `n` samples: the one asked for, or drawn uniformly; none for a flow without classes.
///
/// # Errors
/// [`Error::Usage`] for a class that the flow does not have.
pub fn sample_labels<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    n: usize,
    class: Option<usize>,
    seed: u64,
) -> Result<Option<Vec<usize>>> {
    match (flow.classes(), class) {
        (None, None) => Ok(None),
        (None, Some(class)) => Err(Error::Usage(format!("class {class} was asked for, but this flow has no classes"))),
        (Some(classes), Some(class)) if class >= classes => {
            Err(Error::Usage(format!("class {class} was asked for; this flow has classes 0 to {}", classes - 1)))
        }
        (Some(_), Some(class)) => Ok(Some(vec![class; n])),
        (Some(classes), None) => {
            let mut rng = NoiseKey::new(seed, Purpose::Class).rng(0);
            Ok(Some((0..n).map(|_| rng.gen_range(0..classes)).collect()))
        }
    }
}
