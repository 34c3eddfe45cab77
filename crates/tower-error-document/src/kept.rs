//! What is kept of a request, for the case that it fails.
//!
//! Every request is kept, and few fail. So the texts are copied into memory that each thread keeps
//! for it, which costs less than to share them. Only what the documents need is copied.

use std::{cell::RefCell, mem, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST,
        USER_AGENT,
    },
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use tower_kit::{Format, Preferences};

use crate::rule::Rules;

/// The parts of a request that the documents of a layer need. A fixed one needs the method alone.
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
    /// Returns the index of a header that the service of a document gets: in [`NAMES`], or after
    /// these in the layer's own list.
    #[inline]
    fn index(&self, name: &HeaderName, method: &Method) -> Option<usize> {
        match *name {
            ACCEPT => Some(0),
            CONTENT_TYPE => is_format_in_type(method).then_some(1),
            ACCEPT_ENCODING => Some(2),
            ACCEPT_LANGUAGE => Some(3),
            AUTHORIZATION => Some(4),
            COOKIE => Some(5),
            HOST => Some(6),
            USER_AGENT => Some(7),
            _ => {
                let index = self.others.iter().position(|other| other == name)?;
                Some(NAMES.len() + index)
            }
        }
    }

    fn name(&self, index: usize) -> &HeaderName {
        match index.checked_sub(NAMES.len()) {
            Some(index) => &self.others[index],
            None => &NAMES[index],
        }
    }
}

/// The headers that a document depends on, or that its service gets.
const NAMES: [HeaderName; 8] = [
    ACCEPT,
    CONTENT_TYPE,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    AUTHORIZATION,
    COOKIE,
    HOST,
    USER_AGENT,
];

/// Returns whether the type of the body matters to the format: only for gRPC, which is always a
/// POST.
fn is_format_in_type(method: &Method) -> bool {
    *method == Method::POST
}

/// The rules and the parts of a request that they need, kept while the inner service has it.
///
/// All requests move it, and few need it, so it is a box. The box is taken from the thread's stock
/// and returned there, which costs no allocation. For `ratios` error-document/passes.
#[derive(Default)]
pub(crate) struct Kept {
    /// `None` after it was taken.
    head: Option<Box<Head>>,
}

#[derive(Default)]
struct Head {
    /// `None` in the stock.
    rules: Option<Arc<Rules>>,
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
#[derive(Clone, Copy)]
struct Line {
    name: usize,
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
    pub(crate) fn of<B>(request: &Request<B>, rules: &Arc<Rules>) -> Self {
        let unused = UNUSED.try_with(|unused| unused.try_borrow_mut().ok()?.pop());
        let mut head = unused.ok().flatten().unwrap_or_default();
        head.rules = Some(rules.clone());
        head.method.clone_from(request.method());
        let needs = &rules.needs;
        if needs.page {
            head.record(request.uri(), request.headers(), needs);
        } else if needs.format {
            head.record_format(request.headers());
        }
        Self { head: Some(head) }
    }

    pub(crate) fn rules(&self) -> Option<Arc<Rules>> {
        self.head.as_ref()?.rules.clone()
    }

    pub(crate) fn is_head(&self) -> bool {
        self.has(&Method::HEAD)
    }

    /// Returns whether the request is a CONNECT.
    pub(crate) fn is_connect(&self) -> bool {
        self.has(&Method::CONNECT)
    }

    fn has(&self, method: &Method) -> bool {
        self.head
            .as_ref()
            .is_some_and(|head| head.method == *method)
    }

    /// Returns what the format of the response depends on.
    pub(crate) fn preferences(&self) -> Preferences {
        let Some(head) = &self.head else {
            return Preferences::default();
        };
        let accept = head.value(0);
        Preferences::of_lines(&head.method, head.value(1).as_ref(), accept.as_ref())
    }

    /// Returns whether the client expects gRPC.
    pub(crate) fn is_grpc(&self) -> bool {
        // Only a POST has its type here.
        let mut lines = self.head.iter().flat_map(|head| &head.lines);
        lines.any(|line| NAMES.get(line.name) == Some(&CONTENT_TYPE))
            && matches!(self.preferences().format(), Format::Grpc(_))
    }

