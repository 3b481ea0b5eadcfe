//! Lists of which images have which attributes: CSV, and CelebA's own `list_attr_celeba.txt`.
//!
//! CSV, parted by commas, semicolons or tabs, has a line of headings; its first column names the image, the others are attributes. CelebA's list has the number
//! of its images in the first line, the attributes in the second, and after that a line an image, parted by spaces.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::pictures::ENDINGS;
use crate::error::{Error, Result};
use crate::files::read_text;

/// A list of images and their attributes, as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    path: PathBuf,
    names: Vec<String>,
    rows: Vec<Row>,
}

/// What a line says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    line: u64,
    image: String,
    has: Vec<bool>,
}

/// The attributes of the images of some data, as far as they are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// For each image of the data what its line says.
    rows: Vec<Option<&'a Row>>,
    /// What to say of lines whose image is not in the data, if there is one.
    pub left_out: Option<String>,
}

impl Attributes {
    /// Reads a list. An attribute is `1`, `true` or `yes` where an image has it, `0`, `-1`, `false` or `no` where not.
    ///
    /// # Errors
    /// [`Error::BadFile`], with the line, for what is not text, has no attribute or no image, names an image or an
    /// attribute twice, or has a line of another length or a value that is none of these; [`Error::Io`] for what cannot
    /// be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = &read_text(path)?;
        let first = text.lines().next().unwrap_or_default().trim();
        let (lines, count) = match first.parse::<u64>() {
            Ok(count) => (in_columns(text), Some(count)),
            Err(_) => (separated(path, text)?, None),
        };
        let mut lines = lines.into_iter();
        let (line, mut names) = lines.next().unwrap_or((1, Vec::new()));
        if count.is_none() && !names.is_empty() {
            names.remove(0);
        }
        if names.is_empty() {
            let expected = "expected a line of headings, the image's and one for each attribute, parted by commas, semicolons or tabs";
            return Err(bad(path, line, &format!("it names no attribute: {expected}")));
        }
        let mut seen = HashSet::new();
        if let Some(name) = names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
            let reason =
                if name.is_empty() { "an attribute has no name".into() } else { format!("`{name}` is there twice") };
            return Err(bad(path, line, &reason));
        }
        let rows = lines.map(|(line, fields)| row(path, line, &fields, &names)).collect::<Result<Vec<_>>>()?;
        expect_once(path, &rows)?;
        match count {
            _ if rows.is_empty() => Err(bad(path, line, "no image is listed after it")),
            Some(count) if count != rows.len() as u64 => {
                Err(bad(path, 1, &format!("it says {count} images, and {} are listed", rows.len())))
            }
            _ => Ok(Self { path: path.to_path_buf(), names, rows }),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The attributes, in the order of the list.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The attributes of pictures in `folder`. A list names a picture by its path within the folder or by its name alone,
    /// with its ending, another picture's or none.
    ///
    /// # Errors
    /// [`Error::BadFile`], with the line, where a name is that of two pictures, a picture is listed twice, or no picture is
    /// listed.
    pub fn of_files(&self, folder: &Path, files: &[PathBuf]) -> Result<Listed<'_>> {
        let (mut by_path, mut by_name): (HashMap<String, usize>, HashMap<String, Vec<usize>>) = Default::default();
        let within = |file: &Path| slashed(&file.strip_prefix(folder).unwrap_or(file).to_string_lossy());
        for (i, file) in files.iter().enumerate() {
            let path = within(file);
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            let mut others = vec![name.clone(), bare(&name).to_owned(), bare(&path).to_owned()];
            others.sort();
            others.dedup();
            others.into_iter().for_each(|other| by_name.entry(other).or_default().push(i));
            by_path.insert(path, i);
        }
        let find = |row: &Row| {
            let image = slashed(&row.image);
            let found = by_name.get(&image).or_else(|| by_name.get(bare(&image)));
            match (by_path.get(&image), found.map(Vec::as_slice)) {
                (Some(&i), _) | (None, Some(&[i])) => Ok(Some(i)),
                (None, Some(&[a, b, ..])) => {
                    let (a, b) = (within(&files[a]), within(&files[b]));
                    let reason = format!("`{}` is {a} as well as {b}: write the path within the folder", row.image);
                    Err(bad(&self.path, row.line, &reason))
                }
                _ => Ok(None),
            }
        };
        self.matched(files.len(), find, || {
            format!("such as `{}`", within(files.first().map_or(folder, PathBuf::as_path)))
        })
    }

    /// The attributes of `count` images that are not in a file each. A list names an image by its number, counted from 0.
    ///
    /// # Errors
    /// [`Error::BadFile`], with the line, where an image is listed twice, or none is listed.
    pub fn of_numbers(&self, count: usize) -> Result<Listed<'_>> {
        let find = |row: &Row| Ok(row.image.parse().ok().filter(|&i: &usize| i < count));
        self.matched(count, find, || format!("which go by number, 0 to {}", count.saturating_sub(1)))
    }

    /// Lines by image, where `find` says which image each is of; `images` says how images are named.
    fn matched(
        &self,
        count: usize,
        find: impl Fn(&Row) -> Result<Option<usize>>,
        images: impl Fn() -> String,
    ) -> Result<Listed<'_>> {
        let (mut rows, mut left_out) = (vec![None::<&Row>; count], Vec::new());
        for row in &self.rows {
            let Some(i) = find(row)? else {
                left_out.push(row);
                continue;
            };
            if let Some(before) = rows[i].replace(row) {
                let reason = format!("`{}` is the image of line {}, `{}`", row.image, before.line, before.image);
                return Err(bad(&self.path, row.line, &reason));
            }
        }
        let Some(first) = left_out.first() else { return Ok(Listed { rows, left_out: None }) };
        let (all, line, image) = (self.rows.len(), first.line, &first.image);
        if left_out.len() == all {
            let reason = format!("`{image}`, as all {all} that are listed, is not in the data, {}", images());
            return Err(bad(&self.path, line, &reason));
        }
        let (path, n) = (self.path.display(), left_out.len());
        let are = if n == 1 { "is" } else { "are" };
        let words = format!("{path}: {n} of {all} images {are} not in the data; the first is `{image}` in line {line}");
        Ok(Listed { rows, left_out: Some(words) })
    }
}

