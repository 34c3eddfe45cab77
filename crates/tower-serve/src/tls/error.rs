use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

use tokio_rustls::rustls;

/// The error of certificates and keys that cannot be used: the file, what was found in it, and what
/// was expected.
///
/// ```
/// use tower_serve::{Tls, TlsErrorKind};
///
/// let error = Tls::new("Cargo.toml", "Cargo.toml").unwrap_err();
/// assert_eq!(error.kind(), TlsErrorKind::NoCertificate);
/// assert_eq!(
///     error.to_string(),
///     "`Cargo.toml` has no certificate (expected PEM: `-----BEGIN CERTIFICATE-----`)"
/// );
/// ```
#[derive(Debug)]
pub struct TlsError {
    kind: TlsErrorKind,
    path: PathBuf,
    text: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

/// The kind of a [`TlsError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// A file cannot be read.
    Read,
    /// A file has a PEM section that is malformed.
    InvalidPem,
    /// There is no certificate in the file of the chain.
    NoCertificate,
    /// The certificate is malformed.
    InvalidCertificate,
    /// There is no key in its file, or only an encrypted one.
    NoKey,
    /// The key is malformed or of an algorithm that is not supported.
    InvalidKey,
    /// The key does not belong to the certificate.
    KeyMismatch,
    /// The system has no random numbers, or no certificate could be made.
    System,
}

impl TlsError {
    pub(super) fn new(kind: TlsErrorKind, path: &Path, found: &str, expected: &str) -> Self {
        let path = path.to_owned();
        let text = format!("`{}` {found} (expected {expected})", path.display());
        Self {
            kind,
            path,
            text,
            source: None,
        }
    }

    pub(super) fn of_read(path: &Path, error: io::Error) -> Self {
        Self {
            kind: TlsErrorKind::Read,
            text: format!("cannot read `{}`", path.display()),
            path: path.to_owned(),
            source: Some(Box::new(error)),
        }
    }

    pub(super) fn of_system(error: rustls::Error) -> Self {
        Self {
            kind: TlsErrorKind::System,
            text: "cannot set up TLS".to_owned(),
            path: PathBuf::new(),
            source: Some(Box::new(error)),
        }
    }

    #[cfg(feature = "self-signed")]
    pub(super) fn of_making(error: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self {
            kind: TlsErrorKind::System,
            text: "cannot make a certificate".to_owned(),
            path: PathBuf::new(),
            source: Some(error.into()),
        }
    }

    pub(super) fn because(mut self, error: impl error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(error));
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> TlsErrorKind {
        self.kind
    }

    /// Returns the file that the error is about, if it is about one. Of a key that does not belong
    /// to its certificate, it is the file of the key.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        (!self.path.as_os_str().is_empty()).then_some(&self.path)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl error::Error for TlsError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}
