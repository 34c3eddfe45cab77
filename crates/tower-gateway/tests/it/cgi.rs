//! CGI programs, as shell scripts.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tower_gateway::{Cgi, GatewayError, Scripts};

use super::{ask, body, get, post, reason, text};

struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// Waits until the file has a line, and returns it.
async fn line(path: &Path) -> String {
    for _ in 0..500 {
        if let Ok(text) = fs::read_to_string(path)
            && text.ends_with('\n')
        {
            return text.trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing came in {}", path.display());
}

/// Returns whether there is a process with this id, as a zombie too.
fn is_there(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

async fn gone(pid: &str, within: Duration) {
    let begin = Instant::now();
    while is_there(pid) {
        assert!(begin.elapsed() < within, "process {pid} is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn gateway_28_a_program_has_a_clean_environment() {
    let directory = Directory::new();
    let script = directory.script(
        "env.cgi",
        "echo Content-Type: text/plain; echo; pwd; env | sort",
    );
    let service = Cgi::new(&script).env("B", "2").unwrap();
    let request = Request::get("/x%20y?z")
        .header("proxy", "http://example.org")
        .body(body(""))
        .unwrap();
    let found = text(ask(&service, request).await).await;
    let mut lines = found.lines();
    let first = lines.next().unwrap();
    let real = fs::canonicalize(directory.0.path()).unwrap();
    assert_eq!(
        first,
        format!("200 content-type=text/plain | {}", real.display())
    );
    let names: Vec<_> = lines.map(|line| line.split('=').next().unwrap()).collect();
    let expected = [
        "B",
        "CONTENT_LENGTH",
        "GATEWAY_INTERFACE",
        "PATH",
        "PATH_INFO",
        "PWD",
        "QUERY_STRING",
        "REDIRECT_STATUS",
        "REQUEST_METHOD",
        "REQUEST_SCHEME",
        "REQUEST_URI",
        "SCRIPT_NAME",
        "SERVER_NAME",
        "SERVER_PORT",
        "SERVER_PROTOCOL",
        "SERVER_SOFTWARE",
    ];
    let names: Vec<_> = names
        .into_iter()
        .filter(|name| !matches!(*name, "_" | "OLDPWD" | "SHLVL"))
        .collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn gateway_28_a_program_reads_and_writes_at_once() {
    let directory = Directory::new();
    let script = directory.script("cat.cgi", "echo A: 1; echo; cat; echo at the end >&2");
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let service = Cgi::new(&script).stderr({
        let lines = lines.clone();
        move |line| lines.lock().unwrap().push(line.text.to_owned())
    });
    assert_eq!(
        text(ask(&service, post("/", "abc")).await).await,
        "200 a=1 | abc"
    );
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let pieces =
        stream::iter((0..100).map(move |_| Ok::<_, std::io::Error>(Frame::data(piece.clone()))));
    let request = Request::post("/").header(CONTENT_LENGTH, 10_000_000);
    let request = request
        .body(StreamBody::new(pieces).boxed_unsync())
        .unwrap();
    let response = ask(&service, request).await;
    assert_eq!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .len(),
        10_000_000
    );
    assert_eq!(*lines.lock().unwrap(), ["at the end", "at the end"]);
}

#[tokio::test]
async fn gateway_28_scripts_and_arguments_are_run() {
    let directory = Directory::new();
    directory.script("a.cgi", "echo A: 1; echo; echo $SCRIPT_NAME $PATH_INFO $*");
    fs::write(directory.path("b.cgi"), "not executable").unwrap();
    let service = Cgi::scripts(Scripts::directory(directory.0.path(), ".cgi", "a.cgi"))
        .arg("one")
        .arg("two");
    for (path, expected) in [
        ("/a.cgi/x", "200 a=1 | /a.cgi /x one two\n"),
        ("/", "200 a=1 | /a.cgi one two\n"),
    ] {
        assert_eq!(text(ask(&service, get(path)).await).await, expected);
    }
    let response = ask(&service, get("/b.cgi")).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (502, Some(GatewayError::NotStarted))
    );
    let response = ask(&Cgi::new("/nowhere/x"), get("/")).await;
    assert_eq!(reason(&response), Some(GatewayError::NotStarted));
}

#[tokio::test]
async fn gateway_28_no_process_is_left_after_a_response() {
    let directory = Directory::new();
    let script = directory.script("pid.cgi", "echo A: 1; echo; echo $$");
    let service = Cgi::new(&script);
    for _ in 0..20 {
        let found = text(ask(&service, get("/")).await).await;
        let pid = found.strip_prefix("200 a=1 | ").unwrap().trim().to_owned();
        gone(&pid, Duration::from_secs(1)).await;
    }
    let script = directory.script("exit.cgi", "exit 3");
    let response = ask(&Cgi::new(&script), get("/")).await;
    assert_eq!(reason(&response), Some(GatewayError::NoResponse));
}

/// A program whose child waits, both in one group.
fn waiting(directory: &Directory, trap: &str) -> (Cgi, PathBuf, PathBuf) {
    let text = format!(
        "{trap}\nsleep 60 & echo $! > child; echo A: 1; echo; echo x; echo $$ > parent; wait; wait; wait"
    );
    let script = directory.script("wait.cgi", &text);
    (
        Cgi::new(script),
        directory.path("parent"),
        directory.path("child"),
    )
}

#[tokio::test]
async fn gateway_23_a_client_that_leaves_ends_the_group() {
    let directory = Directory::new();
    let (service, parent, child) = waiting(&directory, "");
    let response = ask(&service, get("/")).await;
    let (parent, child) = (line(&parent).await, line(&child).await);
    assert!(is_there(&parent) && is_there(&child));
    drop(response);
    gone(&parent, Duration::from_millis(200)).await;
    // The system's first process reaps it, or whoever has taken its place.
    let begin = Instant::now();
    while fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    {
        assert!(
            begin.elapsed() < Duration::from_secs(1),
            "the child is still there"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn gateway_23_a_process_that_ignores_sigterm_is_killed() {
    let directory = Directory::new();
    let (service, parent, _) = waiting(&directory, "trap '' TERM");
    let response = ask(&service, get("/")).await;
    let parent = line(&parent).await;
    let begin = Instant::now();
    drop(response);
    gone(&parent, Duration::from_secs(5)).await;
    assert!(
        begin.elapsed() > Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
}

/// Waits until a process is gone, or a zombie that the system's first process does not reap.
async fn ended(pid: &str, within: Duration) {
    let begin = Instant::now();
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(begin.elapsed() < within, "process {pid} still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn gateway_23_a_child_that_ignores_sigterm_is_killed() {
    let directory = Directory::new();
    let script = directory.script(
        "group.cgi",
        "sh -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 0.1; done' &\n\
         echo $$ > parent; echo A: 1; echo; wait",
    );
    let response = ask(&Cgi::new(&script), get("/")).await;
    let child = line(&directory.path("child")).await;
    let parent = line(&directory.path("parent")).await;
    drop(response);
    gone(&parent, Duration::from_secs(1)).await;
    assert!(is_there(&child));
    ended(&child, Duration::from_secs(6)).await;
}

/// A program that has closed its output may still write to its error output.
#[tokio::test]
async fn gateway_28_a_program_may_run_on_after_its_output() {
    let directory = Directory::new();
    let script = directory.script(
        "on.cgi",
        "echo A: 1; echo; exec >&-; sleep 0.2; echo late >&2; echo y > done",
    );
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let service = Cgi::new(&script).stderr({
        let lines = lines.clone();
        move |line| lines.lock().unwrap().push(line.text.to_owned())
    });
    assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | ");
    assert!(!directory.path("done").exists());
    assert_eq!(line(&directory.path("done")).await, "y");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*lines.lock().unwrap(), ["late"]);
}

#[tokio::test]
async fn gateway_28_a_program_has_the_idle_timeout_to_end() {
    let directory = Directory::new();
    let script = directory.script(
        "hang.cgi",
        "echo $$ > pid; echo A: 1; echo; exec >&-; sleep 60",
    );
    let service = Cgi::new(&script).idle_timeout(Duration::from_millis(500));
    assert_eq!(text(ask(&service, get("/")).await).await, "200 a=1 | ");
    let pid = line(&directory.path("pid")).await;
    assert!(is_there(&pid));
    gone(&pid, Duration::from_secs(2)).await;
}

#[tokio::test]
async fn gateway_18_a_cgi_program_finishes_after_its_last_byte() {
    let directory = Directory::new();
    let script = directory.script(
        "work.cgi",
        "echo Content-Length: 2; echo; echo x; sleep 0.2; echo y > done",
    );
    let mut response = ask(&Cgi::new(&script), get("/")).await;
    while http_body::Body::size_hint(response.body()).exact() != Some(0) {
        response.body_mut().frame().await.unwrap().unwrap();
    }
    drop(response);
    assert_eq!(line(&directory.path("done")).await, "y");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn gateway_24_endless_errors_of_a_cgi_program_are_no_response() {
    let directory = Directory::new();
    for (head, expected) in [("", 504), ("echo A: 1; echo; ", 200)] {
        let script = directory.script("yes.cgi", &format!("{head}exec 3>&1; exec yes >&2"));
        let second = Duration::from_secs(1);
        let service = Cgi::new(&script)
            .header_timeout(second)
            .idle_timeout(second)
            .stderr(|_| {});
        let asked = tokio::time::timeout(second * 10, ask(&service, get("/")));
        let response = asked.await.unwrap();
        assert_eq!(response.status(), expected);
        let collected = tokio::time::timeout(second * 10, response.into_body().collect());
        assert_eq!(collected.await.unwrap().is_ok(), expected == 504);
    }
}

/// It runs in its own directory, where a relative path would lead elsewhere.
#[tokio::test]
async fn gateway_28_a_relative_path_leads_to_the_program() {
    // Not the temporary directory of the system: from there, the same path leads to the script too.
    let directory = Directory(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap());
    let script = directory.script("a.cgi", "echo A: 1; echo; echo ok");
    let here = std::env::current_dir().unwrap();
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = |path: &Path| up.join(path.strip_prefix("/").unwrap());
    let scripts = Scripts::directory(relative(directory.0.path()), ".cgi", "a.cgi");
    for service in [Cgi::new(relative(&script)), Cgi::scripts(scripts)] {
        let found = text(ask(&service, get("/a.cgi")).await).await;
        assert_eq!(found, "200 a=1 | ok\n");
    }
}

#[tokio::test]
async fn gateway_28_a_header_beyond_the_systems_limit_is_a_431() {
    let directory = Directory::new();
    let script = directory.script("a.cgi", "echo A: 1; echo; echo ok");
    let request = Request::get("/").header("x", "x".repeat(200_000));
    let response = ask(&Cgi::new(&script), request.body(body("")).unwrap()).await;
    assert_eq!(
        (response.status().as_u16(), reason(&response)),
        (431, Some(GatewayError::HeaderTooLarge))
    );
}

#[test]
fn gateway_23_no_process_outlives_the_runtime() {
    let directory = Directory::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (service, parent, _) = waiting(&directory, "trap '' TERM");
    let (response, parent) = runtime.block_on(async {
        let response = ask(&service, get("/")).await;
        (response, line(&parent).await)
    });
    assert!(is_there(&parent));
    runtime.shutdown_background();
    let begin = Instant::now();
    while fs::read_to_string(format!("/proc/{parent}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
    {
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "the process is still there"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(response);
}

#[tokio::test]
async fn gateway_25_processes_have_a_limit() {
    let directory = Directory::new();
    let (service, parent, _) = waiting(&directory, "");
    let service = service
        .processes(1)
        .queue_timeout(Duration::from_millis(100));
    let response = ask(&service, get("/")).await;
    let _ = line(&parent).await;
    let busy = ask(&service, get("/")).await;
    assert_eq!(
        (busy.status().as_u16(), reason(&busy)),
        (503, Some(GatewayError::Busy))
    );
    drop(response);
    let service = service.queue_timeout(Duration::from_secs(5));
    assert_eq!(ask(&service, get("/")).await.status(), 200);
}

#[tokio::test]
async fn gateway_28_a_program_that_reads_nothing_responds() {
    let directory = Directory::new();
    let script = directory.script("no.cgi", "echo Status: 413; echo; echo no");
    let piece = Bytes::from(vec![b'x'; 100_000]);
    let pieces =
        stream::iter((0..50).map(move |_| Ok::<_, std::io::Error>(Frame::data(piece.clone()))));
    let request = Request::post("/").header(CONTENT_LENGTH, 5_000_000);
    let request = request
        .body(StreamBody::new(pieces).boxed_unsync())
        .unwrap();
    assert_eq!(
        text(ask(&Cgi::new(&script), request).await).await,
        "413 | no\n"
    );
}

/// A program that goes by the end of its input must not take half a request for a whole one.
#[tokio::test]
async fn gateway_22_a_program_gets_no_end_of_half_a_body() {
    let directory = Directory::new();
    let script = directory.script(
        "half.cgi",
        "trap '' TERM; echo $$ > pid; cat > got; echo y > end; sleep 60",
    );
    let (send, receive) = tokio::sync::mpsc::channel::<std::io::Result<Frame<Bytes>>>(1);
    let pieces = stream::unfold(receive, async |mut receive| {
        Some((receive.recv().await?, receive))
    });
    let request = Request::post("/").header(CONTENT_LENGTH, 9);
    let request = request
        .body(StreamBody::new(pieces).boxed_unsync())
        .unwrap();
    send.send(Ok(Frame::data("three".into()))).await.unwrap();
    let service = Cgi::new(&script);
    let response = tokio::spawn(async move { ask(&service, request).await });
    let pid = line(&directory.path("pid")).await;
    send.send(Err(std::io::Error::other("the client left")))
        .await
        .unwrap();
    assert_eq!(
        reason(&response.await.unwrap()),
        Some(GatewayError::BrokenRequest)
    );
    gone(&pid, Duration::from_secs(5)).await;
    assert!(!directory.path("end").exists());
}
