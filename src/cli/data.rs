//! `data list`, `data fetch NAME…` and `data sources`: data sets that can be fetched. `data check DATA`: what is in one.

use super::common::{copies_sentence, grouped, print, print_json, tell};
use crate::Result;
use crate::data::{self, Copies, FetchEvent, Presence, Source, Store};
use crate::flow::FlowFile;
use crate::train::open_data;
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Seconds between plain lines.
const EVERY: Duration = Duration::from_secs(5);

/// Fetch data sets, and show which there are
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the data sets that can be fetched, and which are there
    List {
        #[command(flatten)]
        store: StoreArgs,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch data sets and check them; what is there already is left alone, what broke off goes on
    Fetch {
        /// What to fetch, by the names of `flowstone data list`
        #[arg(required = true)]
        names: Vec<String>,
        #[command(flatten)]
        store: StoreArgs,
        /// No progress
        #[arg(short, long)]
        quiet: bool,
    },
    /// Read a data set and say what is in it, and how many test images are among the training images too
    Check {
        /// As other commands name it with `--data`
        data: String,
        /// As this flow and its recipe see it [default: as it is in its files]
        #[arg(long)]
        flow: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the list in use, to be edited and given back with `--sources`
    Sources {
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// The cache folder [default: the environment's FLOWSTONE_DATA, or `flowstone` in the platform's cache folder]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// The list of what can be fetched [default: `sources.ron` in the cache folder, or the program's own]
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
}

impl StoreArgs {
    fn open(&self) -> Result<Store> {
        Store::new(self.to.as_deref(), self.sources.as_deref())
    }

    /// How other commands name a set that was fetched: by its name, where they look for it.
    fn source(&self, store: &Store, set: &Source) -> String {
        if self.to.is_none() && self.sources.is_none() {
            return set.name.value.clone();
        }
        let source = format!("{}:{}", set.format.prefix(), store.data_folder(set).display());
        if source.contains(char::is_whitespace) { format!("\"{source}\"") } else { source }
    }
}

pub fn run(args: &Args) -> Result<()> {
    // Addresses must not be broken into lines.
    let _ = miette::set_hook(Box::new(|_| Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())));
    match &args.command {
        Command::List { store, json } => list(&store.open()?, *json),
        Command::Fetch { names, store, quiet } => fetch(names, store, *quiet),
        Command::Check { data, flow, json } => check(data, flow.as_deref(), *json),
        Command::Sources { store } => print(store.open()?.list.text.trim_end()),
    }
}

fn fetch(names: &[String], args: &StoreArgs, quiet: bool) -> Result<()> {
    let store = args.open()?;
    // A name that is wrong is told before the first is fetched.
    let sets = names.iter().map(|name| store.find(name)).collect::<Result<Vec<_>>>()?;
    for set in sets {
        let mut progress = Progress { quiet, ..Progress::default() };
        let folder = store.fetch(&set.name, &mut |event| progress.show(event));
        progress.end();
        let folder = folder?;
        let (flow, source) = (set.flow.as_deref().unwrap_or("FLOW"), args.source(&store, set));
        print(&format!("{}: {}\n  flowstone train {flow} --data {source}", *set.name, folder.display()))?;
    }
    Ok(())
}

fn check(name: &str, flow: Option<&str>, json: bool) -> Result<()> {
    let set = match flow {
        Some(flow) => open_data(&FlowFile::read(flow)?, Some(name))?,
        None if data::are_vectors(name) => data::open_vectors(name)?,
        None => data::open(name)?,
    };
    let copies = Copies::count("test", &set.test, &set.train)?;
    let ([height, width, channels], [train, test]) = (set.train.shape(), [set.train.len(), set.test.len()]);
    if json {
        return print_json(&serde_json::json!({
            "name": set.name, "train": train, "test": test, "height": height, "width": width, "channels": channels,
            "levels": set.bins, "classes": set.classes, "remarks": set.remarks,
            "test_images_among_training_images": copies.found,
        }));
    }
    let mut lines = vec![format!(
        "{}: {} images to train on, {} to test, of {height}×{width}×{channels}, {} grey levels, {} classes",
        set.name,
        grouped(train as u64),
        grouped(test as u64),
        set.bins,
        set.classes.len()
    )];
    lines.extend(set.remarks);
    lines.push(
        copies_sentence(&copies)
            .unwrap_or_else(|| "no test image is also among the training images, byte for byte".to_owned()),
    );
    print(&lines.join("\n"))
}

/// A data set, for programs.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    what: &'a str,
    /// Bytes to be fetched for it.
    bytes: u64,
    /// Bytes that are in the cache.
    there: u64,
    is_there: bool,
    /// Where it is read from, or will be.
    folder: PathBuf,
    home: Option<&'a str>,
    terms: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(store: &Store, set: &'a Source) -> Self {
        let there = match store.presence(set) {
            Presence::Whole => set.bytes(),
            Presence::Part(bytes) => bytes,
            Presence::Nothing => 0,
        };
        let found = store.found(set);
        Self {
            name: &set.name,
            what: &set.what,
            bytes: set.bytes(),
            there,
            is_there: found.is_some(),
            folder: found.unwrap_or_else(|| store.data_folder(set)),
            home: set.home.as_deref(),
            terms: set.terms.as_deref(),
        }
    }
}

