//! This test program as a program that a web server starts.
#![cfg(unix)]

use std::{
    env,
    fs::{self, File},
    io::{Read, Write},
    net::TcpListener,
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net::UnixListener},
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tower_gateway::{Listener, RequestBody, Server, Start, detect};

use super::front::{Front, get, service};

/// The variable with the part that the child plays.
const PART: &str = "TOWER_GATEWAY_TEST_PART";

/// Is the child, and does nothing in any other process.
#[tokio::test]
async fn the_child_plays_its_part() {
    let Ok(part) = env::var(PART) else {
        return;
    };
    // The harness writes to standard output, so the real one is another descriptor.
    if let Ok(output) = File::options().write(true).open("/dev/fd/3") {
        rustix::stdio::dup2_stdout(output).unwrap();
    }
    match &*part {
        "detect" => {
            print!("{:?}", detect());
            std::io::stdout().flush().unwrap();
        }
        "cgi" => {
            let done = Server::new()
                .mount_at_script_name()
                .cgi(service(respond))
                .await;
            if let Err(error) = done {
                eprintln!("{error}");
            }
        }
        "plain-cgi" => super::round_trip::respond_as_cgi().await,
        "fastcgi" => {
            assert_eq!(detect(), Start::FastCgi);
            let listener = Listener::stdin().unwrap();
            // It is taken.
            assert_eq!(detect(), Start::Alone);
            Listener::stdin().unwrap_err();
            Server::new()
                .fastcgi(listener, service(respond))
                .await
                .unwrap();
        }
        "handed-over" => {
            assert_eq!(detect(), Start::HandedOver);
            let listener = Listener::handed_over().unwrap().unwrap();
            Server::new()
                .fastcgi(listener, service(respond))
                .await
                .unwrap();
        }
        part => panic!("{part}"),
    }
    std::process::exit(0);
}

/// Responds with what it has seen. It does not read the body for `/early`.
async fn respond(request: Request<RequestBody>) -> Response<Body> {
    use tower_environ::MountExt;

    let line = format!(
        "{} {} {} ",
        request.method(),
        request.script_name(),
        request.path_info()
    );
    if request.path_info() == "/early" {
        let mut response = Response::new(Body::from(line));
        *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
        return response;
    }
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(Body::from([line.as_bytes(), &body].concat()))
}

/// A command that runs the child.
fn command(part: &str, redirections: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec \"$0\" \"$@\" {redirections}")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "child::the_child_plays_its_part", "--nocapture"])
        .env_clear()
        .env(PART, part);
    command
}

/// Writes a CGI program that runs the child.
pub(crate) fn cgi_program(part: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("program.cgi");
    let program = env::current_exe().unwrap();
    let lines = format!(
        "#!/bin/sh\n{PART}={part} exec {} --exact child::the_child_plays_its_part --nocapture \
         3>&1 1>/dev/null\n",
        program.display()
    );
    fs::write(&path, lines).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path)
}

/// Runs the child as a CGI program with this input, and returns its output and whether it read all.
fn cgi(variables: &[(&str, &str)], input: &[u8]) -> (String, bool) {
    let mut command = command("cgi", "3>&1 1>/dev/null");
    command
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It stays open after the input, as it may behind Apache.
    let writing = std::thread::spawn(move || (stdin.write_all(&input).is_ok(), stdin));
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    assert!(child.wait().unwrap().success());
    let (is_read, _stdin) = writing.join().unwrap();
    (output, is_read)
}

fn output(body: &str) -> String {
    format!(
        "Status: 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn gateway_44_a_cgi_program_responds_to_its_request() {
    let method = ("REQUEST_METHOD", "POST");
    let uri = ("REQUEST_URI", "/cgi-bin/a.cgi/x%20y");
    let name = ("SCRIPT_NAME", "/cgi-bin/a.cgi");
    // Only known names of the environment are variables of the request.
    let others = ("CONTENT", "x");
    for (length, input, expected) in [
        ("3", &b"abc"[..], "POST /cgi-bin/a.cgi /x%20y abc"),
        ("3", b"abcdef", "POST /cgi-bin/a.cgi /x%20y abc"),
        ("0", b"", "POST /cgi-bin/a.cgi /x%20y "),
        // Zero bytes, although more could come.
        ("", b"abc", "POST /cgi-bin/a.cgi /x%20y "),
    ] {
        let variables = [method, uri, name, others, ("CONTENT_LENGTH", length)];
        assert_eq!(cgi(&variables, input).0, output(expected), "{length}");
    }
    let get = [("REQUEST_METHOD", "GET"), ("PATH_INFO", "/a b")];
    assert_eq!(cgi(&get, b"").0, output("GET  /a%20b "));
    let wrong = [("REQUEST_METHOD", "GET"), ("CONTENT_LENGTH", "x")];
    assert!(
        cgi(&wrong, b"")
            .0
            .starts_with("Status: 400 Bad Request\r\n")
    );
}

/// The server has decoded the chunks, and does not know the length.
#[test]
fn gateway_44_a_body_of_chunks_ends_with_the_input() {
    let mut command = command("cgi", "3>&1 1>/dev/null");
    command
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("REQUEST_METHOD", "PUT")
        .env("PATH_INFO", "/")
        .env("HTTP_TRANSFER_ENCODING", "chunked")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"abcdef").unwrap();
    let found = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(found.stdout).unwrap(),
        output("PUT  / abcdef")
    );
}

