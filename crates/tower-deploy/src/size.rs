//! Sizes in files.

use std::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A number of bytes in a file, such as `500`, `64k`, `64 KiB` or `10 MB`.
///
/// | unit | is a power of |
/// |---|---|
/// | `k`, `M`, `G`, `T`, `P`, `E` | 1024: `64k` is 65,536 |
/// | `KiB`, `MiB`, `GiB`, `TiB`, `PiB`, `EiB` | 1024: `64 KiB` is 65,536 |
/// | `kB`, `MB`, `GB`, `TB`, `PB`, `EB` | 1000: `64 kB` is 64,000 |
/// | `B`, or none | – |
///
/// Upper and lower case mean the same. There may be spaces before the unit. A number may have a
/// fraction. A part of a byte is dropped.
///
/// ```
/// use tower_deploy::Size;
///
/// assert_eq!("64k".parse(), Ok(Size::new(65_536)));
/// assert_eq!("64 kB".parse(), Ok(Size::new(64_000)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// The error of a text that is not a [`Size`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSizeError {
    text: String,
}

const UNITS: [char; 6] = ['k', 'm', 'g', 't', 'p', 'e'];

impl Size {
    /// Returns the size of a number of bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Returns the number of bytes of a unit.
fn unit(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    if text.is_empty() || text == "b" {
        return Some(1);
    }
    let (base, letter) = match text.strip_suffix('b') {
        None => (1024_u64, &*text),
        Some(text) => match text.strip_suffix('i') {
            Some(text) => (1024, text),
            None => (1000, text),
        },
    };
    let mut letters = letter.chars();
    let (letter, None) = (letters.next()?, letters.next()) else {
        return None;
    };
    let power = UNITS.iter().position(|unit| *unit == letter)?;
    (0..=power).try_fold(1_u64, |bytes, _| bytes.checked_mul(base))
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit(rest.trim_start())?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    // Below 10^18 nothing here overflows.
    let digits = u32::try_from(fraction.len())
        .ok()
        .filter(|digits| *digits <= 18)?;
    let fraction: u64 = fraction.parse().ok()?;
    let part = u128::from(fraction) * u128::from(unit) / 10_u128.pow(digits);
    let part = u64::try_from(part).ok()?;
    whole.checked_mul(unit)?.checked_add(part)
}

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let size = parse(text).map(Self);
        size.ok_or_else(|| ParseSizeError {
            text: text.to_owned(),
        })
    }
}

/// Writes the size with the largest unit that needs no fraction.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for unit in [
            "EiB", "EB", "PiB", "PB", "TiB", "TB", "GiB", "GB", "MiB", "MB", "KiB", "kB",
        ] {
            if let Some(bytes) = self::unit(unit)
                && self.0 > 0
                && self.0.is_multiple_of(bytes)
            {
                return write!(f, "{} {unit}", self.0 / bytes);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ParseSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.text {
            "" => f.write_str("it is empty, and not a size")?,
            text => write!(f, "`{text}` is not a size")?,
        }
        f.write_str(", such as 500, 64k or 64 KiB (65,536 bytes), or 64 kB (64,000 bytes)")
    }
}

impl Error for ParseSizeError {}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_11_a_size_is_a_number_and_a_unit() {
        for (text, bytes, shown) in [
            ("0", 0, "0"),
            ("500", 500, "500"),
            ("500 B", 500, "500"),
            ("1b", 1, "1"),
            ("64k", 65_536, "64 KiB"),
            ("64K", 65_536, "64 KiB"),
            ("64 KiB", 65_536, "64 KiB"),
            ("64kib", 65_536, "64 KiB"),
            ("64 kB", 64_000, "64 kB"),
            ("64KB", 64_000, "64 kB"),
            ("1M", 1_048_576, "1 MiB"),
            ("1m", 1_048_576, "1 MiB"),
            (" 1  MiB ", 1_048_576, "1 MiB"),
            ("1 MB", 1_000_000, "1 MB"),
            ("1.5 MB", 1_500_000, "1500 kB"),
            ("1.5k", 1_536, "1536"),
            ("0.3 KiB", 307, "307"),
            ("2g", 2 << 30, "2 GiB"),
            ("3 TB", 3_000_000_000_000, "3 TB"),
            ("1p", 1 << 50, "1 PiB"),
            ("15 EiB", 15 << 60, "15 EiB"),
            ("18446744073709551615", u64::MAX, "18446744073709551615"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size, Size::new(bytes), "{text}");
            assert_eq!(size.to_string(), shown, "{text}");
            assert_eq!(shown.parse(), Ok(size), "{text}");
        }
    }

    #[test]
    fn deploy_11_a_text_that_is_no_size_is_an_error() {
        for text in [
            "k",
            "-1",
            "+1",
            "1e3",
            "1.",
            ".5",
            "1.2.3",
            "1,5k",
            "64 kk",
            "64 kiBs",
            "10 MBs",
            "ten",
            "64 kib b",
            "16 EiB",
            "18446744073709551616",
            "1x",
            "1 i",
            "1 ib",
            "1ſ",
            "1.0000000000000000000",
        ] {
            let error = text.parse::<Size>().unwrap_err();
            let expected = format!(
                "`{text}` is not a size, such as 500, 64k or 64 KiB (65,536 bytes), or 64 kB \
                 (64,000 bytes)"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
