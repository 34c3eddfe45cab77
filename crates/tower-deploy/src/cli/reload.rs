//! Rebuilds a served app, and logs that.

use std::{future::pending, io, sync::Arc};

use tokio::task::spawn_blocking;
use tower_kit::Lines;

use super::output::is_styled;
use crate::{App, Error, Reload, reload::Watch};

/// An app that is served and may change.
pub(super) struct Kept {
    reload: Arc<Reload>,
    /// The plan of the server that serves.
    server: Option<String>,
    /// The certificates of that server.
    #[cfg(feature = "tls")]
    tls: Option<tower_serve::Tls>,
    log: Lines,
}

impl Kept {
    pub(super) fn new(reload: Arc<Reload>, server: Option<String>, log: Lines) -> Self {
        Self {
            reload,
            server,
            #[cfg(feature = "tls")]
            tls: None,
            log,
        }
    }

    /// Sets the certificates that are read again together with the files.
    #[cfg(feature = "tls")]
    pub(super) fn tls(mut self, tls: Option<tower_serve::Tls>) -> Self {
        self.tls = tls;
        self
    }

    pub(super) fn app(&self) -> App {
        self.reload.app()
    }

    /// Rebuilds the app at SIGHUP, and if it is watched, when the files change. It must be called
    /// within a runtime, and ends with that.
    pub(super) fn spawn(mut self, watched: bool) -> io::Result<()> {
        let mut watch = match watched {
            true => Some(Watch::new(&self.reload).map_err(io::Error::other)?),
            false => None,
        };
        let mut hangup = Hangup::new()?;
        tokio::spawn(async move {
            loop {
                let changed = async {
                    match &mut watch {
                        Some(watch) => watch.changed(&self.reload).await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    () = changed => {}
                    () = hangup.next() => {}
                }
                let reload = self.reload.clone();
                // A panic of a factory is an error already.
                if let Ok(built) = spawn_blocking(move || reload.server_now()).await {
                    self.tell(built);
                }
                #[cfg(feature = "tls")]
                self.reload_certificates().await;
            }
        });
        Ok(())
    }

    /// Reads the certificates again, also if the site could not be rebuilt.
    #[cfg(feature = "tls")]
    async fn reload_certificates(&self) {
        let Some(tls) = self.tls.clone() else {
            return;
        };
        match spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("the certificates are read again"),
            Ok(Err(error)) => {
                let source = std::error::Error::source(&error).map(tracing::field::display);
                tracing::error!(%error, source, "the certificates stay as they were");
            }
            // The runtime ends.
            Err(_) => {}
        }
    }

    fn tell(&mut self, built: Result<Option<String>, Error>) {
        match built {
            Ok(server) => {
                tracing::info!("the files have changed, and the site is rebuilt");
                // The socket stays open.
                if server != self.server {
                    tracing::warn!("[server:main] has changed: it takes effect after a restart");
                    self.server = server;
                }
            }
            Err(error) => {
                let report = error.report(is_styled());
                let told = format!("{report}the site stays as it was\n");
                self.log.push(told.as_bytes());
            }
        }
    }
}

/// SIGHUP. On a terminal it means that the user has gone, and ends the program as usual.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use std::io::{IsTerminal, stderr, stdin, stdout};

        use tokio::signal::unix::{SignalKind, signal};

        let has_user = stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal();
        let signal = match has_user {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(Self { signal })
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        pending().await
    }
}
