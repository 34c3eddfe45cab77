//! One file: whether it is there, its compressed variants, its type, and whether it is hidden.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http::HeaderValue;

use crate::{coding::Coding, files::Charset, read};

/// The number of bytes that are read to find a text's charset.
const LOOKED_AT: u64 = 64 << 10;

/// An open file.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    /// The coding of its content, if it is the compressed variant of another file.
    pub(crate) coding: Option<Coding>,
}

/// Opens what a path leads to, and returns why if that cannot be opened but exists: a directory
/// without read permission, or a socket.
pub(crate) fn look(path: &Path) -> io::Result<(io::Result<File>, Metadata)> {
    match read::open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            Ok((Ok(file), metadata))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
        Err(error) => {
            let metadata = fs::metadata(path)?;
            Ok((Err(error), metadata))
        }
    }
}

impl Opened {
    /// Returns the first compressed variant of a file that lies beside it. A variant that is older
    /// than the file was made of other content.
    pub(crate) fn variant(
        path: &Path,
        of: &Metadata,
        codings: &[Coding],
        hidden: &[PathBuf],
    ) -> Option<Self> {
        codings.iter().find_map(|&coding| {
            let mut path = path.as_os_str().to_owned();
            path.push(coding.suffix());
            let path = PathBuf::from(path);
            let file = read::open(&path).ok()?;
            let metadata = file.metadata().ok()?;
            let is_current = match (metadata.modified(), of.modified()) {
                (Ok(own), Ok(plain)) => own >= plain,
                _ => true,
            };
            let is_served =
                metadata.is_file() && is_current && !is_same_as_one_of(&path, &metadata, hidden);
            is_served.then_some(Self {
                file,
                metadata,
                coding: Some(coding),
            })
        })
    }
}

/// Returns the type of a file, with the charset of a text. `beginning` returns that many bytes of
/// the file.
pub(crate) fn content_type(
    path: &Path,
    charset: &Charset,
    length: u64,
    beginning: impl FnOnce(u64) -> io::Result<Bytes>,
) -> io::Result<HeaderValue> {
    let kind = match mime_guess::from_path(path).first_raw() {
        // The type of modules, `.mjs`, has changed (RFC 9239, section 6).
        Some("application/javascript") => "text/javascript",
        Some(kind) => kind,
        None => "application/octet-stream",
    };
    if !kind.starts_with("text/") {
        return Ok(HeaderValue::from_static(kind));
    }
    let charset = match charset {
        Charset::None => None,
        Charset::Fixed(charset) => Some(&**charset),
        Charset::Detected => is_utf8(&beginning(LOOKED_AT.min(length))?, length).then_some("utf-8"),
    };
    Ok(match charset {
        Some(charset) => HeaderValue::try_from(format!("{kind}; charset={charset}"))
            .expect("a charset has no control characters"),
        None => HeaderValue::from_static(kind),
    })
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
