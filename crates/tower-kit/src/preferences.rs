use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{ACCEPT, CONTENT_TYPE},
    request::Parts,
};

use crate::{accept, content::RequestKind, grpc::Flavor};

/// What a response needs to know of its request: the format that the client prefers, and whether
/// the response has a body.
///
/// It is a small copied value, so that a layer can keep it after the request is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preferences {
    kind: RequestKind,
    format: Format,
}

/// The format of an error response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `text/plain`.
    #[default]
    Text,
    /// `text/html`.
    Html,
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// `application/json`, with the members of a problem.
    Json,
    /// gRPC or gRPC-Web: a 200 with a `grpc-status`.
    Grpc(Flavor),
}

/// In the order of preference. If none is acceptable, the first is used: an error in another format
/// is better than a 406.
const OFFERS: [(&str, Format); 4] = [
    ("text/plain", Format::Text),
    ("text/html", Format::Html),
    ("application/problem+json", Format::Problem),
    ("application/json", Format::Json),
];

impl Preferences {
    /// Reads the preferences from a request's method and headers.
    ///
    /// A POST with a content type of gRPC or gRPC-Web gets [`Format::Grpc`]. Other requests get the
    /// best format for their `Accept` (RFC 9110, section 12.5.1), and text if there is none.
    ///
    /// ```
    /// use http::Request;
    /// use tower_kit::{Format, Preferences};
    ///
    /// let request = Request::get("/").header("accept", "text/html").body(())?;
    /// let preferences = Preferences::new(request.method(), request.headers());
    /// assert_eq!(preferences.format(), Format::Html);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn new(method: &Method, headers: &HeaderMap) -> Self {
        // Of several content types the first, as tonic has it.
        let content_type = headers.get(CONTENT_TYPE);
        Self::read(method, content_type, || headers.get_all(ACCEPT))
    }

    /// Reads the preferences from a request's method and two header values, for a layer that keeps
    /// these and no map. The `Accept` has all lines of the request's, joined with commas.
    #[must_use]
    pub fn of_lines(
        method: &Method,
        content_type: Option<&HeaderValue>,
        accept: Option<&HeaderValue>,
    ) -> Self {
        Self::read(method, content_type, || accept)
    }

    fn read<'a, A: IntoIterator<Item = &'a HeaderValue>>(
        method: &Method,
        content_type: Option<&HeaderValue>,
        accept: impl Fn() -> A,
    ) -> Self {
        let kind = RequestKind::of(method);
        let flavor = content_type
            .filter(|_| method == Method::POST)
            .and_then(|content_type| Flavor::requested(content_type.as_bytes(), accept()));
        if let Some(flavor) = flavor {
            let format = Format::Grpc(flavor);
            return Self { kind, format };
        }
        let names = OFFERS.map(|(name, _)| name);
        let best = accept::best(accept(), &names).or_else(|| {
            // Some clients ask for the charset, too.
            let names = names.map(|name| format!("{name};charset=utf-8"));
            accept::best(accept(), &names.each_ref().map(String::as_str))
        });
        let (_, format) = OFFERS[best.unwrap_or(0)];
        Self { kind, format }
    }

    /// Returns the preferred format.
    #[must_use]
    pub fn format(self) -> Format {
        self.format
    }

    /// Returns the kind of the request.
    #[must_use]
    pub fn kind(self) -> RequestKind {
        self.kind
    }
}

impl From<&Parts> for Preferences {
    fn from(head: &Parts) -> Self {
        Self::new(&head.method, &head.headers)
    }
}

impl<B> From<&Request<B>> for Preferences {
    fn from(request: &Request<B>) -> Self {
        Self::new(request.method(), request.headers())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, lines: &[(&'static str, &'static str)]) -> Preferences {
        let mut request = Request::new(());
        *request.method_mut() = method;
        for (name, value) in lines {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(*name, value);
        }
        Preferences::from(&request)
    }

    #[test]
    fn kit_6_preferences_are_small() {
        assert!(size_of::<Preferences>() <= 4);
    }

    #[test]
    fn kit_6_the_format_is_negotiated() {
        let table: [(&[&'static str], Format); 13] = [
            (&[], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/*"], Format::Text),
            (&["text/html"], Format::Html),
            (&["text/html;;q=0.9"], Format::Html),
            (&["application/json"], Format::Json),
            (&["application/problem+json"], Format::Problem),
            (&["application/*"], Format::Problem),
            (&["text/html;q=0.5", "application/json"], Format::Json),
            (&["text/html;charset=utf-8"], Format::Html),
            (&["image/png"], Format::Text),
            (&["text/plain;q=0, */*"], Format::Html),
            (&[""], Format::Text),
        ];
        for (lines, expected) in table {
            let lines: Vec<_> = lines.iter().map(|line| ("accept", *line)).collect();
            assert_eq!(of(Method::GET, &lines).format(), expected, "{lines:?}");
        }
    }

    #[test]
    fn kit_6_a_post_with_a_type_of_grpc_speaks_grpc() {
        let grpc = ("content-type", "application/grpc-web+proto");
        let html = ("accept", "text/html");
        let flavor = Flavor::of(b"application/grpc-web+proto").unwrap();
        let found = of(Method::POST, &[grpc, html]);
        assert_eq!(found.format(), Format::Grpc(flavor));
        assert_eq!(of(Method::GET, &[grpc, html]).format(), Format::Html);
        let second = ("content-type", "text/plain");
        assert_eq!(of(Method::POST, &[second, grpc]).format(), Format::Text);
    }

    #[test]
    fn kit_6_two_values_are_read_as_in_a_map() {
        let value = HeaderValue::from_static;
        let grpc = value("application/grpc-web+proto");
        for (method, content_type, accept) in [
            (Method::GET, None, None),
            (
                Method::HEAD,
                None,
                Some(value("text/html, text/plain;q=0.5")),
            ),
            (Method::GET, Some(grpc.clone()), Some(value("text/html"))),
            (Method::POST, Some(grpc.clone()), None),
            (
                Method::POST,
                Some(grpc),
                Some(value("application/grpc-web-text")),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(content_type.clone().map(|value| (CONTENT_TYPE, value)));
            headers.extend(accept.clone().map(|value| (ACCEPT, value)));
            let read = Preferences::of_lines(&method, content_type.as_ref(), accept.as_ref());
            assert_eq!(read, Preferences::new(&method, &headers), "{headers:?}");
        }
    }

    #[test]
    fn kit_6_the_kind_is_that_of_the_method() {
        let kinds = [Method::HEAD, Method::CONNECT, Method::PUT].map(|method| of(method, &[]));
        let kinds = kinds.map(Preferences::kind);
        let expected = [RequestKind::Head, RequestKind::Connect, RequestKind::Other];
        assert_eq!(kinds, expected);
    }
}