    /// Returns copies for the service of a document. Their texts share one allocation.
    pub(crate) fn read(&self) -> Read {
        let head = self.head.as_ref();
        let rules = head.and_then(|head| head.rules.as_ref());
        let read = head.zip(rules).map(|(head, rules)| head.read(&rules.needs));
        read.unwrap_or_default()
    }
}

/// The parts of a request, as they were.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Head {
    fn record(&mut self, uri: &Uri, headers: &HeaderMap, needs: &Needs) {
        self.record_uri(uri);
        for (name, value) in headers {
            if let Some(name) = needs.index(name, &self.method) {
                self.record_line(name, value);
            }
        }
    }

    /// Records what the format of a response depends on, in one pass as far as needed. A lookup
    /// costs as much as a comparison with a dozen names.
    fn record_format(&mut self, headers: &HeaderMap) {
        let mut is_found = false;
        for (name, value) in headers {
            if *name == ACCEPT {
                self.record_line(0, value);
                is_found = true;
            } else if is_found {
                // All lines of a name are adjacent.
                break;
            }
        }
        if is_format_in_type(&self.method) {
            for value in headers.get_all(CONTENT_TYPE) {
                self.record_line(1, value);
            }
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

    #[inline]
    fn record_line(&mut self, name: usize, value: &HeaderValue) {
        self.text.extend_from_slice(value.as_bytes());
        self.lines.push(Line {
            name,
            end: self.text.len(),
            is_sensitive: value.is_sensitive(),
        });
    }

    /// Returns the text of the lines with this name, joined with commas.
    fn value(&self, name: usize) -> Option<HeaderValue> {
        let mut text = Vec::new();
        let mut is_found = false;
        let mut start = self.target;
        for line in &self.lines {
            let value = &self.text[mem::replace(&mut start, line.end)..line.end];
            if line.name == name {
                if mem::replace(&mut is_found, true) {
                    text.push(b',');
                }
                text.extend_from_slice(value);
            }
        }
        let value = is_found.then(|| HeaderValue::from_maybe_shared(Bytes::from(text)));
        value?.ok()
    }

    fn read(&self, needs: &Needs) -> Read {
        let text = Bytes::copy_from_slice(&self.text);
        let mut headers = HeaderMap::with_capacity(self.lines.len());
        let mut start = self.target;
        for line in &self.lines {
            let value = mem::replace(&mut start, line.end)..line.end;
            let name = needs.name(line.name);
            if name == CONTENT_TYPE {
                // It goes with the body.
                continue;
            }
            let value = HeaderValue::from_maybe_shared(text.slice(value));
            let mut value = value.expect("a map had this value");
            value.set_sensitive(line.is_sensitive);
            headers.append(name, value);
        }
        Read {
            method: self.method.clone(),
            uri: self.uri(&text),
            headers,
        }
    }

    fn uri(&self, text: &Bytes) -> Uri {
        let target = text.slice(self.authority..self.target);
        let target = (!target.is_empty()).then(|| {
            let target = PathAndQuery::from_maybe_shared(target);
            target.expect("a URI had this path")
        });
        if self.authority == 0 {
            // HTTP/1 has no more.
            return target.map(Uri::from).unwrap_or_default();
        }
        let authority = Authority::from_maybe_shared(text.slice(..self.authority));
        let mut parts = Parts::default();
        parts.scheme.clone_from(&self.scheme);
        parts.authority = Some(authority.expect("a URI had this authority"));
        parts.path_and_query = target;
        Uri::from_parts(parts).expect("a URI had these parts")
    }

    /// Clears all fields, and keeps some of their memory.
    fn clear(&mut self) {
        self.scheme = None;
        (self.authority, self.target) = (0, 0);
        self.lines.clear();
        self.text.clear();
        self.lines.shrink_to(LINES);
        self.text.shrink_to(TEXT);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(mut head) = self.head.take() else {
            return;
        };
        // The last owner of the rules drops services, which are user code.
        head.rules = None;
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
            others: vec![
                HeaderName::from_static("x-theme"),
                HeaderName::from_static("x-second"),
            ],
        }
    }

    fn kept(request: &Request<()>, needs: &Needs) -> Kept {
        let rules = Rules {
            needs: needs.clone(),
            ..Rules::default()
        };
        Kept::of(request, &Arc::new(rules))
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
            let kept = kept(&request(uri, &[]), &all());
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
            ("x-second", "2"),
            ("accept-encoding", "gzip"),
            ("accept-language", "de"),
            ("user-agent", "browser"),
            ("host", "example.org"),
        ];
        let page = [
            ("cookie", "a=1", false),
            ("cookie", "b=2", false),
            ("accept", "text/html", false),
            ("authorization", "Basic YTpi", true),
            ("x-theme", "", false),
            ("x-second", "2", false),
            ("accept-encoding", "gzip", false),
            ("accept-language", "de", false),
            ("user-agent", "browser", false),
            ("host", "example.org", false),
        ];
        let mut request = request("/", &lines);
        let of = |request: &Request<()>, needs: &Needs| kept(request, needs).read().headers;
        assert_eq!(seen(&of(&request, &all())), page);
        let format = Needs {
            page: false,
            ..all()
        };
        assert_eq!(seen(&of(&request, &format)), page[2..3]);
        assert!(of(&request, &Needs::default()).is_empty());
        // A POST may be gRPC.
        *request.method_mut() = Method::POST;
        for needs in [all(), format] {
            let kept = kept(&request, &needs);
            assert!(!kept.read().headers.contains_key(CONTENT_TYPE));
            let found = kept.preferences().format();
            assert!(matches!(found, Format::Grpc(_)), "{found:?}");
        }
    }

