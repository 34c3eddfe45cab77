//! What is kept of a request's head: taken down for every request, read for hardly any.

use std::ops::Range;

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{ACCEPT, CONTENT_TYPE, HOST},
};

/// A request's head, taken down.
#[derive(Default)]
pub(crate) struct RequestHead {
    method: Method,
    version: Version,
    /// `None` if it is a path and a query, which are at the start of the text.
    uri: Option<Uri>,
    text: Vec<u8>,
    target: usize,
    host: Option<Range<usize>>,
    accept: Option<Range<usize>>,
    is_grpc: bool,
    headers: Option<Box<HeaderMap>>,
}

/// A request's head, read.
pub(crate) struct Head {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) host: Option<HeaderValue>,
    pub(crate) accept: Option<HeaderValue>,
    pub(crate) is_grpc: bool,
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl RequestHead {
    pub(crate) fn take_down<B>(&mut self, request: &Request<B>, with_headers: bool) {
        let (uri, headers) = (request.uri(), request.headers());
        self.method.clone_from(request.method());
        self.version = request.version();
        match uri.path_and_query() {
            Some(target) if uri.authority().is_none() => {
                self.text.extend_from_slice(target.as_str().as_bytes());
            }
            _ => self.uri = Some(uri.clone()),
        }
        self.target = self.text.len();
        // One pass, as far as need be: to look up a name costs as much as to compare it with those of a dozen lines.
        let may_be_grpc = self.method == Method::POST;
        for (name, value) in headers {
            match *name {
                HOST => take_line(&mut self.text, &mut self.host, value),
                ACCEPT => take_line(&mut self.text, &mut self.accept, value),
                CONTENT_TYPE if may_be_grpc => {
                    self.is_grpc = value.as_bytes().starts_with(b"application/grpc")
                }
                _ if self.host.is_some() && self.accept.is_some() && !may_be_grpc => break,
                _ => {}
            }
        }
        if with_headers {
            self.headers = Some(Box::new(headers.clone()));
        }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn read(&self) -> Head {
        let value = |place: &Option<Range<usize>>| {
            let text = self.text.get(place.clone()?)?;
            HeaderValue::from_bytes(text).ok()
        };
        Head {
            method: self.method.clone(),
            uri: match &self.uri {
                Some(uri) => uri.clone(),
                None => Uri::try_from(&self.text[..self.target]).unwrap_or_default(),
            },
            version: self.version,
            host: value(&self.host),
            accept: value(&self.accept),
            is_grpc: self.is_grpc,
            headers: self.headers.clone(),
        }
    }

    /// Forgets everything but the room for so much text.
    pub(crate) fn clear(&mut self, text: usize) {
        self.uri = None;
        self.host = None;
        self.accept = None;
        self.is_grpc = false;
        self.headers = None;
        self.text.clear();
        self.text.shrink_to(text);
    }
}

/// Takes down one line of a header. All lines of a name, which come one after the other, become one.
fn take_line(text: &mut Vec<u8>, place: &mut Option<Range<usize>>, value: &HeaderValue) {
    let start = match place {
        Some(place) => {
            text.extend_from_slice(b", ");
            place.start
        }
        None => text.len(),
    };
    text.extend_from_slice(value.as_bytes());
    *place = Some(start..text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_wherever_it_stands() {
        let lines = [
            ("x-first", "1"),
            ("host", "example.org"),
            ("x-second", "2"),
            ("accept", "text/html"),
            ("x-third", "3"),
            ("accept", "text/plain"),
            ("content-type", "application/grpc+proto"),
        ];
        for (method, is_grpc) in [(Method::GET, false), (Method::POST, true)] {
            let mut request = Request::new(());
            *request.method_mut() = method;
            for (name, value) in lines {
                request
                    .headers_mut()
                    .append(name, HeaderValue::from_static(value));
            }
            let mut head = RequestHead::default();
            head.take_down(&request, false);
            let read = head.read();
            assert_eq!(read.host.unwrap(), "example.org");
            assert_eq!(read.accept.unwrap(), "text/html, text/plain");
            assert_eq!(read.is_grpc, is_grpc);

            head.clear(0);
            head.take_down(&Request::new(()), false);
            let read = head.read();
            assert_eq!((read.host, read.accept, read.is_grpc), (None, None, false));
        }
    }
}
