use std::{
    error, fmt,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// An address to listen on: `127.0.0.1:8080`, `[::1]:80`, `localhost:8080`, `unix:/run/site.sock`.
///
/// ```
/// use tower_serve::{Address, ParseAddressErrorKind};
///
/// let address: Address = "localhost:8080".parse()?;
/// assert_eq!(address, Address::Tcp("localhost:8080".to_owned()));
///
/// let error = "localhost".parse::<Address>().unwrap_err();
/// assert_eq!(error.kind(), ParseAddressErrorKind::NoPort);
/// assert_eq!(error.to_string(), "`localhost` has no port (expected `localhost:8080`)");
/// # Ok::<_, tower_serve::ParseAddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// `HOST:PORT`: an address or a name, and a port. Port 0 lets the system choose one. Of the
    /// addresses of a name, the first on which the server can listen is taken.
    Tcp(String),
    /// The path of a socket in the file system. The umask decides its mode.
    Unix(PathBuf),
}

impl FromStr for Address {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        match text.strip_prefix("unix:") {
            Some("") => Err(ParseAddressError {
                kind: ParseAddressErrorKind::NoPath,
                found: "`unix:` has no path".to_owned(),
                expected: "`unix:/run/site.sock`".to_owned(),
            }),
            Some(path) => Ok(Self::Unix(path.into())),
            None => check_tcp(text).map(|()| Self::Tcp(text.to_owned())),
        }
    }
}

fn check_tcp(text: &str) -> Result<(), ParseAddressError> {
    use ParseAddressErrorKind as Kind;

    if text.parse::<SocketAddr>().is_ok() {
        return Ok(());
    }
    let error = |kind, found, expected| {
        Err(ParseAddressError {
            kind,
            found,
            expected,
        })
    };
    let no_port = |address| {
        let expected = format!("`{address}:8080`");
        error(Kind::NoPort, format!("`{text}` has no port"), expected)
    };
    let no_host = |port| {
        let expected = format!("`127.0.0.1:{port}`, or `0.0.0.0:{port}` for every interface");
        error(Kind::NoHost, format!("`{text}` has no host"), expected)
    };
    if let Some((_, rest)) = text.split_once("://") {
        let expected = format!("`{}`", rest.trim_end_matches('/'));
        return error(Kind::Url, format!("`{text}` is a URL"), expected);
    }
    if text.parse::<u16>().is_ok() {
        return no_host(text);
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return no_port(if text.is_empty() { "localhost" } else { text });
    };
    if host.parse::<Ipv6Addr>().is_ok() {
        let found = format!("`{text}` has an IPv6 address without brackets");
        return error(Kind::NoBrackets, found, format!("`[{host}]:{port}`"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return no_port(&format!("[{text}]"));
    }
    if text.starts_with('[') && text.ends_with(']') {
        return no_port(text);
    }
    if port.parse::<u16>().is_err() {
        let found = format!("`{port}` in `{text}` is not a port");
        let expected = "a number from 0 to 65535".to_owned();
        return error(Kind::InvalidPort, found, expected);
    }
    if matches!(host, "" | "*") {
        return no_host(port);
    }
    if !is_name(host) {
        let found = format!("`{host}` in `{text}` is neither an address nor a name");
        let expected = "one such as `127.0.0.1`, `[::1]` or `localhost`".to_owned();
        return error(Kind::InvalidHost, found, expected);
    }
    Ok(())
}

/// Returns whether this can be looked up. A name whose last label is a number is a mistyped
/// address.
fn is_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut labels = host.split('.');
    let last = labels.clone().next_back().unwrap_or_default();
    labels.all(|label| !label.is_empty() && label.bytes().all(is_known))
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The error of a text that is not an [`Address`]: what was found and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAddressError {
    kind: ParseAddressErrorKind,
    found: String,
    expected: String,
}

/// The kind of a [`ParseAddressError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParseAddressErrorKind {
    /// The text has no port.
    NoPort,
    /// The text has a port and no host. `*` does not count as a host.
    NoHost,
    /// The port is not a number from 0 to 65535.
    InvalidPort,
    /// The host is neither an address nor a name.
    InvalidHost,
    /// An IPv6 address with a port is not in brackets.
    NoBrackets,
    /// The text is a URL.
    Url,
    /// There is no path after `unix:`.
    NoPath,
}

impl ParseAddressError {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ParseAddressErrorKind {
        self.kind
    }
}

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (expected {})", self.found, self.expected)
    }
}

impl error::Error for ParseAddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serve_16_an_address_prints_as_it_was_read() {
        for text in [
            "127.0.0.1:8080",
            "0.0.0.0:0",
            "[::1]:80",
            "[::]:65535",
            "localhost:8080",
            "my-host_1.example.org.:1",
            "unix:/run/site.sock",
            "unix:relative.sock",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn serve_16_an_error_states_what_was_found_and_expected() {
        use ParseAddressErrorKind as Kind;

        let table = [
            (
                "",
                Kind::NoPort,
                "`` has no port (expected `localhost:8080`)",
            ),
            (
                "localhost",
                Kind::NoPort,
                "`localhost` has no port (expected `localhost:8080`)",
            ),
            (
                "8080",
                Kind::NoHost,
                "`8080` has no host (expected `127.0.0.1:8080`, or `0.0.0.0:8080` for every interface)",
            ),
            (
                ":8080",
                Kind::NoHost,
                "`:8080` has no host (expected `127.0.0.1:8080`, or `0.0.0.0:8080` for every interface)",
            ),
            (
                "*:80",
                Kind::NoHost,
                "`*:80` has no host (expected `127.0.0.1:80`, or `0.0.0.0:80` for every interface)",
            ),
            (
                "::1",
                Kind::NoPort,
                "`::1` has no port (expected `[::1]:8080`)",
            ),
            (
                "[::1]",
                Kind::NoPort,
                "`[::1]` has no port (expected `[::1]:8080`)",
            ),
            (
                "::1:80",
                Kind::NoBrackets,
                "`::1:80` has an IPv6 address without brackets (expected `[::1]:80`)",
            ),
            (
                "http://localhost:8080/",
                Kind::Url,
                "`http://localhost:8080/` is a URL (expected `localhost:8080`)",
            ),
            (
                "localhost:http",
                Kind::InvalidPort,
                "`http` in `localhost:http` is not a port (expected a number from 0 to 65535)",
            ),
            (
                "localhost:65536",
                Kind::InvalidPort,
                "`65536` in `localhost:65536` is not a port (expected a number from 0 to 65535)",
            ),
            (
                "300.0.0.1:80",
                Kind::InvalidHost,
                "`300.0.0.1` in `300.0.0.1:80` is neither an address nor a name (expected one such as `127.0.0.1`, `[::1]` or `localhost`)",
            ),
            (
                "a b:80",
                Kind::InvalidHost,
                "`a b` in `a b:80` is neither an address nor a name (expected one such as `127.0.0.1`, `[::1]` or `localhost`)",
            ),
            (
                "unix:",
                Kind::NoPath,
                "`unix:` has no path (expected `unix:/run/site.sock`)",
            ),
        ];
        for (text, kind, message) in table {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, message));
        }
    }
}