/// Otherwise Apache's mod_cgid loses the end of the response.
#[test]
fn gateway_44_the_input_is_read_although_the_service_does_not() {
    let length = 3_000_000;
    let variables = [
        ("REQUEST_METHOD", "POST"),
        ("PATH_INFO", "/early"),
        ("CONTENT_LENGTH", &*length.to_string()),
    ];
    let (output, is_read) = cgi(&variables, &vec![0; length]);
    assert!(
        output.starts_with("Status: 413 Payload Too Large\r\n"),
        "{output}"
    );
    assert!(is_read);
}

/// Returns what `detect` finds with these variables and this input.
fn detected(variables: &[(&str, &str)], stdin: impl Into<Stdio>) -> String {
    let mut command = command("detect", "3>&1 1>/dev/null");
    command.envs(variables.iter().copied()).stdin(stdin);
    let found = command.output().unwrap();
    String::from_utf8(found.stdout).unwrap()
}

#[test]
fn gateway_47_the_way_in_which_a_process_was_started_is_found() {
    let cgi = [("GATEWAY_INTERFACE", "CGI/1.1"), ("REQUEST_METHOD", "GET")];
    for (variables, expected) in [
        (&[][..], "Alone"),
        (&cgi, "Cgi"),
        (&cgi[..1], "Alone"),
        (&[("REQUEST_METHOD", "GET")], "Alone"),
        (&[("LISTEN_FDS", "1")], "HandedOver"),
        (&[("LISTEN_FDS", "1"), ("LISTEN_PID", "1")], "Alone"),
    ] {
        assert_eq!(
            detected(variables, Stdio::null()),
            expected,
            "{variables:?}"
        );
    }
    let socket = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    assert_eq!(detected(&[], socket()), "FastCgi");
    // mod_fcgid starts the program with the variables of a CGI program, too.
    assert_eq!(detected(&cgi, socket()), "FastCgi");
    // The input of a CGI program may be a connection.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(detected(&cgi, OwnedFd::from(connection)), "Cgi");
}

/// A child that serves. It is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn terminate(&self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
    }
}

#[tokio::test]
async fn gateway_47_a_socket_on_standard_input_is_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut command = command("fastcgi", "");
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::null());
    let mut child = Running(command.spawn().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let mut front = Front { stream };
    front.send(get(1, true, "/a")).await;
    assert_eq!(front.reply(1).await.body(), "GET  /a ");
    // SIGTERM ends the program, and closes the idle connection.
    child.terminate();
    assert_eq!(front.rest().await, b"");
    drop(front);
    assert!(child.0.wait().unwrap().success());
}

#[tokio::test]
async fn gateway_47_a_unix_socket_on_standard_input_is_served() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = command("fastcgi", "");
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::null());
    let _child = Running(command.spawn().unwrap());
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(&get(1, false, "/a")).await.unwrap();
    let mut found = Vec::new();
    stream.read_to_end(&mut found).await.unwrap();
    assert!(String::from_utf8_lossy(&found).contains("GET  /a "));
}

#[tokio::test]
async fn gateway_47_sockets_of_a_supervisor_are_served() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The first socket that is handed over is descriptor 3.
    let mut command = command("handed-over", "3<&0 0</dev/null");
    command.env("LISTEN_FDS", "1");
    command.stdin(OwnedFd::from(listener)).stdout(Stdio::null());
    let _child = Running(command.spawn().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let mut front = Front { stream };
    front.send(get(1, false, "/a")).await;
    assert_eq!(front.reply(1).await.body(), "GET  /a ");
}
