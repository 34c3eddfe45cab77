//! The responses that the dispatcher makes itself.

use std::fmt;

use bytes::Bytes;
use http::{
    Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, VARY},
};
use http_body_util::Full;
use tower_kit::{Allow, Preferences, Rejection, content};

use crate::DecodePathError;

/// The reason of a dispatcher's [`Rejection`].
///
/// ```
/// use http::Response;
/// use tower_dispatch::NotDispatched;
/// use tower_kit::Rejection;
///
/// fn has_no_route<B>(response: &Response<B>) -> bool {
///     let reason = Rejection::of(response).and_then(Rejection::reason);
///     reason == Some(&NotDispatched::NotFound)
/// }
/// # assert!(!has_no_route(&Response::new(())));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDispatched {
    /// The path cannot be decoded. It is the reason of a 400.
    UndecodablePath(DecodePathError),
    /// No route matches the path. It is the reason of a 404.
    NotFound,
    /// Routes match the path, with the methods in `Allow`. It is the reason of a 405.
    MethodNotAllowed,
}

impl fmt::Display for NotDispatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UndecodablePath(error) => error.fmt(f),
            Self::NotFound => f.write_str("no route matches the path"),
            Self::MethodNotAllowed => f.write_str("the path does not allow this method"),
        }
    }
}

impl std::error::Error for NotDispatched {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Its message is the same.
            Self::UndecodablePath(error) => error.source(),
            Self::NotFound | Self::MethodNotAllowed => None,
        }
    }
}

impl NotDispatched {
    pub(crate) fn rejection(self) -> Rejection {
        let status = match self {
            Self::UndecodablePath(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        };
        // It is about the path, which the client knows.
        let detail = self.to_string();
        Rejection::new(status, self).with_detail(detail)
    }
}

/// Returns a 405 with its `Allow` (RFC 9110, section 15.5.6).
pub(crate) fn method_not_allowed(allow: &Allow) -> Rejection {
    let rejection = NotDispatched::MethodNotAllowed.rejection();
    rejection.with_header(ALLOW, allow.to_header())
}

/// Returns a 405 that replaces a 404. It keeps everything of the 404 that is not about the missing
/// page.
pub(crate) fn instead_of_not_found<B>(
    preferences: Preferences,
    allow: &Allow,
    not_found: Response<B>,
) -> Response<Full<Bytes>> {
    let (mut head, _) = not_found.into_parts();
    let (own, body) = method_not_allowed(allow)
        .response_for(preferences)
        .into_parts();
    head.status = own.status;
    content::remove_content_headers(&mut head.headers);
    for (name, value) in own.headers.iter() {
        // All lines of these restrict caches. The 404's must not get lost.
        if name != CACHE_CONTROL && name != VARY {
            head.headers.insert(name, value.clone());
        } else if head.headers.get_all(name).iter().all(|line| line != value) {
            head.headers.append(name, value.clone());
        }
    }
    // The 404's rejection is replaced. Extensions that others have left for outer layers stay.
    head.extensions.extend(own.extensions);
    Response::from_parts(head, body)
}
