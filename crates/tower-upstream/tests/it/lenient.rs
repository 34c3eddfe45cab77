//! Heads of responses with small faults.

use http::StatusCode;
use http_body_util::BodyExt;

use super::{ask, get, proxy, sockets::Listener};

/// Returns the response that a client gets for these bytes: the status, the header lines, and the
/// body. The connection stays open, so that only the head determines the end of the body.
async fn passed(answer: &str) -> (u16, Vec<String>, Option<String>) {
    let upstream = Listener::bind().await;
    let app = proxy(&upstream);
    let (response, _open) = tokio::join!(ask(&app, get("/")), upstream.answers(answer));
    let status = response.status().as_u16();
    let headers = response.headers().iter();
    let headers = headers
        .map(|(name, value)| format!("{name}:{:?}", value.as_bytes().escape_ascii().to_string()));
    let headers = headers.collect();
    let body = response.into_body().collect().await;
    let body = body
        .ok()
        .map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
    (status, headers, body)
}

#[tokio::test]
async fn upstream_13_a_fault_in_a_response_head_is_fixed_or_a_502() {
    for (head, passed_on) in [
        // RFC 9112, section 5.1: a proxy removes the spaces.
        (
            "HTTP/1.1 200 OK\r\nX-A : 1\r\nX-B\t :2\r\nContent-Length: 2\r\n\r\n",
            Some(&["x-a:1", "x-b:2"][..]),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", Some(&[])),
        (
            "HTTP/1.1 200 OK\r\nConnection : X-A\r\nX-A : 1\r\nContent-Length: 2\r\n\r\n",
            Some(&[]),
        ),
        // Section 5.2: it replaces each fold by spaces.
        (
            "HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\t 3\r\nX-B: 4\r\nContent-Length: 2\r\n\r\n",
            Some(&["x-a:1 2 3", "x-b:4"]),
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A:\r\n 1\r\nX-B: 2\r\n \r\nContent-Length: 2\r\n\r\n",
            Some(&["x-a:1", "x-b:2"]),
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A: 1\n 2\nContent-Length: 2\n\n",
            Some(&["x-a:1 2"]),
        ),
        (
            "HTTP/1.1 200 OK\r\nConnection: close,\r\n X-A\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n",
            Some(&[]),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 3\r\n\r\n", None),
        // Section 4: the reason may be empty, and clients take it without the space too.
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n", Some(&[])),
        ("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n", Some(&[])),
        // Section 2.2: a line may end with LF alone.
        (
            "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\n",
            Some(&["x-a:1"]),
        ),
        // Bytes above ASCII are data.
        (
            "HTTP/1.1 200 OK\r\nX-A: \u{e4}\r\nContent-Length: 2\r\n\r\n",
            Some(&["x-a:\u{e4}"]),
        ),
        // A fault that no rule fixes is an error.
        (
            "HTTP/1.1 200 OK\r\n X-A: 1\r\nContent-Length: 2\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nX A: 1\r\nContent-Length: 2\r\n\r\n",
            None,
        ),
        ("HTTP/1.1 200 OK\r\nX-A\r\nContent-Length: 2\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\n: 1\r\nContent-Length: 2\r\n\r\n", None),
        (
            "HTTP/1.1 200 OK\r\nX-A: 1\0\r\nContent-Length: 2\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A: 1\r2\r\nContent-Length: 2\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nX-A: 1\r\n \0\r\nContent-Length: 2\r\n\r\n",
            None,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
            None,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", None),
        ("HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n", None),
        ("HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\n", None),
        ("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n", None),
        ("200 OK\r\nContent-Length: 2\r\n\r\n", None),
    ] {
        let (status, headers, body) = passed(&format!("{head}ok")).await;
        match passed_on {
            Some(lines) => {
                let mut wanted: Vec<String> = lines
                    .iter()
                    .map(|line| {
                        let (name, value) = line.split_once(':').unwrap();
                        format!("{name}:{:?}", value.as_bytes().escape_ascii().to_string())
                    })
                    .collect();
                wanted.push("content-length:\"2\"".to_owned());
                assert_eq!(
                    (status, headers, body.as_deref()),
                    (200, wanted, Some("ok")),
                    "{head:?}"
                );
            }
            None => assert_eq!(status, StatusCode::BAD_GATEWAY, "{head:?} {headers:?}"),
        }
    }
}

#[tokio::test]
async fn upstream_13_chunks_may_be_announced_in_an_old_way() {
    for line in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        assert_eq!(
            passed(&answer).await,
            (200, vec![], Some("ok".to_owned())),
            "{line}"
        );
    }
}

#[tokio::test]
async fn upstream_13_a_response_has_up_to_512_header_lines() {
    for (count, status) in [(101, 200), (511, 200), (512, 502)] {
        let lines: String = (0..count)
            .map(|at| format!("set-cookie: {at}\r\n"))
            .collect();
        let answer = format!("HTTP/1.1 200 OK\r\n{lines}content-length: 2\r\n\r\nok");
        let (found, headers, _) = passed(&answer).await;
        assert_eq!(found, status, "{count}");
        if status == 200 {
            let cookies = headers
                .iter()
                .filter(|line| line.starts_with("set-cookie:"));
            assert_eq!(cookies.count(), count);
        }
    }
}
