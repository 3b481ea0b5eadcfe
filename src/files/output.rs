//! Where a file is to be written: whether that can be, before there is anything to write.

use std::path::Path;

use super::new_file_in;

/// The ending of a file's name, in small letters; none where the name has no ending.
pub fn ending(path: &Path) -> Option<String> {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase())
}

/// Whether a file of this name can be written, and its ending is one of `endings`. A name without an ending says nothing
/// of what is in the file, and may be any.
///
/// # Errors
/// What is wrong, in words: another ending; no name; a folder or a device; in a folder that is missing or takes no file.
pub fn expect_output(path: &Path, endings: &[&str]) -> std::result::Result<(), String> {
    if let Some(found) = ending(path).filter(|ending| !endings.contains(&ending.as_str())) {
        let could = endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ");
        return Err(format!("a file whose name ends in .{found} is not written here; name it {could}"));
    }
    match path.metadata() {
        Ok(there) if there.is_dir() => return Err("it is a folder; name a file, such as one in it".into()),
        Ok(there) if !there.is_file() => return Err("it is a device or a pipe; name a file".into()),
        _ => {}
    }
    if path.file_name().is_none() {
        return Err("expected the name of a file".into());
    }
    let folder = folder_of(path);
    let name = folder.display();
    match folder.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("there is no folder {name}; make it first"));
        }
        Err(error) => return Err(format!("the folder {name}: {error}")),
        Ok(there) if !there.is_dir() => return Err(format!("{name} is not a folder")),
        Ok(_) => {}
    }
    // What a folder allows is known for certain only by trying.
    new_file_in(folder).map(drop).map_err(|error| format!("the folder {name} takes no file: {error}"))
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_a_file_of_a_known_ending_in_a_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| expect_output(&folder.path().join(name), &["png", "jpg"]);
        std::fs::write(folder.path().join("old.png"), b"old").unwrap();
        std::fs::create_dir(folder.path().join("taken.png")).unwrap();
        for name in ["new.png", "new.JPG", "old.png", "new", ".hidden"] {
            assert_eq!(at(name), Ok(()), "{name}");
        }
        for (name, words) in [
            ("new.bmp", "name it .png, .jpg"),
            ("taken.png", "it is a folder"),
            ("missing/new.png", "there is no folder"),
            ("old.png/new.png", "is not a folder"),
            ("taken.png/..", "it is a folder"),
            ("new.png/..", "name of a file"),
        ] {
            let message = at(name).unwrap_err();
            assert!(message.contains(words), "{name}: {message}");
        }
        assert_eq!(std::fs::read(folder.path().join("old.png")).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "trying leaves nothing");
        assert!(expect_output(Path::new(""), &["png"]).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_and_folders_that_take_no_file_are_refused() {
        let words = |path: &str| expect_output(Path::new(path), &["png"]).unwrap_err();
        assert!(words("/dev/null").contains("a device or a pipe"));
        let message = words("/proc/new.png");
        assert!(message.contains("the folder /proc takes no file") && !message.contains("flowstone-"), "{message}");
    }
}
