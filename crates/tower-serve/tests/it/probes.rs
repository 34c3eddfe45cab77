//! Requests that a server of HTTP/1 has to reject, or to accept, each with its section of RFC 9110
//! or RFC 9112: `tests/probes`.
//!
//! A probe is a title, and then lines that begin with
//!
//! - `>`: bytes of the request. `\r`, `\n`, `\t`, `\\` and `\xFF` are bytes, `\*9{text}` is the
//!   text nine times, and with `\end` the client ends its sending side.
//! - `<`: the status of a response, and then what the service has seen: the method, the target, the
//!   fields named `x`, the content and the trailers. A response of the server itself has a status
//!   alone.
//! - `=`: whether the connection is `open` or `closed` after that, or `either`.
//! - `!`: the reason why this is right, if the RFC would have the server do something else.
//!
//! Each request is sent at once, and again in pieces of one byte.

use std::{collections::BTreeMap, fs, path::Path};

use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::*;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/probes");
const SUITES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/suites.md");
/// A longer request is not sent in pieces of one byte.
const PIECES: usize = 1_000;

/// The connection after the responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    Open,
    #[default]
    Closed,
    Either,
}

#[derive(Debug, Default)]
struct Probe {
    title: String,
    request: Vec<u8>,
    ends: bool,
    responses: Vec<Vec<u8>>,
    end: End,
    is_ruled: bool,
}

/// Returns the bytes that a line of a probe means, and whether the sending side ends with them.
fn unescaped(text: &str) -> (Vec<u8>, bool) {
    let (text, ends) = match text.strip_suffix("\\end") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let (escape, after) = after.split_at(1);
        rest = after;
        match escape {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "\\" => bytes.push(b'\\'),
            "x" => {
                let (digits, after) = after.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = after;
            }
            "*" => {
                let (count, after) = after.split_once('{').unwrap();
                let (text, after) = after.split_once('}').unwrap();
                bytes.extend(unescaped(text).0.repeat(count.parse().unwrap()));
                rest = after;
            }
            other => panic!("\\{other} is no escape: {text}"),
        }
    }
    bytes.extend(rest.as_bytes());
    (bytes, ends)
}

fn probes(text: &str) -> Vec<Probe> {
    let mut probes: Vec<Probe> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (mark, rest) = line.split_at(line.len().min(2));
        if let "> " | "< " | "= " | "! " = mark {
            let probe = probes.last_mut().unwrap();
            let (bytes, ends) = unescaped(rest);
            match mark {
                "> " => {
                    probe.request.extend(bytes);
                    probe.ends |= ends;
                }
                "< " => probe.responses.push(bytes),
                "= " => {
                    probe.end = match rest {
                        "open" => End::Open,
                        "closed" => End::Closed,
                        "either" => End::Either,
                        _ => panic!("{rest} is no end of {}", probe.title),
                    }
                }
                _ => probe.is_ruled = true,
            }
        } else if !line.is_empty() {
            let title = line.to_owned();
            assert!(title.ends_with(')') && title.contains(" (91"), "{title}");
            probes.push(Probe {
                title,
                ..Probe::default()
            });
        }
    }
    probes
}

/// Returns what the service has seen of a request, as a response of this status.
async fn echo(request: Request<RequestBody>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let mut echo = format!("{} {}", head.method, head.uri).into_bytes();
    for value in head.headers.get_all("x") {
        echo.extend(b" x=");
        echo.extend(value.as_bytes());
    }
    let mut status = StatusCode::OK;
    if head.method == http::Method::CONNECT {
        status = StatusCode::METHOD_NOT_ALLOWED;
    } else if head.uri.path() != "/unread" {
        match body.collect().await {
            Ok(body) => {
                let trailers = body.trailers().cloned().unwrap_or_default();
                let content = body.to_bytes();
                let lines = content.split(|byte| b"\r\n".contains(byte));
                for line in lines.filter(|line| !line.is_empty()) {
                    echo.push(b' ');
                    echo.extend(line);
                }
                for (name, value) in &trailers {
                    echo.extend(format!(" {name}: ").as_bytes());
                    echo.extend(value.as_bytes());
                }
            }
            Err(_) => status = StatusCode::BAD_REQUEST,
        }
    }
    let mut response = Response::new(Body::from("content"));
    *response.status_mut() = status;
    let echo = HeaderValue::from_bytes(&echo).unwrap();
    response.headers_mut().insert("echo", echo);
    Ok(response)
}

/// A response as a client of HTTP/1 reads it.
struct Seen {
    line: Vec<u8>,
    head: String,
}

