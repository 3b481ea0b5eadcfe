//! Options that several commands share.

use super::numbers;
use crate::backend::{Cpu, Device, Element};
use crate::data::{Copies, DataSet, Images, folder, renumbered};
use crate::flow::{FlowFile, Model, Registry};
use crate::train::{Labels, open_data_as};
use crate::{Error, Result};
use clap::ValueEnum;
use dfdx::tensor::Cache;
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
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

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// A device that is ready to compute.
#[derive(Debug)]
pub enum OpenDevice {
    Cpu(Cpu),
    #[cfg(feature = "cuda")]
    Cuda(crate::backend::Cuda),
}

impl DeviceChoice {
    /// The device, if this program can compute on it.
    pub fn open(self) -> Result<OpenDevice> {
        match self {
            Self::Cpu => {
                let device = Cpu::default();
                device.enable_cache();
                Ok(OpenDevice::Cpu(device))
            }
            #[cfg(feature = "cuda")]
            Self::Cuda(number) => crate::backend::cuda::open(number).map(OpenDevice::Cuda),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => {
                Err(Error::Usage("this program was built without CUDA (feature `cuda`); use --device cpu".into()))
            }
        }
    }
}

/// `on_device!(opened, device => work(&device))`: the work, compiled for every device there can be, on the one that was
/// opened. It is closed after that.
macro_rules! on_device {
    ($opened:expr, $device:ident => $work:expr) => {
        match $opened {
            $crate::cli::common::OpenDevice::Cpu($device) => $work,
            #[cfg(feature = "cuda")]
            $crate::cli::common::OpenDevice::Cuda($device) => $work,
        }
    };
}
pub(super) use on_device;

/// Where to compute, for work that need not be exact to the last digit.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct DeviceArgs {
    /// Where to compute: `cpu`, `cuda` or `cuda:N`
    #[arg(long, default_value = "cpu")]
    pub device: DeviceChoice,
    #[command(flatten)]
    pub products: ProductArgs,
}

/// How exact matrix products are.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ProductArgs {
    /// On CUDA: the products within coupling networks in TF32, their factors rounded to 10 bits of mantissa, which is
    /// faster. The flow's own layers and evaluation stay in full f32. An option of the machine, not of the recipe: no
    /// file keeps it, so give it again to go on with a run
    #[arg(long)]
    pub tf32: bool,
}

impl DeviceArgs {
    /// The device, if this program can compute on it so.
    pub fn open(self) -> Result<OpenDevice> {
        self.products.open(self.device)
    }

    /// These options, for another process.
    pub fn arguments(self) -> Vec<String> {
        let tf32 = self.products.tf32.then(|| "--tf32".to_owned());
        ["--device".to_owned(), self.device.to_string()].into_iter().chain(tf32).collect()
    }

    /// What computes, with how exact it is where that is not as ever.
    pub fn with_products(self, machine: String) -> String {
        machine + if self.products.tf32 { ", products in TF32" } else { "" }
    }
}

impl ProductArgs {
    /// The device, if this program can compute on it so.
    pub fn open(self, device: DeviceChoice) -> Result<OpenDevice> {
        if self.tf32 && device == DeviceChoice::Cpu {
            return Err(Error::Usage(
                "--tf32 is for matrix products on CUDA; leave it out, or give --device cuda".into(),
            ));
        }
        let opened = device.open()?;
        #[cfg(feature = "cuda")]
        crate::backend::cuda::use_tf32(self.tf32);
        Ok(opened)
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
    #[arg(long, default_value_t = 0, value_parser = numbers::seed)]
    pub seed: u64,
}

impl ModelArgs {
    /// The model on a device.
    pub fn load<E: Element, D: Device<E>>(&self, device: &D) -> Result<Model<E, D>> {
        Model::load(&self.model, device, &Registry::default(), self.raw)
    }
}

/// Where images come from.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// `digits`, `cifar10:DIR`, `cifar100:DIR`, `idx:DIR`, `images:DIR`, `npy:FILE` or `npz:FILE`; or a name of `flowstone data list`
    /// [default: what the model was trained on]
    #[arg(long)]
    pub data: Option<String>,
    /// Which of its images
    #[arg(long, value_enum, default_value_t = Split::Test)]
    pub split: Split,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// How data are read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ReadingArgs {
    /// Go on without pictures that cannot be decoded or are too small, and say which. No file keeps this: give it again to
    /// read the same data again
    #[arg(long)]
    pub skip_unreadable: bool,
}

impl ReadingArgs {
    /// These options, for another process.
    pub fn arguments(self) -> Option<&'static str> {
        self.skip_unreadable.then_some("--skip-unreadable")
    }
}

