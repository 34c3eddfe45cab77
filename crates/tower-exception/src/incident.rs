//! An incident: one panic or error, with its phase, its request and its id.

use std::{
    error::Error,
    fmt::{self, Write},
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, Version};
use http_body_util::Full;
#[cfg(feature = "debug")]
use tower_kit::Preferences;
use tower_kit::{Rejection, secrets};

use crate::{
    backtrace::{CallFrame, PanicLocation},
    guard::{Panic, Payload, catch, discard},
    request_head::Head,
};

/// An error of any type, as `tower` and `axum` have it.
pub type BoxError = Box<dyn Error + Send + Sync>;

const INCIDENT_ID: HeaderName = HeaderName::from_static("x-incident-id");

/// The most errors of a chain that are shown. A chain may be a loop.
const CHAIN_LIMIT: usize = 32;

/// A panic or an error, with the phase, the request and an id.
///
/// It is a handle: a clone increments a reference count. It is the reason of the response's
/// [`Rejection`]. If a body fails after the head was sent, it is the body's error.
///
/// ```
/// use http::Response;
/// use tower_exception::Incident;
/// use tower_kit::Rejection;
///
/// fn incident<B>(response: &Response<B>) -> Option<&Incident> {
///     Rejection::of(response)?.reason()
/// }
/// # assert!(incident(&Response::new(())).is_none());
/// ```
#[derive(Clone)]
pub struct Incident {
    inner: Arc<Inner>,
}

struct Inner {
    id: Arc<str>,
    phase: Phase,
    head_sent: bool,
    cause: Cause,
    status: StatusCode,
    request: Head,
    redacted: OnceLock<(Uri, Option<HeaderMap>)>,
    shown: Vec<(&'static str, String)>,
}

/// The part of a request's life in which an incident happened.
///
/// ```
/// use tower_exception::{Incident, Phase};
///
/// fn is_from_the_body(incident: &Incident) -> bool {
///     incident.phase() == Phase::Body
/// }
/// assert_eq!(Phase::Body.to_string(), "the body");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The service was made ready for the request (`poll_ready`).
    Ready,
    /// The service was called with the request.
    Call,
    /// The future of the response was polled.
    Future,
    /// The body of the response was being read. [`Incident::is_head_sent`] returns whether the head
    /// had been sent by then.
    Body,
    /// The future was dropped, before or after it had returned its response, or the body was
    /// dropped, before or after its end.
    Drop,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "poll_ready",
            Self::Call => "call",
            Self::Future => "the future",
            Self::Body => "the body",
            Self::Drop => "a drop",
        })
    }
}

/// The panic or the error of an incident. A clone increments a reference count.
#[derive(Clone)]
pub(crate) struct Cause(Arc<Failure>);

enum Failure {
    Panic(Panic),
    Error(BoxError),
}

impl Cause {
    pub(crate) fn panic(&self) -> Option<&Panic> {
        match &*self.0 {
            Failure::Panic(panic) => Some(panic),
            Failure::Error(_) => None,
        }
    }

    pub(crate) fn error(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Failure::Panic(_) => None,
            Failure::Error(error) => Some(&**error),
        }
    }
}

impl From<Panic> for Cause {
    fn from(panic: Panic) -> Self {
        Self(Arc::new(Failure::Panic(panic)))
    }
}

impl From<Payload> for Cause {
    fn from(payload: Payload) -> Self {
        Panic::from(payload).into()
    }
}

impl From<BoxError> for Cause {
    fn from(error: BoxError) -> Self {
        Self(Arc::new(Failure::Error(error)))
    }
}

/// The last owner of an error may be a server, which must survive a panic in the error's `Drop`.
impl Drop for Failure {
    fn drop(&mut self) {
        if let Self::Error(error) = self {
            discard(std::mem::replace(error, Box::new(fmt::Error)));
        }
    }
}

