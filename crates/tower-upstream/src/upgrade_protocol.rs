use std::{fmt, str::FromStr};

use http::Method;

use crate::{BuildError, BuildErrorKind};

/// The name of a protocol to which a client may upgrade its connection, such as `websocket` or
/// `acme/2`. Upper and lower case are the same.
///
/// Parsing fails for a text that is not a token with an optional version. It fails for HTTP (`h2c`,
/// `HTTP/2.0`) and for `TLS/1.2`, too: requests inside of the tunnel would pass this proxy unseen.
///
/// ```
/// use tower_upstream::UpgradeProtocol;
///
/// assert!("websocket".parse::<UpgradeProtocol>().is_ok());
/// assert!("h2c".parse::<UpgradeProtocol>().is_err());
/// ```
#[derive(Clone, Debug)]
pub struct UpgradeProtocol(String);

impl UpgradeProtocol {
    pub(crate) fn websocket() -> Self {
        Self("websocket".to_owned())
    }

    /// Returns whether this is the protocol's name.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        self.0.as_bytes().eq_ignore_ascii_case(name)
    }
}

impl PartialEq for UpgradeProtocol {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for UpgradeProtocol {}

impl fmt::Display for UpgradeProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UpgradeProtocol {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let wrong = |message| Err(BuildError::new(BuildErrorKind::Protocol, message));
        let (name, version) = match text.split_once('/') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        // A method is a token, too.
        let is_token = |text: &str| Method::from_bytes(text.as_bytes()).is_ok();
        if !is_token(name) || !version.is_none_or(is_token) {
            return wrong(format!("`{text}` is not a protocol, such as websocket"));
        }
        if ["h2c", "h2", "http", "tls"]
            .iter()
            .any(|hidden| name.eq_ignore_ascii_case(hidden))
        {
            return wrong(format!(
                "`{text}` would carry requests that this proxy does not see; expected a protocol \
                 such as websocket"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&str> for UpgradeProtocol {
    type Error = BuildError;

    fn try_from(text: &str) -> Result<Self, BuildError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_25_a_protocol_is_a_token_and_not_http() {
        for text in ["websocket", "WebSocket", "acme/2", "SPDY/3.1", "h2c-like"] {
            let protocol: UpgradeProtocol = text.parse().unwrap();
            assert_eq!(protocol.to_string(), text);
            assert!(protocol.is(text.to_uppercase().as_bytes()));
            assert_eq!(protocol, text.to_lowercase().parse().unwrap());
        }
        for text in [
            "",
            "a b",
            "a,b",
            "a/",
            "/1",
            "a/1/2",
            "websocket\r\nx",
            "\u{e9}",
        ] {
            let error = text.parse::<UpgradeProtocol>().unwrap_err();
            assert_eq!(error.kind(), BuildErrorKind::Protocol, "{text}");
            let expected = format!("`{text}` is not a protocol, such as websocket");
            assert_eq!(error.to_string(), expected);
        }
        for text in ["h2c", "H2C", "h2", "http", "HTTP/2.0", "TLS/1.2", "tls"] {
            let error = text.parse::<UpgradeProtocol>().unwrap_err();
            let expected = format!(
                "`{text}` would carry requests that this proxy does not see; expected a protocol \
                 such as websocket"
            );
            assert_eq!(error.to_string(), expected);
        }
    }
}
