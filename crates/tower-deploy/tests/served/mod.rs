//! The command `serve` as a process, and a client for it.

#![allow(dead_code, reason = "each test uses a part")]

use std::{fmt::Write, process::Stdio, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

/// The time after which a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// The lines that it printed before it listened.
    pub(crate) tree: String,
    /// Its standard error, if that is a pipe that nothing else reads.
    pub(crate) log: Option<Lines<BufReader<ChildStderr>>>,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Served {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
        command.arg("serve").stderr(Stdio::piped());
        Self::spawn(&mut command, args).await
    }

    /// Starts a command with these arguments. The command sets its standard error.
    pub(crate) async fn spawn(command: &mut Command, args: &[&str]) -> Self {
        let mut child = command
            .args(args)
            .args(["--bind", "127.0.0.1:0"])
            .env("RUST_BACKTRACE", "0")
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = child.stderr.take();
        let mut log = log.map(|log| BufReader::new(log).lines());
        let mut tree = String::new();
        let url = loop {
            let Some(line) = timeout(PATIENCE, said.next_line()).await.unwrap().unwrap() else {
                let why = match &mut log {
                    Some(log) => log.next_line().await.unwrap(),
                    None => None,
                };
                panic!("it has ended: {why:?}");
            };
            match line.strip_prefix("listening on ") {
                Some(url) => break url.to_owned(),
                None => writeln!(tree, "{line}").unwrap(),
            }
        };
        Self {
            child,
            url,
            tree,
            log,
            _said: said,
        }
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Skips the log until a line with these words.
    pub(crate) async fn logs(&mut self, words: &str) -> String {
        let log = self.log.as_mut().unwrap();
        loop {
            let line = timeout(PATIENCE, log.next_line()).await;
            let line = line.unwrap().unwrap().unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Response<Bytes> {
        self.send(method, path, Bytes::new(), false).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Bytes,
        http2: bool,
    ) -> Response<Bytes> {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(format!("{}{path}", self.url))
            .body(Full::new(body))
            .unwrap();
        let client = Client::builder(TokioExecutor::new())
            .http2_only(http2)
            .build_http();
        let response = timeout(PATIENCE, client.request(request)).await;
        let (parts, body) = response.unwrap().unwrap().into_parts();
        let body = timeout(PATIENCE, body.collect()).await.unwrap();
        Response::from_parts(parts, body.unwrap().to_bytes())
    }

    pub(crate) async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args([signal, &pid]).status().await.unwrap().success());
    }

    /// Waits for its end, and returns the exit code.
    pub(crate) async fn ended(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.child.wait())
            .await
            .unwrap()
            .unwrap()
            .code()
    }
}
