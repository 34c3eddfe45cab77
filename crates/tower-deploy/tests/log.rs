//! The log of `serve`, and the site when nothing takes its lines.

#![cfg(all(feature = "cli", feature = "reload", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod served;

use std::{
    fmt::Write,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use bytes::Bytes;

use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Command,
    time::{sleep, timeout},
};

use served::{PATIENCE, Served};

/// How long the end may take when nothing is under way.
const END: Duration = Duration::from_secs(10);

/// A directory with a site that responds with a word, and panics under `/panic`.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Self {
        let name = format!("tower-deploy-log-{name}-{}", std::process::id());
        let site = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&site.0).unwrap();
        site.write("one");
        site
    }

    fn write(&self, word: &str) {
        let text = format!(
            "[composite:main]\nuse = egg:tower#urlmap\n/ = word\n/panic = panic\n\
             [app:word]\nuse = egg:tower#text\ntext = {word}\n\
             [app:panic]\nuse = egg:tower#panic\n"
        );
        fs::write(self.file(), text).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.0.join("site.ini")
    }

    async fn serve(&self, command: &mut Command) -> Served {
        Served::spawn(command, &[self.file().to_str().unwrap()]).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn serve(stderr: impl Into<Stdio>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
    command.arg("serve").stderr(stderr);
    command
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Returns how many of this number of requests have the whole response.
async fn answered(served: &Served, number: usize, path: &str, word: &str) -> usize {
    let client = client();
    let mut answered = 0;
    for _ in 0..number {
        let uri = format!("{}{path}", served.url).parse().unwrap();
        let response = timeout(PATIENCE, client.get(uri)).await;
        let Ok(Ok(response)) = response else { continue };
        let body = timeout(PATIENCE, response.into_body().collect()).await;
        if let Ok(Ok(body)) = body
            && body.to_bytes() == word
        {
            answered += 1;
        }
    }
    answered
}

/// Waits until the site responds with another word.
async fn says(served: &Served, word: &str) {
    let start = Instant::now();
    while answered(served, 1, "/", word).await == 0 {
        assert!(start.elapsed() < PATIENCE, "it does not say {word}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Checks that a site responds, panics without harm, is reloaded, and ends at SIGTERM, whatever its
/// log does.
async fn serves_on(site: &Site, mut served: Served) {
    assert_eq!(answered(&served, 1_000, "/", "one").await, 1_000);
    for _ in 0..10 {
        assert_eq!(answered(&served, 1, "/panic", "").await, 0);
    }
    for word in ["two", "three"] {
        site.write(word);
        served.signal("-HUP").await;
        says(&served, word).await;
        assert_eq!(answered(&served, 100, "/", word).await, 100);
    }
    // The log also has the errors in a file.
    fs::write(site.file(), "[").unwrap();
    served.signal("-HUP").await;
    assert_eq!(answered(&served, 100, "/", "three").await, 100);
    ends(&mut served).await;
}

async fn ends(served: &mut Served) {
    let start = Instant::now();
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
    assert!(start.elapsed() < END, "{:?}", start.elapsed());
}

#[tokio::test]
async fn deploy_56_a_full_log_stops_nothing() {
    let site = Site::new("full");
    let served = site.serve(&mut serve(full())).await;
    serves_on(&site, served).await;
}

#[tokio::test]
async fn deploy_56_a_closed_log_stops_nothing() {
    let site = Site::new("closed");
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_tower-deploy");
    command.args(["-c", "exec \"$@\" 2>&-", "sh", program, "serve"]);
    let served = site.serve(&mut command).await;
    serves_on(&site, served).await;
}

#[tokio::test]
async fn deploy_56_a_log_without_a_reader_stops_nothing() {
    let site = Site::new("gone");
    let mut served = site.serve(&mut serve(Stdio::piped())).await;
    drop(served.log.take());
    serves_on(&site, served).await;
}

#[tokio::test]
async fn deploy_56_a_log_with_a_stuck_reader_stops_nothing() {
    let site = Site::new("stuck");
    let served = site.serve(&mut serve(Stdio::piped())).await;
    // More than a pipe and the queue hold.
    let long = format!("/{}", "x".repeat(4_000));
    assert_eq!(answered(&served, 500, &long, "one").await, 500);
    serves_on(&site, served).await;
}

#[tokio::test]
async fn deploy_56_lost_lines_are_counted_and_reported() {
    let site = Site::new("counted");
    let mut served = site.serve(&mut serve(Stdio::piped())).await;
    let long = format!("/{}", "x".repeat(4_000));
    assert_eq!(answered(&served, 1_000, &long, "one").await, 1_000);
    // The reader is back.
    let (mut read, mut lost) = (0, 0);
    while read + lost < 1_000 {
        let line = timeout(PATIENCE, served.log.as_mut().unwrap().next_line()).await;
        let line = line.unwrap().unwrap().unwrap();
        match line.split_once("lines lost because nothing took them in time: ") {
            Some((_, number)) => lost += number.parse::<usize>().unwrap(),
            None => read += usize::from(line.contains("finished")),
        }
    }
    assert_eq!(read + lost, 1_000);
    assert!(read > 100 && lost > 100, "{read} {lost}");
    // The log continues.
    answered(&served, 1, "/back", "one").await;
    served.logs("path=/back").await;
    ends(&mut served).await;
}

#[tokio::test]
async fn deploy_56_an_ordinary_log_is_whole_at_the_end() {
    let site = Site::new("whole");
    let file = site.0.join("log");
    let mut served = site.serve(&mut serve(File::create(&file).unwrap())).await;
    assert_eq!(answered(&served, 1_000, "/", "one").await, 1_000);
    ends(&mut served).await;
    let log = fs::read_to_string(file).unwrap();
    assert_eq!(log.lines().count(), 1_000, "{log}");
    assert!(log.ends_with('\n'));
    for line in log.lines() {
        assert!(
            line.contains("finished") && line.contains("status=200"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn deploy_55_a_panic_is_logged_with_its_position() {
    let site = Site::new("panic");
    let mut served = site.serve(&mut serve(Stdio::piped())).await;
    assert_eq!(answered(&served, 1, "/panic", "").await, 0);
    let line = served.logs("panicked at ").await;
    assert!(
        line.starts_with("thread '") && line.contains("trial.rs:"),
        "{line}"
    );
    ends(&mut served).await;
}

/// Serves with this standard output, which no address can be read from.
async fn served_unheard(site: &Site, stdout: impl Into<Stdio>) {
    let socket = site.0.join("socket");
    let mut child = serve(Stdio::null())
        .arg(site.file())
        .args(["--bind", &format!("unix:{}", socket.display())])
        .stdout(stdout)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    assert!(asked(&socket).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let pid = child.id().unwrap().to_string();
    let start = Instant::now();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
    let ended = timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(start.elapsed() < END, "{:?}", start.elapsed());
}

async fn asked(socket: &Path) -> String {
    let start = Instant::now();
    let mut stream = loop {
        match UnixStream::connect(socket).await {
            Ok(stream) => break stream,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        sleep(Duration::from_millis(20)).await;
    };
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut response = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut response)).await;
    read.unwrap().unwrap();
    response
}

#[tokio::test]
async fn deploy_59_the_output_of_serve_may_have_no_reader() {
    let site = Site::new("unheard");
    // More than a pipe holds.
    let mut text = "[composite:main]\nuse = egg:tower#urlmap\n/ = a\n".to_owned();
    for number in 0..1_500 {
        writeln!(text, "/{number} = a").unwrap();
    }
    text += "[app:a]\nuse = egg:tower#text\ntext = a\n";
    fs::write(site.file(), text).unwrap();

    served_unheard(&site, full()).await;
    let (gone, pipe) = std::io::pipe().unwrap();
    drop(gone);
    served_unheard(&site, pipe).await;
    let (mut stuck, pipe) = std::io::pipe().unwrap();
    served_unheard(&site, pipe).await;
    let mut said = String::new();
    stuck.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("composite egg:tower#urlmap"), "{said}");
}
