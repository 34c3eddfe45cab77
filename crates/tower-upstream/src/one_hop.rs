//! Fields that are about one hop, and fields that are the proxy's own.

use std::str::FromStr;

use http::{HeaderName, header::CONTENT_LENGTH};
use tower_kit::names::{is_forwarding, is_of_one_hop, is_plain, plain};

use crate::{BuildError, BuildErrorKind};

/// The name of a request header that may be passed on although it has other characters than
/// letters, digits and `-`.
///
/// Parsing fails for a name that a server may take for one of the proxy's own headers
/// (`X_Forwarded_For`), and for a name that is always passed on (`X-Token`).
///
/// ```
/// use tower_upstream::PassedHeader;
///
/// assert!("X_Token".parse::<PassedHeader>().is_ok());
/// assert!("X_Forwarded_For".parse::<PassedHeader>().is_err());
/// assert!("X-Token".parse::<PassedHeader>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PassedHeader(pub(crate) HeaderName);

impl TryFrom<HeaderName> for PassedHeader {
    type Error = BuildError;

    fn try_from(name: HeaderName) -> Result<Self, BuildError> {
        let plain = plain(name.as_str());
        let is_plain = is_plain(name.as_str());
        let message = match (is_ours(&plain), is_plain) {
            (true, true) => {
                format!("`{name}` is never passed on, since the proxy removes it or sets it itself")
            }
            (true, false) => {
                format!("`{name}` is never passed on, since servers take it for `{plain}`")
            }
            (false, true) => format!(
                "`{name}` is passed on without being named; named are names with other \
                 characters than letters, digits and `-`"
            ),
            (false, false) => return Ok(Self(name)),
        };
        Err(BuildError::new(BuildErrorKind::Header, message))
    }
}

impl FromStr for PassedHeader {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) => name.try_into(),
            Err(_) => {
                let message = format!("`{text}` is not a header's name, such as X_Token");
                Err(BuildError::new(BuildErrorKind::Header, message))
            }
        }
    }
}

impl TryFrom<&str> for PassedHeader {
    type Error = BuildError;

    fn try_from(text: &str) -> Result<Self, BuildError> {
        text.parse()
    }
}

/// The request fields that the proxy sets itself, or leaves out.
///
/// `Proxy` is in no standard, and becomes the variable `HTTP_PROXY` of a CGI program (CVE-2016-5385
/// and others). `Expect` is met here: the server tells the client to continue when the connection
/// to the upstream begins to take the body, and that connection would not wait for another 100.
const OWN: [&str; 4] = ["content-length", "expect", "host", "proxy"];

/// Returns whether a field, by its name in lower case, never reaches the upstream from a client.
pub(crate) fn is_ours(name: &str) -> bool {
    is_of_one_hop(name) || OWN.contains(&name) || is_forwarding(name)
}

/// Returns whether a field of a response is about one hop, or about how long the message is on it.
pub(crate) fn is_of_one_message(name: &HeaderName) -> bool {
    is_of_one_hop(name.as_str()) || *name == CONTENT_LENGTH
}
