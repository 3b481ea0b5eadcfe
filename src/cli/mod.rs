//! The commands, one file each, without logic of their own.

mod ablate;
mod bench;
mod check;
mod common;
mod data;
mod decode;
mod density;
mod encode;
mod eval;
mod inspect;
mod interpolate;
mod manipulate;
mod numbers;
mod output;
mod plot;
mod progress;
mod reconstruct;
mod run_of_grid;
mod sample;
mod score;
mod train;
mod vectors;

use crate::Result;
use clap::{Parser, Subcommand};

/// Normalizing flows on images and vectors: declare, check, train, score, sample and edit.
#[derive(Debug, Parser)]
#[command(name = "flowstone", version, max_term_width = 100, allow_negative_numbers = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Threads to compute with [default: one for every core]
    #[arg(long, global = true, value_name = "N", value_parser = numbers::count)]
    threads: Option<usize>,
    /// Shares that a batch is divided into; the same number gives the same bits on any number of threads [default: one
    /// for each thread]
    #[arg(long, global = true, value_name = "N", hide_short_help = true, value_parser = numbers::count)]
    workers: Option<usize>,
}

// A negative number is taken for a value, so that what it is for can say what is wrong with it.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(allow_negative_numbers = true)]
    Check(check::Args),
    #[command(allow_negative_numbers = true)]
    Train(train::Args),
    #[command(allow_negative_numbers = true)]
    Eval(eval::Args),
    #[command(allow_negative_numbers = true)]
    Inspect(inspect::Args),
    #[command(allow_negative_numbers = true)]
    Score(score::Args),
    #[command(allow_negative_numbers = true)]
    Sample(sample::Args),
    #[command(allow_negative_numbers = true)]
    Encode(encode::Args),
    #[command(allow_negative_numbers = true)]
    Decode(decode::Args),
    #[command(allow_negative_numbers = true)]
    Reconstruct(reconstruct::Args),
    #[command(allow_negative_numbers = true)]
    Interpolate(interpolate::Args),
    #[command(allow_negative_numbers = true)]
    Manipulate(manipulate::Args),
    #[command(allow_negative_numbers = true)]
    Density(density::Args),
    #[command(allow_negative_numbers = true)]
    Plot(plot::Args),
    #[command(allow_negative_numbers = true)]
    Bench(bench::Args),
    #[command(allow_negative_numbers = true)]
    Ablate(ablate::Args),
    Data(data::Args),
    #[command(hide = true)]
    RunOfGrid(run_of_grid::Args),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever the command reports; [`Error::is_input`](crate::Error::is_input) tells exit code 2 from 1.
    pub fn run(self) -> Result<()> {
        common::set_threads(self.threads)?;
        crate::backend::set_workers(self.workers.unwrap_or(0));
        match self.command {
            Command::Check(args) => check::run(&args),
            Command::Train(args) => train::run(&args),
            Command::Eval(args) => eval::run(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Score(args) => score::run(&args),
            Command::Sample(args) => sample::run(&args),
            Command::Encode(args) => encode::run(&args),
            Command::Decode(args) => decode::run(&args),
            Command::Reconstruct(args) => reconstruct::run(&args),
            Command::Interpolate(args) => interpolate::run(&args),
            Command::Manipulate(args) => manipulate::run(&args),
            Command::Density(args) => density::run(&args),
            Command::Plot(args) => plot::run(&args),
            Command::Bench(args) => bench::run(&args),
            Command::Ablate(args) => ablate::run(&args),
            Command::Data(args) => data::run(&args),
            Command::RunOfGrid(args) => run_of_grid::run(&args),
        }
    }
}
