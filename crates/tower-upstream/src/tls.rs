//! TLS to an upstream by rustls.

mod fault;
mod files;
mod roots;

use std::{fmt, path::Path, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OnceCell,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        client::ResolvesClientCert,
        crypto::{CryptoProvider, ring},
        pki_types::ServerName,
        sign::SingleCertAndKey,
    },
};

pub(crate) use self::fault::Fault;
use crate::{BuildError, BuildErrorKind, Protocol, error::BoxError, protocol::Spoken};

/// What an [`Upstream`](crate::Upstream) with an `https` address needs besides the address: whom it
/// trusts, which name it expects, and who it is itself.
///
/// The upstream's certificate is always verified, with TLS 1.2 or 1.3. There is no switch that
/// turns this off, because a connection to an unknown server protects nothing. For a server with a
/// certificate of its own, name the file of that certificate or of its CA with [`ca`](Self::ca).
///
/// Files are in PEM, and are read once.
///
/// # Examples
///
/// ```
/// use tower_upstream::{BuildError, Tls, Upstream};
///
/// fn shop() -> Result<Upstream, BuildError> {
///     let tls = Tls::new()
///         .ca("/etc/site/ca.pem")?
///         .server_name("shop.internal")?
///         .client_certificate("/etc/site/client.pem", "/etc/site/client-key.pem")?;
///     Ok(Upstream::new("https://10.0.0.5:8443")?.tls(tls))
/// }
/// # assert!(shop().unwrap_err().to_string().contains("/etc/site/ca.pem"));
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    /// `None` stands for the system's.
    roots: Option<Arc<RootCertStore>>,
    /// `None` stands for the host of the address.
    name: Option<ServerName<'static>>,
    identity: Option<Arc<SingleCertAndKey>>,
}

impl Tls {
    /// Returns TLS that trusts the certificates of the system, and expects the host of the address.
    ///
    /// They are read from the system's store when the first connection is made, once for the whole
    /// process. OpenSSL's variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name another store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the certificates of a file to those that are trusted. The system's are then not
    /// trusted. Default: the system's.
    ///
    /// The certificates are those of CAs. The upstream's own one will do, unless it is marked as
    /// that of a CA, as `openssl req -x509` does without
    /// `-addext basicConstraints=critical,CA:FALSE`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or if it has no certificate, or a malformed
    /// one.
    pub fn ca(mut self, file: impl AsRef<Path>) -> Result<Self, BuildError> {
        let mut roots = self.roots.map(Arc::unwrap_or_clone);
        let store = roots.get_or_insert_with(RootCertStore::empty);
        for certificate in files::certificates(file.as_ref())? {
            store
                .add(certificate)
                .map_err(|error| files::malformed(file.as_ref(), error))?;
        }
        self.roots = roots.map(Arc::new);
        Ok(self)
    }

    /// Sets the name that the upstream's certificate must have, and that the upstream finds in the
    /// handshake (SNI). Default: the host of the address.
    ///
    /// It changes neither the connection's address nor `Host`. An IP address is verified as well,
    /// and is not in the handshake (RFC 6066, section 3).
    ///
    /// # Errors
    ///
    /// Returns an error for a text that is neither a DNS name nor an IP address.
    pub fn server_name(mut self, name: &str) -> Result<Self, BuildError> {
        let Ok(name) = ServerName::try_from(name.to_owned()) else {
            let message = format!("`{name}` is neither a DNS name nor an IP address");
            return Err(BuildError::new(BuildErrorKind::ServerName, message));
        };
        self.name = Some(name);
        Ok(self)
    }

    /// Sets the certificate and the key with which the proxy identifies itself. The chain begins
    /// with its own certificate. Default: none.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read, has no certificate or no key, or if the two do
    /// not belong together.
    pub fn client_certificate(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, BuildError> {
        let identity = files::identity(chain.as_ref(), key.as_ref(), &ring::default_provider())?;
        self.identity = Some(Arc::new(identity.into()));
        Ok(self)
    }

    /// Returns the configuration for connections that speak these protocols.
    fn config(
        &self,
        provider: Arc<CryptoProvider>,
        roots: Arc<RootCertStore>,
        protocol: Protocol,
    ) -> Result<ClientConfig, BoxError> {
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(identity) => config
                .with_client_cert_resolver(Arc::clone(identity) as Arc<dyn ResolvesClientCert>),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = alpn(protocol);
        Ok(config)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.name)
            .field("has_ca", &self.roots.is_some())
            .field("has_client_certificate", &self.identity.is_some())
            .finish()
    }
}

const H2: &[u8] = b"h2";
const HTTP_11: &[u8] = b"http/1.1";

/// Returns the protocols that the handshake offers (RFC 7301).
fn alpn(protocol: Protocol) -> Vec<Vec<u8>> {
    let offered: &[&[u8]] = match protocol {
        Protocol::Negotiated => &[H2, HTTP_11],
        Protocol::Http1 => &[HTTP_11],
        Protocol::Http2 => &[H2],
    };
    offered.iter().map(|name| name.to_vec()).collect()
}

/// Makes the handshakes of one upstream.
pub(crate) struct Handshakes {
    tls: Tls,
    name: Result<ServerName<'static>, String>,
    protocol: Protocol,
    /// Made with the first connection, since the system's certificates are read for it.
    made: OnceCell<TlsConnector>,
}

impl Handshakes {
    /// `host` is that of the address.
    pub(crate) fn new(tls: Tls, host: &str, protocol: Protocol) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = match &tls.name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(bare.to_owned()).map_err(|_| host.to_owned()),
        };
        Self {
            tls,
            name,
            protocol,
            made: OnceCell::new(),
        }
    }

    /// Does the handshake on a stream, and returns the protocol that the upstream has chosen.
    pub(crate) async fn connect<S>(
        &self,
        stream: S,
    ) -> Result<(Box<TlsStream<S>>, Spoken), BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.name.clone().map_err(|host| {
            let no_name = "is neither a DNS name nor an address, so a certificate cannot have it";
            format!("the address's host `{host}` {no_name}; a server name has to be set")
        })?;
        let connector = self.made.get_or_try_init(|| self.make()).await?;
        let connected = connector.connect(name, stream).await;
        // In a box, since it has a kilobyte and moves.
        let stream = Box::new(connected.map_err(Fault::of)?);
        let spoken = match (stream.get_ref().1.alpn_protocol(), self.protocol) {
            (Some(H2), _) => Spoken::Http2,
            // Without ALPN, a server that is known to speak it does so.
            (None, Protocol::Http2) => Spoken::Http2,
            (_, _) => Spoken::Http1,
        };
        Ok((stream, spoken))
    }

    async fn make(&self) -> Result<TlsConnector, BoxError> {
        let roots = match &self.tls.roots {
            Some(roots) => Arc::clone(roots),
            None => roots::of_system().await?,
        };
        // The provider is named here, because a process may have several and no default.
        let provider = Arc::new(ring::default_provider());
        let config = self.tls.config(provider, roots, self.protocol)?;
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
