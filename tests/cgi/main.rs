//! Compares `CgiView` with wsgiref, Python's own server for CGI. The same bytes, parsed by hyper,
//! have the same variables, except for the DIFFERENCEs listed here. `make_table.py` makes the
//! table.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::service_fn;
use tower_environ::CgiView;

/// A variable's bytes.
type Variables = BTreeMap<String, Vec<u8>>;

/// In every request.
const DIFFERENCES: [(&str, &str); 2] = [
    ("SERVER_SOFTWARE", "each server names itself"),
    (
        "REMOTE_HOST",
        "no server looks up the client's name; RFC 3875 has it optional, and wsgiref empty",
    ),
];

/// A request's name, the variable, its value here (`None`: absent), and the reason.
const DIFFERENCES_OF_ONE: [(&str, &str, Option<&str>, &str); 10] = [
    ("an underscore", "HTTP_X_USER", None, UNDERSCORE),
    (
        "an underscore beside a hyphen",
        "HTTP_X_USER",
        Some("john"),
        UNDERSCORE,
    ),
    ("proxy", "HTTP_PROXY", None, "httpoxy"),
    ("proxy in capitals", "HTTP_PROXY", None, "httpoxy"),
    (
        "a header twice",
        "HTTP_ACCEPT",
        Some("text/html, text/plain"),
        "RFC 9110, section 5.3",
    ),
    (
        "a header thrice, apart",
        "HTTP_X_A",
        Some("1, 3, 4"),
        "RFC 9110, section 5.3",
    ),
    (
        "a cookie twice",
        "HTTP_COOKIE",
        Some("a=b; c=d"),
        "RFC 9113, section 8.2.3",
    ),
    (
        "two slashes at the start",
        "PATH_INFO",
        Some("//a"),
        "http.server makes one slash of them",
    ),
    (
        "absolute form",
        "PATH_INFO",
        Some("/a"),
        "RFC 9112, section 3.2.2",
    ),
    (
        "absolute form",
        "HTTP_HOST",
        Some("other.example:81"),
        "RFC 9112, section 3.2.2",
    ),
];

const UNDERSCORE: &str = "`x_user` must not pass for `x-user`";

#[tokio::test]
async fn the_variables_are_those_of_wsgiref() {
    let mut compared = 0;
    let mut used = 0;
    for line in include_str!("wsgiref.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let name = line["name"].as_str().unwrap();
        let environ = line["environ"].as_object().unwrap();
        let mut expected: Variables = environ
            .iter()
            .map(|(name, value)| (name.clone(), bytes(value)))
            .collect();
        let server = environ["SERVER_NAME"].as_str().unwrap();
        let client = environ["REMOTE_ADDR"].as_str().unwrap();
        let mut seen = variables(&bytes(&line["request"]), server, client).await;

        for (variable, _) in DIFFERENCES {
            expected.remove(variable);
            seen.remove(variable);
        }
        // An absent variable means the same (PEP 3333, "environ Variables").
        if expected["CONTENT_LENGTH"].is_empty() {
            expected.remove("CONTENT_LENGTH");
        }
        // DIFFERENCE: wsgiref invents a type if there is none; RFC 3875, section 4.1.3, wants it to
        // be absent.
        let head = line["request"].as_str().unwrap();
        if !head.contains("Content-Type") && expected["CONTENT_TYPE"] == b"text/plain" {
            expected.remove("CONTENT_TYPE");
        }
        for (of, variable, ours, why) in DIFFERENCES_OF_ONE {
            if of != name {
                continue;
            }
            let wsgirefs = match ours {
                Some(ours) => expected.insert(variable.to_owned(), ours.into()),
                None => expected.remove(variable),
            };
            let differs = wsgirefs.as_deref() != ours.map(str::as_bytes);
            assert!(differs, "{name}: {variable} is no DIFFERENCE: {why}");
            used += 1;
        }
        assert_eq!(shown(&seen), shown(&expected), "{name}");
        compared += 1;
    }
    assert!(compared >= 50, "only {compared} requests");
    assert_eq!(
        used,
        DIFFERENCES_OF_ONE.len(),
        "a DIFFERENCE names no request"
    );
}

/// The variables of a request that is sent as these bytes.
async fn variables(request: &[u8], server: &str, client: &str) -> Variables {
    let seen = Arc::new(Mutex::new(None));
    let (seen_by_app, server) = (seen.clone(), server.to_owned());
    let client = client.parse().unwrap();
    let app = service_fn(move |request: Request<Incoming>| {
        let view = CgiView::from(&request).server(&server, 8080).client(client);
        let variables = view
            .iter()
            .map(|(name, value)| (name.to_string(), value.into_owned()));
        *seen_by_app.lock().unwrap() = Some(variables.collect());
        let response = Response::new(Empty::<Bytes>::new());
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let (mut near, far) = tokio::io::duplex(1 << 16);
    let serve = async move {
        let builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        let service = TowerToHyperService::new(app);
        let _ = builder.serve_connection(TokioIo::new(far), service).await;
    };
    let talk = async move {
        near.write_all(request).await.unwrap();
        let mut answer = [0; 1024];
        let length = near.read(&mut answer).await.unwrap();
        answer[..length].escape_ascii().to_string()
    };
    let ((), answer) = tokio::join!(serve, talk);
    let seen = seen.lock().unwrap().take();
    seen.unwrap_or_else(|| panic!("hyper refused: {answer}"))
}

/// A character of the table is a byte.
fn bytes(value: &Value) -> Vec<u8> {
    let chars = value.as_str().unwrap().chars();
    chars.map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

fn shown(variables: &Variables) -> Vec<String> {
    let line = |(name, value): (&String, &Vec<u8>)| format!("{name}={}", value.escape_ascii());
    variables.iter().map(line).collect()
}
