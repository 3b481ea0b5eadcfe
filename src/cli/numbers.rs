//! Numbers of the command line: what they may be, said in words to whom gives another.

/// A whole number of at least `least`.
fn whole(text: &str, least: u64) -> Result<u64, String> {
    let number: Option<u64> = text.trim().parse().ok().filter(|number| *number >= least);
    number.ok_or_else(|| format!("expected a whole number, {least} or more"))
}

/// How many: 1 or more.
pub fn count(text: &str) -> Result<usize, String> {
    counted(text).and_then(|number| usize::try_from(number).map_err(|_| "it is more than there can be".into()))
}

/// The same, of what may be more than memory could hold.
pub fn counted(text: &str) -> Result<u64, String> {
    whole(text, 1)
}

/// How many images: 1 or more.
pub fn images(text: &str) -> Result<usize, String> {
    match text.trim() {
        "0" => Err("that is no images; expected a whole number, 1 or more".into()),
        text => count(text),
    }
}

/// Pictures along a line, whose ends are two.
pub fn along(text: &str) -> Result<usize, String> {
    let number = whole(text, 2).map_err(|expected| format!("{expected}: a line has at least its two ends"))?;
    usize::try_from(number).map_err(|_| "it is more than there can be".into())
}

/// The place of an image among others, counted from 0.
pub fn place(text: &str) -> Result<usize, String> {
    let number = whole(text, 0).map_err(|expected| format!("{expected}: images are counted from 0"))?;
    usize::try_from(number).map_err(|_| "it is more than there can be".into())
}

/// What decides random numbers.
pub fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0)
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|x: &f64| x.is_finite() && *x > 0.0)
        .ok_or_else(|| "expected a number above 0".into())
}

/// A number of 0 or more.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.trim().parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    seconds.ok_or_else(|| "expected a number of seconds, 0 or more".into())
}

/// How far along a direction.
pub fn finite(text: &str) -> Result<f64, String> {
    text.trim().parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(|| "expected a finite number".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_cannot_be_is_answered_with_those_that_can() {
        for text in ["-1", "0", "1.5", "", "many", "1e3", "inf", "99999999999999999999"] {
            assert!(count(text).unwrap_err().contains("1 or more"), "{text}");
            assert!(images(text).unwrap_err().contains("1 or more"), "{text}");
            assert!(along(text).unwrap_err().contains("2 or more"), "{text}");
        }
        assert!(along("1").is_err() && place("-1").is_err() && seed("-1").is_err());
        for text in ["0", "-1", "nan", "inf", "-inf", ""] {
            assert!(positive(text).is_err(), "{text}");
        }
        assert!(["nan", "inf", "x"].iter().all(|text| finite(text).is_err() && seconds(text).is_err()));
        assert!(seconds("-1").is_err());
    }

    #[test]
    fn numbers_are_read_as_they_are() {
        assert_eq!(
            (count("1"), along("2"), place("0"), seed("18446744073709551615")),
            (Ok(1), Ok(2), Ok(0), Ok(u64::MAX))
        );
        assert_eq!((positive("1e-3"), finite("-2"), seconds("0")), (Ok(1e-3), Ok(-2.0), Ok(0.0)));
    }
}