impl Incident {
    pub(crate) fn new(
        phase: Phase,
        head_sent: bool,
        cause: Cause,
        status: StatusCode,
        request: Head,
        shown: Vec<(&'static str, String)>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                id: new_id(),
                phase,
                head_sent,
                cause,
                status,
                request,
                redacted: OnceLock::new(),
                shown,
            }),
        }
    }

    /// Returns the id that the client gets: 32 random hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Returns the part of the request's life in which it happened.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.inner.phase
    }

    /// Returns whether the response's head had been sent by then. If so, the response cannot become
    /// a 500.
    #[must_use]
    pub fn is_head_sent(&self) -> bool {
        self.inner.head_sent
    }

    /// Returns the status of the response, or the one that it would have if its head were not sent.
    /// It is 500, unless the error has another one, see
    /// [`ExceptionLayer::status_of`](crate::ExceptionLayer::status_of). A 4xx is the client's
    /// fault.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.status
    }

    /// Returns the message of the panic, and `None` if it was an error.
    #[must_use]
    pub fn panic_message(&self) -> Option<&str> {
        self.panic().map(|panic| panic.message.as_str())
    }

    fn panic(&self) -> Option<&Panic> {
        self.inner.cause.panic()
    }

    fn trace(&self) -> Option<&crate::backtrace::Trace> {
        self.panic()?.trace.as_ref()
    }

    /// Returns the location of the panic. It is known only with
    /// [`install_panic_hook`](crate::install_panic_hook). An error has no location in Rust.
    #[must_use]
    pub fn location(&self) -> Option<&PanicLocation> {
        self.trace()?.location.as_ref()
    }

    /// Returns the name of the thread that panicked, if it had one and the panic hook is installed.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.trace()?.thread.name()
    }

    /// Returns the calls that led to the panic, the innermost first, up to the layer's own guard.
    /// Empty for an error, and without [`install_panic_hook`](crate::install_panic_hook).
    ///
    /// The first call looks up names and lines, which can take a second. So do not call it on a
    /// thread that drives requests.
    #[must_use]
    pub fn frames(&self) -> &[CallFrame] {
        self.trace().map_or(&[], |trace| trace.frames())
    }

    /// Returns the error, and `None` if it was a panic.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.cause.error()
    }

    /// Returns the error and its sources, at most 32 of them. Empty if it was a panic.
    pub fn chain(&self) -> impl Iterator<Item = &(dyn Error + 'static)> {
        self.error().into_iter().flat_map(chain)
    }

    /// Returns the request's method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.inner.request.method
    }

    /// Returns the request's URI without user and password. Values of parameters whose names are
    /// those of secrets are `redacted`. Inside of `Router::nest` the path is the part below the
    /// prefix.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.redacted().0
    }

    /// Returns the request's HTTP version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.inner.request.version
    }

    /// Returns the request's `Host`.
    #[must_use]
    pub fn host(&self) -> Option<&HeaderValue> {
        self.inner.request.host.as_ref()
    }

    /// Returns the request's headers if they were kept, see
    /// [`ExceptionLayer::headers`](crate::ExceptionLayer::headers). The values of a header are
    /// `[redacted]` if its name marks a secret, or if one of them is marked as sensitive.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.redacted().1.as_ref()
    }

    /// Returns the names and the `Debug` texts of the extensions that a
    /// [`SnapshotLayer`](crate::SnapshotLayer) has shown, without secret fields. Empty in
    /// production.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.inner
            .shown
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
    }

    /// Returns the request's URI with its secrets: the whole query, and user and password. Your
    /// code is responsible for where they go.
    #[must_use]
    pub fn unredacted_uri(&self) -> &Uri {
        &self.inner.request.uri
    }

    /// Returns the request's headers with their secrets, if the headers were kept. Your code is
    /// responsible for where they go.
    #[must_use]
    pub fn unredacted_headers(&self) -> Option<&HeaderMap> {
        self.inner.request.headers.as_deref()
    }

    #[cfg(feature = "debug")]
    pub(crate) fn preferences(&self) -> Preferences {
        self.inner.request.preferences
    }

    /// Returns the response for the client. It has the status and the id, and nothing of the panic
    /// or the error.
    // DIFFERENCE: it has no traceback, which Paste sends to every client.
    pub(crate) fn response(&self) -> Response<Full<Bytes>> {
        let rejection = Rejection::new(self.status(), self.clone()).with_id(self.inner.id.clone());
        let mut response = rejection.response_for(self.inner.request.preferences);
        if let Ok(id) = HeaderValue::from_str(self.id()) {
            response.headers_mut().insert(INCIDENT_ID, id);
        }
        response
    }

    fn redacted(&self) -> &(Uri, Option<HeaderMap>) {
        self.inner.redacted.get_or_init(|| {
            let request = &self.inner.request;
            let headers = request.headers.as_deref().map(secrets::headers);
            (secrets::uri(&request.uri), headers)
        })
    }
}

/// Returns an error and its sources, at most [`CHAIN_LIMIT`] of them.
pub(crate) fn chain<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(CHAIN_LIMIT)
}

