//! A CGI program as a process, which ends with its request.

use std::{
    ffi::OsString,
    io,
    path::Path,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::oneshot,
};

use crate::{
    GatewayError,
    error::Chain,
    pool::Permit,
    source::broke,
    stderr::Stderr,
    upload::Destination,
    variables::{Refused, Sink},
};

/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(3);
/// The room for one read, in bytes.
const READ: usize = 16 * 1024;

/// The environment of a process.
#[derive(Default)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Sink for Environment {
    fn pair(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        use std::os::unix::ffi::OsStringExt;
        if value.contains(&0) {
            return Err(Refused::Nul);
        }
        let [name, value] = [name, value].map(|text| OsString::from_vec(text.to_vec()));
        self.0.push((name, value));
        Ok(())
    }
}

/// The output of a process. If it is dropped before its end, the process is ended.
pub(crate) struct Process {
    stdout: ChildStdout,
    /// `None` after its end.
    errors: Option<ChildStderr>,
    stderr: Stderr,
    bytes: BytesMut,
    /// Sent when the output is over. Dropped when it is not wanted any more.
    over: Option<oneshot::Sender<()>>,
}

impl Process {
    /// Starts a program with this environment alone, in the directory where it is. The permit is
    /// kept until it has ended, for which it has the time after its output is over.
    pub(crate) fn start(
        program: &Path,
        arguments: &[OsString],
        environment: Environment,
        stderr: Stderr,
        permit: Permit,
        time_to_end: Duration,
    ) -> Result<(Self, Stdin), GatewayError> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // It is reaped by tokio if the runtime ends before it.
            .kill_on_drop(true);
        // RFC 3875, section 7.2.
        if let Some(directory) = program.parent().filter(|path| !path.as_os_str().is_empty()) {
            command.current_dir(directory);
        }
        let mut child = command.spawn().map_err(|error| {
            let found = GatewayError::NotStarted;
            tracing::error!(program = %program.display(), error = %Chain(&error), "{found}");
            found
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(errors)) = pipes else {
            unreachable!("all three are pipes");
        };
        let (over, is_over) = oneshot::channel();
        let group = Group(child);
        tokio::spawn(async move {
            group.watch(is_over, time_to_end).await;
            drop(permit);
        });
        let process = Self {
            stdout,
            errors: Some(errors),
            stderr,
            bytes: BytesMut::new(),
            over: Some(over),
        };
        Ok((process, Stdin(Some(stdin))))
    }

    /// Returns the next output.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, GatewayError>>> {
        while let Some(errors) = &mut self.errors {
            match poll_read(errors, cx, &mut self.bytes) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => self.errors = None,
                Poll::Ready(Ok(_)) => self.stderr.take(&self.bytes.split()),
                Poll::Pending => break,
            }
        }
        Poll::Ready(
            match ready!(poll_read(&mut self.stdout, cx, &mut self.bytes)) {
                Ok(0) => {
                    if let Some(over) = self.over.take() {
                        // It may have been ended by the runtime.
                        let _ = over.send(());
                    }
                    None
                }
                Ok(_) => Some(Ok(self.bytes.split().freeze())),
                Err(error) => Some(Err(broke(&error))),
            },
        )
    }
}

fn poll_read(
    from: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    to: &mut BytesMut,
) -> Poll<io::Result<usize>> {
    to.resize(READ, 0);
    let mut buffer = ReadBuf::new(to);
    let result = Pin::new(from).poll_read(cx, &mut buffer);
    let length = buffer.filled().len();
    to.truncate(length);
    ready!(result)?;
    Poll::Ready(Ok(length))
}

/// The input of a process.
pub(crate) struct Stdin(Option<ChildStdin>);

impl Destination for Stdin {
    async fn write(&mut self, data: Bytes) -> io::Result<()> {
        match &mut self.0 {
            Some(stdin) => stdin.write_all(&data).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn end(&mut self) -> io::Result<()> {
        // Programs may read to the end instead of CONTENT_LENGTH bytes.
        self.0 = None;
        Ok(())
    }
}

/// A process with its children, which are one process group.
struct Group(Child);

impl Group {
    /// Waits until the process has ended, and ends it if its output is not wanted any more.
    async fn watch(mut self, is_over: oneshot::Receiver<()>, time_to_end: Duration) {
        if is_over.await.is_ok() && self.ends_within(time_to_end).await {
            return;
        }
        self.kill(Signal::TERM);
        if !self.ends_within(GRACE).await {
            self.kill(Signal::KILL);
            let _ = self.0.wait().await;
        }
    }

    async fn ends_within(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.0.wait()).await.is_ok()
    }

    fn kill(&self, signal: Signal) {
        // It has an id until it is reaped, so this is no other group.
        let id = self
            .0
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(id) = id {
            // It may have ended just now.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The runtime ends before the process.
        self.kill(Signal::KILL);
    }
}
