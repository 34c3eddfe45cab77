use std::{borrow::Cow, convert::Infallible, error::Error, fmt, sync::Arc};

/// A value that an option of [`Upstream`](crate::Upstream) does not take.
///
/// It does not show an address, which may have a password in it.
#[derive(Clone, Debug)]
pub struct BuildError {
    kind: BuildErrorKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`BuildError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildErrorKind {
    /// The address is not a URL, or not a whole one.
    Address,
    /// The address has a scheme other than `http`, `https` and `unix`. Or the feature `tls` is not
    /// enabled, or there are no Unix sockets here.
    Scheme,
    /// The address has a user or a password in it.
    Credentials,
    /// The address has no host, or an invalid port.
    Host,
    /// The address has an invalid path, a query or a fragment.
    Path,
    /// The address of a Unix socket does not begin with a slash.
    Socket,
    /// The name is not that of a header that can be passed on by its name.
    Header,
    /// The text is neither an IP address nor a network.
    Network,
    /// The name is not that of a protocol to which a client may upgrade.
    Protocol,
    /// The name is not a token, so it cannot stand in `Via`.
    Via,
    /// The file has no certificate, or a malformed one, or it cannot be read.
    Certificate,
    /// The file has no key, or one that cannot be used, or it cannot be read.
    Key,
    /// The name is neither a DNS name nor an IP address.
    ServerName,
}

impl BuildError {
    pub(crate) fn new(kind: BuildErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(crate) fn because(mut self, error: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(error));
        self
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
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// Errors are equal that have one kind and one message.
impl PartialEq for BuildError {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.message) == (other.kind, &other.message)
    }
}

impl Eq for BuildError {}

impl From<Infallible> for BuildError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
