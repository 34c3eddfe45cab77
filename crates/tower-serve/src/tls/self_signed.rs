//! A certificate for development.

use std::sync::Arc;

use tokio_rustls::rustls::{
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::CertifiedKey,
};

use super::{Source, Tls, TlsError};

impl Tls {
    /// Makes a certificate for these names and addresses, **for development only**. No client
    /// trusts it (`curl --insecure`), and it is another one after each start.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] if one of them is neither a name nor an address.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_serve::{Server, Tls};
    ///
    /// let tls = Tls::self_signed(["localhost", "127.0.0.1"])?;
    /// let server = Server::default().tls(tls);
    /// # Ok::<_, tower_serve::TlsError>(())
    /// ```
    pub fn self_signed<T: Into<String>>(
        names: impl IntoIterator<Item = T>,
    ) -> Result<Self, TlsError> {
        let names = names.into_iter().map(Into::into).collect::<Vec<_>>();
        let made = rcgen::generate_simple_self_signed(names).map_err(TlsError::of_making)?;
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let chain = vec![made.cert.der().clone()];
        let key = PrivateKeyDer::from(key);
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        let certified = certified.map_err(TlsError::of_making)?;
        Self::of(Source::Fixed(Arc::new(certified)))
    }
}
