//! A list of attributes, for images that go by number and for pictures in files.
#![no_main]

use flowstone::data::Attributes;
use flowstone_fuzz::read_file;
use libfuzzer_sys::fuzz_target;
use std::path::{Path, PathBuf};

fuzz_target!(|bytes: &[u8]| {
    let files = ["a/1.png", "a/2.jpg", "b/2.png"].map(PathBuf::from);
    read_file("list.csv", bytes, |path| Attributes::read(path)?.of_numbers(3).map(|listed| listed.images(3, |_| true)));
    read_file("list.csv", bytes, |path| Attributes::read(path)?.of_files(Path::new(""), &files).map(drop));
});
