//! The command line of Flowstone: parses arguments and calls one command.

use clap::Parser;
use flowstone::cli::Cli;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = if error.is_input() { 2 } else { 1 };
            // If nobody can read it, the exit code still says that it failed.
            let _ = writeln!(std::io::stderr(), "{:?}", miette::Report::new(error));
            ExitCode::from(code)
        }
    }
}
