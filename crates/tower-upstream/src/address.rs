//! The address of the upstream, and the target that it gets.

use std::{borrow::Cow, fmt, net::IpAddr, path::PathBuf, str::FromStr};

use http::{
    HeaderValue, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use percent_encoding::percent_decode_str;

use crate::{BuildError, BuildErrorKind as Kind, UpstreamError};

/// The address of an upstream: `http://HOST[:PORT][/PATH]`, `https://HOST[:PORT][/PATH]` or
/// `unix:/path/to.sock[:/PATH]`.
///
/// `https` needs the feature `tls`. The path is prepended to the path of each request.
///
/// ```
/// use tower_upstream::Address;
///
/// let address: Address = "http://10.0.0.5:8080/shop".parse()?;
/// assert_eq!(address.to_string(), "http://10.0.0.5:8080/shop");
/// assert!("ftp://10.0.0.5".parse::<Address>().is_err());
/// # Ok::<(), tower_upstream::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether the connections are those of TLS.
    pub(crate) is_https: bool,
    /// The file of a Unix socket.
    pub(crate) socket: Option<PathBuf>,
    /// `localhost` for a Unix socket, as nginx has it: HTTP/1.1 needs some host.
    authority: Authority,
    host: HeaderValue,
    /// The path before each request's path: empty, or from one slash on.
    path: String,
}

const EXPECTED: &str =
    "expected http://HOST[:PORT][/PATH], https://HOST[:PORT][/PATH] or unix:/path/to.sock[:/PATH]";

impl FromStr for Address {
    type Err = BuildError;

    /// Reads an address. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// No error shows the address: it may have a password in it.
    fn from_str(text: &str) -> Result<Self, BuildError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("unix:") {
            return Self::unix(rest);
        }
        let Ok(uri) = text.parse::<Uri>() else {
            return unexpected(Kind::Address, "it is not a URL");
        };
        let Parts {
            scheme: Some(scheme),
            authority: Some(authority),
            ..
        } = uri.clone().into_parts()
        else {
            return unexpected(Kind::Address, "it is not a whole URL");
        };
        let is_https = scheme == Scheme::HTTPS;
        if is_https && !cfg!(feature = "tls") {
            return wrong(
                Kind::Scheme,
                "`https:` needs the feature `tls` of tower-upstream",
            );
        }
        if !is_https && scheme != Scheme::HTTP {
            return unexpected(Kind::Scheme, "there is no such scheme here");
        }
        if authority.as_str().contains('@') {
            return wrong(
                Kind::Credentials,
                "a user and a password in it would not be sent; expected a host",
            );
        }
        // A port that cannot be read must not become the usual one.
        let port = &authority.as_str()[authority.host().len()..];
        if authority.host().is_empty() || (!port.is_empty() && port_of(port).is_none()) {
            return unexpected(Kind::Host, "there is no such host and port");
        }
        if text.contains('#') {
            return wrong(Kind::Path, "a fragment is not sent to a server");
        }
        let usual = if is_https { 443 } else { 80 };
        let host = match port_of(port) {
            Some(port) if port != usual => authority.as_str(),
            Some(_) | None => authority.host(),
        };
        let Ok(host) = HeaderValue::from_str(host) else {
            return unexpected(Kind::Host, "no host");
        };
        Ok(Self {
            is_https,
            socket: None,
            host,
            authority,
            path: base(text_of_path(&uri))?,
        })
    }
}

impl TryFrom<&str> for Address {
    type Error = BuildError;

    fn try_from(text: &str) -> Result<Self, BuildError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = BuildError;

    fn try_from(text: String) -> Result<Self, BuildError> {
        text.parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) => write!(f, "unix:{}:", socket.display())?,
            None => write!(f, "{}://{}", self.scheme(), self.authority)?,
        }
        f.write_str(if self.path.is_empty() {
            "/"
        } else {
            &self.path
        })
    }
}

fn wrong<T>(kind: Kind, message: impl Into<Cow<'static, str>>) -> Result<T, BuildError> {
    Err(BuildError::new(kind, message))
}

fn unexpected<T>(kind: Kind, found: &str) -> Result<T, BuildError> {
    wrong(kind, format!("{found}; {EXPECTED}"))
}

/// Reads `:PORT`.
fn port_of(text: &str) -> Option<u16> {
    let port = text.strip_prefix(':')?.parse().ok()?;
    (port > 0).then_some(port)
}

fn text_of_path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", PathAndQuery::as_str)
}

fn base(path: &str) -> Result<String, BuildError> {
    if path.contains('?') {
        return wrong(
            Kind::Path,
            "a query in it would be lost; expected a path at most",
        );
    }
    if path.parse::<PathAndQuery>().is_err() || path.starts_with("//") {
        return unexpected(Kind::Path, "the path is none");
    }
    Ok(if path == "/" { "" } else { path }.to_owned())
}

