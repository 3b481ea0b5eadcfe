//! Options that several commands share.

use crate::backend::Cpu;
use crate::data::{DataSet, Images, files};
use crate::flow::FlowFile;
use crate::train::open_data;
use crate::{Error, Result};
use clap::ValueEnum;
use dfdx::tensor::Cache;
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

/// `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    Cpu,
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, number) = text.split_once(':').unwrap_or((text, "0"));
        match (name, number.parse()) {
            ("cpu", _) if !text.contains(':') => Ok(Self::Cpu),
            ("cuda", Ok(number)) => Ok(Self::Cuda(number)),
            _ => Err("expected `cpu`, `cuda` or `cuda:N`".into()),
        }
    }
}

impl DeviceChoice {
    /// The device, if this program can compute on it.
    pub fn open(self) -> Result<Cpu> {
        match self {
            Self::Cpu => {
                let device = Cpu::default();
                device.enable_cache();
                Ok(device)
            }
            Self::Cuda(_) if cfg!(feature = "cuda") => Err(Error::NotYet {
                device: "cuda",
                what: "its kernels are not written in this version; use --device cpu",
            }),
            Self::Cuda(_) => {
                Err(Error::Usage("this program was built without CUDA (feature `cuda`); use --device cpu".into()))
            }
        }
    }
}

/// A model, and how to compute with it.
#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    /// A model file, or a run's folder (its `model.safetensors`)
    pub model: PathBuf,
    /// The weights as the optimizer left them, not their running average
    #[arg(long)]
    pub raw: bool,
    /// Where to compute: `cpu`, `cuda` or `cuda:N`
    #[arg(long, default_value = "cpu")]
    pub device: DeviceChoice,
    /// Decides every random number
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Where images come from.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// `digits`, `cifar10:DIR`, `idx:DIR`, `images:DIR`, `npy:FILE` or `npz:FILE` [default: what the model was trained on]
    #[arg(long)]
    pub data: Option<String>,
    /// Which of its images
    #[arg(long, value_enum, default_value_t = Split::Test)]
    pub split: Split,
}

/// Images to score.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// How many of them, from the first [default: all]
    #[arg(short = 'n', long)]
    pub images: Option<usize>,
    /// Compute in f64 instead of f32
    #[arg(long)]
    pub f64: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Split {
    Train,
    Test,
    /// Both, one after the other
    All,
}

impl SourceArgs {
    /// The images that the arguments name, in the flow's grey levels, and the set that they are of.
    pub fn open(&self, file: &FlowFile) -> Result<(Images, DataSet)> {
        let set = open_data(file, self.data.as_deref())?;
        let images = match self.split {
            Split::Train => set.train.clone(),
            Split::Test => set.test.clone(),
            Split::All => set.train.followed_by(&set.test)?,
        };
        Ok((images, set))
    }

    /// The images' files, where each has one.
    pub fn files(&self, file: &FlowFile) -> Result<Option<Vec<PathBuf>>> {
        let source = self.data.as_deref().or(file.spec.train.data.as_deref()).unwrap_or_default();
        Ok(files(source)?.map(|(train, test)| match self.split {
            Split::Train => train,
            Split::Test => test,
            Split::All => [train, test].concat(),
        }))
    }

    pub fn split_name(&self) -> &'static str {
        match self.split {
            Split::Train => "train",
            Split::Test => "test",
            Split::All => "train and test",
        }
    }
}

impl DataArgs {
    /// The images that the arguments name, in the flow's grey levels, and the set that they are of.
    pub fn open(&self, file: &FlowFile) -> Result<(Images, DataSet)> {
        let (all, set) = self.source.open(file)?;
        let count = self.images.unwrap_or(all.len()).min(all.len());
        Ok((all.select(0..count)?, set))
    }

    /// The same of other data.
    pub fn of(&self, data: &str) -> Self {
        Self { source: SourceArgs { data: Some(data.to_owned()), ..self.source.clone() }, ..self.clone() }
    }

    pub fn split_name(&self) -> &'static str {
        self.source.split_name()
    }
}

/// Lets rayon use so many threads.
pub fn set_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    if threads == 0 {
        return Err(Error::Usage("--threads 0: at least one thread is needed".into()));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::Usage(format!("--threads {threads}: {error}")))
}

/// Prints a result to stdout. A reader that went away (`| head`) is no failure.
pub fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("standard output")(error)),
        _ => Ok(()),
    }
}

/// Prints a result as JSON.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Device(error.to_string()))?;
    print(&text)
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1000, 44_603_604].map(grouped).as_slice(),
            ["0", "999", "1,000", "44,603,604"].map(str::to_owned)
        );
    }

    #[test]
    fn devices_are_cpu_and_numbered_cuda() {
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert!(["", "cpu:0", "gpu", "cuda:", "cuda:x"].iter().all(|text| text.parse::<DeviceChoice>().is_err()));
    }
}
