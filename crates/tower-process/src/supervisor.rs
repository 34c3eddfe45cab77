//! The life of a process, from its first start to its end.

use std::{
    fs, io, os::unix::process::ExitStatusExt, path::PathBuf, process::ExitStatus, sync::Arc,
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::Command,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    backoff::Backoff,
    group::{Group, Pipes},
    output,
    state::{Shared, State},
    watchdog::Watchdog,
};

/// The time between two attempts to connect.
const POLL: Duration = Duration::from_millis(20);
/// How long the last lines of a process are waited for. A program that has left its group may hold
/// the pipe for ever.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts a process, as often as it is needed.
pub(crate) struct Starter {
    pub(crate) command: Command,
    pub(crate) socket: PathBuf,
    pub(crate) name: String,
    pub(crate) watchdog: Option<Watchdog>,
}

pub(crate) struct Limits {
    pub(crate) start: Duration,
    pub(crate) stop: Duration,
}

impl Starter {
    /// Starts it. The socket of the last start is removed before, so a socket that is there belongs
    /// to this one.
    pub(crate) fn start(&mut self) -> io::Result<(Group, Pipes)> {
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let Some(watchdog) = &mut self.watchdog else {
            return Group::start(&mut self.command);
        };
        // It is there before the process, so there is hardly a moment without it.
        watchdog.start()?;
        let started = Group::start(&mut self.command)?;
        watchdog.tell(started.0.id())?;
        Ok(started)
    }

    /// Notes that the last group has ended. Its id may become another group's.
    fn ended(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            // One that is gone is started again with the process.
            let _ = watchdog.tell(None);
        }
    }

    /// Waits until the socket accepts a connection.
    async fn accepts(&self) {
        while UnixStream::connect(&self.socket).await.is_err() {
            sleep(POLL).await;
        }
    }
}

/// Describes how a process has ended.
fn end(status: io::Result<ExitStatus>) -> String {
    match status {
        Err(error) => error.to_string(),
        Ok(status) => match status.signal() {
            Some(signal) => format!("signal {signal}"),
            None => format!("exit code {}", status.code().unwrap_or_default()),
        },
    }
}

/// How one run of a process has ended.
enum Run {
    /// By itself, after it has accepted connections for this time.
    Ended(Duration),
    Stopped,
}

pub(crate) struct Supervisor {
    starter: Starter,
    limits: Limits,
    shared: Arc<Shared>,
    /// It is removed when this is dropped.
    _directory: TempDir,
}

impl Supervisor {
    pub(crate) fn new(
        starter: Starter,
        limits: Limits,
        shared: Arc<Shared>,
        directory: TempDir,
    ) -> Self {
        Self {
            starter,
            limits,
            shared,
            _directory: directory,
        }
    }

    /// Runs the process until it is to be stopped.
    pub(crate) async fn run(mut self, first: (Group, Pipes)) {
        let shared = self.shared.clone();
        let mut backoff = Backoff::new();
        let mut started = Ok(first);
        loop {
            let ran = match started {
                Ok((group, pipes)) => match self.one_run(group, pipes).await {
                    Run::Ended(ran) => ran,
                    Run::Stopped => break,
                },
                Err(error) => {
                    let process = self.starter.name.as_str();
                    tracing::error!(process, %error, "the process could not be started");
                    Duration::ZERO
                }
            };
            let pause = backoff.pause_after(ran);
            let process = self.starter.name.as_str();
            tracing::info!(process, "it is started again in {pause:?}");
            let next_start = Instant::now() + pause;
            shared.set(State::Ended { next_start });
            tokio::select! {
                biased;
                () = shared.stopping() => break,
                () = sleep(pause) => {}
            }
            shared.set(State::Starting);
            started = self.starter.start();
        }
        if let Some(watchdog) = self.starter.watchdog.take() {
            watchdog.end().await;
        }
    }

    async fn one_run(&mut self, group: Group, pipes: Pipes) -> Run {
        let mut logs = JoinSet::new();
        let Pipes { stdout, stderr } = pipes;
        let name = Arc::<str>::from(self.starter.name.as_str());
        if let Some(stdout) = stdout {
            let name = name.clone();
            logs.spawn(async move { output::log(stdout, &name).await });
        }
        if let Some(stderr) = stderr {
            logs.spawn(async move { output::log(stderr, &name).await });
        }
        let run = self.until_the_end(group).await;
        self.starter.ended();
        // All ends of the pipes are closed.
        let last = async { while logs.join_next().await.is_some() {} };
        let _ = timeout(LAST_LINES, last).await;
        run
    }

    async fn until_the_end(&self, mut group: Group) -> Run {
        let process = self.starter.name.as_str();
        let id = group.id();
        tracing::info!(process, id, "the process is started");
        tokio::select! {
            biased;
            () = self.shared.stopping() => {
                group.stop(self.limits.stop).await;
                return Run::Stopped;
            }
            status = group.leader_ended() => {
                let end = end(status);
                tracing::error!(process, id, "the process has ended ({end}) before it accepted connections");
                group.end().await;
                return Run::Ended(Duration::ZERO);
            }
            () = self.starter.accepts() => {}
            () = sleep(self.limits.start) => {
                let limit = self.limits.start;
                tracing::error!(process, id, "the process accepts no connections after {limit:?}");
                group.stop(self.limits.stop).await;
                return Run::Ended(Duration::ZERO);
            }
        }
        tracing::info!(process, id, "the process accepts connections");
        let ready = Instant::now();
        self.shared.set(State::Ready);
        tokio::select! {
            biased;
            () = self.shared.stopping() => {
                group.stop(self.limits.stop).await;
                tracing::info!(process, id, "the process is stopped");
                Run::Stopped
            }
            status = group.leader_ended() => {
                // From now on, requests wait.
                self.shared.set(State::Starting);
                let end = end(status);
                tracing::error!(process, id, "the process has ended ({end})");
                // Its children may hold the socket.
                group.end().await;
                Run::Ended(ready.elapsed())
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // Also if the runtime ends first.
        self.shared.set(State::Stopped);
    }
}
