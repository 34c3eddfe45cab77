//! One file: its type, its version, and whether it is hidden.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use http::HeaderValue;

use crate::{conditions::Validators, files::Charset, version::validators};

/// The number of bytes that are read to find a text's charset.
const LOOKED_AT: u64 = 64 << 10;

/// A file, and the headers of its response.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) length: u64,
    pub(crate) content_type: HeaderValue,
    pub(crate) validators: Validators,
}

impl Opened {
    pub(crate) fn open(path: &Path, charset: &Charset, now: SystemTime) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let length = metadata.len();
        let kind = mime_guess::from_path(path).first_raw();
        let kind = kind.unwrap_or("application/octet-stream");
        let is_text = kind.starts_with("text/");
        let mut beginning = Vec::new();
        if is_text && matches!(charset, Charset::Detected) {
            file.by_ref().take(LOOKED_AT).read_to_end(&mut beginning)?;
        }
        let charset = match charset {
            Charset::Fixed(charset) => Some(&**charset),
            Charset::Detected if is_utf8(&beginning, length) => Some("utf-8"),
            Charset::Detected | Charset::None => None,
        };
        let content_type = match charset {
            Some(charset) if is_text => HeaderValue::try_from(format!("{kind}; charset={charset}"))
                .expect("a charset has no control characters"),
            _ => HeaderValue::from_static(kind),
        };
        let validators = validators(&mut file, &metadata, now)?;
        Ok(Self {
            file,
            length,
            content_type,
            validators,
        })
    }
}

/// Returns whether the beginning of a file of this length is in UTF-8. The last letter may be cut.
fn is_utf8(content: &[u8], length: u64) -> bool {
    let is_cut = (content.len() as u64) < length;
    std::str::from_utf8(content)
        .map_or_else(|error| is_cut && error.error_len().is_none(), |_| true)
}

/// Returns whether a file is one of these, by whatever name, and `true` if that is not known.
pub(crate) fn is_same_as_one_of(file: &Path, metadata: &Metadata, others: &[PathBuf]) -> bool {
    let Ok(own) = id(file, metadata) else {
        return true;
    };
    others.iter().any(|other| {
        let metadata = fs::metadata(other);
        let id = metadata.and_then(|metadata| id(other, &metadata));
        id.is_ok_and(|id| id == own)
    })
}

#[cfg(unix)]
type Id = (u64, u64);

/// Returns what no two files have in common.
#[cfg(unix)]
fn id(_: &Path, metadata: &Metadata) -> io::Result<Id> {
    use std::os::unix::fs::MetadataExt;

    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
type Id = PathBuf;

#[cfg(not(unix))]
fn id(file: &Path, _: &Metadata) -> io::Result<Id> {
    file.canonicalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_8_a_letter_may_be_cut_but_not_broken() {
        for (content, length, expected, why) in [
            (&b""[..], 0, true, "nothing"),
            (b"abc", 3, true, "ASCII"),
            (b"\xc3\xbc", 2, true, "a letter"),
            (b"abc\xc3", 4, false, "half a letter is the end"),
            (b"abc\xc3", 5, true, "the file continues"),
            (b"\xfc", 1, false, "Latin-1"),
            (b"\xfcbc", 9, false, "Latin-1"),
        ] {
            assert_eq!(is_utf8(content, length), expected, "{why}");
        }
    }
}
