//! A run's folder, and the pictures that end up in it.

use super::curves::unit_of_run;
use super::run_series;
use crate::backend::{Device, Element};
use crate::data::Images;
use crate::flow::{Conditions, Flow, FlowFile, Quantized};
use crate::noise::{NoiseKey, Purpose};
use crate::plot::{Figure, Row, Sheet};
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
    /// Makes a new run's folder: `path`, or the first of `runs/NAME`, `runs/NAME-2`, … that is free. Of several programs
    /// that ask at once each gets one of its own.
    ///
    /// # Errors
    /// [`Error::Usage`] if `path` is not empty, with what is in it, [`Error::Io`] if it cannot be made.
    pub fn create(path: Option<&Path>, name: &str) -> Result<Self> {
        if let Some(path) = path {
            return Self::open_empty(path)?.map_err(|taken| taken.into_error(path));
        }
        for n in 1.. {
            let path = PathBuf::from("runs").join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
            if let Ok(folder) = Self::open_empty(&path)? {
                return Ok(folder);
            }
        }
        Err(Error::Usage("no name is left for a folder in runs".into()))
    }

    /// The folder, made if it is not there, unless it is taken.
    fn open_empty(path: &Path) -> Result<std::result::Result<Self, Taken>> {
        if path.exists() && !path.is_dir() {
            return Err(Error::Usage(format!("{} is a file; a run needs a folder (--out)", path.display())));
        }
        fs::create_dir_all(path).map_err(Error::io(path))?;
        // Before anything is written into it, and again once nobody else can.
        let found = contents(path)?;
        if !found.is_empty() {
            return Ok(Err(Taken::By(found)));
        }
        let Some(folder) = Self::lock(path)? else { return Ok(Err(Taken::InUse)) };
        let found = contents(path)?;
        if !found.is_empty() {
            return Ok(Err(Taken::By(found)));
        }
        fs::create_dir_all(path.join("samples")).map_err(Error::io(path))?;
        folder.sweep()?;
        Ok(Ok(folder))
    }

    /// Opens a folder that exists.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is training in it, [`Error::Io`] if it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        match Self::lock(path)? {
            Some(folder) => {
                folder.sweep()?;
                Ok(folder)
            }
            None => Err(Taken::InUse.into_error(path)),
        }
    }

    /// The folder, for this process alone; none while another has it.
    fn lock(path: &Path) -> Result<Option<Self>> {
        let lock_path = path.join(LOCK);
        let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { path: path.to_path_buf(), _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(Error::io(&lock_path)(error)),
        }
    }

    /// Removes what a process that was killed was writing.
    fn sweep(&self) -> Result<()> {
        let folders = [self.path.clone(), self.path.join("samples")];
        folders.iter().filter(|folder| folder.is_dir()).try_for_each(|folder| files::remove_leftovers(folder))
    }

    /// Refuses a run whose `flow.ron` is no longer what the run does: it is a copy, and to change it changes nothing.
    /// `file` is the flow of its checkpoint.
    ///
    /// # Errors
    /// [`Error::Usage`] with what to do instead.
    pub fn expect_unedited(path: &Path, file: &FlowFile) -> Result<()> {
        let copy = path.join("flow.ron");
        if !copy.exists() {
            return Ok(());
        }
        let text = files::read_text(&copy)?;
        // What a command line may have changed, just before the process was killed, is no edit.
        let comparable = |file: &FlowFile| {
            let mut spec = file.spec.clone();
            (spec.train.length, spec.train.data) = (None, None);
            spec.train.memory = Default::default();
            spec
        };
        if text == file.text
            || FlowFile::parse("flow.ron", text).is_ok_and(|copy| comparable(&copy) == comparable(file))
        {
            return Ok(());
        }
        let (copy, run) = (copy.display(), path.display());
        Err(Error::Usage(format!(
            "{copy} was changed since the run began, and a run goes on as it began. For a run by the changed file, write \
             `flowstone train {copy} --from {run} --out NEW`; to go on with this one, move the changed file away: the flow is in \
             the checkpoint too"
        )))
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
            y_label: unit_of_run(&self.path)?.into(),
            series: run_series(&self.path, "")?,
        };
        figure.save(self.file("curve"))
    }
}

/// The file that is locked as long as a run lasts.
const LOCK: &str = ".lock";
/// Of what is in a folder, so many are named.
const NAMED: usize = 5;

/// Why a folder cannot become a run's.
enum Taken {
    /// Another process is training in it.
    InUse,
    /// It holds these.
    By(Vec<String>),
}

impl Taken {
    fn into_error(self, path: &Path) -> Error {
        let shown = path.display();
        Error::Usage(match self {
            Self::InUse => format!("another process is training in {shown}"),
            Self::By(found) if found.iter().any(|name| name == "flow.ron" || name == "checkpoint.safetensors") => {
                format!("{shown} already holds a run; go on with `train --resume {shown}`, or choose another --out")
            }
            Self::By(found) => {
                let more = found.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                let named = found[..found.len().min(NAMED)].join(", ");
                format!("{shown} is not empty, and holds no run: there is {named}{more}. Choose another --out")
            }
        })
    }
}

/// What is in a folder, by name, but for what a start that was refused leaves: its lock, an empty folder for samples, and
/// what it was writing.
fn contents(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).map_err(Error::io(path))? {
        let entry = entry.map_err(Error::io(path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_empty = || fs::read_dir(entry.path()).is_ok_and(|mut inside| inside.next().is_none());
        if name != LOCK && !files::is_leftover(&name) && !(name == "samples" && is_empty()) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The sheet at the end of a run: ten samples at each temperature from 0 to 1.
/// A flow conditioned on vectors or images is given those of the first images.
pub(super) fn sample_sheet<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    seed: u64,
    images: &Images,
) -> Result<Sheet> {
    let contexts = images.contexts().filter(|contexts| !contexts.is_empty());
    let first = contexts.and_then(|contexts| contexts.of(&(0..10).map(|i| i % contexts.len()).collect::<Vec<_>>()));
    let labels = sample_labels(flow, 10, None, seed)?;
    sheet(flow, device, seed, (&TEMPERATURES, 10), Conditions { labels: labels.as_deref(), context: first.as_deref() })
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
    sheet(flow, device, seed, (temperatures, columns), labels.as_deref().into())
}

/// A row at each temperature, its columns given these.
fn sheet<E: Element, D: Device<E>>(
    flow: &Flow<E, D>,
    device: &D,
    seed: u64,
    (temperatures, columns): (&[f64], usize),
    conditions: Conditions,
) -> Result<Sheet> {
    let row = |&temperature: &f64| {
        let Quantized { levels, not_finite } =
            flow.sample_given(device, 0..columns as u64, temperature, conditions, seed)?;
        Ok(Row { caption: format!("temperature {temperature}"), levels, not_finite })
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
