use std::{future::pending, io};

use tokio::sync::mpsc;

/// A source of signals that end a server. At the first signal the server accepts no more
/// connections and lets requests finish. At the second signal it ends at once.
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
    /// Returns the signals SIGTERM and SIGINT (Ctrl-C). After this call they no longer end the
    /// process by themselves.
    ///
    /// # Errors
    ///
    /// The system's error if the signals cannot be handled.
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

    /// Returns the signal Ctrl-C. After this call it no longer ends the process by itself.
    ///
    /// # Errors
    ///
    /// The system's error if the signal cannot be handled.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    #[cfg(windows)]
    pub fn signals() -> io::Result<Self> {
        let source = Source::Signals(tokio::signal::windows::ctrl_c()?);
        Ok(Self { source })
    }

    /// Returns signals that a program sends itself, and their trigger. When the trigger and its
    /// clones are dropped, no more signals come.
    #[must_use]
    pub fn manual() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let source = Source::Trigger(receiver);
        (ShutdownTrigger { sender }, Self { source })
    }

    /// Waits for the next signal. Dropping the future loses no signal.
    pub async fn signal(&mut self) {
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

/// A sender of the signals of [`Shutdown::manual`].
#[derive(Clone, Debug)]
pub struct ShutdownTrigger {
    sender: mpsc::UnboundedSender<()>,
}

impl ShutdownTrigger {
    /// Sends a signal: the first one to end, the second one to end at once.
    pub fn signal(&self) {
        // It fails if the server has ended.
        let _ = self.sender.send(());
    }
}
