//! The command `serve`, as people and supervisors use it.

#![cfg(all(feature = "cli", feature = "proxy", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

mod served;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{sleep, timeout},
};

use served::{PATIENCE, Served};

async fn serve_site() -> Served {
    let file = site().join("site.ini");
    Served::start(&[file.to_str().unwrap()]).await
}

/// Returns the directory of the example.
fn site() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/site")
}

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

#[tokio::test]
async fn deploy_55_the_first_command_of_the_readme_serves_the_site() {
    let mut served = serve_site().await;
    assert!(
        served
            .tree
            .contains("composite egg:tower#cascade  [composite:site] site.ini:"),
        "{}",
        served.tree
    );

    let page = served.ask("GET", "/").await;
    assert_eq!(
        *page.body(),
        fs::read(site().join("files/index.html")).unwrap()
    );
    let image = served.ask("GET", "/tower.png").await;
    assert_eq!(
        *image.body(),
        fs::read(site().join("files/tower.png")).unwrap()
    );
    let notes = fs::read_to_string(site().join("files/notes.txt")).unwrap();
    let prefixed = notes.lines().map(|line| format!("yikes: {line}\n"));
    assert_eq!(
        text(&served.ask("GET", "/notes.txt").await),
        prefixed.collect::<String>()
    );

    assert_eq!(text(&served.ask("GET", "/hello").await), "Hello World");
    assert_eq!(text(&served.ask("GET", "/hello/John").await), "Hello John");
    assert_eq!(
        text(&served.ask("GET", "/hello/J%C3%B6rg").await),
        "Hello Jörg"
    );
    let undecodable = served.ask("GET", "/hello/%ff").await;
    assert_eq!(undecodable.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        served.ask("GET", "/nowhere").await.status(),
        StatusCode::NOT_FOUND
    );
    for dotfile in ["/../site.ini", "/site.ini", "/.git/config"] {
        assert_eq!(
            served.ask("GET", dotfile).await.status(),
            StatusCode::NOT_FOUND
        );
    }
    let refused = served.ask("DELETE", "/hello").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers()["allow"], "GET, HEAD, OPTIONS, PUT");

    // There is no server.
    assert_eq!(
        served.ask("GET", "/python/x").await.status(),
        StatusCode::BAD_GATEWAY
    );

    let broken = served.ask("GET", "/panic").await;
    assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let incident = broken.headers()["x-incident-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let logged = served.logs("a request failed").await;
    assert!(logged.contains(&incident), "{logged}");
    assert_eq!(served.ask("GET", "/hello").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn deploy_28_an_upload_passes_the_files_over_either_version() {
    let served = serve_site().await;
    let body: Bytes = (0..5_000_000_u32)
        .map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8)
        .collect();
    let sha256 = Sha256::digest(&body);
    let sha256 = sha256.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    for http2 in [false, true] {
        let answer = served.send("PUT", "/upload", body.clone(), http2).await;
        assert_eq!(
            text(&answer),
            format!("{{\"length\":5000000,\"sha256\":\"{sha256}\"}}\n")
        );
    }
}

#[tokio::test]
async fn deploy_55_every_response_is_a_line_in_the_log() {
    let mut served = serve_site().await;
    served.ask("GET", "/hello?password=hunter2").await;
    let line = served.logs("finished").await;
    for words in ["method=GET", "path=/hello", "status=200", "latency="] {
        assert!(line.contains(words), "{line}");
    }
    assert!(!line.contains("hunter2"), "{line}");
}

/// Serves a proxy to a server that sends `tenths` lines, one every tenth of a second.
async fn slow(name: &str, tenths: usize, settings: &str) -> (Served, PathBuf) {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = upstream.accept().await {
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", tenths * 5);
                let _ = stream.write_all(head.as_bytes()).await;
                for _ in 0..tenths {
                    let _ = stream.write_all(b"tick\n").await;
                    sleep(Duration::from_millis(100)).await;
                }
            });
        }
    });
    let file = std::env::temp_dir().join(format!("tower-deploy-{name}-{}.ini", std::process::id()));
    let text = format!(
        "[server:main]\nuse = egg:tower#http\n{settings}\n[app:main]\nuse = egg:tower#proxy\naddress = http://{address}\n"
    );
    fs::write(&file, text).unwrap();
    let served = Served::start(&[file.to_str().unwrap()]).await;
    (served, file)
}