/// Reads one response, or the end of the connection.
async fn response(client: &mut Client) -> Result<Option<Seen>, String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, client.0.read_u8()).await {
            Ok(Ok(byte)) => head.push(byte),
            Ok(Err(_)) if head.is_empty() => return Ok(None),
            _ => return Err(format!("half a head: {:?}", String::from_utf8_lossy(&head))),
        }
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let mut line = head[9..12].to_vec();
    let name = b"\r\necho: ";
    if let Some(at) = head.windows(name.len()).position(|bytes| bytes == name) {
        let value = &head[at + name.len()..];
        let end = value.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        line.push(b' ');
        line.extend(&value[..end]);
    }
    let is_interim = line.starts_with(b"1");
    if !is_interim && !line[3..].starts_with(b" HEAD ") {
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok());
        let Some(length) = length else {
            return Err(format!("no length: {text}"));
        };
        let read = timeout(PATIENCE, client.0.read_exact(&mut vec![0; length])).await;
        if !matches!(read, Ok(Ok(_))) {
            return Err(format!("half of the content: {text}"));
        }
    }
    // RFC 9110, section 6.6.1.
    if !is_interim && !text.contains("\r\ndate: ") {
        return Err(format!("no Date: {text}"));
    }
    Ok(Some(Seen { line, head: text }))
}

/// Returns what is wrong with the responses.
async fn ask(server: &Running, probe: &Probe, size: usize) -> Result<(), String> {
    let mut client = server.connect().await;
    client.0.set_nodelay(true).unwrap();
    for piece in probe.request.chunks(size) {
        // The server may have closed the connection, and its response is read below.
        if client.0.write_all(piece).await.is_err() {
            break;
        }
        if size == 1 {
            tokio::task::yield_now().await;
        }
    }
    if probe.ends {
        let _ = client.0.shutdown().await;
    }
    let mut last = None;
    for expected in &probe.responses {
        let Some(seen) = response(&mut client).await? else {
            return Err("the connection ends without a response".to_owned());
        };
        if seen.line != *expected {
            let (line, expected) = (&seen.line, &expected);
            let [line, expected] = [line, expected].map(|text| String::from_utf8_lossy(text));
            return Err(format!("{line}, not {expected}"));
        }
        last = Some(seen.head);
    }
    if probe.end != End::Closed {
        let last = b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n";
        let _ = client.0.write_all(last).await;
    }
    let seen = response(&mut client).await?;
    match (probe.end, seen) {
        (End::Open | End::Either, Some(seen)) if seen.line == b"200 GET /last" => Ok(()),
        (_, Some(seen)) => Err(format!("one more response: {}", seen.head)),
        (End::Open, None) => Err("the connection is closed".to_owned()),
        (End::Either, None) => Ok(()),
        // RFC 9112, section 9.6. HTTP/1.0 has no other way.
        (End::Closed, None) => match last {
            Some(head)
                if head.starts_with("http/1.1") && !head.contains("\r\nconnection: close\r\n") =>
            {
                Err(format!("closed without Connection: close: {head}"))
            }
            _ => Ok(()),
        },
    }
}

/// The rows of the table in docs/suites.md: probes, and how many of them are rejected and ruled.
fn rows(classes: &BTreeMap<String, Vec<Probe>>) -> Vec<String> {
    let count = |probes: &mut dyn Iterator<Item = &Probe>| {
        let probes: Vec<_> = probes.collect();
        let rejected = |probe: &&&Probe| {
            let last = probe.responses.last();
            last.is_none_or(|line| !line.starts_with(b"2"))
        };
        let rejects = probes.iter().filter(rejected).count();
        let ruled = probes.iter().filter(|probe| probe.is_ruled).count();
        format!("{} | {rejects} | {ruled} |", probes.len())
    };
    let mut rows: Vec<_> = classes
        .iter()
        .map(|(class, probes)| format!("| {class} | {}", count(&mut probes.iter())))
        .collect();
    rows.push(format!(
        "| all | {}",
        count(&mut classes.values().flatten())
    ));
    rows
}

#[tokio::test]
async fn every_probe_has_its_responses() {
    let server = run(server(), service_fn(echo)).await;
    let mut classes = BTreeMap::new();
    for entry in fs::read_dir(DIRECTORY).unwrap() {
        let path = entry.unwrap().path();
        let class = path.file_stem().unwrap().to_string_lossy().into_owned();
        classes.insert(class, probes(&fs::read_to_string(path).unwrap()));
    }
    let mut wrong = Vec::new();
    for (class, probe) in classes
        .iter()
        .flat_map(|(class, probes)| probes.iter().map(move |probe| (class, probe)))
    {
        let length = probe.request.len().max(1);
        let sizes = if length < PIECES {
            vec![length, 1]
        } else {
            vec![length]
        };
        for size in sizes {
            if let Err(reason) = ask(&server, probe, size).await {
                wrong.push(format!(
                    "{class}: {} in pieces of {size}: {reason}",
                    probe.title
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let rows = rows(&classes);
    let document = fs::read_to_string(Path::new(SUITES)).unwrap_or_default();
    for row in &rows {
        assert!(
            document.contains(row),
            "docs/suites.md lacks {row}; all rows:\n{}",
            rows.join("\n")
        );
    }
}
