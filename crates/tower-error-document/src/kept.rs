//! What is kept of a request, for the case that it fails.
//!
//! Every request is kept, and few fail. So the texts are copied into memory that each thread keeps
//! for it, which costs less than to share them. Only what the documents need is copied.

use std::{cell::RefCell, mem};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST,
        USER_AGENT,
    },
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use tower_kit::Preferences;

/// The parts of a request that the documents of a layer need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// The headers that the format of a response depends on.
    pub(crate) format: bool,
    /// The URI and the headers that the service of a document gets.
    pub(crate) page: bool,
    /// Other headers that this service gets.
    pub(crate) others: Vec<HeaderName>,
}

impl Needs {
    /// Returns the name of a header that is kept. It is the layer's own, because to share a name of
    /// the request may cost an allocation.
    fn kept(&self, name: &HeaderName, method: &Method) -> Option<HeaderName> {
        let is_kept = match *name {
            ACCEPT => true,
            // The type of a body matters to the format only for gRPC, which is always a POST.
            CONTENT_TYPE => *method == Method::POST,
            ACCEPT_ENCODING | ACCEPT_LANGUAGE | AUTHORIZATION | COOKIE | HOST | USER_AGENT => {
                self.page
            }
            _ if self.page => return self.others.iter().find(|other| *other == name).cloned(),
            _ => false,
        };
        is_kept.then(|| name.clone())
    }
}

/// The parts of a request, kept while the inner service has it.
///
/// The box is taken from the thread's stock and returned there, which costs no allocation. For
/// `ratios` error-document/passes.
pub(crate) struct Kept {
    /// `None` after it was returned.
    head: Option<Box<Head>>,
}

#[derive(Default)]
struct Head {
    method: Method,
    scheme: Option<Scheme>,
    /// Where the text of the authority ends, and that of the path and the query after it. Without
    /// one of them, its text is empty.
    authority: usize,
    target: usize,
    lines: Vec<Line>,
    text: Vec<u8>,
}

/// A line of a header. Its value is in the text, after that of the line before.
struct Line {
    name: HeaderName,
    end: usize,
    is_sensitive: bool,
}

/// The most boxes that a thread keeps, and the most lines and bytes of text in each.
const STOCK: usize = 64;
const LINES: usize = 32;
const TEXT: usize = 4096;

thread_local! {
    #[allow(clippy::vec_box, reason = "the boxes themselves are kept")]
    static UNUSED: RefCell<Vec<Box<Head>>> = const { RefCell::new(Vec::new()) };
}

impl Kept {
    #[inline]
    pub(crate) fn of<B>(request: &Request<B>, needs: &Needs) -> Self {
        let unused = UNUSED.try_with(|unused| unused.try_borrow_mut().ok()?.pop());
        let mut head = unused.ok().flatten().unwrap_or_default();
        head.record(request, needs);
        Self { head: Some(head) }
    }

    fn head(&self) -> &Head {
        let head = self.head.as_ref();
        head.expect("the head is returned only at the end")
    }

    pub(crate) fn method(&self) -> &Method {
        &self.head().method
    }

    pub(crate) fn preferences(&self) -> Preferences {
        Preferences::new(self.method(), &self.read().headers)
    }

    /// Returns copies, whose texts share one allocation.
    pub(crate) fn read(&self) -> Read {
        self.head().read()
    }
}

/// The parts of a request, as they were.
pub(crate) struct Read {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Head {
    fn record<B>(&mut self, request: &Request<B>, needs: &Needs) {
        self.method.clone_from(request.method());
        if needs.page {
            self.record_uri(request.uri());
        }
        if needs.page || needs.format {
            self.record_headers(request.headers(), needs);
        }
    }

    fn record_uri(&mut self, uri: &Uri) {
        self.scheme = uri.scheme().cloned();
        if let Some(authority) = uri.authority() {
            self.text.extend_from_slice(authority.as_str().as_bytes());
        }
        self.authority = self.text.len();
        if let Some(target) = uri.path_and_query() {
            self.text.extend_from_slice(target.as_str().as_bytes());
        }
        self.target = self.text.len();
    }

    fn record_headers(&mut self, headers: &HeaderMap, needs: &Needs) {
        for (name, value) in headers {
            if let Some(name) = needs.kept(name, &self.method) {
                self.text.extend_from_slice(value.as_bytes());
                self.lines.push(Line {
                    name,
                    end: self.text.len(),
                    is_sensitive: value.is_sensitive(),
                });
            }
        }
    }

    fn read(&self) -> Read {
        let text = Bytes::copy_from_slice(&self.text);
        let mut headers = HeaderMap::with_capacity(self.lines.len());
        let mut start = self.target;
        for line in &self.lines {
            let value = text.slice(mem::replace(&mut start, line.end)..line.end);
            let value = HeaderValue::from_maybe_shared(value);
            let mut value = value.expect("a map had this value");
            value.set_sensitive(line.is_sensitive);
            headers.append(&line.name, value);
        }
        Read {
            uri: self.uri(&text),
            headers,
        }
    }

