//! A url arg as the path of a file below some folder.

use std::{
    fmt,
    path::{Component, Path},
};

use crate::UrlArgs;

impl UrlArgs {
    /// The value of the group with this name as a relative path that leads nowhere but down: below any folder that it is
    /// joined to. What symbolic links do is not its affair.
    ///
    /// # Errors
    ///
    /// An [`UnsafePath`] if there is no such value, or if it has a `..`, a NUL or a backslash, or begins with a slash, or,
    /// on Windows, has a colon.
    pub fn safe_path(&self, name: &str) -> Result<&Path, UnsafePath> {
        let text = self.name(name).ok_or(UnsafePath::Absent)?;
        if text.contains('\0') {
            return Err(UnsafePath::Nul);
        }
        // To some systems, and to what may unpack or serve the file later, it is a slash.
        if text.contains('\\') {
            return Err(UnsafePath::Backslash);
        }
        let path = Path::new(text);
        for component in path.components() {
            match component {
                Component::Normal(name)
                    if !(cfg!(windows) && name.to_string_lossy().contains(':')) => {}
                Component::CurDir => {}
                Component::ParentDir => return Err(UnsafePath::Parent),
                _ => return Err(UnsafePath::Absolute),
            }
        }
        Ok(path)
    }
}

/// Why a url arg is no path below a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnsafePath {
    /// There is no group of that name, or it took no part in the match.
    Absent,
    /// It begins where the file system does, or on a drive.
    Absolute,
    /// It has a `..` segment.
    Parent,
    /// It has a NUL, at which some systems end it.
    Nul,
    /// It has a backslash, which some systems take for a slash.
    Backslash,
}

impl fmt::Display for UnsafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "there is no such url arg",
            Self::Absolute => "the path is not relative",
            Self::Parent => "the path has a `..` segment",
            Self::Nul => "the path has a NUL in it",
            Self::Backslash => "the path has a backslash in it",
        })
    }
}

impl std::error::Error for UnsafePath {}
