//! The server of a file: one of the built-in ones, or a function.

use std::{fmt, future::Future, io, pin::Pin};

#[cfg(feature = "cli")]
use tower_serve::Address;
use tower_serve::Shutdown;

use crate::App;
#[cfg(feature = "gateway")]
use crate::gateway::Gateway;
#[cfg(feature = "tls")]
use crate::https::Https;

type Serving = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// A server, which serves an app.
///
/// ```
/// use tower_deploy::Server;
///
/// let http = Server::http(tower_serve::Server::default());
/// let own = Server::new(async |app| tower_serve::serve("127.0.0.1:8080", app).await);
/// ```
pub struct Server(Kind);

enum Kind {
    Http(Box<tower_serve::Server>),
    #[cfg(feature = "tls")]
    Https(Box<Https>),
    #[cfg(feature = "gateway")]
    Gateway(Box<Gateway>),
    Own(Box<dyn FnOnce(App) -> Serving + Send>),
}

impl Server {
    /// Returns a server that calls the function with the app.
    pub fn new<Fut>(serve: impl FnOnce(App) -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self(Kind::Own(Box::new(|app| Box::pin(serve(app)))))
    }

    /// Returns a server that serves HTTP with tower-serve.
    #[must_use]
    pub fn http(server: tower_serve::Server) -> Self {
        Self(Kind::Http(Box::new(server)))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn https(server: Https) -> Self {
        Self(Kind::Https(Box::new(server)))
    }

    #[cfg(feature = "gateway")]
    pub(crate) fn gateway(server: Gateway) -> Self {
        Self(Kind::Gateway(Box::new(server)))
    }

    /// Returns the server of a process that a web server has started: this one, if it has the
    /// protocol, and otherwise one with the defaults. Returns this one if no web server has.
    #[cfg(all(feature = "cli", feature = "gateway"))]
    pub(crate) fn for_start(self, start: tower_gateway::Start) -> Self {
        let Some(started) = Gateway::started(start) else {
            return self;
        };
        match self.0 {
            Kind::Gateway(own) if own.protocol() == started.protocol() => Self(Kind::Gateway(own)),
            _ => Self::gateway(started),
        }
    }

    /// Returns the certificates of a server with TLS, which a program can reload.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(&self) -> Option<tower_serve::Tls> {
        match &self.0 {
            Kind::Https(server) => Some(server.tls().clone()),
            #[cfg(feature = "gateway")]
            Kind::Gateway(_) => None,
            Kind::Http(_) | Kind::Own(_) => None,
        }
    }

    /// Replaces the address of a built-in server. Another server has none that is known.
    #[cfg(feature = "cli")]
    pub(crate) fn address(self, address: Address) -> Option<Self> {
        match self.0 {
            Kind::Http(server) => Some(Self(Kind::Http(Box::new(server.address(address))))),
            #[cfg(feature = "tls")]
            Kind::Https(server) => Some(Self::https(server.address(address))),
            #[cfg(feature = "gateway")]
            Kind::Gateway(server) => server.address(address).map(Self::gateway),
            Kind::Own(_) => None,
        }
    }

    /// Serves, and calls a function when the sockets of a built-in server are open.
    #[cfg(feature = "cli")]
    pub(crate) async fn serve_and_tell(
        self,
        app: App,
        tell: impl FnOnce(&mut dyn Iterator<Item = String>),
    ) -> io::Result<()> {
        match self.0 {
            Kind::Http(server) => {
                let shutdown = Shutdown::signals()?;
                let bound = server.bind().await?;
                tell(&mut bound.addresses());
                bound.serve(app, shutdown).await
            }
            #[cfg(feature = "tls")]
            Kind::Https(server) => {
                let bound = server.bind().await?;
                tell(&mut bound.addresses());
                bound.serve(app).await
            }
            #[cfg(feature = "gateway")]
            Kind::Gateway(server) => {
                let bound = server.bind().await?;
                tell(&mut bound.addresses());
                bound.serve(app).await
            }
            Kind::Own(serve) => serve(app).await,
        }
    }

    /// Serves an app until the server's own function returns. The built-in server ends at SIGTERM
    /// or Ctrl-C.
    ///
    /// # Errors
    ///
    /// The server cannot listen, or its own function fails.
    pub async fn serve(self, app: App) -> io::Result<()> {
        match self.0 {
            Kind::Http(server) => {
                let shutdown = Shutdown::signals()?;
                server.bind().await?.serve(app, shutdown).await
            }
            #[cfg(feature = "tls")]
            Kind::Https(server) => server.bind().await?.serve(app).await,
            #[cfg(feature = "gateway")]
            Kind::Gateway(server) => server.bind().await?.serve(app).await,
            Kind::Own(serve) => serve(app).await,
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}