    fn uri(&self, text: &Bytes) -> Uri {
        let mut parts = Parts::default();
        parts.scheme.clone_from(&self.scheme);
        let authority = text.slice(..self.authority);
        if !authority.is_empty() {
            let authority = Authority::from_maybe_shared(authority);
            parts.authority = Some(authority.expect("a URI had this authority"));
        }
        let target = text.slice(self.authority..self.target);
        if !target.is_empty() {
            let target = PathAndQuery::from_maybe_shared(target);
            parts.path_and_query = Some(target.expect("a URI had this path"));
        }
        Uri::from_parts(parts).expect("a URI had these parts")
    }

    /// Clears all fields, and keeps some of their memory.
    fn clear(&mut self) {
        let (mut lines, mut text) = (mem::take(&mut self.lines), mem::take(&mut self.text));
        lines.clear();
        lines.shrink_to(LINES);
        text.clear();
        text.shrink_to(TEXT);
        *self = Self {
            lines,
            text,
            ..Self::default()
        };
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(mut head) = self.head.take() else {
            return;
        };
        head.clear();
        // A thread that ends has no stock.
        let _ = UNUSED.try_with(|unused| {
            if let Ok(mut unused) = unused.try_borrow_mut()
                && unused.len() < STOCK
            {
                unused.push(head);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Needs {
        Needs {
            format: true,
            page: true,
            others: vec![HeaderName::from_static("x-theme")],
        }
    }

    fn request(uri: &str, lines: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::get(uri).body(()).unwrap();
        for (name, value) in lines {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(*name == "authorization");
            request.headers_mut().append(*name, value);
        }
        request
    }

    fn seen(headers: &HeaderMap) -> Vec<(&str, &str, bool)> {
        let lines = headers.iter();
        lines
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap(), value.is_sensitive()))
            .collect()
    }

    #[test]
    fn error_document_6_the_uri_is_as_it_was() {
        for uri in [
            "/",
            "/a/b?c=d",
            "//a//b?",
            "*",
            "http://example.org",
            "http://example.org/a?b",
            "https://user@example.org:8443/?",
            "example.org:443",
        ] {
            let kept = Kept::of(&request(uri, &[]), &all());
            assert_eq!(kept.read().uri, uri.parse::<Uri>().unwrap(), "{uri}");
        }
    }

    #[test]
    fn error_document_6_headers_are_kept_as_they_are_needed() {
        let lines = [
            ("cookie", "a=1"),
            ("accept", "text/html"),
            ("x-other", "other"),
            ("content-type", "application/grpc"),
            ("authorization", "Basic YTpi"),
            ("cookie", "b=2"),
            ("x-theme", ""),
            ("host", "example.org"),
        ];
        let page = [
            ("cookie", "a=1", false),
            ("cookie", "b=2", false),
            ("accept", "text/html", false),
            ("authorization", "Basic YTpi", true),
            ("x-theme", "", false),
            ("host", "example.org", false),
        ];
        let mut request = request("/", &lines);
        let of = |request: &Request<()>, needs: &Needs| Kept::of(request, needs).read().headers;
        assert_eq!(seen(&of(&request, &all())), page);
        let format = Needs {
            page: false,
            ..all()
        };
        assert_eq!(seen(&of(&request, &format)), page[2..3]);
        assert!(of(&request, &Needs::default()).is_empty());
        // A POST may be gRPC.
        *request.method_mut() = Method::POST;
        let grpc = [page[2], ("content-type", "application/grpc", false)];
        assert_eq!(seen(&of(&request, &format)), grpc);
    }

    #[test]
    fn error_document_6_nothing_is_left_for_the_next_request() {
        let long: &'static str = Box::leak("x".repeat(9000).into_boxed_str());
        let mut first = request("https://example.org/a", &[("cookie", long)]);
        *first.method_mut() = Method::PUT;
        for number in 0..40 {
            let value = HeaderValue::from(number);
            first.headers_mut().append("accept", value);
        }
        let mut head = Head::default();
        head.record(&first, &all());
        head.clear();
        let (lines, text) = (head.lines.capacity(), head.text.capacity());
        assert!((LINES..41).contains(&lines), "{lines}");
        assert!((TEXT..9000).contains(&text), "{text}");
        head.record(&request("/b", &[("accept", "b")]), &all());
        let read = head.read();
        assert_eq!(
            (&head.method, read.uri),
            (&Method::GET, Uri::from_static("/b"))
        );
        assert_eq!(seen(&read.headers), [("accept", "b", false)]);
    }

    #[test]
    fn error_document_14_a_thread_keeps_few_boxes() {
        let kept: Vec<_> = (0..STOCK + 9)
            .map(|_| Kept::of(&request("/", &[]), &all()))
            .collect();
        drop(kept);
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK);
        let one = Kept::of(&request("/", &[]), &all());
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK - 1);
        drop(one);
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK);
    }
}
