use std::{future::pending, io};

use tokio::sync::mpsc;

/// What tells a server to end: at the first signal it takes no more connections and lets requests finish, at the second
/// it ends at once.
#[derive(Debug)]
pub struct Shutdown {
    source: Source,
}

#[derive(Debug)]
enum Source {
    #[cfg(unix)]
    Signals {
        interrupt: tokio::signal::unix::Signal,
        terminate: tokio::signal::unix::Signal,
    },
    #[cfg(windows)]
    Signals(tokio::signal::windows::CtrlC),
    Trigger(mpsc::UnboundedReceiver<()>),
}

impl Shutdown {
    /// SIGTERM and SIGINT, which is Ctrl-C. From here on they no longer end the process by themselves.
    ///
    /// # Errors
    ///
    /// The system does not let itself be listened to.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[cfg(unix)]
    pub fn signals() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let source = Source::Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        };
        Ok(Self { source })
    }

    /// Ctrl-C. From here on it no longer ends the process by itself.
    ///
    /// # Errors
    ///
    /// The system does not let itself be listened to.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[cfg(windows)]
    pub fn signals() -> io::Result<Self> {
        let source = Source::Signals(tokio::signal::windows::ctrl_c()?);
        Ok(Self { source })
    }

    /// What somebody else says. If the trigger and its clones are gone, there are no more signals.
    #[must_use]
    pub fn manual() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let source = Source::Trigger(receiver);
        (ShutdownTrigger { sender }, Self { source })
    }

    /// The next signal. Dropping the future loses none.
    pub(crate) async fn signal(&mut self) {
        let signal = match &mut self.source {
            #[cfg(unix)]
            Source::Signals {
                interrupt,
                terminate,
            } => tokio::select! {
                signal = interrupt.recv() => signal,
                signal = terminate.recv() => signal,
            },
            #[cfg(windows)]
            Source::Signals(ctrl_c) => ctrl_c.recv().await,
            Source::Trigger(receiver) => receiver.recv().await,
        };
        if signal.is_none() {
            pending::<()>().await;
        }
    }
}

/// Sends the signals of [`Shutdown::manual`].
#[derive(Clone, Debug)]
pub struct ShutdownTrigger {
    sender: mpsc::UnboundedSender<()>,
}

impl ShutdownTrigger {
    /// The first time to end, the second time to end at once.
    pub fn signal(&self) {
        // A server that has ended needs no signal.
        let _ = self.sender.send(());
    }
}