impl Listed<'_> {
    /// The listed images of the first `count` of the data for which `which` is true of their attributes, by number.
    pub fn images(&self, count: usize, which: impl Fn(&[bool]) -> bool) -> Vec<usize> {
        let is = |row: &Option<&Row>| row.is_some_and(|row| which(&row.has));
        self.rows.iter().take(count).enumerate().filter(|(_, row)| is(row)).map(|(i, _)| i).collect()
    }
}

fn bad(path: &Path, line: u64, reason: &str) -> Error {
    Error::bad_file(path, format!("line {line}: {reason}"))
}

/// What parts the fields of CSV, by its first line: whichever of comma, semicolon and tab is there most often outside of
/// quotes, and of those as often as each other the first.
fn delimiter(text: &str) -> u8 {
    let bare: String = text.lines().next().unwrap_or_default().split('"').step_by(2).collect();
    let often = |delimiter: u8| bare.bytes().filter(|byte| *byte == delimiter).count();
    b"\t;,".iter().copied().max_by_key(|&delimiter| often(delimiter)).unwrap_or(b',')
}

/// The fields of CSV, with the line that each row begins in.
pub(super) fn separated(path: &Path, text: &str) -> Result<Vec<(u64, Vec<String>)>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(text))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let fields = |record: csv::Result<csv::StringRecord>| {
        let record = record.map_err(|error| Error::bad_file(path, error.to_string()))?;
        // A record's position is where the one before ended: blank lines may follow.
        let (byte, line) = record.position().map_or((0, 1), |at| (at.byte() as usize, at.line()));
        let ends = text.bytes().skip(byte).take_while(|byte| b"\r\n".contains(byte));
        let line = line + ends.filter(|byte| *byte == b'\n').count() as u64;
        Ok((line, record.iter().map(str::to_owned).collect()))
    };
    reader.records().map(fields).collect()
}

