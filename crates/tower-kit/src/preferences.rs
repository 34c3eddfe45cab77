//! The format of an error response, as a client prefers it.

use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{ACCEPT, CONTENT_TYPE},
    request::Parts,
};

use crate::{accept, content::RequestKind, grpc::Flavor};

/// The properties of a request that its error response depends on: the format that the client
/// prefers, and whether the response has a body.
///
/// It is a small copied value, so that a layer can keep it after the request is dropped.
///
/// ```
/// use http::{Request, StatusCode};
/// use tower_kit::{Preferences, Rejection};
///
/// let request = Request::get("/").header("accept", "application/json").body(())?;
/// let preferences = Preferences::from(&request);
/// drop(request);
/// let error = std::io::Error::other("the database is down");
/// let response = Rejection::new(StatusCode::BAD_GATEWAY, error).response_for(preferences);
/// assert_eq!(response.headers()["content-type"], "application/json");
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preferences {
    kind: RequestKind,
    format: Format,
}

/// The format of an error response.
///
/// ```
/// use http::Request;
/// use tower_kit::{Format, Preferences};
///
/// let request = Request::post("/").header("content-type", "application/grpc").body(())?;
/// assert!(matches!(Preferences::from(&request).format(), Format::Grpc(_)));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The format is `text/plain`.
    #[default]
    Text,
    /// The format is `text/html`.
    Html,
    /// The format is `application/problem+json` (RFC 9457).
    Problem,
    /// The format is `application/json`, with the members of a problem.
    Json,
    /// The format is gRPC or gRPC-Web: a 200 with a `grpc-status`.
    Grpc(Flavor),
}

/// The formats in the order of preference. If none is acceptable, the first is used: an error in
/// another format is better than a 406.
const OFFERS: [(&str, Format); 4] = [
    ("text/plain", Format::Text),
    ("text/html", Format::Html),
    ("application/problem+json", Format::Problem),
    ("application/json", Format::Json),
];

/// The same with the charset, for which some clients ask too.
const OFFERS_WITH_CHARSET: [&str; 4] = [
    "text/plain;charset=utf-8",
    "text/html;charset=utf-8",
    "application/problem+json;charset=utf-8",
    "application/json;charset=utf-8",
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
        // The first of several content types counts, as in tonic.
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
        let [text, html, problem, json] = OFFERS.map(|(name, _)| name);
        let best = match accept().into_iter().any(names_charset) {
            false => accept::best(accept(), &[text, html, problem, json]),
            true => {
                let [text8, html8, problem8, json8] = OFFERS_WITH_CHARSET;
                let names = [text, html, problem, json, text8, html8, problem8, json8];
                accept::best(accept(), &names)
            }
        };
        let best = best.unwrap_or(0);
        let (_, format) = OFFERS[best % OFFERS.len()];
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

fn names_charset(line: &HeaderValue) -> bool {
    let mut words = line.as_bytes().windows("charset".len());
    words.any(|word| word.eq_ignore_ascii_case(b"charset"))
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
        let table: [(&[&'static str], Format); 16] = [
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
            (&["text/html;charset=utf-8, */*;q=0.1"], Format::Html),
            (&["application/json;charset=UTF-8, */*"], Format::Json),
            (&["text/html;charset=utf-8;q=0.1, */*"], Format::Text),
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
