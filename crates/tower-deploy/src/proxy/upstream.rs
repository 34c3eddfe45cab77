//! Where the upstream is, and what it is asked for.

use std::path::PathBuf;

use http::{
    HeaderValue, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::error::ProxyError;

/// `http://HOST[:PORT][/PATH]` or `unix:/path/to.sock[:/PATH]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Address {
    /// The file of a Unix socket.
    pub(crate) socket: Option<PathBuf>,
    /// `localhost` for a Unix socket, as nginx has it: HTTP/1.1 needs some host.
    authority: Authority,
    host: HeaderValue,
    /// What goes before each path; empty, or from one slash on.
    path: String,
}

const EXPECTED: &str = "expected http://HOST[:PORT][/PATH] or unix:/path/to.sock[:/PATH]";

impl TryFrom<String> for Address {
    type Error = String;

    /// No error shows the address: it may hold a password.
    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("unix:") {
            return Self::unix(rest);
        }
        if text.starts_with("https:") {
            return Err("there is no TLS to an upstream; expected http: or unix:".to_owned());
        }
        let uri: Uri = text
            .parse()
            .map_err(|_| format!("it is not a URL; {EXPECTED}"))?;
        let Parts {
            scheme: Some(scheme),
            authority: Some(authority),
            ..
        } = uri.clone().into_parts()
        else {
            return Err(format!("it is not a whole URL; {EXPECTED}"));
        };
        if scheme != Scheme::HTTP {
            return Err(format!("there is no such scheme here; {EXPECTED}"));
        }
        if authority.as_str().contains('@') {
            return Err(
                "a user and a password in it would reach nobody; expected a host".to_owned(),
            );
        }
        // A parser that cannot read the port must not mean port 80 by that.
        let port = &authority.as_str()[authority.host().len()..];
        if authority.host().is_empty() || (!port.is_empty() && port_of(port).is_none()) {
            return Err(format!("there is no such host and port; {EXPECTED}"));
        }
        if text.contains('#') {
            return Err("a fragment is not sent to a server".to_owned());
        }
        let host = match port_of(port) {
            Some(80) | None => authority.host(),
            Some(_) => authority.as_str(),
        };
        let host = HeaderValue::from_str(host).map_err(|_| format!("no host; {EXPECTED}"))?;
        Ok(Self {
            socket: None,
            host,
            authority,
            path: base(text_of_path(&uri))?,
        })
    }
}

/// `:PORT`
fn port_of(text: &str) -> Option<u16> {
    let port = text.strip_prefix(':')?.parse().ok()?;
    (port > 0).then_some(port)
}

fn text_of_path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("", PathAndQuery::as_str)
}

fn base(path: &str) -> Result<String, String> {
    if path.contains('?') {
        return Err("a query in it would be lost; expected a path at most".to_owned());
    }
    if path.parse::<PathAndQuery>().is_err() || path.starts_with("//") {
        return Err(format!("the path is none; {EXPECTED}"));
    }
    Ok(if path == "/" { "" } else { path }.to_owned())
}

impl Address {
    #[cfg(unix)]
    fn unix(rest: &str) -> Result<Self, String> {
        // As nginx has it: the file is up to a colon, and the path after it.
        let (socket, path) = match rest.split_once(":/") {
            Some((socket, _)) => (socket, &rest[socket.len() + 1..]),
            None => (rest, "/"),
        };
        if !socket.starts_with('/') {
            return Err("the socket's path has to start with a slash, or with %(here)s".to_owned());
        }
        if path.contains('#') {
            return Err("a fragment is not sent to a server".to_owned());
        }
        Ok(Self {
            socket: Some(socket.into()),
            authority: Authority::from_static("localhost"),
            host: HeaderValue::from_static("localhost"),
            path: base(path)?,
        })
    }

    #[cfg(not(unix))]
    fn unix(_: &str) -> Result<Self, String> {
        Err("there are no Unix sockets here; expected http:".to_owned())
    }

