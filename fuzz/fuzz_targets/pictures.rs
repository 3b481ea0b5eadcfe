//! A picture of any kind as the one to train on: its content says which kind it is.
#![no_main]

use flowstone::data;
use flowstone_fuzz::read_folder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let right = include_bytes!("../seeds/pictures/grey.png");
    let files = [("train/a.png", bytes), ("test/b.png", &right[..])];
    read_folder(&files, |folder| data::open_as(&format!("images:{}", folder.display()), &data::Opening { shape: Some([4, 4, 3]), ..data::Opening::default() }));
});
