//! A certificate and its key, from files in PEM.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio_rustls::rustls::{
    Error, InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use super::error::{TlsError, TlsErrorKind as Kind};

const A_CERTIFICATE: &str = "PEM: `-----BEGIN CERTIFICATE-----`";
const A_KEY: &str = "PEM without a password: `-----BEGIN PRIVATE KEY-----`";

/// The files of one certificate.
#[derive(Clone, Debug)]
pub(super) struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl Files {
    pub(super) fn new(chain: &Path, key: &Path) -> Self {
        Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
        }
    }

    pub(super) fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let chain = self.read_chain()?;
        let key = self.read_key()?;
        let key = provider.key_provider.load_private_key(key);
        let key = key.map_err(|error| {
            let found = "has a key that cannot be used";
            let expected = "an RSA key of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519";
            TlsError::new(Kind::InvalidKey, &self.key, found, expected).because(error)
        })?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // Some keys do not say what their public half is.
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
            Err(_) => {
                let found = format!(
                    "is not the key of the certificate in `{}`",
                    self.chain.display()
                );
                let expected = "the key with which the certificate was requested";
                Err(TlsError::new(
                    Kind::KeyMismatch,
                    &self.key,
                    &found,
                    expected,
                ))
            }
        }
    }

    fn read_chain(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let path = &self.chain;
        let text = fs::read(path).map_err(|error| TlsError::of_read(path, error))?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| invalid_pem(path, A_CERTIFICATE, error))?;
        let Some(own) = chain.first() else {
            let found = match PrivateKeyDer::from_pem_slice(&text) {
                Ok(_) => "has a key and no certificate",
                Err(_) => "has no certificate",
            };
            return Err(TlsError::new(
                Kind::NoCertificate,
                path,
                found,
                A_CERTIFICATE,
            ));
        };
        match ParsedCertificate::try_from(own) {
            Ok(_) => Ok(chain),
            Err(error) => {
                let found = "begins with a certificate that is malformed";
                let expected = "the server's own certificate first, of X.509 version 3";
                let error =
                    TlsError::new(Kind::InvalidCertificate, path, found, expected).because(error);
                Err(error)
            }
        }
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let path = &self.key;
        let text = fs::read(path).map_err(|error| TlsError::of_read(path, error))?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
            pem::Error::NoItemsFound => {
                let has = |words: &[u8]| text.windows(words.len()).any(|found| found == words);
                let found = if has(b"BEGIN ENCRYPTED PRIVATE KEY") {
                    "has a key that is encrypted"
                } else if has(b"BEGIN CERTIFICATE") {
                    "has a certificate and no key"
                } else {
                    "has no key"
                };
                TlsError::new(Kind::NoKey, path, found, A_KEY)
            }
            error => invalid_pem(path, A_KEY, error),
        })
    }
}

fn invalid_pem(path: &Path, expected: &str, error: pem::Error) -> TlsError {
    TlsError::new(Kind::InvalidPem, path, "is not valid PEM", expected).because(error)
}