#[tokio::test]
async fn deploy_47_a_download_finishes_and_no_client_is_new() {
    let (mut served, file) = slow("drain", 15, "").await;
    let url: http::Uri = served.url.parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.get(url).await.unwrap();
    served.signal("-TERM").await;
    sleep(Duration::from_millis(300)).await;
    assert!(TcpStream::connect(served.address()).await.is_err());
    let body = timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap();
    assert_eq!(body.unwrap().to_bytes(), "tick\n".repeat(15));
    assert_eq!(served.ended().await, Some(0));
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn deploy_47_a_second_sigterm_ends_at_once() {
    let (mut served, file) = slow("second", 100, "").await;
    let url: http::Uri = served.url.parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.get(url).await.unwrap();
    served.signal("-TERM").await;
    sleep(Duration::from_millis(300)).await;
    let second = Instant::now();
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(1));
    assert!(second.elapsed() < Duration::from_secs(2));
    let body = timeout(PATIENCE, response.into_body().collect())
        .await
        .unwrap();
    assert!(body.is_err());
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn deploy_47_a_request_that_takes_too_long_is_dropped() {
    let (mut served, file) = slow("given-up", 100, "drain_timeout = 300ms").await;
    let url: http::Uri = served.url.parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let response = client.get(url).await.unwrap();
    served.signal("-INT").await;
    assert_eq!(served.ended().await, Some(1));
    assert!(response.into_body().collect().await.is_err());
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn deploy_23_a_client_with_a_slow_head_is_dropped() {
    let (served, file) = slow("head", 1, "header_timeout = 300ms").await;
    let mut stream = TcpStream::connect(served.address()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let drip = async {
        loop {
            if write.write_all(b"G").await.is_err() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = Vec::new();
    let closed = async {
        timeout(PATIENCE, read.read_to_end(&mut answer))
            .await
            .unwrap()
    };
    tokio::select! {
        () = drip => {}
        _ = closed => {}
    }
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
        "{answer:?}"
    );
    fs::remove_file(file).unwrap();
}

#[tokio::test]
async fn deploy_46_half_close_keeps_clients_that_stop_sending() {
    for (setting, is_complete) in [
        ("half_close = yes", true),
        ("half_close = no", false),
        ("", false),
    ] {
        let name = format!("half-close-{}", setting.len());
        let (served, file) = slow(&name, 3, setting).await;
        let mut stream = TcpStream::connect(served.address()).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut response)).await;
        read.unwrap().unwrap();
        // The last of three comes after 200 ms.
        let complete = response.matches("tick\n").count() == 3;
        assert_eq!(complete, is_complete, "{setting}: {response}");
        fs::remove_file(file).unwrap();
    }
}

#[tokio::test]
async fn deploy_54_an_address_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let file = site().join("site.ini");
    let output = Command::new(env!("CARGO_BIN_EXE_tower-deploy"))
        .args(["serve", file.to_str().unwrap(), "--bind", &address])
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.starts_with("error: ") && error.contains(&address),
        "{error}"
    );
}

#[tokio::test]
async fn an_access_log_is_opened_again_at_sigusr1() {
    let name = format!("tower-deploy-access-log-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("x.ini");
    let text = "[server:main]\nuse = egg:tower#http\naccess_log = %(here)s/log\n\
        log_format = json\n[filter:origin]\nuse = egg:tower#origin\ntrusted = 127.0.0.1\n\
        [pipeline:main]\npipeline = origin text\n\
        [app:text]\nuse = egg:tower#text\ntext = one\n";
    fs::write(&file, text).unwrap();
    let mut served = Served::start(&[file.to_str().unwrap()]).await;
    let (log, old) = (folder.join("log"), folder.join("old"));
    let has_line = async |target: &str| {
        let start = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap_or_default();
            if text.contains(&format!("\"target\":\"{target}\"")) {
                return text;
            }
            assert!(start.elapsed() < PATIENCE, "{text}");
            sleep(Duration::from_millis(10)).await;
        }
    };
    served.ask("GET", "/first").await;
    has_line("/first").await;
    fs::rename(&log, &old).unwrap();
    served.signal("-USR1").await;
    // Until the signal has come, a line may be in the old file.
    while !log.exists() {
        served.ask("GET", "/second").await;
        sleep(Duration::from_millis(10)).await;
    }
    let text = has_line("/second").await;
    assert!(text.contains("\"client\":\"127.0.0.1\""), "{text}");
    assert!(!text.contains("/first"), "{text}");
    served.signal("-TERM").await;
    assert_eq!(served.ended().await, Some(0));
    fs::remove_dir_all(folder).unwrap();
}