/// Images to score.
#[derive(Clone, Debug, clap::Args)]
pub struct DataArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// How many of them, evenly from each class [default: all]
    #[arg(short = 'n', long, value_parser = numbers::images)]
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
        let set = open(file, self.data.as_deref(), self.reading)?;
        let images = match self.split {
            Split::Train => set.train.clone(),
            Split::Test => set.test.clone(),
            Split::All => set.train.followed_by(&set.test)?,
        };
        Ok((images, set))
    }

    /// The folder of the pictures that the arguments name, and all files of the set, those to train on first; none for data
    /// that are not in a file each.
    pub fn all_files(&self, file: &FlowFile, set: &DataSet) -> Result<Option<(PathBuf, Vec<PathBuf>)>> {
        let source = self.data.as_deref().or(file.spec.train.data.as_deref()).unwrap_or_default();
        let (Some(train), Some(test)) = (set.train.files(), set.test.files()) else { return Ok(None) };
        let files = train.chain(test).map(Path::to_path_buf).collect();
        Ok(Some((folder(source)?.unwrap_or_default(), files)))
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
        Ok((all.spread(self.images.unwrap_or(usize::MAX))?, set))
    }

    /// The same of other data.
    pub fn of(&self, data: &str) -> Self {
        Self { source: SourceArgs { data: Some(data.to_owned()), ..self.source.clone() }, ..self.clone() }
    }

    pub fn split_name(&self) -> &'static str {
        self.source.split_name()
    }

    /// Which images these are, in words: `test split of digits`, with how they were taken if they are not all of it.
    pub fn describe(&self, images: &Images, set: &DataSet) -> String {
        let taken = images.taken().map_or_else(String::new, |taken| format!(" ({taken})"));
        format!("{} split{taken} of {}", self.split_name(), set.name)
    }
}

/// Images, with the set that they are of, in the classes of a model: by name where data and model have names.
pub fn in_classes_of<E: Element, D: Device<E>>(
    model: &Model<E, D>,
    (images, set): (Images, DataSet),
) -> Result<(Images, DataSet)> {
    let ours = model.flow.classes().map_or(&[][..], |_| &model.metadata.classes);
    match renumbered(&images, &set.classes, ours)? {
        Some(images) => Ok((images, DataSet { classes: ours.to_vec(), ..set })),
        None => Ok((images, set)),
    }
}

/// Under which class images are scored.
#[derive(Clone, Debug, clap::Args)]
pub struct LabelArgs {
    /// Score the mixture over classes, also where labels are known
    #[arg(long, conflicts_with = "class")]
    pub no_labels: bool,
    /// Score all images under this class, by name or number, whatever theirs is
    #[arg(long)]
    pub class: Option<String>,
}

impl LabelArgs {
    pub fn labels<E: Element, D: Device<E>>(&self, model: &Model<E, D>) -> Result<Labels> {
        match &self.class {
            Some(class) => Ok(Labels::Class(model.class(class)?)),
            None if self.no_labels => Ok(Labels::Mixture),
            None => Ok(Labels::Own),
        }
    }

    /// What is scored, in words, with the class by name where it has one.
    pub fn likelihood<E: Element, D: Device<E>>(
        labels: Labels,
        model: &Model<E, D>,
        images: &Images,
    ) -> Result<String> {
        let likelihood = labels.likelihood(&model.flow, images)?;
        Ok(match labels {
            Labels::Class(class) => format!("p(x | {})", model.class_words(class)),
            Labels::Own | Labels::Mixture => likelihood,
        })
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

/// The data that are named, or the recipe's own, as [`open_data_as`] reads them; what a person should hear of them is told.
pub fn open(file: &FlowFile, name: Option<&str>, reading: ReadingArgs) -> Result<DataSet> {
    let set = open_data_as(file, name, reading.skip_unreadable)?;
    set.remarks.iter().for_each(|remark| tell(remark));
    Ok(set)
}

/// Tells [`copies_sentence`], if there is one.
pub fn tell_copies(copies: &Copies) {
    if let Some(sentence) = copies_sentence(copies) {
        tell(&sentence);
    }
}

/// How many images of a split are among the training images too, if any are; or that this was not looked at.
pub fn copies_sentence(Copies { split, found, of }: &Copies) -> Option<String> {
    let of = grouped(*of as u64);
    match found {
        Some(0) => None,
        Some(1) => Some(format!("1 of {of} {split} images is also among the training images, byte for byte")),
        Some(n) => {
            let n = grouped(*n as u64);
            Some(format!("{n} of {of} {split} images are also among the training images, byte for byte"))
        }
        None if of == "0" => None,
        None => Some(format!(
            "whether {split} images are also among the training images was not looked at: they are not in memory; `flowstone \
             data check` looks"
        )),
    }
}

/// Tells a person something on stderr. Whether anybody reads it never decides how work ends: a pipe that was closed or a
/// disk that is full loses the words and nothing else.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
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
    fn copies_are_told_in_numbers_and_silence_means_that_there_are_none() {
        let sentence = |found, of| copies_sentence(&Copies { split: "test", found, of }).unwrap_or_default();
        assert_eq!(
            sentence(Some(12), 10_000),
            "12 of 10,000 test images are also among the training images, byte for byte"
        );
        assert_eq!(sentence(Some(1), 9), "1 of 9 test images is also among the training images, byte for byte");
        assert_eq!((sentence(Some(0), 9), sentence(None, 0)), (String::new(), String::new()));
        assert!(sentence(None, 9).contains("was not looked at"));
    }

    #[test]
    fn devices_are_cpu_and_numbered_cuda() {
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!(["cpu", "cuda:3"].map(|text| text.parse::<DeviceChoice>().unwrap().to_string()), ["cpu", "cuda:3"]);
        assert!(["", "cpu:0", "gpu", "cuda:", "cuda:x"].iter().all(|text| text.parse::<DeviceChoice>().is_err()));
    }
}
