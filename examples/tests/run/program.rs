//! An example that runs, and the requests of its users.

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::timeout,
};

/// The time after which the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) url: String,
    log: Lines<BufReader<ChildStderr>>,
    // Kept open: a program that prints to a closed pipe dies.
    _said: Lines<BufReader<ChildStdout>>,
}

impl Program {
    pub(crate) async fn start(path: &str) -> Self {
        Self::start_with(path, &[]).await
    }

    pub(crate) async fn start_with(path: &str, args: &[&str]) -> Self {
        Self::start_by(path, &[args, &["--bind", "127.0.0.1:0"]].concat()).await
    }

    pub(crate) async fn start_by(path: &str, args: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(args)
            // A long backtrace would fill the pipe, which is read only if a test reads the log.
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = loop {
            let line = timeout(PATIENCE, said.next_line()).await;
            let line = line.unwrap().unwrap().unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
        };
        Self {
            child,
            url,
            log,
            _said: said,
        }
    }

    /// Skips the log until a line with these words.
    pub(crate) async fn logs(&mut self, words: &str) -> String {
        loop {
            let line = timeout(PATIENCE, self.log.next_line())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Bytes> {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.request(request.body(Full::default()).unwrap()).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Response<Bytes> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        self.request(request.body(body.to_owned().into()).unwrap())
            .await
    }

    pub(crate) async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Bytes> {
        let uri = format!("{}{path}", self.url);
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        self.request(request.body(body.to_owned().into()).unwrap())
            .await
    }

    async fn request(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = client.request(request);
        let response = timeout(PATIENCE, request).await.unwrap().unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }
}
