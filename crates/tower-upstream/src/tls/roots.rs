//! The certificates that the system trusts.

use std::sync::Arc;

use tokio::{sync::OnceCell, task::spawn_blocking};
use tokio_rustls::rustls::RootCertStore;

use crate::error::BoxError;

/// Returns the certificates that the system trusts. They are read once, which takes milliseconds.
///
/// # Errors
///
/// Returns an error if there is none, as in a container without the package `ca-certificates`.
pub(super) async fn of_system() -> Result<Arc<RootCertStore>, BoxError> {
    static ROOTS: OnceCell<Arc<RootCertStore>> = OnceCell::const_new();
    ROOTS.get_or_try_init(load).await.cloned()
}

async fn load() -> Result<Arc<RootCertStore>, BoxError> {
    spawn_blocking(read).await?
}

fn read() -> Result<Arc<RootCertStore>, BoxError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store may have old certificates that cannot be read.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})"));
        let reason = reason.unwrap_or_default();
        let text = "the system trusts no certificates: its package ca-certificates is missing";
        return Err(format!("{text}, or a CA has to be named{reason}").into());
    }
    Ok(Arc::new(roots))
}