    /// What `Host` says to the upstream.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// What to ask for, for a request with this URI: the bytes of its path and query as they are, after the address's own path.
    /// DIFFERENCE: Paste joins them as links are joined, by which `..` and a missing slash at the address's end lead out of its path.
    ///
    /// `at_mount` is where PATH_INFO is empty and the URI can only say `/`.
    ///
    /// # Errors
    ///
    /// If it is too long to be a URI, or if its dots could lead out of the address's own path: a server that takes them for steps would answer with
    /// what is not meant to be passed on.
    pub(crate) fn target(&self, uri: &Uri, at_mount: bool) -> Result<Uri, ProxyError> {
        let asked = match uri.path_and_query() {
            Some(asked) => asked.as_str(),
            None => "/",
        };
        if !self.path.is_empty() && has_dots(uri.path()) {
            return Err(ProxyError::LeadsOut);
        }
        let whole =
            |path: String| PathAndQuery::try_from(path).map_err(|_| ProxyError::TargetTooLong);
        let path = match asked {
            // About the whole server (RFC 9110, section 9.3.7); it has no path to go before.
            "*" => PathAndQuery::from_static("*"),
            _ if self.path.is_empty() => whole(asked.to_owned())?,
            // `/x` at the mount is `/base`, and `/x/` is `/base/`.
            _ if at_mount => whole(format!("{}{}", self.path, &asked[uri.path().len()..]))?,
            _ => whole(format!("{}{asked}", self.path.trim_end_matches('/')))?,
        };
        // Put together from its parts, so that `//evil` stays a path.
        let mut parts = Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Ok(Uri::from_parts(parts).expect("there is a scheme, an authority and a path"))
    }
}

/// Whether a segment is `.` or `..`, however it is written; a backslash parts segments to some servers, an encoded slash to others.
fn has_dots(path: &str) -> bool {
    let path = percent_decode_str(path).collect::<Vec<u8>>();
    let mut segments = path.split(|byte| b"/\\".contains(byte));
    segments.any(|segment| segment == b"." || segment == b"..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Result<Address, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn the_path_goes_behind_the_address_as_it_is() {
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
            let found = address(to)
                .and_then(|to| {
                    let uri = asked.parse().map_err(|error| format!("{error}"))?;
                    to.target(&uri, at_mount).map_err(|error| error.to_string())
                })
                .map(|uri| {
                    (
                        uri.authority().map(ToString::to_string),
                        text_of_path(&uri).to_owned(),
                    )
                });
            let authority = if to.contains("80") { "h:80" } else { "h" };
            assert_eq!(
                found,
                Ok((Some(authority.to_owned()), target.to_owned())),
                "{to} {asked}"
            );
        }
    }

    #[test]
    fn dots_do_not_lead_out_of_the_address() {
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
            assert_eq!(target, Err(ProxyError::LeadsOut), "{asked}");
        }
    }

    #[test]
    fn an_address_says_what_host_is() {
        for (to, host) in [
            ("http://example.org", "example.org"),
            ("http://example.org:80/x", "example.org"),
            ("http://example.org:8080", "example.org:8080"),
            ("http://[::1]:8080", "[::1]:8080"),
            (" http://h ", "h"),
        ] {
            let found = address(to).map(|to| to.host);
            assert_eq!(found, Ok(HeaderValue::from_static(host)), "{to}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for (text, error) in [
            ("", "it is not a URL; "),
            ("localhost:8080", "it is not a whole URL; "),
            ("/path", "it is not a whole URL; "),
            ("https://h", "there is no TLS to an upstream"),
            ("ftp://h", "there is no such scheme here; "),
            ("http://joe:hunter2@h", "a user and a password"),
            ("http://h:hunter2", "there is no such host and port; "),
            ("http://h:99999", "there is no such host and port; "),
            ("http://h:0", "there is no such host and port; "),
            ("http://h:", "there is no such host and port; "),
            ("http://h?q", "a query in it"),
            ("http://h/a?q", "a query in it"),
            ("http://h/#f", "a fragment"),
            ("http://h//evil", "the path is none; "),
            ("http://h h", "it is not a URL; "),
            (
                "unix:run/x.sock",
                "the socket's path has to start with a slash",
            ),
            ("unix:/x.sock:/a?q", "a query in it"),
            ("unix:/x.sock:/a b", "the path is none; "),
            ("unix:/x.sock:/a#b", "a fragment"),
        ] {
            let found = address(text).map(|_| ());
            let found = found.expect_err(text);
            assert!(found.starts_with(error), "{text}: {found}");
            assert!(!found.contains("hunter2"), "{text}: {found}");
        }
    }

    #[test]
    fn a_unix_socket_may_have_a_path() {
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
