//! A rejection: the response that a layer makes itself, and the reason for the log.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Write},
    mem,
    sync::Arc,
};

use bytes::Bytes;
use html_escape::encode_text;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS},
    response::Parts,
};
use http_body_util::Full;

use crate::{
    Format, Preferences,
    content::{self, RequestKind, set},
    grpc::{self, Flavor, GRPC_STATUS, Protocol},
    json_string::JsonString,
};

/// The reason for which a layer has responded itself, and the part of it that the client gets.
///
/// [`response_for`](Self::response_for) makes an error response in the protocol and the format
/// that the client prefers, and leaves the rejection in the response's extensions. Loggers, error
/// documents and tests read it there with [`Rejection::of`].
///
/// The error is for the log. The client gets the status, the [`detail`](Self::detail), the
/// [`id`](Self::id) and the headers, and nothing of the error.
///
/// ```
/// use std::io;
///
/// use http::{Request, StatusCode, header::RETRY_AFTER};
/// use tower_kit::Rejection;
///
/// let request = Request::get("/").header("accept", "application/json").body(())?;
/// let error = io::Error::other("10.0.0.7 refused the connection");
/// let response = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, error)
///     .with_detail("come back later")
///     .with_header(RETRY_AFTER, 60.into())
///     .response_for(&request);
///
/// assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
/// assert_eq!(response.headers()["retry-after"], "60");
/// let rejection = Rejection::of(&response).unwrap();
/// assert!(rejection.reason::<io::Error>().is_some());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Rejection {
    status: StatusCode,
    preferences: Preferences,
    detail: Option<Cow<'static, str>>,
    id: Option<Arc<str>>,
    /// The list is empty in a response's extensions, since the headers are in its head.
    headers: Vec<(HeaderName, HeaderValue)>,
    error: Arc<dyn Error + Send + Sync>,
}

impl Rejection {
    /// Returns a rejection with this status, for this reason.
    ///
    /// The status is that of an error, 400 to 599. It is the status of the response, except in
    /// gRPC.
    pub fn new(status: StatusCode, error: impl Error + Send + Sync + 'static) -> Self {
        Self {
            status,
            preferences: Preferences::default(),
            detail: None,
            id: None,
            headers: Vec::new(),
            error: Arc::new(error),
        }
    }