/// The fields of CelebA's list, parted by spaces, from its second line on.
fn in_columns(text: &str) -> Vec<(u64, Vec<String>)> {
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines = (1..).zip(text.lines()).skip(1).map(|(number, line)| (number, fields(line)));
    lines.filter(|(_, fields)| !fields.is_empty()).collect()
}

fn row(path: &Path, line: u64, fields: &[String], names: &[String]) -> Result<Row> {
    let (expected, found) = (names.len() + 1, fields.len());
    let [image, values @ ..] = fields else { return Err(bad(path, line, "it is empty")) };
    if found != expected {
        let reason = format!("it has {found} columns; the image and {} attributes are {expected}", names.len());
        return Err(bad(path, line, &reason));
    }
    let value = |(value, name): (&String, &String)| match value.to_lowercase().as_str() {
        "1" | "true" | "yes" => Ok(true),
        "0" | "-1" | "false" | "no" => Ok(false),
        _ => {
            let expected = "expected 1 or 0, 1 or -1, true or false, yes or no";
            Err(bad(path, line, &format!("`{name}` is `{value}`; {expected}")))
        }
    };
    let has = values.iter().zip(names).map(value).collect::<Result<_>>()?;
    Ok(Row { line, image: image.clone(), has })
}

/// Refuses an image that is listed twice under one name.
fn expect_once(path: &Path, rows: &[Row]) -> Result<()> {
    let mut lines = HashMap::new();
    for row in rows {
        if let Some(before) = lines.insert(row.image.as_str(), row.line) {
            return Err(bad(path, row.line, &format!("`{}` is listed already, in line {before}", row.image)));
        }
    }
    Ok(())
}

/// A path with slashes, from the folder on.
fn slashed(path: &str) -> String {
    let path = path.replace('\\', "/");
    path.strip_prefix("./").unwrap_or(&path).to_owned()
}