    #[test]
    fn error_document_3_several_lines_of_accept_count() {
        let text = [
            ("accept", "text/plain;q=0.1"),
            ("cookie", "a=1"),
            ("accept", "image/*"),
            ("accept", "text/html"),
        ];
        let format = |lines| {
            let kept = kept(&request("/long/path", lines), &all());
            kept.preferences().format()
        };
        assert_eq!(format(&text[..3]), Format::Text);
        assert_eq!(format(&text), Format::Html);
        assert_eq!(format(&[]), Format::Text);
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
        let record = |head: &mut Head, request: &Request<()>| {
            head.method.clone_from(request.method());
            head.record(request.uri(), request.headers(), &all());
        };
        record(&mut head, &first);
        head.clear();
        let (lines, text) = (head.lines.capacity(), head.text.capacity());
        assert!((LINES..41).contains(&lines), "{lines}");
        assert!((TEXT..9000).contains(&text), "{text}");
        record(&mut head, &request("/b", &[("accept", "b")]));
        let read = head.read(&all());
        assert_eq!(read.uri, "/b");
        assert_eq!(seen(&read.headers), [("accept", "b", false)]);
        // Without a path, as well.
        head.clear();
        head.method = Method::GET;
        head.record_format(first.headers());
        assert_eq!(head.read(&all()).uri, "/");
        assert_eq!(head.read(&all()).headers.len(), 40);
    }

    #[test]
    fn error_document_14_only_what_is_needed_is_copied() {
        let lines = [("accept", "a"), ("content-type", "long"), ("x-other", "b")];
        let mut request = request("/path", &lines);
        let copied = |request: &Request<()>, needs: &Needs| {
            let head = kept(request, needs).head.take().unwrap();
            String::from_utf8(head.text.clone()).unwrap()
        };
        let format = Needs {
            format: true,
            ..Needs::default()
        };
        assert_eq!(copied(&request, &Needs::default()), "");
        assert_eq!(copied(&request, &format), "a");
        assert_eq!(copied(&request, &all()), "/patha");
        *request.method_mut() = Method::POST;
        assert_eq!(copied(&request, &format), "along");
    }

    #[test]
    fn error_document_14_a_box_keeps_little_memory() {
        for (lines, text) in [(1, 9000), (2000, 1), (2000, 9000)] {
            let mut head = Head::default();
            for number in 0..lines {
                let size = if number == 0 { text } else { 0 };
                let value = HeaderValue::try_from("x".repeat(size)).unwrap();
                head.record_line(0, &value);
            }
            head.clear();
            let (lines, text) = (head.lines.capacity(), head.text.capacity());
            assert!(lines < 2000 && text < 9000, "{lines} lines, {text} bytes");
        }
    }

    #[test]
    fn error_document_14_the_stock_has_no_rules() {
        let rules = Arc::new(Rules::default());
        drop(Kept::of(&request("/", &[]), &rules));
        assert_eq!(Arc::strong_count(&rules), 1);
    }

    #[test]
    fn error_document_14_a_thread_keeps_few_boxes() {
        let all = all();
        let many: Vec<_> = (0..STOCK + 9)
            .map(|_| kept(&request("/", &[]), &all))
            .collect();
        drop(many);
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK);
        let one = kept(&request("/", &[]), &all);
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK - 1);
        drop(one);
        assert_eq!(UNUSED.with_borrow(Vec::len), STOCK);
    }
}