    /// Sets another status, 400 to 599.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets the sentence that the client gets. Default: the name of the status.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the id that the client gets, under which the log has more about this. Default: none.
    ///
    /// ```
    /// use http::{Request, StatusCode};
    /// use tower_kit::Rejection;
    ///
    /// let error = std::io::Error::other("the disk is gone");
    /// let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, error).with_id("7f3a");
    /// let response = rejection.response_for(&Request::new(()));
    /// assert_eq!(Rejection::of(&response).and_then(Rejection::id), Some("7f3a"));
    /// ```
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Adds a header of the response, such as `Allow`, `Retry-After` or `WWW-Authenticate`.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the preferences for a response that is made without access to the request, as with
    /// axum's `IntoResponse`. Default: text.
    ///
    /// ```
    /// use http::{Request, StatusCode};
    /// use tower_kit::{Format, Rejection};
    ///
    /// let request = Request::get("/").header("accept", "text/html").body(())?;
    /// let error = std::io::Error::other("the disk is gone");
    /// let rejection = Rejection::new(StatusCode::BAD_GATEWAY, error).with_preferences(&request);
    /// assert_eq!(rejection.preferences().format(), Format::Html);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn with_preferences(mut self, preferences: impl Into<Preferences>) -> Self {
        self.preferences = preferences.into();
        self
    }

    /// Returns the rejection that a response was made of.
    ///
    /// Returns `None` if the response was changed since, so that it is no longer this rejection: if
    /// it has another status, or, for a client of gRPC, if it is not a response of gRPC or is a
    /// successful one.
    #[inline]
    #[must_use]
    pub fn of<B>(response: &Response<B>) -> Option<&Self> {
        let (status, headers) = (response.status(), response.headers());
        Self::find(status, headers, response.extensions())
    }

    /// Returns the same for a response's head.
    #[inline]
    #[must_use]
    pub fn of_head(head: &Parts) -> Option<&Self> {
        Self::find(head.status, &head.headers, &head.extensions)
    }

    #[inline]
    fn find<'a>(
        status: StatusCode,
        headers: &HeaderMap,
        extensions: &'a Extensions,
    ) -> Option<&'a Self> {
        let rejection: &Self = extensions.get()?;
        let is_same = match rejection.preferences.format() {
            Format::Grpc(_) => {
                let content_type = headers.get(CONTENT_TYPE)?;
                status == StatusCode::OK
                    && Flavor::of(content_type.as_bytes()).is_some()
                    && headers.get(GRPC_STATUS).is_none_or(|code| code != "0")
            }
            _ => status == rejection.status,
        };
        is_same.then_some(rejection)
    }

    /// Returns the status. For a client of gRPC, it is not the status on the wire, which is 200.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the sentence that the client gets.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Returns the id that the client gets, for example that of an incident.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Returns the preferences of the client that the response was made for.
    #[must_use]
    pub fn preferences(&self) -> Preferences {
        self.preferences
    }

    /// Returns the reason, for the log. The client does not get it.
    #[must_use]
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.error
    }

    /// Returns the reason if it is of this type. Each crate documents the types of its reasons.
    #[must_use]
    pub fn reason<E: Error + 'static>(&self) -> Option<&E> {
        let error: &(dyn Error + 'static) = &*self.error;
        error.downcast_ref()
    }

    /// Returns the response, with this rejection in its extensions.
    ///
    /// A client of gRPC or gRPC-Web gets 200 with `grpc-status` and `grpc-message`. Any other gets
    /// text, HTML, problem+json or JSON. The response to a HEAD states the length of the body and
    /// has none. No cache stores the response.
    #[must_use]
    pub fn response_for(self, preferences: impl Into<Preferences>) -> Response<Full<Bytes>> {
        self.with_preferences(preferences).response()
    }

    /// Makes the response, for the preferences that have been set.
    // Apart, so that a program has it once (`just cost`).
    fn response(self) -> Response<Full<Bytes>> {
        let (content_type, mut body) = match self.preferences.format() {
            Format::Text => ("text/plain; charset=utf-8", self.text()),
            Format::Html => ("text/html; charset=utf-8", self.html()),
            Format::Problem => ("application/problem+json", self.problem()),
            Format::Json => ("application/json", self.problem()),
            Format::Grpc(flavor) => return self.into_grpc(flavor),
        };
        let mut response = Response::new(Full::default());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        set(
            headers,
            CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
        if self.preferences.kind() == RequestKind::Head {
            set(headers, CONTENT_LENGTH, body.len().into());
            body = Bytes::new();
        }
        *response.body_mut() = body.into();
        self.finish(response)
    }

    /// Returns the rejection to send instead of a plain error with this head, see
    /// [`is_plain_error`].
    ///
    /// It is the rejection that the response was made of, if there is one: a handler may have
    /// returned it without knowing the client's preferences. Otherwise it has the status of the
    /// head, and this reason.
    #[must_use]
    pub fn of_plain_error(head: &Parts, error: impl Error + Send + Sync + 'static) -> Self {
        match Self::of_head(head) {
            Some(rejection) => rejection.clone(),
            None => Self::new(head.status, error),
        }
    }

    /// Returns the response instead of another one, which had this head. The other one's headers
    /// and extensions stay, except the headers that describe its content. Its headers replace those
    /// of the rejection of the same name.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower_kit::{Rejection, is_plain_error};
    ///
    /// let request = Request::post("/").header("content-type", "application/grpc").body(())?;
    /// let response = Response::builder().status(503).header("retry-after", "9").body("no")?;
    /// assert!(is_plain_error(&response));
    ///
    /// let (head, body) = response.into_parts();
    /// let error = std::io::Error::other("plain");
    /// let rejection = Rejection::of_plain_error(&head, error).with_detail(body);
    /// let response = rejection.response_instead_of(head, &request);
    /// assert_eq!(response.headers()["grpc-status"], "14");
    /// assert_eq!(response.headers()["retry-after"], "9");
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn response_instead_of(
        self,
        head: Parts,
        preferences: impl Into<Preferences>,
    ) -> Response<Full<Bytes>> {
        self.with_preferences(preferences).instead_of(head)
    }

    fn instead_of(self, mut head: Parts) -> Response<Full<Bytes>> {
        let mut response = self.response();
        content::remove_content_headers(&mut head.headers);
        response.headers_mut().extend(head.headers);
        // Of two rejections the new one counts.
        let own = mem::take(response.extensions_mut());
        head.extensions.extend(own);
        *response.extensions_mut() = head.extensions;
        response
    }

    /// Returns the response in gRPC. Without a message the status is in the head ("Trailers-Only").
    /// gRPC-Web has it in the body, because a page of another origin may not read the head.
    fn into_grpc(self, flavor: Flavor) -> Response<Full<Bytes>> {
        let name = || Cow::from(reason(self.status));
        let mut message = self.detail.clone().unwrap_or_else(name);
        if let Some(id) = &self.id {
            message = match self.detail {
                Some(_) => format!("{message} (incident {id})").into(),
                None => format!("incident {id}").into(),
            };
        }
        let trailers = grpc::trailers(self.status, &message);
        let mut response = Response::new(Full::default());
        match flavor.protocol() {
            Protocol::Native => *response.headers_mut() = trailers,
            protocol => *response.body_mut() = grpc::last_message(protocol, &trailers).into(),
        }
        let headers = response.headers_mut();
        set(headers, CONTENT_TYPE, flavor.content_type());
        self.finish(response)
    }

    fn finish(mut self, mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
        let headers = response.headers_mut();
        // A 404, 405, 414 or 501 may be stored otherwise (RFC 9110, section 15.1), and served to
        // clients whose request was right.
        set(headers, CACHE_CONTROL, HeaderValue::from_static("no-store"));
        set(headers, VARY, HeaderValue::from_static("accept"));
        set(
            headers,
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        for (name, value) in mem::take(&mut self.headers) {
            headers.append(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }

    fn text(&self) -> Bytes {
        written(|out| {
            match &self.detail {
                Some(detail) => writeln!(out, "{detail}")?,
                None => writeln!(out, "{} {}", self.status.as_str(), reason(self.status))?,
            }
            match &self.id {
                Some(id) => writeln!(out, "incident {id}"),
                None => Ok(()),
            }
        })
    }

    fn html(&self) -> Bytes {
        let (status, reason) = (self.status.as_str(), reason(self.status));
        written(|out| {
            writeln!(
                out,
                "<!DOCTYPE html>\n<title>{status} {reason}</title>\n<h1>{status} {reason}</h1>"
            )?;
            if let Some(detail) = &self.detail {
                writeln!(out, "<p>{}", encode_text(detail))?;
            }
            match &self.id {
                Some(id) => writeln!(out, "<p>incident <code>{}</code>", encode_text(id)),
                None => Ok(()),
            }
        })
    }

    /// Returns the members of a problem (RFC 9457, section 3.1), and the id as an extension.
    fn problem(&self) -> Bytes {
        let (status, reason) = (self.status.as_str(), JsonString(reason(self.status)));
        written(|out| {
            write!(
                out,
                r#"{{"type":"about:blank","title":{reason},"status":{status}"#
            )?;
            if let Some(detail) = &self.detail {
                write!(out, r#","detail":{}"#, JsonString(detail))?;
            }
            if let Some(id) = &self.id {
                write!(out, r#","incident":{}"#, JsonString(id))?;
            }
            writeln!(out, "}}")
        })
    }
}

/// Returns the text that the function writes. Writing to a string does not fail.
fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> Bytes {
    let mut out = String::with_capacity(256);
    let _ = write(&mut out);
    out.into()
}

/// Returns the status of a response for readers inside the server: that of its [`Rejection`], and
/// otherwise that of its head.
///
/// They differ for clients of gRPC, whose rejections are a 200 on the wire.
///
/// ```
/// use http::{Request, StatusCode};
/// use tower_kit::{Rejection, status_of};
///
/// let request = Request::post("/").header("content-type", "application/grpc").body(())?;
/// let error = std::io::Error::other("no such order");
/// let response = Rejection::new(StatusCode::NOT_FOUND, error).response_for(&request);
/// assert_eq!(response.status(), StatusCode::OK);
/// assert_eq!(status_of(&response), StatusCode::NOT_FOUND);
/// # Ok::<(), http::Error>(())
/// ```
#[inline]
#[must_use]
pub fn status_of<B>(response: &Response<B>) -> StatusCode {
    Rejection::of(response).map_or(response.status(), Rejection::status)
}

/// Returns whether a response is an error in plain text, or one without a content type: one that
/// was not made for a client of gRPC.
///
/// A client of gRPC takes such a response for a fault of the connection. So a layer makes a
/// rejection of it, see [`Rejection::of_plain_error`] and [`Rejection::response_instead_of`].
///
/// ```
/// use http::Response;
/// use tower_kit::is_plain_error;
///
/// let response = Response::builder().status(503).header("content-type", "text/plain").body(())?;
/// assert!(is_plain_error(&response));
/// assert!(!is_plain_error(&Response::new(())));
/// # Ok::<(), http::Error>(())
/// ```
#[must_use]
pub fn is_plain_error<B>(response: &Response<B>) -> bool {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_text = |content_type: &HeaderValue| {
        let mut parts = content_type.as_bytes().split(|byte| *byte == b';');
        let essence = parts.next().unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(b"text/plain")
    };
    is_error && response.headers().get(CONTENT_TYPE).is_none_or(is_text)
}

fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rejected with {}", self.status)
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("status", &self.status)
            .field("detail", &self.detail)
            .field("id", &self.id)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Error for Rejection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.error)
    }
}

/// Makes a response in the format of [`with_preferences`](Rejection::with_preferences), which is
/// text by default: axum does not show the request to a response.
#[cfg(feature = "axum")]
impl axum_core::response::IntoResponse for Rejection {
    fn into_response(self) -> axum_core::response::Response {
        let preferences = self.preferences;
        self.response_for(preferences)
            .map(axum_core::body::Body::new)
    }
}
