//! Scenarios in which a client speaks like a browser and the inner service like a site. Their
//! messages have a type, an encoding, an origin and a validator, so that layers act.
//!
//! A layer may change everything, or respond itself. The lint checks whether a response contradicts
//! itself. A body's error, a wake-up and a drop must pass the layer, as in every other exchange.

use std::ops::Range;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{
        ACCEPT_RANGES, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
        HOST, IF_NONE_MATCH, LAST_MODIFIED, RANGE as RANGE_HEADER,
    },
};
use tower_service::Service;

use super::{
    Inner,
    bench::{BROKEN, Bench, BoxError, send},
    exchange::{Got, trailers},
    scenarios::expect_body_error,
    waits,
};
use crate::{
    Rule,
    probe::{App, Body, Gate, Seen, Stalled, Step, block_on},
};

type Headers = &'static [(&'static str, &'static str)];

/// A part of a page, from the middle of a line to the middle of another.
pub(super) const RANGE: Headers = &[("range", "bytes=100-299")];
pub(super) const BEYOND: Headers = &[("range", "bytes=1000000-")];
pub(super) const KNOWN: Headers = &[("if-none-match", "\"tag\"")];
pub(super) const FORM: Headers = &[
    ("content-type", "application/x-www-form-urlencoded"),
    ("content-length", "11"),
];
pub(super) const PREFLIGHT: Headers = &[
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "x-field"),
];

/// The strong entity tag of each page, and the bytes of its part.
const TAG: &str = "\"tag\"";
const PART: Range<usize> = 100..300;

/// The headers of every request.
const BROWSER: Headers = &[
    (
        "accept",
        "text/html,text/plain;q=0.9,application/json;q=0.9,*/*;q=0.8",
    ),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en"),
    ("origin", "https://elsewhere.example"),
];

/// A resource. It is long enough that compressing it pays.
#[derive(Clone, Copy)]
struct Page {
    path: &'static str,
    uri: &'static str,
    content_type: &'static str,
    start: &'static str,
    line: &'static str,
    end: &'static str,
}

const PAGES: [Page; 3] = [
    Page {
        path: "/page.html",
        uri: "https://example.org/page.html",
        content_type: "text/html; charset=utf-8",
        start: "<!doctype html><html><head><title>page</title></head><body>\n",
        line: "<p>a line</p>\n",
        end: "</body></html>\n",
    },
    Page {
        path: "/page.txt",
        uri: "https://example.org/page.txt",
        content_type: "text/plain",
        start: "",
        line: "a line\n",
        end: "a line without an end",
    },
    Page {
        path: "/page.json",
        uri: "https://example.org/page.json",
        content_type: "application/json",
        start: "[",
        line: "\"a line\",\n",
        end: "0]\n",
    },
];

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

impl Page {
    fn request(self, method: Method, version: Version, headers: Headers) -> Request<Body> {
        let content = (method == Method::POST).then(|| "field=value".into());
        let mut request = Request::new(Body::new(content));
        let (uri, host) = match (&method, version) {
            (&Method::CONNECT, _) => ("example.org:443", "example.org:443"),
            (_, Version::HTTP_2) => (self.uri, "example.org"),
            _ => (self.path, "example.org"),
        };
        *request.uri_mut() = Uri::from_static(uri);
        *request.method_mut() = method;
        *request.version_mut() = version;
        if version != Version::HTTP_2 {
            let host = HeaderValue::from_static(host);
            request.headers_mut().insert(HOST, host);
        }
        for (name, value) in BROWSER.iter().chain(headers) {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            request.headers_mut().insert(name, value);
        }
        request
    }

    fn content(self) -> Bytes {
        [self.start, &self.line.repeat(200), self.end]
            .concat()
            .into()
    }

    /// Returns a site's response with this page. It has a Content-Length, except if it is streamed.
    fn respond(self, seen: &Seen, streamed: bool) -> Response<Body> {
        let (method, headers) = (&seen.parts.method, &seen.parts.headers);
        let content = self.content();
        let length = content.len();
        let mut response = Response::new(Body::default());
        *response.version_mut() = seen.parts.version;
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        };
        if method == Method::CONNECT {
            return response;
        }
        if method == Method::OPTIONS {
            set(ALLOW, "GET, HEAD, POST, OPTIONS");
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        set(ETAG, TAG);
        set(LAST_MODIFIED, "Sat, 01 Jan 2000 00:00:00 GMT");
        if headers.get(IF_NONE_MATCH).is_some_and(|tag| tag == TAG) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        set(ACCEPT_RANGES, "bytes");
        let range = headers.get(RANGE_HEADER).map(HeaderValue::as_bytes);
        if range == Some(b"bytes=1000000-") {
            set(CONTENT_RANGE, &format!("bytes */{length}"));
            set(CONTENT_LENGTH, "0");
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            return response;
        }
        set(CONTENT_TYPE, self.content_type);
        let mut part = content;
        if range.is_some() {
            set(CONTENT_RANGE, &format!("bytes 100-299/{length}"));
            part = part.slice(PART);
        }
        if !streamed {
            set(CONTENT_LENGTH, &part.len().to_string());
        }
        if range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        if method == Method::HEAD {
            return response;
        }
        let last = streamed.then(|| Step::Trailers(trailers()));
        response.map(|_| Body::new(frames(&part).into_iter().chain(last)))
    }

