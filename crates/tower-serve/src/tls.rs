//! TLS by rustls: certificates of several names, which are replaced while the server runs.

mod error;
mod files;
mod plain;
mod resolver;
#[cfg(feature = "self-signed")]
mod self_signed;

use std::{fmt, path::Path, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::{CryptoProvider, ring},
        sign::CertifiedKey,
    },
    server::TlsStream,
};
use tower::BoxError;

pub use self::error::{TlsError, TlsErrorKind};
use self::{files::Files, resolver::Resolver};
use crate::stream::Socket;

/// Certificates with their keys, for a [`Server`](crate::Server) that speaks TLS.
///
/// A client that names a server (SNI) gets the first certificate for that name. All others get the
/// first certificate of all: those that name none, as for an address, and those that name another
/// one. TLS 1.2 and 1.3 are spoken, and HTTP/2 and HTTP/1.1 are offered by ALPN.
///
/// A clone has the same certificates, so [`reload`](Self::reload) of one clone counts for all.
///
/// # Examples
///
/// A server that reads its certificates again at SIGHUP:
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_serve::{Address, Server, Shutdown, Tls};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let app = Router::new().route("/", get(async || "hello"));
/// let tls = Tls::new("/etc/site/fullchain.pem", "/etc/site/privkey.pem")?
///     .certificate("/etc/other/fullchain.pem", "/etc/other/privkey.pem")?;
///
/// let renewed = tls.clone();
/// # #[cfg(unix)]
/// tokio::spawn(async move {
///     use tokio::signal::unix::{SignalKind, signal};
///
///     let mut hangup = signal(SignalKind::hangup()).expect("SIGHUP can be handled");
///     while hangup.recv().await.is_some() {
///         if let Err(error) = renewed.reload() {
///             eprintln!("{error}");
///         }
///     }
/// });
///
/// let server = Server::new(Address::Tcp("0.0.0.0:8443".to_owned())).tls(tls);
/// server.bind().await?.serve(app, Shutdown::signals()?).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls {
    sources: Vec<Source>,
    resolver: Arc<Resolver>,
    config: Arc<ServerConfig>,
}

#[derive(Clone, Debug)]
enum Source {
    Files(Files),
    #[cfg(feature = "self-signed")]
    Fixed(Arc<CertifiedKey>),
}

impl Source {
    fn read(&self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
        match self {
            Self::Files(files) => files.read(provider).map(Arc::new),
            #[cfg(feature = "self-signed")]
            Self::Fixed(certified) => Ok(Arc::clone(certified)),
        }
    }
}

impl Tls {
    /// Returns TLS with one certificate: a file with its chain and a file with its key, both in
    /// PEM. The chain begins with the server's own certificate.
    ///
    /// # Errors
    ///
    /// Returns a [`TlsError`] if a file cannot be read, has no certificate or no key, or if the two
    /// do not belong together. It names the file and says what was expected.
    pub fn new(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::of(Source::Files(Files::new(chain.as_ref(), key.as_ref())))
    }

    fn of(source: Source) -> Result<Self, TlsError> {
        // The provider is named here, because a process may have several and no default.
        let provider = Arc::new(ring::default_provider());
        let resolver = Arc::new(Resolver::new(source.read(&provider)?));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::of_system)?;
        let mut config = config
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&resolver) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Without tickets, the 256 clients that came last can resume their sessions.
        config.ticketer = ring::Ticketer::new().map_err(TlsError::of_system)?;
        Ok(Self {
            sources: vec![source],
            resolver,
            config: Arc::new(config),
        })
    }

    /// Adds a certificate for other names, with its chain and its key as in [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn certificate(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let files = Files::new(chain.as_ref(), key.as_ref());
        self.sources.push(Source::Files(files));
        self.reload()?;
        Ok(self)
    }

    /// Reads all files again. Handshakes that begin after that have the new certificates, and
    /// connections stay open. The call blocks while it reads.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). Then the old certificates stay, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        let provider = self.config.crypto_provider();
        let certified = self.sources.iter().map(|source| source.read(provider));
        self.resolver
            .replace(certified.collect::<Result<_, TlsError>>()?);
        Ok(())
    }

    /// Does the handshake on a stream.
    pub(crate) async fn accept<S>(&self, stream: S) -> Result<Box<TlsStream<S>>, BoxError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        // In a box, since it has a kilobyte and moves.
        Ok(Box::new(acceptor.accept(stream).await?))
    }

    /// Returns whether the first byte of a connection can be one of TLS. HTTP begins with a letter.
    pub(crate) fn begins(first: u8) -> bool {
        !first.is_ascii_alphabetic()
    }

    /// Tells a client that speaks HTTP without TLS what is wrong.
    pub(crate) async fn reject_plain(socket: Socket) {
        plain::reject(socket).await;
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.sources).finish()
    }
}