/// A name without a picture's ending.
fn bare(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((bare, ending)) if ENDINGS.contains(&&*ending.to_lowercase()) => bare,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from a file of this text, or the refusal.
    fn attributes(text: &str) -> std::result::Result<Attributes, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        std::fs::write(&path, text).unwrap();
        Attributes::read(&path).map_err(|error| {
            assert!(error.is_input(), "{error}");
            error.to_string().split_once("list.csv: ").unwrap().1.to_owned()
        })
    }

    fn having(listed: &Listed, attribute: usize) -> Vec<usize> {
        listed.images(usize::MAX, |has| has[attribute])
    }

    const FOLDER: &str = "faces";

    fn files() -> Vec<PathBuf> {
        ["b/1.png", "a/2.jpg", "a/3.PNG", "b/3.png"].iter().map(|path| Path::new(FOLDER).join(path)).collect()
    }

    #[test]
    fn a_list_is_csv_with_any_words_for_yes_and_no() {
        let list =
            attributes("\u{feff}image, Smiling,\"a \"\"b\"\"\"\r\n0,1,-1\r\n\"1\",TRUE,no\r\n2, 0,yes\r\n").unwrap();
        assert_eq!(list.names(), ["Smiling", "a \"b\""]);
        let listed = list.of_numbers(4).unwrap();
        assert_eq!((having(&listed, 0), having(&listed, 1), listed.left_out.clone()), (vec![0, 1], vec![2], None));
        assert_eq!(listed.images(2, |has| !has[1]), [0, 1]);
    }

    #[test]
    fn fields_are_parted_by_what_parts_the_headings() {
        for text in [
            "image,\"Cats; or dogs\",B\n\"a;b\",1,0\n",
            "image;Cats, or dogs;B\na,b;1;0\n",
            "image\t\"Cats, or; dogs\"\tB\na,b\t1\t0\n",
        ] {
            let list = attributes(text).unwrap();
            assert_eq!((list.names().len(), list.names()[1].as_str()), (2, "B"), "{text}");
            assert_eq!(list.rows[0].has, [true, false], "{text}");
        }
    }

    #[test]
    fn celebas_own_list_is_known_by_its_first_line() {
        let list = attributes("2\n5_o_Clock_Shadow Smiling \n000001.jpg -1  1\n000002.jpg  1 -1\n").unwrap();
        assert_eq!(list.names(), ["5_o_Clock_Shadow", "Smiling"]);
        let files = ["x/000002.png", "x/000001.png"].map(PathBuf::from);
        assert_eq!(having(&list.of_files(Path::new("x"), &files).unwrap(), 1), [1], "under another ending");
        assert_eq!(attributes("3\nA\na.jpg 1\nb.jpg 1").unwrap_err(), "line 1: it says 3 images, and 2 are listed");
        assert_eq!(
            attributes("1\nA B\na.jpg 1").unwrap_err(),
            "line 3: it has 2 columns; the image and 2 attributes are 3"
        );
    }

    #[test]
    fn pictures_go_by_path_or_name_with_an_ending_or_without() {
        let of = |names: &str| {
            let rows: String = names.split(' ').map(|name| format!("{name},1\n")).collect();
            let list = attributes(&format!("image,A\n{rows}")).unwrap();
            list.of_files(Path::new(FOLDER), &files())
                .map(|listed| (having(&listed, 0), listed.left_out.is_some()))
                .map_err(|error| error.to_string())
        };
        assert_eq!(of("1.png"), Ok((vec![0], false)));
        assert_eq!(of("./b/1 2"), Ok((vec![0, 1], false)));
        assert_eq!(of("b/3.png 1.jpg a\\3"), Ok((vec![0, 2, 3], false)));
        assert_eq!(of("2 4 c/1.png"), Ok((vec![1], true)));
        assert!(of("3").unwrap_err().contains("line 2: `3` is a/3.PNG as well as b/3.png"));
        assert!(of("1 2 b/1.png").unwrap_err().contains("line 4: `b/1.png` is the image of line 2, `1`"));
        assert!(
            of("8 9")
                .unwrap_err()
                .contains("line 2: `8`, as all 2 that are listed, is not in the data, such as `b/1.png`")
        );
    }

    #[test]
    fn images_that_are_not_in_the_data_are_counted() {
        let list = attributes("image,A\n0,1\nx.png,1\n7,0\n").unwrap();
        let words = list.of_numbers(2).unwrap().left_out.unwrap();
        assert!(
            words.ends_with("list.csv: 2 of 3 images are not in the data; the first is `x.png` in line 3"),
            "{words}"
        );
        let none = attributes("image,A\nx.png,1\n").unwrap().of_numbers(2).unwrap_err().to_string();
        assert!(none.contains("which go by number, 0 to 1"), "{none}");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, words) in [
            ("", "line 1: it names no attribute"),
            ("image\na\n", "line 1: it names no attribute"),
            ("image A\na 1\n", "line 1: it names no attribute"),
            ("image;A\na;1\nb;1,5\n", "line 3: `A` is `1,5`"),
            ("image\tA\na\t1\t0\n", "line 2: it has 3 columns"),
            ("image,A\n", "line 1: no image is listed"),
            ("image,A,A\na,1,1\n", "line 1: `A` is there twice"),
            ("image,A,\na,1,1\n", "line 1: an attribute has no name"),
            ("image,A\na,1\n\nb,2\n", "line 4: `A` is `2`; expected 1 or 0"),
            ("image,A\r\na,1\r\n\r\nb,2\r\n", "line 4: `A` is `2`"),
            ("image,A\na,\n", "line 2: `A` is ``"),
            ("image,A\na,1\nb,1,0\n", "line 3: it has 3 columns; the image and 1 attributes are 2"),
            ("image,A\na,1\nb,0\na,0\n", "line 4: `a` is listed already, in line 2"),
        ] {
            let message = attributes(text).unwrap_err();
            assert!(message.starts_with(words), "{text:?}: {message}");
        }
    }
}
