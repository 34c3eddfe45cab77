use std::{borrow::Cow, error::Error, fmt, io};

/// A process that cannot be started as it is described.
#[derive(Debug)]
pub struct BuildError {
    kind: BuildErrorKind,
    message: Cow<'static, str>,
    source: Option<io::Error>,
}

/// The kind of a [`BuildError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// The command has no words, or needs a shell.
    Command,
    /// The command is not told where to listen.
    Socket,
    /// The name or the value is not one of a variable.
    Variable,
    /// The program is not there, or is not executable.
    Program,
    /// The system does not start it.
    Start,
}

impl BuildError {
    pub(crate) fn new(kind: BuildErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Returns an error of the system.
    pub(crate) fn of_system(message: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        Self {
            source: Some(source),
            ..Self::new(BuildErrorKind::Start, message)
        }
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> BuildErrorKind {
        self.kind
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