    /// Checks that a response with other content does not have the page's strong entity tag.
    fn expect_tag<L>(self, bench: &Bench<'_, L>, got: &Got) {
        let content = self.content();
        let expected = match got.parts.status {
            StatusCode::OK => content,
            StatusCode::PARTIAL_CONTENT => content.slice(PART),
            _ => return,
        };
        let has_tag = got.parts.headers.get(ETAG).is_some_and(|tag| tag == TAG);
        let kept = got.error.is_some() || !has_tag || got.data == expected;
        bench.expect(kept, Rule::EntityTag, || {
            let (version, status) = (got.parts.version, got.parts.status);
            let coding = got.parts.headers.get(CONTENT_ENCODING);
            format!(
                "the {status} of {} over {version:?} has {TAG} and other content (Content-Encoding: {coding:?})",
                self.path
            )
        });
    }

    /// Returns a response whose body starts like the page and continues with these steps.
    fn and_then(self, seen: &Seen, steps: impl IntoIterator<Item = Step>) -> Response<Body> {
        let response = self.respond(seen, true);
        response.map(|_| Body::new(frames(&self.content()).into_iter().chain(steps)))
    }
}

/// Returns this content in frames that do not end at lines.
fn frames(content: &Bytes) -> [Step; 5] {
    [
        Step::Data(content.slice(..1)),
        Step::Yield,
        Step::Data(content.slice(1..100)),
        Step::Yield,
        Step::Data(content.slice(100..)),
    ]
}

/// Sends a request for each page, over each version, to an instance and to a clone of its clone.
pub(super) fn request<L, S, B>(
    bench: &Bench<'_, L>,
    method: Method,
    headers: Headers,
) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>> + Clone,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    for page in PAGES {
        for version in VERSIONS {
            for streamed in [false, true] {
                let app = App::new(move |seen| page.respond(seen, streamed));
                let mut service = bench.stack(app.not_ready(1).yields(1));
                let mut clone = service.clone().clone();
                for service in [&mut service, &mut clone] {
                    let request = page.request(method.clone(), version, headers);
                    // A layer may reject such a request with an error.
                    if let Ok(got) = block_on(send(service, request))? {
                        bench.expect(got.error.is_none(), Rule::ResponseBody, || {
                            format!("the body of {} failed: {:?}", page.path, got.error)
                        });
                        if method == Method::GET {
                            page.expect_tag(bench, &got);
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Sends requests for pages whose bodies fail after all of their content.
pub(super) fn body_error<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    for page in PAGES {
        for version in VERSIONS {
            let app = App::new(move |seen| page.and_then(seen, [Step::Yield, Step::Fail(BROKEN)]));
            expect_body_error(bench, app, page.request(Method::GET, version, &[]))?;
        }
    }
    Ok(())
}

/// Sends requests for pages whose end is late.
pub(super) fn wake<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    for page in PAGES {
        let gate = Gate::new();
        let waits = gate.clone();
        let app =
            App::new(move |seen| page.and_then(seen, [Step::Wait(waits.clone()), "late".into()]));
        let request = page.request(Method::GET, Version::HTTP_11, &[]);
        // The layer may respond to such a request itself.
        let waited = waits::wake(bench, app.clone(), request, &gate)? || app.calls() == 0;
        bench.expect(waited, Rule::Wake, || {
            format!("it did not wait for {}", page.path)
        });
    }
    Ok(())
}

/// Cancels requests for a page, and for a range of it, because some layers send a second request
/// for that.
pub(super) fn drop_anywhere<L, S, B>(bench: &Bench<'_, L>) -> Result<(), Stalled>
where
    L: Fn(Inner) -> S,
    S: Service<Request<Body>, Response = Response<B>, Error: Into<BoxError>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    for page in PAGES {
        for headers in [&[], RANGE] {
            waits::drop_anywhere(
                bench,
                move |seen| page.respond(seen, true),
                || page.request(Method::GET, Version::HTTP_11, headers),
            )?;
        }
    }
    Ok(())
}
