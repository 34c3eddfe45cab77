//! Ranges and conditions of a file: the status has a reason in the request, and the body is the
//! part that the head states. The fuzz target and the test that replays its corpus share this file.

use std::path::Path;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tower_static::Files;

const TEXT: &[u8] = include_bytes!("../../LICENSE-MIT");

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
}

/// Each line is a letter for a header, and its value.
pub(crate) fn files_respond(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        let name = match line.first() {
            Some(b'r') => header::RANGE,
            Some(b'g') => header::IF_RANGE,
            Some(b'm') => header::IF_MATCH,
            Some(b'n') => header::IF_NONE_MATCH,
            Some(b's') => header::IF_MODIFIED_SINCE,
            Some(b'u') => header::IF_UNMODIFIED_SINCE,
            _ => return,
        };
        let Ok(value) = HeaderValue::from_bytes(&line[1..]) else {
            return;
        };
        headers.append(name, value);
    }
    let has = |name: HeaderName| headers.contains_key(name);
    let response = ask(Method::GET, &headers);
    let length = TEXT.len();
    let content_range = response.headers().get(header::CONTENT_RANGE);
    let content_range = content_range.map(|value| value.to_str().expect("text"));
    match response.status().as_u16() {
        200 => assert_eq!(response.body(), TEXT),
        206 => {
            assert!(has(header::RANGE));
            let (part, whole) = content_range
                .and_then(|text| text.strip_prefix("bytes ")?.split_once('/'))
                .expect("a part of the whole");
            let (first, last) = part.split_once('-').expect("two ends");
            let (first, last): (usize, usize) = (number(first), number(last));
            assert_eq!(number(whole), length);
            assert_eq!(response.body(), &TEXT[first..=last]);
        }
        304 => assert!(has(header::IF_NONE_MATCH) || has(header::IF_MODIFIED_SINCE)),
        412 => assert!(has(header::IF_MATCH) || has(header::IF_UNMODIFIED_SINCE)),
        416 => {
            assert!(has(header::RANGE));
            assert_eq!(content_range, Some(&*format!("bytes */{length}")));
        }
        status => panic!("{status}"),
    }
    // Ranges are for GET.
    let head = ask(Method::HEAD, &headers);
    let of_get = match response.status().as_u16() {
        206 | 416 => 200,
        status => status,
    };
    assert_eq!(head.status(), of_get);
    assert!(head.body().is_empty());
    // Any version is this one.
    let mut any = headers.clone();
    any.append(header::IF_MATCH, HeaderValue::from_static("*"));
    assert_ne!(ask(Method::GET, &any).status(), 412);
    let mut any = headers.clone();
    any.append(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
    let confirmed = if response.status() == 412 { 412 } else { 304 };
    assert_eq!(ask(Method::GET, &any).status(), confirmed);
    // Empty members of a set of ranges do not count.
    if let Some(range) = headers.get(header::RANGE).filter(|_| headers.len() == 1)
        && range.as_bytes().contains(&b'=')
    {
        let longer = [range.as_bytes(), b", ,"].concat();
        let longer = HeaderValue::from_bytes(&longer).expect("two values make one");
        let longer = HeaderMap::from_iter([(header::RANGE, longer)]);
        assert_eq!(ask(Method::GET, &longer).status(), response.status());
    }
}

fn number(digits: &str) -> usize {
    digits.parse().expect("a number")
}

/// Requests a file of this repository.
fn ask(method: Method, headers: &HeaderMap) -> Response<Bytes> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = "/LICENSE-MIT".parse().expect("a path");
    *request.headers_mut() = headers.clone();
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let Ok(response) = Files::new(root).oneshot(request).await;
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("the file stays as it is");
            Response::from_parts(head, body.to_bytes())
        })
    })
}
