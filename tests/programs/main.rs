//! What a user meets: the command line, runs and what becomes of them, and files, right and wrong.
//!
//! One program for all, since linking the library takes longer than most of these tests.

mod ablation;
mod arrays;
mod attributes;
mod bad_files;
mod classes;
mod cli;
mod connections;
mod contexts;
mod data;
mod fetch;
mod folders;
mod latent;
mod outputs;
mod parts;
mod pictures;
mod resume;
mod runs;
mod training;
mod vectors;

/// What a program wrote.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
