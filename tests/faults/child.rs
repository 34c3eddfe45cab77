//! A server in a process of its own, as its parent sees it.

use std::{
    env,
    fs::{self, File},
    io::BufRead,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{self, ChildStdin, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};

use crate::{Failure, level::Level};

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(250);

/// Settings of glibc, so that its memory is the server's memory. By default it keeps freed memory,
/// in an arena for each thread.
const GIVE_BACK: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "1"),
    ("MALLOC_MMAP_THRESHOLD_", "65536"),
    ("MALLOC_TRIM_THRESHOLD_", "65536"),
];

pub(crate) struct Child {
    pub(crate) address: String,
    log: Log,
    process: process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program as a server, with a limit of open files if there is one.
    pub(crate) async fn start(kind: &str, files: Option<u32>) -> Result<Self, Failure> {
        let program = env::current_exe()?;
        let mut command = match files {
            // `exec`, so that a kill ends the server and not the shell.
            Some(files) => {
                let mut command = Command::new("sh");
                let script = format!("ulimit -n {files}; exec \"$0\" {kind} \"$1\"");
                command.args(["-c", &script]).arg(program);
                command
            }
            None => {
                let mut command = Command::new(program);
                command.arg(kind);
                command
            }
        };
        let log = Log::new();
        let mut process = command
            .arg(&log.0)
            .envs(GIVE_BACK)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().ok_or("a child without an input")?;
        let output = process.stdout.take().ok_or("a child without an output")?;
        let mut output = BufReader::new(output).lines();
        let address = timeout(PATIENCE, output.next_line()).await??;
        Ok(Self {
            address: address.ok_or("a child that says nothing")?,
            log,
            process,
            input,
            output,
        })
    }

    pub(crate) async fn level(&mut self) -> Result<Level, Failure> {
        self.input.write_all(b"\n").await?;
        let line = timeout(PATIENCE, self.output.next_line()).await??;
        line.ok_or("the child has ended")?.parse()
    }

    /// The level after everything was given back, or after this time.
    pub(crate) async fn level_in_quiet(
        &mut self,
        before: &Level,
        longest: Duration,
    ) -> Result<Level, Failure> {
        let deadline = Instant::now() + longest;
        loop {
            sleep(POLL).await;
            let level = self.level().await;
            match level {
                Ok(level) if level.is_back_to(before) => return Ok(level),
                _ if Instant::now() >= deadline => return level,
                _ => {}
            }
        }
    }

    /// Lets it drain, and returns the number of lines in its access log. It fails if a connection
    /// had to be aborted, or if there is not one line for each request.
    pub(crate) async fn end(self) -> Result<u64, Failure> {
        let Self {
            mut process,
            input,
            mut output,
            log,
            ..
        } = self;
        drop(input);
        let mut last = None;
        while let Some(line) = timeout(PATIENCE, output.next_line()).await?? {
            last = Some(line);
        }
        let status = timeout(PATIENCE, process.wait()).await??;
        if !status.success() {
            return Err(format!("the server has ended with {status}").into());
        }
        let requests: u64 = last.ok_or("the server counts no requests")?.parse()?;
        let lines = log.lines()?;
        match requests == lines {
            true => Ok(lines),
            false => Err(format!("{requests} requests have {lines} lines in the log").into()),
        }
    }
}

/// The file of an access log. It is removed in the end.
struct Log(PathBuf);

impl Log {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("faults-{}-{count}.log", std::process::id());
        Self(env::temp_dir().join(name))
    }

    /// Returns the number of lines. It fails if one is no request, as where lines were lost.
    fn lines(&self) -> Result<u64, Failure> {
        let path: &Path = &self.0;
        let mut count = 0;
        for line in std::io::BufReader::new(File::open(path)?).lines() {
            let line = line?;
            if !line.starts_with("{\"time\":") || !line.ends_with('}') {
                return Err(format!("the log has a line that is no request: {line}").into());
            }
            count += 1;
        }
        Ok(count)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // It is not there if the server has not come so far.
        let _ = fs::remove_file(&self.0);
    }
}