impl Address {
    #[cfg(unix)]
    fn unix(rest: &str) -> Result<Self, BuildError> {
        // As in nginx, the path comes after a colon.
        let (socket, path) = match rest.split_once(":/") {
            Some((socket, _)) => (socket, &rest[socket.len() + 1..]),
            None => (rest, "/"),
        };
        if !socket.starts_with('/') {
            return wrong(Kind::Socket, "the socket's path has to start with a slash");
        }
        if path.contains('#') {
            return wrong(Kind::Path, "a fragment is not sent to a server");
        }
        Ok(Self {
            is_https: false,
            socket: Some(socket.into()),
            authority: Authority::from_static("localhost"),
            host: HeaderValue::from_static("localhost"),
            path: base(path)?,
        })
    }

    #[cfg(not(unix))]
    fn unix(_: &str) -> Result<Self, BuildError> {
        wrong(
            Kind::Scheme,
            "there are no Unix sockets here; expected http:",
        )
    }

    /// Returns the scheme of the requests.
    pub(crate) fn scheme(&self) -> Scheme {
        match self.is_https {
            true => Scheme::HTTPS,
            false => Scheme::HTTP,
        }
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns whether servers may choose a site by the address's name: with TLS, unless it is an
    /// IP address.
    pub(crate) fn is_name_over_tls(&self) -> bool {
        if !self.is_https {
            return false;
        }
        let name = self.authority.host().trim_matches(['[', ']']);
        name.parse::<IpAddr>().is_err()
    }

    /// Returns the value of `Host` for the upstream.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Returns the path before each request's path.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the target for a request with this URI: the bytes of its path and query as they are,
    /// after the address's own path. DIFFERENCE: Paste joins them as links are joined, so `..` and
    /// a missing slash at the end of the address lead out of its path.
    ///
    /// `at_mount` means that PATH_INFO is empty, where the URI can only have `/`.
    ///
    /// # Errors
    ///
    /// Returns an error if the target is too long for a URI, or if its dots could lead out of the
    /// address's own path: a server that resolves them would respond with a page that is not meant
    /// to be passed on.
    pub(crate) fn target(&self, uri: &Uri, at_mount: bool) -> Result<PathAndQuery, UpstreamError> {
        let asked = match uri.path_and_query() {
            Some(asked) => asked.as_str(),
            None => "/",
        };
        if !self.path.is_empty() && has_dots(uri.path()) {
            return Err(UpstreamError::DotSegment);
        }
        let whole =
            |path: String| PathAndQuery::try_from(path).map_err(|_| UpstreamError::TargetTooLong);
        match asked {
            // It is about the whole server (RFC 9110, section 9.3.7), so it has no path.
            "*" => Ok(PathAndQuery::from_static("*")),
            _ if self.path.is_empty() => match uri.path_and_query() {
                Some(asked) => Ok(asked.clone()),
                None => Ok(PathAndQuery::from_static("/")),
            },
            // `/x` at the mount is `/base`, and `/x/` is `/base/`.
            _ if at_mount => whole(format!("{}{}", self.path, &asked[uri.path().len()..])),
            _ => whole(format!("{}{asked}", self.path.trim_end_matches('/'))),
        }
    }
}

/// Returns whether a segment is `.` or `..`, encoded or not. Some servers split segments at a
/// backslash, others at an encoded slash.
fn has_dots(path: &str) -> bool {
    let path = percent_decode_str(path).collect::<Vec<u8>>();
    let mut segments = path.split(|byte| b"/\\".contains(byte));
    segments.any(|segment| segment == b"." || segment == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, BuildError> {
        text.parse()
    }

    #[test]
    fn upstream_1_a_path_is_appended_to_the_address_as_it_is() {
        for (to, asked, at_mount, target) in [
            ("http://h", "/", false, "/"),
            ("http://h/", "/a?b", false, "/a?b"),
            (
                "http://h:80",
                "/a%2Fb/%2e%2E/c;d?%00",
                false,
                "/a%2Fb/%2e%2E/c;d?%00",
            ),
            ("http://h", "//evil.example/x", false, "//evil.example/x"),
            ("http://h/base", "//evil", false, "/base//evil"),
            ("http://h", "/../x", false, "/../x"),
            ("http://h/base", "/.../x.", false, "/base/.../x."),
            ("http://h/base/", "/a", false, "/base/a"),
            ("http://h/base", "/a?", false, "/base/a?"),
            ("http://h/base", "/", false, "/base/"),
            ("http://h/base", "/", true, "/base"),
            ("http://h/base", "/?q", true, "/base?q"),
            ("http://h/base/", "/?q", true, "/base/?q"),
            ("http://h", "/?q", true, "/?q"),
            ("http://h/base", "*", false, "*"),
            ("http://h", "http://evil.example/x", false, "/x"),
            ("http://h", "http://evil.example", false, "/"),
        ] {
            let uri = asked.parse().unwrap();
            let found = address(to).unwrap().target(&uri, at_mount).unwrap();
            assert_eq!(found.as_str(), target, "{to} {asked}");
        }
    }

    #[test]
    fn upstream_1_dots_do_not_lead_out_of_the_address() {
        let base = address("http://h/base").unwrap();
        for asked in [
            "/..",
            "/../x",
            "/a/../../x",
            "/%2e%2E/x",
            "/.%2e",
            "/./x",
            "/a%2f..%2fx",
            "/..%5cx",
        ] {
            let target = base.target(&asked.parse().unwrap(), false);
            assert_eq!(target, Err(UpstreamError::DotSegment), "{asked}");
        }
    }

    #[test]
    fn upstream_5_an_address_determines_host() {
        for (to, host) in [
            ("http://example.org", "example.org"),
            ("http://example.org:80/x", "example.org"),
            ("http://example.org:8080", "example.org:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            (" http://h ", "h"),
            #[cfg(feature = "tls")]
            ("https://h:443", "h"),
            #[cfg(feature = "tls")]
            ("https://h:80", "h:80"),
            ("http://h:443", "h:443"),
        ] {
            let found = address(to).map(|to| to.host);
            assert_eq!(found, Ok(HeaderValue::from_static(host)), "{to}");
        }
    }

    #[test]
    fn upstream_14_an_invalid_address_is_not_shown() {
        for (text, kind, error) in [
            ("", Kind::Address, "it is not a URL; "),
            ("localhost:8080", Kind::Address, "it is not a whole URL; "),
            ("/path", Kind::Address, "it is not a whole URL; "),
            ("ftp://h", Kind::Scheme, "there is no such scheme here; "),
            (
                "http://joe:hunter2@h",
                Kind::Credentials,
                "a user and a password",
            ),
            (
                "http://h:hunter2",
                Kind::Host,
                "there is no such host and port; ",
            ),
            (
                "http://h:99999",
                Kind::Host,
                "there is no such host and port; ",
            ),
            ("http://h:0", Kind::Host, "there is no such host and port; "),
            ("http://h:", Kind::Host, "there is no such host and port; "),
            ("http://h?q", Kind::Path, "a query in it"),
            ("http://h/a?q", Kind::Path, "a query in it"),
            ("http://h/#f", Kind::Path, "a fragment"),
            ("http://h//evil", Kind::Path, "the path is none; "),
            ("http://h h", Kind::Address, "it is not a URL; "),
            (
                "unix:run/x.sock",
                Kind::Socket,
                "the socket's path has to start with a slash",
            ),
            ("unix:/x.sock:/a?q", Kind::Path, "a query in it"),
            ("unix:/x.sock:/a b", Kind::Path, "the path is none; "),
            ("unix:/x.sock:/a#b", Kind::Path, "a fragment"),
        ] {
            let found = address(text).expect_err(text);
            assert_eq!(found.kind(), kind, "{text}: {found}");
            let found = found.to_string();
            assert!(found.starts_with(error), "{text}: {found}");
            assert!(!found.contains("hunter2"), "{text}: {found}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn upstream_14_an_https_address_needs_the_feature() {
        let error = address("https://h").unwrap_err();
        assert_eq!(error.kind(), Kind::Scheme);
        assert_eq!(
            error.to_string(),
            "`https:` needs the feature `tls` of tower-upstream"
        );
    }

    #[test]
    fn upstream_14_an_address_is_printed_as_it_is_read() {
        for (text, printed) in [
            ("http://h", "http://h/"),
            (" http://h:80/a/ ", "http://h:80/a/"),
            ("http://[::1]:81", "http://[::1]:81/"),
            #[cfg(feature = "tls")]
            ("HTTPS://h:443/a", "https://h:443/a"),
            ("unix:/run/x.sock", "unix:/run/x.sock:/"),
            ("unix:/run/x.sock:/a", "unix:/run/x.sock:/a"),
        ] {
            let found = address(text).unwrap();
            assert_eq!(found.to_string(), printed);
            assert_eq!(address(printed).unwrap(), found);
        }
    }

    #[test]
    fn upstream_14_a_unix_socket_may_have_a_path() {
        for (text, socket, path) in [
            ("unix:/run/x.sock", "/run/x.sock", ""),
            ("unix:/run/x.sock:/", "/run/x.sock", ""),
            ("unix:/run/x.sock:/base/", "/run/x.sock", "/base/"),
            ("unix:/run/x:y.sock", "/run/x:y.sock", ""),
        ] {
            let found = address(text).map(|to| (to.socket, to.path, to.host));
            let host = HeaderValue::from_static("localhost");
            assert_eq!(
                found,
                Ok((Some(socket.into()), path.to_owned(), host)),
                "{text}"
            );
        }
    }
}