fn list(store: &Store, json: bool) -> Result<()> {
    let rows: Vec<Row> = store.list.sets.iter().map(|set| Row::new(store, set)).collect();
    if json {
        return print_json(&rows);
    }
    let mut lines = vec![format!("{:<15}{:>11}  {:<12}{}", "name", "size", "is there", "what")];
    for row in rows {
        let share = match (row.is_there, row.there) {
            (true, _) => "yes".to_owned(),
            (_, 0) => "no".to_owned(),
            (_, there) => format!("{} of it", mib(there)),
        };
        lines.push(format!("{:<15}{:>11}  {share:<12}{}", row.name, mib(row.bytes), row.what));
        lines.extend(row.is_there.then(|| format!("{:<28}{}", "", row.folder.display())));
    }
    let origin = store.list.name.as_deref().unwrap_or("the program's own");
    lines.push(format!("cache folder: {}; list: {origin}", store.folder.display()));
    print(&lines.join("\n"))
}

/// A size, in the unit that it is read best in.
fn mib(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}

/// What `fetch` shows while it works: a bar on a terminal, plain lines elsewhere. Both on stderr.
#[derive(Default)]
struct Progress {
    quiet: bool,
    bar: Option<ProgressBar>,
    file: String,
    bytes: u64,
    last_line: Option<Instant>,
}

impl Progress {
    fn show(&mut self, event: FetchEvent) {
        match event {
            FetchEvent::Waiting(place) => {
                self.line(&format!("{}: another process is fetching; waiting for it", place.display()));
            }
            FetchEvent::AlreadyThere { file } => self.line(&format!("{file}: already there")),
            FetchEvent::Asked { file, url, have, bytes } => self.begin(file, &url, have, bytes),
            FetchEvent::Received { have } => self.received(have),
            FetchEvent::Trouble { file, what } => self.line(&format!("{file}: {what}")),
            FetchEvent::Fetched { file } => {
                self.end();
                self.line(&format!("{file}: whole, and its SHA-256 is right"));
            }
            FetchEvent::Unpacking { file } => self.line(&format!("{file}: unpacking")),
        }
    }

    fn begin(&mut self, file: String, url: &str, have: u64, bytes: u64) {
        self.end();
        let rest = if have > 0 { format!(", of which {} are there", grouped(have)) } else { String::new() };
        self.line(&format!("{file}: {} bytes{rest}, from {url}", grouped(bytes)));
        (self.file, self.bytes, self.last_line) = (file, bytes, Some(Instant::now()));
        if !self.quiet && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(bytes).with_position(have);
            let style = "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
    }

    fn received(&mut self, have: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(have);
        } else if self.last_line.is_some_and(|at| at.elapsed() >= EVERY) {
            self.line(&format!("{}: {} of {}", self.file, mib(have), mib(self.bytes)));
            self.last_line = Some(Instant::now());
        }
    }

    /// Ends the bar, if there is one.
    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.println(text),
            None => tell(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_units_that_are_read_well() {
        assert_eq!([0, 4542, 170_052_171].map(mib), ["0 B", "4.4 KiB", "162.2 MiB"]);
    }

    #[test]
    fn a_set_in_the_default_folder_goes_by_its_name_and_another_by_its_place() {
        let store = Store::new(Some(std::path::Path::new("my data")), None).unwrap();
        let set = store.find("mnist").unwrap();
        let by_default = StoreArgs { to: None, sources: None };
        assert_eq!(by_default.source(&store, set), "mnist");
        let elsewhere = StoreArgs { to: Some("my data".into()), sources: None };
        assert_eq!(elsewhere.source(&store, set), "\"idx:my data/mnist\"");
    }
}
