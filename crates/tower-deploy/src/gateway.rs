//! The servers of FastCGI, SCGI and CGI. The sockets are those of tower-serve.

use std::io;

use tokio::sync::oneshot;
use tower_environ::MountLayer;
use tower_gateway::{Listener, Start};
use tower_layer::Layer;
#[cfg(feature = "cli")]
use tower_serve::Address;
use tower_serve::{Shutdown, Socket};

use crate::App;

/// A server for a web server in front.
pub(crate) struct Gateway {
    protocol: Protocol,
    /// It opens the socket. A CGI program has none.
    opener: tower_serve::Server,
    server: tower_gateway::Server,
    mount: Option<MountLayer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    FastCgi,
    Scgi,
    Cgi,
}

impl Gateway {
    pub(crate) fn new(
        protocol: Protocol,
        opener: tower_serve::Server,
        server: tower_gateway::Server,
        mount: Option<MountLayer>,
    ) -> Self {
        Self {
            protocol,
            opener,
            server,
            mount,
        }
    }

    /// Returns the server for a web server that has started this process, if one has.
    #[cfg(feature = "cli")]
    pub(crate) fn started(start: Start) -> Option<Self> {
        let protocol = match start {
            Start::Cgi => Protocol::Cgi,
            Start::FastCgi => Protocol::FastCgi,
            _ => return None,
        };
        let server = tower_gateway::Server::new();
        Some(Self::new(
            protocol,
            tower_serve::Server::default(),
            server,
            None,
        ))
    }

    #[cfg(feature = "cli")]
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Replaces the address. A CGI program has none.
    #[cfg(feature = "cli")]
    pub(crate) fn address(mut self, address: Address) -> Option<Self> {
        self.opener = self.opener.address(address);
        (self.protocol != Protocol::Cgi).then_some(self)
    }

    /// Opens the socket, or takes the one that a web server or a supervisor has opened.
    pub(crate) async fn bind(self) -> io::Result<BoundGateway> {
        let mut bound = BoundGateway {
            protocol: self.protocol,
            listener: None,
            addresses: Vec::new(),
            guards: Vec::new(),
            server: self.server,
            mount: self.mount,
        };
        match self.protocol {
            Protocol::Cgi => return Ok(bound),
            #[cfg(unix)]
            Protocol::FastCgi if tower_gateway::detect() == Start::FastCgi => {
                bound.listener = Some(Listener::stdin()?);
                bound.addresses.push("standard input".to_owned());
                return Ok(bound);
            }
            Protocol::FastCgi | Protocol::Scgi => {}
        }
        let opened = self.opener.bind().await?;
        let scheme = match self.protocol {
            Protocol::Scgi => "scgi://",
            Protocol::FastCgi | Protocol::Cgi => "fcgi://",
        };
        let addresses = opened.addresses();
        bound.addresses = addresses
            .map(|url| url.replace("http://", scheme))
            .collect();
        for socket in opened.into_sockets() {
            let opened = match socket {
                Socket::Tcp(listener) => Listener::from(listener),
                #[cfg(unix)]
                Socket::Unix(listener, guard) => {
                    bound.guards.push(guard);
                    Listener::from(listener)
                }
                _ => continue,
            };
            bound.listener = Some(match bound.listener {
                Some(others) => others.and(opened),
                None => opened,
            });
        }
        Ok(bound)
    }
}

/// A server whose socket is open.
pub(crate) struct BoundGateway {
    protocol: Protocol,
    /// `None` for a CGI program.
    listener: Option<Listener>,
    addresses: Vec<String>,
    guards: Vec<tower_serve::SocketGuard>,
    server: tower_gateway::Server,
    mount: Option<MountLayer>,
}

impl BoundGateway {
    #[cfg(feature = "cli")]
    pub(crate) fn addresses(&self) -> impl Iterator<Item = String> {
        self.addresses.clone().into_iter()
    }

    /// Serves until SIGTERM or Ctrl-C, or the one request of a CGI program.
    pub(crate) async fn serve(self, app: App) -> io::Result<()> {
        let app = match self.mount {
            Some(mount) => App::new(mount.layer(app)),
            None => app,
        };
        let Some(listener) = self.listener else {
            return self.server.cgi(app).await;
        };
        let mut signals = Shutdown::signals()?;
        let (end, ended) = oneshot::channel();
        let guards = self.guards;
        let ending = async move {
            signals.signal().await;
            // The files go before the sockets are closed.
            drop(guards);
            let _ = end.send(());
            signals.signal().await;
        };
        let server = self.server.end_with(async {
            let _ = ended.await;
        });
        let serving = async {
            match self.protocol {
                Protocol::Scgi => server.scgi(listener, app).await,
                Protocol::FastCgi | Protocol::Cgi => server.fastcgi(listener, app).await,
            }
        };
        tokio::select! {
            served = serving => served,
            () = ending => {
                let text = "requests were still open at the second signal, and are aborted";
                Err(io::Error::new(io::ErrorKind::Interrupted, text))
            }
        }
    }
}
