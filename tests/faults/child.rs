//! A server in a process of its own, as its parent sees it.

use std::{env, process::Stdio, time::Duration};

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
                let script = format!("ulimit -n {files}; exec \"$0\" {kind}");
                command.args(["-c", &script]).arg(program);
                command
            }
            None => {
                let mut command = Command::new(program);
                command.arg(kind);
                command
            }
        };
        let mut process = command
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

    /// Lets it drain. It fails if a connection had to be aborted.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        let Self {
            mut process, input, ..
        } = self;
        drop(input);
        let status = timeout(PATIENCE, process.wait()).await??;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the server has ended with {status}").into()),
        }
    }
}
