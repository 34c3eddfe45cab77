//! The reasons why a program has no response.

use std::{error, fmt};

use bytes::Bytes;
use http::{Response, StatusCode, header::RETRY_AFTER, response::Parts};
use http_body_util::Full;
use tower_kit::{Preferences, Rejection};

/// Any error.
pub(crate) type BoxError = Box<dyn error::Error + Send + Sync>;

/// The reason of a [`Rejection`](tower_kit::Rejection) that a service of this crate has responded
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GatewayError {
    /// 400: the path has control characters.
    ControlCharacter,
    /// 400: the client's body broke off, or is not as long as announced.
    BrokenRequest,
    /// 404: the path leads to no script.
    NoScript,
    /// 408: the client's body stopped.
    StalledRequest,
    /// 411: the body has no length, and the service asks for one.
    LengthRequired,
    /// 413: a body without a length is longer than the limit.
    BodyTooLarge,
    /// 431: a header is too long for the protocol.
    HeaderTooLarge,
    /// 500: a body without a length could not be stored.
    NotStored,
    /// 501: CONNECT asks for a tunnel.
    NoTunnel,
    /// 502: no connection could be made.
    Unreachable,
    /// 502: the program could not be started.
    NotStarted,
    /// 502: the connection broke, or the program's output is not a response.
    NoResponse,
    /// 502: local redirects did not end.
    RedirectLoop,
    /// 503: no connection or process became free in time.
    Busy,
    /// 503: the program has no room for the request.
    Overloaded,
    /// 504: no connection could be made in time.
    ConnectTimeout,
    /// 504: the program sent no response head in time.
    HeaderTimeout,
}

impl GatewayError {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::ControlCharacter | Self::BrokenRequest => StatusCode::BAD_REQUEST,
            Self::NoScript => StatusCode::NOT_FOUND,
            Self::StalledRequest => StatusCode::REQUEST_TIMEOUT,
            Self::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NotStored => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoTunnel => StatusCode::NOT_IMPLEMENTED,
            Self::Unreachable | Self::NotStarted | Self::NoResponse | Self::RedirectLoop => {
                StatusCode::BAD_GATEWAY
            }
            Self::Busy | Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::ConnectTimeout | Self::HeaderTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// Returns the sentence for the client, which does not name the program.
    fn detail(self) -> &'static str {
        match self {
            Self::ControlCharacter => "the request's path has control characters",
            Self::BrokenRequest => "the request broke off",
            Self::NoScript => "there is no script at this path",
            Self::StalledRequest => "the rest of the request did not come in time",
            Self::LengthRequired => "the request's body needs a length",
            Self::BodyTooLarge => "the request's body is too large",
            Self::HeaderTooLarge => "a header of the request is too long",
            Self::NotStored => "the request's body could not be stored",
            Self::NoTunnel => "there are no tunnels here",
            Self::Unreachable => "the program behind this server cannot be reached",
            Self::NotStarted => "the program behind this server cannot be started",
            Self::NoResponse => "the program behind this server sent no valid response",
            Self::RedirectLoop => "the program behind this server redirects without end",
            Self::Busy | Self::Overloaded => "the program behind this server is busy",
            Self::ConnectTimeout => "the program behind this server could not be reached in time",
            Self::HeaderTimeout => "the program behind this server did not respond in time",
        }
    }

    pub(crate) fn response(self, preferences: Preferences) -> Response<Full<Bytes>> {
        let mut rejection = Rejection::new(self.status(), self).with_detail(self.detail());
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            rejection = rejection.with_header(RETRY_AFTER, 1.into());
        }
        rejection.response_for(preferences)
    }
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail())
    }
}

impl error::Error for GatewayError {}

/// Returns whether a response with this head says that a path leads to no script.
///
/// Let a cascade fall through these and no other 404. A 404 of a script has to be final: otherwise
/// the next service, if it serves files, sends the script's source. So the cascade needs an empty
/// list of `statuses`, because a 404 is in it by default.
///
/// ```
/// use tower_cascade::CascadeLayer;
/// use tower_gateway::{FastCgi, Scripts, no_script};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let php = FastCgi::connect("unix:/run/php/php8.2-fpm.sock")?
///     .scripts(Scripts::php("/srv/www"));
/// let before_files = CascadeLayer::new(php)
///     .statuses([])?
///     .fall_through_if(no_script);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn no_script(head: &Parts) -> bool {
    let reason = Rejection::of_head(head).and_then(Rejection::reason::<GatewayError>);
    reason == Some(&GatewayError::NoScript)
}

/// Prints an error with all its causes, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
