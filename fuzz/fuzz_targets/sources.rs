//! A list of sources is refused where it is wrong, or every file in it has a plain name, a checksum and an address.
#![no_main]

use flowstone::data::SourceList;
use flowstone_fuzz::answered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some(list) = answered(SourceList::parse("fuzz.ron", text), "fuzz.ron") else { return };
    for file in list.sets.iter().flat_map(|set| &set.files) {
        let is_plain = !file.result().contains(['/', '\\']) && !file.result().starts_with('.');
        assert!(is_plain && file.sha256.len() == 64 && !file.urls.is_empty(), "{file:?}");
    }
});
