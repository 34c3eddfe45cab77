//! Files as text.

use std::{
    fmt, fs,
    io::{self, Read as _},
    path::Path,
};

use crate::{Error, ErrorKind};

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: u64 = 1 << 20;

/// A function that reads a file.
pub(crate) type Read<'a> = dyn Fn(&Path) -> io::Result<Vec<u8>> + Send + Sync + 'a;

/// Reads a file from the disk, and at most one byte more than is allowed.
pub(crate) fn from_disk(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.len() > LARGEST_FILE {
        let size = metadata.len().to_string();
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, size));
    }
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(path: &impl fmt::Display, size: impl fmt::Display) -> Error {
    let message = format!("{path}: it has {size} bytes, and {LARGEST_FILE} is the most");
    let error = Error::new(ErrorKind::FileTooLarge, message);
    error.help("is it the right file? Parts of it can go into files of their own")
}

/// Returns the text of a file.
pub(crate) fn text(path: &Path, read: &Read<'_>) -> Result<String, Error> {
    let shown = path.display();
    let bytes = read(path).map_err(|error| {
        let help = "is it the right name?";
        match error.kind() {
            io::ErrorKind::NotFound => Error::new(
                ErrorKind::FileNotFound,
                format!("{shown}: there is no such file"),
            )
            .help(help),
            io::ErrorKind::IsADirectory => Error::new(
                ErrorKind::IsADirectory,
                format!("{shown}: it is a directory"),
            )
            .help(help),
            io::ErrorKind::FileTooLarge => too_large(&shown, error),
            _ => Error::new(ErrorKind::Unreadable, format!("{shown}: it cannot be read"))
                .caused_by(error.into()),
        }
    })?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(too_large(&shown, bytes.len()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..at];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let message = format!("{shown}:{line}: it is not UTF-8, from byte {at} on");
        Error::new(ErrorKind::NotUtf8, message).help("save it as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deploy_8_no_file_above_the_largest_size_is_read() {
        let path = std::env::temp_dir().join(format!("tower-deploy-size-{}", std::process::id()));
        let largest = usize::try_from(LARGEST_FILE).unwrap();
        let read = |size: usize| {
            fs::write(&path, vec![b'#'; size]).unwrap();
            text(&path, &from_disk).map(|text| text.len())
        };
        let (most, more) = (read(largest), read(largest + 1));
        fs::remove_file(&path).unwrap();
        assert_eq!(most.unwrap(), largest);
        let more = more.unwrap_err();
        assert_eq!(more.kind(), ErrorKind::FileTooLarge);
        assert!(
            more.to_string()
                .contains("it has 1048577 bytes, and 1048576 is the most"),
            "{more}"
        );
    }
}
