//! Certificates and keys, from files in PEM.

use std::{fs, path::Path};

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

use crate::{BuildError, BuildErrorKind as Kind};

const A_CERTIFICATE: &str = "PEM: `-----BEGIN CERTIFICATE-----`";
const A_KEY: &str = "PEM without a password: `-----BEGIN PRIVATE KEY-----`";

/// Reads the certificates of a file. There is at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let text = read(path, Kind::Certificate)?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| {
        let found = "is not valid PEM";
        wrong(Kind::Certificate, path, found, A_CERTIFICATE).because(error)
    })?;
    if found.is_empty() {
        let found = match PrivateKeyDer::from_pem_slice(&text) {
            Ok(_) => "has a key and no certificate",
            Err(_) => "has no certificate",
        };
        return Err(wrong(Kind::Certificate, path, found, A_CERTIFICATE));
    }
    Ok(found)
}

/// Reads a certificate with its chain, and its key.
pub(super) fn identity(
    chain_path: &Path,
    key_path: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, BuildError> {
    let chain = certificates(chain_path)?;
    if let Some(own) = chain.first()
        && let Err(error) = ParsedCertificate::try_from(own)
    {
        return Err(malformed(chain_path, error));
    }
    let key = provider.key_provider.load_private_key(key(key_path)?);
    let key = key.map_err(|error| {
        let found = "has a key that cannot be used";
        let expected = "an RSA key of 2048 to 8192 bits, ECDSA on P-256 or P-384, or Ed25519";
        wrong(Kind::Key, key_path, found, expected).because(error)
    })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Some keys do not say what their public half is.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(_) => {
            let chain = chain_path.display();
            let found = format!("is not the key of the certificate in `{chain}`");
            let expected = "the key with which the certificate was requested";
            Err(wrong(Kind::Key, key_path, &found, expected))
        }
    }
}

/// Returns the error of a certificate that is not one.
pub(super) fn malformed(
    path: &Path,
    error: impl std::error::Error + Send + Sync + 'static,
) -> BuildError {
    let expected = "X.509 of version 3";
    let found = "has a certificate that is malformed";
    wrong(Kind::Certificate, path, found, expected).because(error)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, BuildError> {
    let text = read(path, Kind::Key)?;
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
            wrong(Kind::Key, path, found, A_KEY)
        }
        error => wrong(Kind::Key, path, "is not valid PEM", A_KEY).because(error),
    })
}

fn read(path: &Path, kind: Kind) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|error| {
        let message = format!("cannot read `{}`", path.display());
        BuildError::new(kind, message).because(error)
    })
}

fn wrong(kind: Kind, path: &Path, found: &str, expected: &str) -> BuildError {
    let message = format!("`{}` {found} (expected {expected})", path.display());
    BuildError::new(kind, message)
}
