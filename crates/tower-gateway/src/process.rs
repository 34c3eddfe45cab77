//! A CGI program as a process, which ends with its request.

use std::{
    ffi::OsString,
    future::poll_fn,
    io,
    path::Path,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::oneshot,
    time::Instant,
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
/// The time between two looks whether a group has ended.
const POLL: Duration = Duration::from_millis(20);
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
    errors: Option<Errors>,
    bytes: BytesMut,
    /// Sent when the output is over. Dropped when it is not wanted any more.
    over: Option<oneshot::Sender<Option<Errors>>>,
}

/// The error output of a process.
struct Errors {
    pipe: ChildStderr,
    stderr: Stderr,
    bytes: BytesMut,
}

impl Errors {
    /// Reads the next piece, and returns whether there was one.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match ready!(poll_read(&mut self.pipe, cx, &mut self.bytes)) {
            Ok(0) | Err(_) => Poll::Ready(false),
            Ok(_) => {
                self.stderr.take(&self.bytes.split());
                Poll::Ready(true)
            }
        }
    }
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
            if error.kind() == io::ErrorKind::ArgumentListTooLong {
                return GatewayError::HeaderTooLarge;
            }
            let found = GatewayError::NotStarted;
            tracing::error!(program = %program.display(), error = %Chain(&error), "{found}");
            found
        })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(pipe)) = pipes else {
            unreachable!("all three are pipes");
        };
        let (over, is_over) = oneshot::channel();
        let (keep, kept) = oneshot::channel();
        let group = Group::new(child);
        tokio::spawn(async move {
            group.watch(is_over, kept, time_to_end).await;
            drop(permit);
        });
        let process = Self {
            stdout,
            errors: Some(Errors {
                pipe,
                stderr,
                bytes: BytesMut::new(),
            }),
            bytes: BytesMut::new(),
            over: Some(over),
        };
        let stdin = Stdin {
            pipe: Some(stdin),
            keep: Some(keep),
        };
        Ok((process, stdin))
    }

    /// Returns the next output.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, GatewayError>>> {
        // A piece of each in turn, so that neither output waits for the other.
        let next = loop {
            let errors = self.errors.as_mut().map(|errors| errors.poll_piece(cx));
            if errors == Some(Poll::Ready(false)) {
                self.errors = None;
            }
            match poll_read(&mut self.stdout, cx, &mut self.bytes) {
                Poll::Ready(next) => break next,
                Poll::Pending if errors == Some(Poll::Ready(true)) => {}
                Poll::Pending => return Poll::Pending,
            }
        };
        Poll::Ready(match next {
            Ok(0) => {
                if let Some(over) = self.over.take() {
                    // It may have been ended by the runtime.
                    let _ = over.send(self.errors.take());
                }
                None
            }
            Ok(_) => Some(Ok(self.bytes.split().freeze())),
            Err(error) => Some(Err(broke(&error))),
        })
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
pub(crate) struct Stdin {
    /// `None` after its end.
    pipe: Option<ChildStdin>,
    /// Takes an input that has not ended, until the process has.
    keep: Option<oneshot::Sender<ChildStdin>>,
}

impl Drop for Stdin {
    fn drop(&mut self) {
        // A program may take a pipe that is closed for the end of a whole body.
        if let (Some(pipe), Some(keep)) = (self.pipe.take(), self.keep.take()) {
            let _ = keep.send(pipe);
        }
    }
}

impl Destination for Stdin {
    async fn write(&mut self, data: Bytes) -> io::Result<()> {
        match &mut self.pipe {
            Some(stdin) => stdin.write_all(&data).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn end(&mut self) -> io::Result<()> {
        // Programs may read to the end instead of CONTENT_LENGTH bytes.
        self.pipe = None;
        Ok(())
    }
}

/// A process with its children, which are one process group.
struct Group {
    leader: Child,
    /// `None` when the group has ended, or may run on.
    id: Option<Pid>,
}

impl Group {
    fn new(leader: Child) -> Self {
        let id = leader.id().and_then(|id| id.try_into().ok());
        let id = id.and_then(Pid::from_raw);
        Self { leader, id }
    }

    /// Waits until the process has ended, and ends it if its output is not wanted any more.
    async fn watch(
        mut self,
        is_over: oneshot::Receiver<Option<Errors>>,
        stdin: oneshot::Receiver<ChildStdin>,
        time_to_end: Duration,
    ) {
        let has_ended = match is_over.await {
            Ok(errors) => {
                // There is no more input.
                drop(stdin);
                let end = self.run_on(errors);
                tokio::time::timeout(time_to_end, end).await.is_ok()
            }
            // The input stays open until the end.
            Err(_) => false,
        };
        if !has_ended {
            self.end().await;
        }
        // Children that it has left behind are no part of a response.
        self.id = None;
    }

    /// Waits until the process has ended. Meanwhile its error output is read, because a program
    /// dies when it writes to a pipe that is closed.
    async fn run_on(&mut self, mut errors: Option<Errors>) {
        tokio::select! {
            biased;
            () = poll_fn(|cx| {
                while let Some(open) = &mut errors {
                    if !ready!(open.poll_piece(cx)) {
                        errors = None;
                    }
                }
                Poll::Pending
            }) => {}
            _ = self.leader.wait() => {}
        }
    }

    /// Sends SIGTERM, and SIGKILL to the processes that are there after the grace.
    async fn end(&mut self) {
        self.kill(Signal::TERM);
        let end = Instant::now() + GRACE;
        let _ = tokio::time::timeout_at(end, self.leader.wait()).await;
        // The group keeps its id while one of its processes is there, so it is no other group.
        while self.has_members() {
            if Instant::now() >= end {
                self.kill(Signal::KILL);
                let _ = self.leader.wait().await;
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Returns whether a process of the group is there, as a zombie too.
    fn has_members(&self) -> bool {
        self.id
            .is_some_and(|id| test_kill_process_group(id).is_ok())
    }

    fn kill(&self, signal: Signal) {
        if let Some(id) = self.id {
            // The last one may have ended just now.
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
