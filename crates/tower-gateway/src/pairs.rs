//! Names and values, as a web server sends them in FastCGI (specification, section 3.4) and SCGI.

use std::{error::Error, fmt};

/// A name and its value.
pub(crate) type Pair<'a> = (&'a [u8], &'a [u8]);

/// The pairs of a FastCGI stream, which has to be complete. After an error there are none.
pub(crate) struct OfFastCgi<'a>(&'a [u8]);

/// The pairs of an SCGI head, each text of which ends with a NUL. After an error there are none.
pub(crate) struct OfScgi<'a>(&'a [u8]);

/// Returns the pairs of a FastCGI stream.
pub(crate) fn of_fastcgi(bytes: &[u8]) -> OfFastCgi<'_> {
    OfFastCgi(bytes)
}

/// Returns the pairs of an SCGI head.
pub(crate) fn of_scgi(bytes: &[u8]) -> OfScgi<'_> {
    OfScgi(bytes)
}

impl<'a> Iterator for OfFastCgi<'a> {
    type Item = Result<Pair<'a>, PairsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let pair = pair(&mut bytes);
        if pair.is_ok() {
            self.0 = bytes;
        }
        Some(pair)
    }
}

impl<'a> Iterator for OfScgi<'a> {
    type Item = Result<Pair<'a>, PairsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = std::mem::take(&mut self.0);
        if bytes.is_empty() {
            return None;
        }
        let mut texts = bytes.splitn(3, |byte| *byte == 0);
        let (Some(name), Some(value), Some(rest)) = (texts.next(), texts.next(), texts.next())
        else {
            return Some(Err(PairsError::Cut));
        };
        self.0 = rest;
        Some(Ok((name, value)))
    }
}

/// Removes a name and its value.
fn pair<'a>(bytes: &mut &'a [u8]) -> Result<Pair<'a>, PairsError> {
    let name = length(bytes)?;
    let value = length(bytes)?;
    Ok((text(bytes, name)?, text(bytes, value)?))
}

/// Removes a length, of one byte or of four.
fn length(bytes: &mut &[u8]) -> Result<usize, PairsError> {
    if let Some((&short @ 0..128, rest)) = bytes.split_first() {
        *bytes = rest;
        return Ok(short.into());
    }
    let (long, rest) = bytes.split_first_chunk().ok_or(PairsError::Cut)?;
    *bytes = rest;
    let length = u32::from_be_bytes(*long) & 0x7FFF_FFFF;
    usize::try_from(length).map_err(|_| PairsError::Cut)
}

/// Removes a text of this length.
fn text<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], PairsError> {
    let (text, rest) = bytes.split_at_checked(length).ok_or(PairsError::Cut)?;
    *bytes = rest;
    Ok(text)
}

/// Bytes that are not pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairsError {
    /// The last pair is cut.
    Cut,
}

impl fmt::Display for PairsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the variables end within a name or a value")
    }
}

impl Error for PairsError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the pairs, unless one of them is cut. Nothing comes after such a one.
    fn shown<'a>(mut pairs: impl Iterator<Item = Result<Pair<'a>, PairsError>>) -> Option<String> {
        let mut shown = String::new();
        while let Some(pair) = pairs.next() {
            let Ok((name, value)) = pair else {
                assert!(pairs.next().is_none());
                return None;
            };
            shown += &format!("{}={};", name.escape_ascii(), value.escape_ascii());
        }
        Some(shown)
    }

    #[test]
    fn gateway_33_pairs_have_lengths_of_one_or_four_bytes() {
        let long = [&b"\x01\x80\x00\x00\xC8L"[..], &[b'x'; 200]].concat();
        let long_value = format!("L={};", "x".repeat(200));
        for (bytes, expected) in [
            (&b""[..], Some("")),
            (b"\x01\x00A", Some("A=;")),
            (b"\x01\x02AbcB", None),
            (b"\x01\x02Abc\x00\x01Z", Some("A=bc;=Z;")),
            (b"\x80\x00\x00\x01\x01AB", Some("A=B;")),
            (&long, Some(&long_value)),
            (&long[..long.len() - 1], None),
            // A length of two gigabytes takes no memory.
            (b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFA", None),
            (b"\x80\x00\x00", None),
            (b"\x01", None),
        ] {
            assert_eq!(shown(of_fastcgi(bytes)).as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn gateway_35_the_texts_of_scgi_end_with_a_nul() {
        for (bytes, expected) in [
            (&b""[..], Some("")),
            (b"A\x001\x00", Some("A=1;")),
            (b"A\x00\x00B\x002\x00", Some("A=;B=2;")),
            (b"A\x001", None),
            (b"A\x00", None),
            (b"A\x001\x00B\x00", None),
        ] {
            assert_eq!(shown(of_scgi(bytes)).as_deref(), expected, "{bytes:?}");
        }
    }
}
