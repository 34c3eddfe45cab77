//! The server as a process of its own, for signals, limits and inherited sockets.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixListener},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use tokio::time::sleep;

use super::*;

/// The variable with the address on which the child listens.
const CHILD: &str = "TOWER_SERVE_TEST_CHILD";

/// Is the child, and does nothing in any other process.
#[tokio::test]
async fn the_child_serves() {
    let Ok(address) = std::env::var(CHILD) else {
        return;
    };
    let shutdown = Shutdown::signals().unwrap();
    let server = Server::new(address.parse().unwrap());
    let bound = server.bind().await.unwrap();
    for address in bound.addresses() {
        println!("\nlistening on {address}");
    }
    println!("\nserving");
    let slow = service(async |request: Request<RequestBody>| {
        if request.uri().path() == "/slow" {
            sleep(ms(300)).await;
        }
        Body::from(request.uri().path().to_owned())
    });
    bound.serve(slow, shutdown).await.unwrap();
}

/// The child and its output. Without a reader, the child could not write.
struct Process(Child, BufReader<ChildStdout>);

impl Process {
    /// Runs the child in a shell with this before and after its command, and reads its addresses.
    fn start(
        before: &str,
        after: &str,
        address: &str,
        set: impl FnOnce(&mut Command),
    ) -> (Self, Vec<String>) {
        let script = format!("{before} exec \"$0\" \"$@\" {after}");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child::the_child_serves", "--nocapture"])
            .env(CHILD, address)
            .stdout(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = Self(child, output);
        let mut addresses = Vec::new();
        for line in process.1.by_ref().lines().map_while(Result::ok) {
            if line == "serving" {
                return (process, addresses);
            }
            if let Some(address) = line.strip_prefix("listening on ") {
                addresses.push(address.to_owned());
            }
        }
        panic!("the child did not serve");
    }

    fn kill(&self, signal: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status();
        assert!(status.unwrap().success());
    }

    async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the child does not end");
            sleep(ms(10)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(url: &str) -> Client {
    let address = url.strip_prefix("http://").unwrap();
    Client(TcpStream::connect(address).await.unwrap())
}

#[tokio::test]
async fn serve_13_sigterm_and_ctrl_c_let_requests_finish() {
    for signal in ["-TERM", "-INT"] {
        let (mut child, addresses) = Process::start("", "", "localhost:0", |_| {});
        let mut client = connect(&addresses[0]).await;
        client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        sleep(ms(100)).await;
        child.kill(signal);
        assert!(client.response().await.ends_with("/slow"));
        assert!(child.ended().await.success());
    }
}

#[tokio::test]
async fn serve_13_a_second_signal_ends_the_process() {
    // The child ends with a panic, whose message is not for the log of the tests.
    let (mut child, addresses) = Process::start("", "2>/dev/null", "127.0.0.1:0", |_| {});
    let mut client = connect(&addresses[0]).await;
    client.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    sleep(ms(100)).await;
    child.kill("-TERM");
    sleep(ms(50)).await;
    child.kill("-INT");
    assert_eq!(client.rest().await.0, b"");
    assert!(!child.ended().await.success());
}

#[tokio::test]
async fn serve_16_handed_over_sockets_are_served_instead() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", tcp.local_addr().unwrap());
    let path = crate::sockets::path("handed-over");
    let unix = UnixListener::bind(&path).unwrap();
    let unused = crate::sockets::path("unused");
    let (mut child, addresses) = Process::start(
        "LISTEN_PID=$$ LISTEN_FDS=2",
        "3<&0 4<&2 2>/dev/null",
        &format!("unix:{}", unused.display()),
        |command| {
            command
                .stdin(OwnedFd::from(tcp))
                .stderr(OwnedFd::from(unix));
        },
    );
    assert_eq!(addresses, [url.clone(), format!("unix:{}", path.display())]);
    assert!(!unused.exists());
    assert!(connect(&url).await.get("/tcp").await.ends_with("/tcp"));
    let mut client = Client(tokio::net::UnixStream::connect(&path).await.unwrap());
    assert!(client.get("/unix").await.ends_with("/unix"));
    drop(client);
    child.kill("-TERM");
    assert!(child.ended().await.success());
    // The file is the supervisor's.
    assert!(path.exists());
}

#[tokio::test]
async fn serve_16_sockets_for_another_process_are_left_alone() {
    let handed_over = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", handed_over.local_addr().unwrap());
    let (_child, addresses) = Process::start(
        "LISTEN_PID=1 LISTEN_FDS=1",
        "3<&0",
        "127.0.0.1:0",
        |command| {
            command.stdin(OwnedFd::from(handed_over));
        },
    );
    assert_eq!(addresses.len(), 1);
    assert_ne!(addresses[0], url);
    assert!(
        connect(&addresses[0])
            .await
            .get("/own")
            .await
            .ends_with("/own")
    );
}

#[tokio::test]
async fn serve_16_a_handed_over_file_that_is_no_listener_is_an_error() {
    let output = Command::new("sh")
        .args([
            "-c",
            "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3</dev/null",
        ])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "child::the_child_serves", "--nocapture"])
        .env(CHILD, "127.0.0.1:0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    let error = "cannot take over socket 1 of 1 of LISTEN_FDS: fd 3 is not a socket (expected a TCP or Unix stream socket that listens)";
    assert!(text.contains(error), "{text}");
}

#[tokio::test]
async fn serve_18_too_many_open_files_are_survived() {
    let (mut child, addresses) = Process::start("ulimit -n 24;", "", "127.0.0.1:0", |_| {});
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = connect(&addresses[0]).await;
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        clients.push(client);
    }
    sleep(ms(300)).await;
    let mut waiting = 0;
    for client in &mut clients {
        waiting += usize::from(client.is_silent_for(ms(1)).await);
    }
    assert!(waiting > 0 && waiting < 30, "{waiting} of 30 are waiting");
    drop(clients);
    assert!(
        connect(&addresses[0])
            .await
            .get("/after")
            .await
            .ends_with("/after")
    );
    child.kill("-TERM");
    assert!(child.ended().await.success());
}
