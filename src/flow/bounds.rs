//! Readers that refuse a value out of bounds while it is read, so that the error stands at the value itself.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    marker::PhantomData,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

/// A bound, in words and as a test.
struct Bound<T> {
    expected: &'static str,
    holds: fn(&T) -> bool,
}

impl<T: Display> Bound<T> {
    fn check<E: serde::de::Error>(&self, value: &T) -> Result<(), E> {
        let Self { expected, holds } = self;
        if holds(value) { Ok(()) } else { Err(E::custom(format!("expected {expected}, found {value}"))) }
    }

    fn read<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<T, D::Error>
    where
        T: Deserialize<'de>,
    {
        let value = T::deserialize(deserializer)?;
        self.check(&value).map(|()| value)
    }

    fn read_optional<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Option<T>, D::Error>
    where
        T: Deserialize<'de>,
    {
        let value = Option::<T>::deserialize(deserializer)?;
        value.as_ref().map_or(Ok(()), |value| self.check(value)).map(|()| value)
    }
}

const COUNT: Bound<usize> = Bound { expected: "a whole number of at least 1", holds: |&n| n >= 1 };
/// Sizes whose products are computed: beyond it nothing could be allocated anyway.
const SIZE: Bound<usize> = Bound { expected: "at most 1048576", holds: |&n| n <= 1 << 20 };
const BITS: Bound<u32> = Bound { expected: "1 to 8 bits", holds: |n| matches!(n, 1..=8) };
const BINS: Bound<u32> = Bound { expected: "2 to 256 bins", holds: |n| matches!(n, 2..=256) };
const POSITIVE: Bound<f64> = Bound { expected: "a finite number above 0", holds: |&x| x > 0.0 && x.is_finite() };
const NOT_NEGATIVE: Bound<f64> =
    Bound { expected: "a finite number of at least 0", holds: |&x| x >= 0.0 && x.is_finite() };
const SPLINE_BINS: Bound<usize> = Bound { expected: "a number from 1 to 32", holds: |n| (1..=32).contains(n) };
const PARTS: Bound<usize> = Bound { expected: "a number from 1 to 64", holds: |n| (1..=64).contains(n) };
const SHARE: Bound<f64> = Bound { expected: "a share from 0 to below 1", holds: |&x| (0.0..1.0).contains(&x) };
const INSIDE: Bound<f64> = Bound { expected: "a number above 0 and below 1", holds: |&x| x > 0.0 && x < 1.0 };
const DECAY: Bound<f64> = Bound { expected: "a number from 0 to below 1", holds: |&x| (0.0..1.0).contains(&x) };

/// A field that is there, of which there need not be any.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    COUNT.read(deserializer)
}

pub fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let size = count(deserializer)?;
    SIZE.check(&size).map(|()| size)
}

/// A list of sizes, no longer than any network has layers.
pub fn sizes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    let sizes = Vec::<usize>::deserialize(deserializer)?;
    sizes.iter().try_for_each(|size| COUNT.check(size).and_then(|()| SIZE.check(size)))?;
    if sizes.len() > 64 {
        return Err(D::Error::custom(format!("expected at most 64 sizes, found {}", sizes.len())));
    }
    Ok(sizes)
}

pub fn spline_bins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    SPLINE_BINS.read(deserializer)
}

pub fn parts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    PARTS.read(deserializer)
}

pub fn inside<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    INSIDE.read(deserializer)
}

pub fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    POSITIVE.read(deserializer)
}

pub fn not_negative<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    NOT_NEGATIVE.read(deserializer)
}

pub fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    SHARE.read(deserializer)
}

pub fn decay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    DECAY.read(deserializer)
}

pub fn optional_bits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    BITS.read_optional(deserializer)
}

pub fn optional_bins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    BINS.read_optional(deserializer)
}

pub fn optional_levels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    BINS.read_optional(deserializer)
}

pub fn optional_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    COUNT.read_optional(deserializer)
}

pub fn optional_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let size = optional_count(deserializer)?;
    size.as_ref().map_or(Ok(()), |size| SIZE.check(size)).map(|()| size)
}

pub fn optional_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    POSITIVE.read_optional(deserializer)
}

pub fn optional_decay<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    DECAY.read_optional(deserializer)
}

/// A map as written. ron by itself would keep the last of two values of one name, and say nothing.
pub fn no_name_twice<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct NoneTwice<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for NoneTwice<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("names with their values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut read = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if read.contains_key(&name) {
                    return Err(A::Error::custom(format!("`{name}` is defined twice")));
                }
                read.insert(name, map.next_value()?);
            }
            Ok(read)
        }
    }

    deserializer.deserialize_map(NoneTwice(PhantomData))
}
