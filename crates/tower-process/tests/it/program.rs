//! The program behind the services: this test binary, started again.

use std::{
    env, fs,
    io::{Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    process, thread,
};

use super::*;

/// The variable with the path on which the program listens.
const SOCKET: &str = "TOWER_PROCESS_TEST_SOCKET";
/// The variable with the time before it listens.
const DELAY: &str = "TOWER_PROCESS_TEST_DELAY";

/// Returns a process of the program, in a shell with this before its command.
pub(crate) fn shell(before: &str) -> Process {
    let exe = env::current_exe().unwrap();
    Process::new("sh -c")
        .unwrap()
        .arg(format!("{before} exec \"$0\" \"$@\""))
        .arg(exe.to_str().unwrap())
        .arg("--exact")
        .arg("program::the_program_serves")
        .arg("--nocapture")
        .env(SOCKET, "{socket}")
        .unwrap()
        .name("program")
}

/// Returns a process of the program, which listens after so many milliseconds.
pub(crate) fn delayed(millis: u32) -> Process {
    shell("").env(DELAY, millis.to_string()).unwrap()
}

pub(crate) fn program() -> Process {
    delayed(0)
}

/// Is the program, and does nothing in any other process.
#[test]
fn the_program_serves() {
    let Ok(socket) = env::var(SOCKET) else {
        return;
    };
    let delay = env::var(DELAY).map_or(0, |delay| delay.parse().unwrap());
    thread::sleep(ms(delay));
    let listener = UnixListener::bind(socket).unwrap();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        thread::spawn(move || respond(stream));
    }
}

fn respond(mut stream: UnixStream) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let path = head.split(' ').nth(1)?;
    let body = match path.split_at(path.len().min(5)) {
        ("/id", "") => process::id().to_string(),
        ("/exit", code) => process::exit(code.parse().ok()?),
        ("/slow", _) => {
            thread::sleep(ms(500));
            "slow".to_owned()
        }
        ("/stop", _) => {
            thread::sleep(PATIENCE * 2);
            String::new()
        }
        // What the program finds.
        ("/env-", name) => env::var(name).unwrap_or("none".to_owned()),
        ("/here", _) => env::current_dir().ok()?.display().to_string(),
        ("/read", _) => {
            let mut input = String::new();
            std::io::stdin().read_to_string(&mut input).ok()?;
            format!("{} bytes", input.len())
        }
        ("/grou", _) => {
            let stat = fs::read_to_string("/proc/self/stat").ok()?;
            stat.rsplit(") ").next()?.split(' ').nth(2)?.to_owned()
        }
        ("/part", _) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart";
            stream.write_all(head.as_bytes()).ok()?;
            thread::sleep(ms(500));
            stream.write_all(b" done").ok()?;
            return Some(());
        }
        _ => head.clone(),
    };
    let length = body.len();
    let response =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(response.as_bytes()).ok()
}