/// Returns the text of an error, whatever its `Display` does, without user and password of URLs.
pub(crate) fn text_of(error: &(dyn Error + 'static)) -> String {
    match catch(|| error.to_string()) {
        Ok(text) => secrets::urls(&text).into_owned(),
        Err(_) => "(its Display panicked)".to_owned(),
    }
}

/// Writes one line for a log, with the path and without the query.
impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, phase) = (self.id(), self.phase());
        let (method, path, version) = (self.method(), self.uri().path(), self.version());
        let mut line = OneLine(f);
        write!(line, "incident {id}: {method} {path} {version:?}: ")?;
        match self.panic_message() {
            Some(message) => {
                write!(line, "panic in {phase}")?;
                if let Some(location) = self.location() {
                    write!(line, " at {location}")?;
                }
                write!(line, ": {}", secrets::urls(message))
            }
            None => {
                write!(line, "error from {phase}")?;
                if self.status() != StatusCode::INTERNAL_SERVER_ERROR {
                    write!(line, " ({})", self.status().as_u16())?;
                }
                let mut chain = self.chain();
                chain.try_for_each(|error| write!(line, ": {}", secrets::urls(&error.to_string())))
            }
        }
    }
}

/// Writes the path without the query, as in the line.
impl fmt::Debug for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incident")
            .field("id", &self.id())
            .field("phase", &self.phase())
            .field("panic", &self.panic_message().map(secrets::urls))
            .field("error", &self.error().map(text_of))
            .field("method", &self.method())
            .field("path", &self.uri().path())
            .finish()
    }
}

/// The source is the error. A panic has none.
impl Error for Incident {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error()
    }
}

/// Escapes characters that would end or falsify a line.
struct OneLine<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            // Other line ends, and characters that change the direction of the text.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(self.0, "{}", c.escape_unicode())
            }
            c if c.is_control() => write!(self.0, "{}", c.escape_debug()),
            c => self.0.write_char(c),
        })
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns 128 random bits from the operating system. If there are none, the id is zeros, and the
/// incident is reported nevertheless.
fn new_id() -> Arc<str> {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; 16];
    }
    let mut digits = [b'0'; 32];
    for (two, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        two[0] = HEX[usize::from(byte >> 4)];
        two[1] = HEX[usize::from(byte & 15)];
    }
    // One allocation, which the response's rejection shares.
    str::from_utf8(&digits).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::request_head::RequestHead;

    fn panic(message: &str) -> Cause {
        Cause::from(Panic {
            message: message.to_owned(),
            trace: None,
        })
    }

    fn incident(phase: Phase, cause: Cause) -> Incident {
        let request = Request::get("http://me:secret@example.org/a%0A\u{85}\u{2028}b?token=secret")
            .body(())
            .unwrap();
        let mut head = RequestHead::default();
        head.record(&request, true);
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Incident::new(phase, false, cause, status, head.read(), Vec::new())
    }

    #[test]
    fn exception_22_a_line_has_no_query_and_is_escaped() {
        let panic = incident(
            Phase::Call,
            panic("\"one\"\ntwo\u{1b}[31m\u{2028}\u{202e}é"),
        );
        assert_eq!(
            panic.to_string(),
            format!(
                "incident {}: GET /a%0A\\u{{85}}\\u{{2028}}b HTTP/1.1: panic in call: \"one\"\\ntwo\\u{{1b}}[31m\\u{{2028}}\\u{{202e}}é",
                panic.id()
            )
        );
        let error = std::io::Error::other("the disk\nis gone");
        let error = incident(Phase::Body, Cause::from(BoxError::from(error)));
        assert_eq!(
            error.to_string(),
            format!(
                "incident {}: GET /a%0A\\u{{85}}\\u{{2028}}b HTTP/1.1: error from the body: the disk\\nis gone",
                error.id()
            )
        );
    }

    #[test]
    fn exception_9_debug_text_has_no_query_and_no_password() {
        let incident = incident(Phase::Call, panic(""));
        assert!(!format!("{incident:?}").contains("secret"));
    }

    #[test]
    fn exception_2_ids_are_long_and_differ() {
        let ids: std::collections::HashSet<Arc<str>> = (0..1000).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 1000);
        let (one, other) = (
            incident(Phase::Call, panic("")),
            incident(Phase::Call, panic("")),
        );
        assert_ne!(one.id(), other.id());
        assert!(
            ids.iter()
                .all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        );
    }

    #[test]
    fn exception_22_an_endless_chain_is_cut() {
        #[derive(Debug)]
        struct Ouroboros;
        impl fmt::Display for Ouroboros {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tail")
            }
        }
        impl Error for Ouroboros {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        let incident = incident(Phase::Future, Cause::from(BoxError::from(Ouroboros)));
        assert_eq!(incident.chain().count(), 32);
    }
}
