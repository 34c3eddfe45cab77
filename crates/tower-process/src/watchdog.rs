//! A program that outlives the server for a moment, to end the process.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// The time between two looks whether a group has ended.
const POLL: Duration = Duration::from_millis(20);
/// How long the end of a watchdog that has nothing to do is waited for.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Ends the process of a server that is gone: a whole `main`.
///
/// It is the program that [`Process::watchdog`](crate::Process::watchdog) names. Its standard input
/// is a pipe, in which the server writes the id of the process group. At the end of the pipe, the
/// group gets SIGTERM, and SIGKILL after the stop timeout.
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
    match run(arguments.into_iter(), io::stdin().lock()) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            eprintln!("the watchdog is run by the server, with a time and a socket");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: impl Iterator<Item = OsString>, server: impl BufRead) -> Option<()> {
    let time = arguments.next()?.into_string().ok()?.parse().ok()?;
    let socket = PathBuf::from(arguments.next()?);
    // The last id counts.
    let ids = server.lines().map_while(Result::ok);
    if let Some(group) = ids.last().and_then(|id| group(&id)) {
        end(group, Duration::from_millis(time));
    }
    // Nothing else is left to remove them, also between two starts of the process.
    let _ = fs::remove_file(&socket);
    let _ = socket.parent().map(fs::remove_dir);
    Some(())
}

/// Returns the group of a line. There is none in an empty one.
fn group(line: &str) -> Option<Pid> {
    // Group 1 is that of the system, and 0 and less mean other things.
    let id = line.parse().ok().filter(|id| *id > 1)?;
    Pid::from_raw(id)
}

fn end(group: Pid, limit: Duration) {
    let start = Instant::now();
    let _ = kill_process_group(group, Signal::TERM);
    while test_kill_process_group(group).is_ok() && start.elapsed() < limit {
        sleep(POLL);
    }
    let _ = kill_process_group(group, Signal::KILL);
}

/// How the server sees its watchdog.
#[derive(Debug)]
pub(crate) struct Watchdog {
    command: Command,
    running: Option<(Child, File)>,
}

impl Watchdog {
    pub(crate) fn new(
        program: &Path,
        arguments: &[OsString],
        limit: Duration,
        socket: &Path,
    ) -> Self {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .arg(limit.to_string())
            .arg(socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C is for the server.
            .process_group(0);
        Self {
            command,
            running: None,
        }
    }

    /// Starts it, unless it runs.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        if let Some((child, _)) = &mut self.running
            && child.try_wait()?.is_none()
        {
            return Ok(());
        }
        let mut child = self.command.spawn()?;
        let stdin = child.stdin.take().expect("it is a pipe");
        let pipe = File::from(stdin.into_owned_fd()?);
        self.running = Some((child, pipe));
        Ok(())
    }

    /// Tells it the group that it has to end, or that there is none.
    pub(crate) fn tell(&mut self, group: Option<i32>) -> io::Result<()> {
        let line = group.map_or_else(String::new, |id| id.to_string()) + "\n";
        match &mut self.running {
            // The pipe has room for all lines, since the watchdog reads them.
            Some((_, pipe)) => pipe.write_all(line.as_bytes()),
            None => Ok(()),
        }
    }

    /// Ends it.
    pub(crate) async fn end(mut self) {
        let _ = self.tell(None);
        if let Some((mut child, pipe)) = self.running.take() {
            drop(pipe);
            let _ = timeout(LAST_WAIT, child.wait()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_11_a_line_names_a_group() {
        for line in ["", "0", "1", "-1", "-9", "x", "99999999999", " 7"] {
            assert_eq!(group(line), None, "{line}");
        }
        assert_eq!(group("7"), Pid::from_raw(7));
    }

    #[test]
    fn process_11_the_arguments_are_a_time_and_a_socket() {
        let run = |arguments: &[&str]| run(arguments.iter().map(OsString::from), io::empty());
        assert_eq!(run(&["100", "/tmp/none/socket"]), Some(()));
        for wrong in [&[][..], &["100"], &["x", "/tmp/none/socket"]] {
            assert_eq!(run(wrong), None);
        }
    }

    /// A server may be killed in the pause before its process is started again.
    #[test]
    fn process_11_the_socket_is_removed_without_a_process() {
        let directory = tempfile::tempdir().unwrap().keep();
        let socket = directory.join("socket");
        fs::write(&socket, "").unwrap();
        let arguments = ["100".into(), socket.into_os_string()];
        assert_eq!(run(arguments.into_iter(), &b"7\n\n"[..]), Some(()));
        assert!(!directory.exists());
    }

    #[test]
    fn process_11_the_longest_time_is_no_panic() {
        use std::{os::unix::process::CommandExt, process, thread::spawn};

        let mut sleep = process::Command::new("sleep");
        let mut child = sleep.arg("1000").process_group(0).spawn().unwrap();
        let group = group(&child.id().to_string()).unwrap();
        let reaping = spawn(move || child.wait());
        end(group, Duration::MAX);
        reaping.join().unwrap().unwrap();
    }
}
