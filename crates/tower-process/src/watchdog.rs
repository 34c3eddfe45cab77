//! A program that outlives the server for a moment, to end the process.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Signal, getpgrp, getpid, kill_process_group};
use tokio::{
    process::Command,
    runtime,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::timeout,
};

/// The exit code of a program that is not there, as a shell has it.
const NOT_STARTED: u8 = 127;

/// Runs a command, and ends its process group when the server is gone: a whole `main`.
///
/// It is the program that [`Process::watchdog`](crate::Process::watchdog) names. Its standard input
/// is a pipe from the server. At the end of that, all processes of its group get SIGTERM, and those
/// that are there after the stop timeout SIGKILL. If the command ends before, so does this, with the
/// same exit code, or 128 and the number of the signal.
///
/// The arguments are those that the server has added. A server that is its own watchdog passes them
/// on:
///
/// ```
/// use std::{env, process::ExitCode};
///
/// use tower_process::{Process, watchdog};
///
/// fn main() -> ExitCode {
///     let mut arguments = env::args_os().skip(1);
///     if arguments.next().is_some_and(|first| first == "watchdog") {
///         return watchdog(arguments);
///     }
///     let process = Process::new("gunicorn --bind unix:{socket} app:app");
///     let process = process.map(|it| it.watchdog("/proc/self/exe", ["watchdog"]));
///     // …
///     ExitCode::SUCCESS
/// }
/// ```
pub fn watchdog(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(arguments.into_iter()) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("{error}");
            NOT_STARTED.into()
        }
    }
}

fn run(mut arguments: impl Iterator<Item = OsString>) -> io::Result<u8> {
    let wrong = || {
        let message = "the watchdog is run by the server, with a time, a socket and a command";
        io::Error::other(message)
    };
    let time = arguments.next().and_then(|time| time.into_string().ok());
    let time = time.and_then(|time| time.parse().ok()).ok_or_else(wrong)?;
    let socket = arguments.next().map(PathBuf::from).ok_or_else(wrong)?;
    let program = arguments.next().ok_or_else(wrong)?;
    // It ends its group, which must not be that of a shell.
    if getpgrp() != getpid() {
        return Err(wrong());
    }
    let mut command = Command::new(&program);
    command.args(arguments).stdin(Stdio::null());
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(async {
        // It gets the signals for its group, and has to outlive the command. The command does not
        // inherit this.
        let _terminate = signal(SignalKind::terminate())?;
        let gone = server_gone();
        let mut child = command.spawn().map_err(|error| {
            let program = Path::new(&program).display();
            io::Error::new(error.kind(), format!("{program}: {error}"))
        })?;
        tokio::select! {
            status = child.wait() => status.map(Some),
            _ = gone => {
                let _ = kill_process_group(getpgrp(), Signal::TERM);
                let _ = timeout(Duration::from_millis(time), child.wait()).await;
                Ok(None)
            }
        }
    });
    match ended? {
        Some(status) => Ok(code(status)),
        None => {
            // Nothing else is left to remove them.
            let _ = fs::remove_file(&socket);
            let _ = socket.parent().map(fs::remove_dir);
            // It belongs to the group itself.
            let _ = kill_process_group(getpgrp(), Signal::KILL);
            Ok(0)
        }
    }
}

/// Waits for the end of standard input on a thread of its own.
fn server_gone() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = tell.send(());
    });
    told
}

/// Returns the exit code that a shell would have.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| code.try_into().ok())
        .unwrap_or(u8::MAX)
}
