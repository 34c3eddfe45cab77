//! The part of a request's head that is kept. It is recorded for every request, and rarely read.

use std::ops::Range;

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{ACCEPT, CONTENT_TYPE, HOST},
};

use tower_kit::{Preferences, grpc::Flavor};

/// A request's head, recorded.
#[derive(Default)]
pub(crate) struct RequestHead {
    method: Method,
    version: Version,
    /// `None` if it is a path and a query, which are at the start of the text.
    uri: Option<Uri>,
    text: Vec<u8>,
    target: usize,
    host: Option<Lines>,
    accept: Option<Lines>,
    /// The content type, if it is one of gRPC's.
    content_type: Option<Lines>,
    headers: Option<Box<HeaderMap>>,
}

/// The value of a header, all lines of it, in the text.
struct Lines {
    place: Range<usize>,
    is_sensitive: bool,
}

/// A request's head, read.
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) preferences: Preferences,
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl RequestHead {
    pub(crate) fn record<B>(&mut self, request: &Request<B>, with_headers: bool) {
        self.method.clone_from(request.method());
        self.version = request.version();
        match request.uri().path_and_query() {
            Some(target) if request.uri().authority().is_none() => {
                self.text.extend_from_slice(target.as_str().as_bytes());
            }
            _ => {
                self.uri = Some(request.uri().clone());
            }
        }
        self.target = self.text.len();
        // One pass, as far as needed. A lookup of a name costs as much as a comparison with a dozen
        // lines.
        for (name, value) in request.headers() {
            match *name {
                HOST => take_line(&mut self.text, &mut self.host, value),
                ACCEPT => take_line(&mut self.text, &mut self.accept, value),
                _ if self.host.is_some() && self.accept.is_some() => break,
                _ => {}
            }
        }
        if with_headers || self.method == Method::POST {
            self.record_more(request.headers(), with_headers);
        }
    }

    #[cold]
    fn record_more(&mut self, headers: &HeaderMap, with_headers: bool) {
        // The first of several counts, as in tonic.
        if self.method == Method::POST
            && let Some(content_type) = headers.get(CONTENT_TYPE)
            && Flavor::of(content_type.as_bytes()).is_some()
        {
            take_line(&mut self.text, &mut self.content_type, content_type);
        }
        if with_headers {
            self.headers = Some(Box::new(headers.clone()));
        }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    #[inline]
    pub(crate) fn is_grpc(&self) -> bool {
        self.content_type.is_some()
    }

    pub(crate) fn read(&self) -> Head {
        let value = |lines: &Option<Lines>| {
            let lines = lines.as_ref()?;
            let text = self.text.get(lines.place.clone())?;
            let mut value = HeaderValue::from_bytes(text).ok()?;
            value.set_sensitive(lines.is_sensitive);
            Some(value)
        };
        let (accept, content_type) = (value(&self.accept), value(&self.content_type));
        Head {
            method: self.method.clone(),
            uri: match &self.uri {
                Some(uri) => uri.clone(),
                None => Uri::try_from(&self.text[..self.target]).unwrap_or_default(),
            },
            version: self.version,
            host: value(&self.host),
            preferences: Preferences::of_lines(
                &self.method,
                content_type.as_ref(),
                accept.as_ref(),
            ),
            headers: self.headers.clone(),
        }
    }

    /// Clears all fields, and keeps memory for at most `room` bytes of text.
    pub(crate) fn clear(&mut self, room: usize) {
        // All fields are named here, so that none keeps data of another request.
        let Self {
            method,
            version,
            uri,
            text,
            target,
            host,
            accept,
            content_type,
            headers,
        } = self;
        (*method, *version, *uri) = (Method::GET, Version::HTTP_11, None);
        text.clear();
        if text.capacity() > room {
            text.shrink_to(room);
        }
        *target = 0;
        (*host, *accept, *content_type, *headers) = (None, None, None, None);
    }
}

/// Records one line of a header. All lines of a name, which are adjacent, become one.
#[inline]
fn take_line(text: &mut Vec<u8>, lines: &mut Option<Lines>, value: &HeaderValue) {
    let (start, was_sensitive) = match lines {
        Some(lines) => {
            text.extend_from_slice(b", ");
            (lines.place.start, lines.is_sensitive)
        }
        None => (text.len(), false),
    };
    text.extend_from_slice(value.as_bytes());
    *lines = Some(Lines {
        place: start..text.len(),
        is_sensitive: was_sensitive || value.is_sensitive(),
    });
}

#[cfg(test)]
mod tests {
    use tower_kit::Format;

    use super::*;

    #[test]
    fn exception_21_kept_headers_are_found_and_cleared() {
        let lines = [
            ("x-first", "1"),
            ("host", "example.org"),
            ("x-second", "2"),
            ("accept", "text/html"),
            ("x-third", "3"),
            ("accept", "text/plain;q=0.9"),
            ("content-type", "application/grpc+proto"),
        ];
        for (method, is_grpc) in [(Method::GET, false), (Method::POST, true)] {
            let mut request = Request::get("http://example.org/a?b").body(()).unwrap();
            *request.method_mut() = method.clone();
            *request.version_mut() = Version::HTTP_2;
            for (name, value) in lines {
                let mut value = HeaderValue::from_static(value);
                value.set_sensitive(true);
                request.headers_mut().append(name, value);
            }
            let mut head = RequestHead::default();
            head.record(&request, true);
            let read = head.read();
            assert_eq!((read.method, read.version), (method, Version::HTTP_2));
            assert_eq!(read.uri, "http://example.org/a?b");
            assert_eq!(read.host.as_ref().unwrap(), "example.org");
            assert!(read.host.unwrap().is_sensitive());
            match read.preferences.format() {
                Format::Grpc(_) => assert!(is_grpc),
                format => assert_eq!((format, is_grpc), (Format::Html, false)),
            }
            assert_eq!(read.headers.unwrap().len(), lines.len());

            // Every field is checked, so that the next request has no data of this one.
            head.clear(0);
            let next = Request::builder().uri("/c").header("accept", "image/png");
            head.record(&next.body(()).unwrap(), false);
            let read = head.read();
            assert_eq!((read.method, read.version), (Method::GET, Version::HTTP_11));
            assert_eq!(read.uri, "/c");
            assert_eq!(read.host, None);
            assert_eq!(read.preferences, Preferences::default());
            assert!(read.headers.is_none());
        }
    }

    #[test]
    fn exception_21_memory_for_a_long_text_is_released() {
        let mut head = RequestHead::default();
        let uri = format!("/{}", "a".repeat(9000));
        head.record(&Request::get(uri).body(()).unwrap(), false);
        head.clear(4096);
        let room = head.text.capacity();
        assert!((4096..9000).contains(&room), "{room}");
    }
}
