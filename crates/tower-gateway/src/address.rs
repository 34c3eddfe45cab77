//! The address of a program that listens.

use std::{path::PathBuf, str::FromStr};

use crate::{BuildError, BuildErrorKind};

/// The address of a program: `unix:/path/to.sock` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(String),
}

const EXPECTED: &str = "expected unix:/path/to.sock or HOST:PORT";

impl FromStr for Address {
    type Err = BuildError;

    fn from_str(text: &str) -> Result<Self, BuildError> {
        let text = text.trim();
        let wrong = |found: &str| {
            let message = format!("`{text}` {found}; {EXPECTED}");
            Err(BuildError::new(BuildErrorKind::Address, message))
        };
        if let Some(path) = text.strip_prefix("unix:") {
            return match (path.starts_with('/'), cfg!(unix)) {
                (true, true) => Ok(Self::Unix(path.into())),
                (false, true) => wrong("has a path that does not begin with a slash"),
                (_, false) => wrong("is a Unix socket, which this system does not have"),
            };
        }
        if text.contains("://") {
            return wrong("is a URL");
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return wrong("has no port");
        };
        let is_bare_ipv6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        if host.is_empty() || is_bare_ipv6 || host.contains(['/', ' ']) {
            return wrong("has an invalid host");
        }
        match port.parse::<u16>() {
            Ok(1..) => Ok(Self::Tcp(text.to_owned())),
            _ => wrong("has an invalid port"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_10_an_address_is_a_socket_or_a_host_with_a_port() {
        let tcp = |text: &str| Address::Tcp(text.to_owned());
        for (text, expected) in [
            ("127.0.0.1:9000", tcp("127.0.0.1:9000")),
            (" php:9000\n", tcp("php:9000")),
            ("[::1]:9000", tcp("[::1]:9000")),
            #[cfg(unix)]
            ("unix:/run/php.sock", Address::Unix("/run/php.sock".into())),
        ] {
            assert_eq!(text.parse(), Ok(expected));
        }
        for (text, error) in [
            ("", "`` has no port"),
            ("php", "`php` has no port"),
            ("::1", "`::1` has an invalid host"),
            ("::1:9000", "`::1:9000` has an invalid host"),
            (":9000", "`:9000` has an invalid host"),
            ("a/b:1", "`a/b:1` has an invalid host"),
            ("php:0", "`php:0` has an invalid port"),
            ("php:70000", "`php:70000` has an invalid port"),
            ("fcgi://php:9000", "`fcgi://php:9000` is a URL"),
            #[cfg(unix)]
            (
                "unix:php.sock",
                "`unix:php.sock` has a path that does not begin with a slash",
            ),
        ] {
            let found = text.parse::<Address>().unwrap_err();
            assert_eq!(found.to_string(), format!("{error}; {EXPECTED}"));
            assert_eq!(found.kind(), BuildErrorKind::Address);
        }
    }
}
