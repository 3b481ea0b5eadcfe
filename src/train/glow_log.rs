//! Logs of openai/glow, to lay a published learning curve beside one's own.
//!
//! Its `train.py` writes `train.txt` and `test.txt`: a first line with the settings of the run, then a line for each
//! epoch that was logged, each a JSON object. Numbers of results are texts with four decimals:
//!
//! ```text
//! {"epoch": 50, "n_processed": 2500000, "n_images": 2500000, "loss": "3.4531", "bits_x": "3.4531", …}
//! ```
//!
//! `train.txt` has `train_time` as well: seconds of training, without tests.

use super::XAxis;
use crate::plot::Series;
use crate::{Error, Result, files};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::path::Path;

/// What a line says of an epoch.
#[derive(Deserialize)]
struct Line {
    /// Counted in images as if they were of 32×32.
    epoch: f64,
    /// Seen in training so far.
    n_images: f64,
    /// Bits per dimension.
    #[serde(deserialize_with = "number")]
    bits_x: f64,
    /// Seconds of training so far.
    train_time: Option<f64>,
}

/// A number, or the text of one; `"nan"` and `"inf"` are numbers too.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    number.ok_or_else(|| serde::de::Error::custom(format!("expected a number, found {value}")))
}

/// The curve of a log, `bits_x` in bits/dim.
///
/// An epoch is a pass over the training data where the settings say how many those are; otherwise it is what the log
/// calls one, which for images larger than 32×32 is less. A last line that was cut off is left out.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read; [`Error::BadFile`] with the line that is not of such a log, or where it
/// does not say what the axis asks for; [`Error::Usage`] for steps, which no log has.
pub fn glow_log_series(path: &Path, label: &str, axis: XAxis) -> Result<Series> {
    if axis == XAxis::Step {
        let message = "a log says epochs and images and no steps: draw it with --x epoch";
        return Err(Error::Usage(format!("{}: {message}", path.display())));
    }
    let text = files::read_text(path)?;
    let wrong = |line: usize, reason: String| Error::bad_file(path, format!("line {line}: {reason}"));
    let (mut images_per_epoch, mut points) = (None, Vec::<(f64, f64)>::new());
    for (at, line) in text.split_inclusive('\n').enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = at + 1;
        let value: Value = match serde_json::from_str(line) {
            Ok(value @ Value::Object(_)) => value,
            Err(_) if !line.ends_with('\n') && at > 0 => break,
            _ => {
                let form = "a line of settings, then one with epoch, n_images and bits_x for each test";
                return Err(wrong(number, format!("expected a JSON object of openai/glow's log: {form}")));
            }
        };
        if at == 0 && value.get("epoch").is_none() && value.get("bits_x").is_none() {
            images_per_epoch = value.get("n_train").and_then(Value::as_f64).filter(|n| *n > 0.0);
            continue;
        }
        let line: Line = serde_json::from_value(value).map_err(|error| wrong(number, error.to_string()))?;
        let x = match axis {
            XAxis::Seconds => line.train_time.ok_or_else(|| {
                wrong(number, "no train_time, which train.txt has and test.txt has not: draw it with --x epoch".into())
            })?,
            _ => images_per_epoch.map_or(line.epoch, |images| line.n_images / images),
        };
        if let Some((before, _)) = points.last().filter(|(before, _)| x < *before) {
            let reason = format!("{} {x} comes after {before}: are these two logs in one file?", axis.label());
            return Err(wrong(number, reason));
        }
        points.push((x, line.bits_x));
    }
    if points.is_empty() {
        return Err(Error::bad_file(path, "the log holds no results"));
    }
    Ok(Series { label: label.to_owned(), points, ..Series::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = "{\"problem\": \"cifar10\", \"n_train\": 50000, \"epochs\": 1000000}\n";
    const FIRST: &str = "{\"epoch\": 50, \"n_processed\": 2500000, \"n_images\": 2500000, \"loss\": \"3.4531\", \
                         \"bits_x\": \"3.4531\", \"bits_y\": \"0.0000\", \"pred_loss\": \"1.0000\"}\n";
    const SECOND: &str = "{\"epoch\": 100, \"n_images\": 5000000, \"bits_x\": 3.4}\n";

    fn read(text: &str, axis: XAxis) -> Result<Series> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.txt");
        std::fs::write(&path, text).unwrap();
        glow_log_series(&path, "published", axis)
    }

    fn points(text: &str) -> Vec<(f64, f64)> {
        read(text, XAxis::Epoch).unwrap().points
    }

    fn complaint(text: &str, axis: XAxis) -> String {
        let error = read(text, axis).unwrap_err();
        assert!(error.is_input());
        error.to_string()
    }

    #[test]
    fn a_log_is_its_bits_against_epochs() {
        let both = [(50.0, 3.4531), (100.0, 3.4)];
        assert_eq!(points(&[SETTINGS, FIRST, SECOND].concat()), both);
        assert_eq!(points(&[FIRST, "\n", SECOND].concat()), both, "without settings, and with an empty line");
        assert_eq!(points(&[SETTINGS, FIRST, SECOND, &FIRST[..40]].concat()), both, "the last line is cut off");
    }

    #[test]
    fn an_epoch_is_a_pass_over_the_data_where_the_log_can_tell() {
        let settings = "{\"problem\": \"lsun\", \"n_train\": 1000000, \"image_size\": 64}\n";
        assert_eq!(points(&[settings, FIRST, SECOND].concat()), [(2.5, 3.4531), (5.0, 3.4)]);
    }

    #[test]
    fn results_that_are_not_finite_break_the_line_and_nothing_else() {
        let text = [FIRST, &SECOND.replace("3.4", "\"nan\"")].concat();
        assert!(points(&text)[1].1.is_nan());
    }

    #[test]
    fn seconds_are_those_of_a_training_log() {
        let timed = FIRST.replace("\"loss\"", "\"train_time\": 3600, \"loss\"");
        assert_eq!(read(&[SETTINGS, &timed].concat(), XAxis::Seconds).unwrap().points, [(3600.0, 3.4531)]);
        assert!(complaint(&[SETTINGS, FIRST].concat(), XAxis::Seconds).contains("line 2: no train_time"));
        assert!(complaint(FIRST, XAxis::Step).contains("--x epoch"));
    }

    #[test]
    fn a_broken_log_is_one_error_with_its_line() {
        for (text, words) in [
            ("", "holds no results"),
            (SETTINGS, "holds no results"),
            ("step 1: 3.5\n", "line 1: expected a JSON object"),
            ("[1, 2]\n", "line 1: expected a JSON object"),
            (&[SETTINGS, FIRST, "oops\n", SECOND].concat(), "line 3: expected a JSON object"),
            (&[SETTINGS, "{\"epoch\": 1, \"n_images\": 2}\n"].concat(), "line 2: missing field `bits_x`"),
            (&[SETTINGS, &FIRST.replace("3.4531", "low")].concat(), "line 2: expected a number, found \"low\""),
            (&[SETTINGS, SECOND, FIRST].concat(), "line 3: epoch 50 comes after 100"),
        ] {
            let message = complaint(text, XAxis::Epoch);
            assert!(message.contains("test.txt: ") && message.contains(words), "{words}: {message}");
        }
    }
}
