//! Why a handshake failed.

use std::{error, fmt, io};

use tokio_rustls::rustls::{CertificateError, Error, InvalidMessage};

use crate::error::BoxError;

/// The error of a handshake, with what the certificate lacked.
#[derive(Debug)]
pub(crate) struct Fault(Error);

impl Fault {
    /// Returns the error of a handshake. One of the connection stays what it is.
    pub(super) fn of(error: io::Error) -> BoxError {
        match error.downcast::<Error>() {
            Ok(error) => Self(error).into(),
            Err(error) => error.into(),
        }
    }

    /// Returns whether the upstream's certificate was rejected.
    pub(crate) fn is_untrusted(&self) -> bool {
        matches!(self.0, Error::InvalidCertificate(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                f.write_str("no trusted CA has issued the certificate")
            }
            // As of a CA that was made again.
            Error::InvalidCertificate(CertificateError::BadSignature) => f.write_str(
                "the certificate's issuer has the name of a trusted CA, and another key",
            ),
            // webpki has the type, which is not among those of rustls.
            Error::InvalidCertificate(CertificateError::Other(other))
                if format!("{other:?}").contains("CaUsedAsEndEntity") =>
            {
                f.write_str(
                    "the certificate is that of a CA, and not that of a server (openssl makes one \
                     with `-addext basicConstraints=critical,CA:FALSE`)",
                )
            }
            Error::InvalidCertificate(error) => write!(f, "{error}"),
            Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
                f.write_str("the upstream does not speak TLS on this port")
            }
            error => write!(f, "{error}"),
        }
    }
}

impl error::Error for Fault {}
