//! What is kept of a request's head: taken down for every request, read for hardly any.

use std::ops::Range;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
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
        self.host = self.take_value(headers, &HOST);
        self.accept = self.take_value(headers, &ACCEPT);
        // gRPC is POST, which saves the others a look.
        self.is_grpc = *request.method() == Method::POST && is_grpc(headers);
        if with_headers {
            self.headers = Some(Box::new(headers.clone()));
        }
    }

    /// All lines of a header, as one.
    fn take_value(&mut self, headers: &HeaderMap, name: &HeaderName) -> Option<Range<usize>> {
        let mut values = headers.get_all(name).into_iter();
        let start = self.text.len();
        self.text.extend_from_slice(values.next()?.as_bytes());
        for value in values {
            self.text.extend_from_slice(b", ");
            self.text.extend_from_slice(value.as_bytes());
        }
        Some(start..self.text.len())
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
        self.headers = None;
        self.text.clear();
        self.text.shrink_to(text);
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}
