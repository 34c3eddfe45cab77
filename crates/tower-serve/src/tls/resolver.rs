//! Which certificate a client gets.

use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::{
    client::verify_server_name,
    pki_types::ServerName,
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The current certificates. There is always one.
#[derive(Debug)]
pub(super) struct Resolver {
    certified: RwLock<Vec<Arc<CertifiedKey>>>,
}

impl Resolver {
    pub(super) fn new(certified: Arc<CertifiedKey>) -> Self {
        Self {
            certified: RwLock::new(vec![certified]),
        }
    }

    pub(super) fn replace(&self, certified: Vec<Arc<CertifiedKey>>) {
        *self
            .certified
            .write()
            .unwrap_or_else(PoisonError::into_inner) = certified;
    }

    fn find(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let certified = self
            .certified
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let first = certified.first()?;
        let found = match (certified.len(), name) {
            (1, _) | (_, None) => None,
            (_, Some(name)) => certified.iter().find(|certified| is_for(certified, name)),
        };
        Some(Arc::clone(found.unwrap_or(first)))
    }
}

/// Returns whether a client that looks for this name accepts the certificate. To ask a certificate
/// takes a microsecond, and a handshake hundreds.
fn is_for(certified: &CertifiedKey, name: &str) -> bool {
    let (Ok(own), Ok(name)) = (certified.end_entity_cert(), ServerName::try_from(name)) else {
        return false;
    };
    ParsedCertificate::try_from(own).is_ok_and(|own| verify_server_name(&own, &name).is_ok())
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}
