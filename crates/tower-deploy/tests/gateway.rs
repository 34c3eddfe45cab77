//! The command `serve` behind a web server.

#![cfg(all(feature = "cli", feature = "gateway", unix))]
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    fs,
    net::TcpListener,
    os::fd::OwnedFd,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use http::Request;
use http_body_util::{BodyExt, Empty};
use tower::ServiceExt;
use tower_gateway::{FastCgi, ResponseBody, Scgi};

/// A site of one text.
const APP: &str = "[app:main]\nuse = egg:tower#text\ntext = hello\n";

/// A site and its command. It is killed when it is dropped.
struct Site {
    directory: tempfile::TempDir,
    child: Option<Child>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Site {
    /// Returns a site with these lines after the app.
    fn new(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("site.ini"), format!("{APP}{lines}")).unwrap();
        Self {
            directory,
            child: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tower-deploy"));
        command
            .args(["serve", "site.ini"])
            .current_dir(&self.directory);
        command.stderr(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn start(&mut self, command: &mut Command) {
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits for the socket of the site, and returns its path.
    fn socket(&self) -> PathBuf {
        let path = self.directory.path().join("a.sock");
        let begin = Instant::now();
        while !path.exists() {
            assert!(begin.elapsed() < Duration::from_secs(20), "no socket");
            std::thread::sleep(Duration::from_millis(10));
        }
        path
    }

    /// Sends SIGTERM, and returns whether the command ends well.
    fn end(&mut self) -> bool {
        let mut child = self.child.take().unwrap();
        let status = Command::new("kill").arg(child.id().to_string()).status();
        assert!(status.unwrap().success());
        child.wait().unwrap().success()
    }
}

async fn text(response: http::Response<ResponseBody>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<Empty<bytes::Bytes>> {
    Request::get(path)
        .header("host", "a")
        .body(Empty::new())
        .unwrap()
}

fn hello() -> (u16, String) {
    (200, "hello".to_owned())
}

#[tokio::test]
async fn deploy_65_a_site_is_served_over_fastcgi() {
    let mut site = Site::new(
        "[server:main]\nuse = egg:tower#fastcgi\nbind = unix:%(here)s/a.sock\nmount = /app\n",
    );
    let mut command = site.command();
    site.start(&mut command);
    let path = site.socket();
    let program = FastCgi::connect(&format!("unix:{}", path.display())).unwrap();
    let Ok(response) = program.clone().oneshot(get("/app/x")).await;
    assert_eq!(text(response).await, hello());
    let Ok(response) = program.oneshot(get("/other")).await;
    assert_eq!(text(response).await.0, 404);
    assert!(site.end());
    assert!(!path.exists(), "its own file is removed");
}

#[tokio::test]
async fn deploy_65_a_site_is_served_over_scgi() {
    let mut site = Site::new("[server:main]\nuse = egg:tower#scgi\nbind = unix:%(here)s/a.sock\n");
    let mut command = site.command();
    site.start(&mut command);
    let path = site.socket();
    let program = Scgi::connect(&format!("unix:{}", path.display())).unwrap();
    let Ok(response) = program.oneshot(get("/x")).await;
    assert_eq!(text(response).await, hello());
    assert!(site.end());
}

/// Returns the output of the command as a CGI program.
fn cgi(site: &Site, variables: &[(&str, &str)]) -> String {
    let mut command = site.command();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("REQUEST_METHOD", "GET");
    command.envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn deploy_66_as_a_cgi_program_it_responds_once() {
    let http = "[server:main]\nuse = egg:tower#http\nport = 1\n";
    let own = "[server:main]\nuse = egg:tower#cgi\nmount = script-name\n";
    let at_path = "[server:main]\nuse = egg:tower#cgi\nmount = /cgi-bin/a.cgi\n";
    let uri = [
        ("REQUEST_URI", "/cgi-bin/a.cgi/x"),
        ("SCRIPT_NAME", "/cgi-bin/a.cgi"),
    ];
    for server in ["", http, own, at_path] {
        let output = cgi(&Site::new(server), &uri);
        assert!(
            output.starts_with("Status: 200 OK\r\n"),
            "{server}: {output}"
        );
        assert!(output.ends_with("\r\n\r\nhello"), "{server}: {output}");
    }
    // The settings of the file count.
    let output = cgi(&Site::new(at_path), &[("REQUEST_URI", "/x")]);
    assert!(output.starts_with("Status: 404 Not Found\r\n"), "{output}");
}

#[tokio::test]
async fn deploy_66_a_socket_on_standard_input_is_served() {
    for server in ["", "[server:main]\nuse = egg:tower#fastcgi\nport = 1\n"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut site = Site::new(server);
        let mut command = site.command();
        command.stdin(OwnedFd::from(listener));
        site.start(&mut command);
        // The command has its own copy of the socket.
        drop(command);
        let program = FastCgi::connect(&address).unwrap();
        let Ok(response) = program.oneshot(get("/x")).await;
        assert_eq!(text(response).await, hello(), "{server}");
        assert!(site.end());
    }
}

#[test]
fn deploy_66_a_broken_file_has_no_response() {
    let site = Site::new("[server:main]\nuse = egg:tower#nothing\n");
    let mut command = site.command();
    command
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("REQUEST_METHOD", "GET");
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert_eq!(output.stdout, b"");
}
