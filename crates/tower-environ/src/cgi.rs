//! The CGI variables of a request ([RFC 3875](https://www.rfc-editor.org/rfc/rfc3875#section-4.1),
//! [PEP 3333](https://peps.python.org/pep-3333/#environ-variables)).

use std::{borrow::Cow, fmt, net::IpAddr};

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use tower_kit::{names::is_plain, secrets};

use crate::script_name;

/// A view of a request as CGI variables.
///
/// It does not collect the variables. Names are compared and written without an allocation. Values
/// are slices of the request, except for a repeated header and a path with escapes.
///
/// Values are bytes, because headers and decoded paths may have any. PATH_INFO may have decoded
/// slashes, `..` and NUL. Check it before you use it as the name of a file, and do not use it to
/// decide about access.
///
/// `Debug` shows all variables without secrets. A value is secret if [`tower_kit::secrets`] lists
/// the name of its header or parameter, or if it is [marked as
/// sensitive](http::HeaderValue::set_sensitive). `get` and `iter` return all values.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_environ::CgiView;
///
/// let request = Request::builder()
///     .uri("/hello/J%C3%B6rg?lang=en")
///     .header("accept-language", "en")
///     .body(())?;
/// let view = CgiView::from(&request).server("example.org", 80);
///
/// assert_eq!(view.get("PATH_INFO").as_deref(), Some("/hello/Jörg".as_bytes()));
/// assert_eq!(view.get("HTTP_ACCEPT_LANGUAGE").as_deref(), Some(&b"en"[..]));
/// assert_eq!(view.get("SERVER_PORT").as_deref(), Some(&b"80"[..]));
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone)]
pub struct CgiView<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    headers: &'a HeaderMap,
    script_name: &'a str,
    path_info: &'a str,
    server: Option<(&'a str, Text)>,
    client: Option<Text>,
}

impl<'a> CgiView<'a> {
    fn new(
        method: &'a Method,
        uri: &'a Uri,
        version: Version,
        headers: &'a HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        let (script_name, path_info) = script_name::names(uri, extensions);
        Self {
            method,
            uri,
            version,
            headers,
            script_name,
            path_info,
            server: None,
            client: None,
        }
    }

    /// Sets SERVER_NAME and SERVER_PORT: the server's name and the port on which it listens. By
    /// default both are absent, because the request does not have them.
    #[must_use]
    pub fn server(mut self, name: &'a str, port: u16) -> Self {
        self.server = Some((name, Text::from(port)));
        self
    }

    /// Sets REMOTE_ADDR. By default it is absent.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Request;
    /// use tower_environ::CgiView;
    ///
    /// let request = Request::new(());
    /// let view = CgiView::from(&request).client("192.0.2.1".parse()?);
    /// assert_eq!(view.get("REMOTE_ADDR").as_deref(), Some(&b"192.0.2.1"[..]));
    /// # Ok::<_, std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn client(mut self, address: IpAddr) -> Self {
        self.client = Some(Text::from(address));
        self
    }

    /// Returns the value of one variable, such as `HTTP_ACCEPT`. It is `None` if the request has no
    /// variable of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let header = || {
            self.headers()
                .find(|header| CgiName(Kind::Header(header)) == *name)
        };
        self.meta(name)
            .or_else(|| header().map(|header| self.joined(header)))
    }

    /// Returns the names and values of all variables. Those of RFC 3875 are first. Those of the
    /// headers follow in the order of the header map.
    pub fn iter(&self) -> impl Iterator<Item = (CgiName<'_>, Cow<'_, [u8]>)> {
        let meta = META.into_iter();
        let meta = meta.filter_map(|name| Some((CgiName(Kind::Meta(name)), self.meta(name)?)));
        meta.chain(self.of_headers())
    }

    /// Returns the variables of the headers, which begin with `HTTP_`.
    pub fn of_headers(&self) -> impl Iterator<Item = (CgiName<'_>, Cow<'_, [u8]>)> {
        let headers = self.headers();
        headers.map(|name| (CgiName(Kind::Header(name)), self.joined(name)))
    }

    fn meta(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let header = |name| self.single(&name);
        let bytes = match name {
            "GATEWAY_INTERFACE" => b"CGI/1.1",
            "SERVER_SOFTWARE" => SOFTWARE.as_bytes(),
            "SERVER_NAME" => self.server.as_ref()?.0.as_bytes(),
            "SERVER_PORT" => self.server.as_ref()?.1.as_bytes(),
            "SERVER_PROTOCOL" => protocol(self.version).as_bytes(),
            "REQUEST_METHOD" => self.method.as_str().as_bytes(),
            "SCRIPT_NAME" => return Some(percent_decode_str(self.script_name).into()),
            "PATH_INFO" => return Some(percent_decode_str(self.path_info).into()),
            "QUERY_STRING" => self.uri.query().unwrap_or_default().as_bytes(),
            // DIFFERENCE: wsgiref sets `text/plain` if the header is missing.
            "CONTENT_TYPE" => header(CONTENT_TYPE)?,
            "CONTENT_LENGTH" => header(CONTENT_LENGTH)?,
            "REMOTE_ADDR" => self.client.as_ref()?.as_bytes(),
            _ => return None,
        };
        Some(bytes.into())
    }

    /// Returns the names of the headers that are variables, and `Host` if the URI or a header names
    /// the host.
    fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        let host = self.authority().map(|_| &HOST);
        let headers = self.headers.keys().filter(|name| self.is_shown(name));
        host.into_iter().chain(headers)
    }

    /// Returns the host that the URI names. It counts before the `Host` header (RFC 9112, section
    /// 3.2.2), and in HTTP/2 it replaces the header (RFC 9113, section 8.3.1).
    fn authority(&self) -> Option<&'a str> {
        let authority = self.uri.authority()?.as_str();
        Some(authority.rsplit('@').next().unwrap_or(authority))
    }

    fn is_shown(&self, name: &HeaderName) -> bool {
        // These two are variables without `HTTP_`.
        *name != CONTENT_TYPE
            && *name != CONTENT_LENGTH
            && !(*name == HOST && (self.uri.authority().is_some() || self.single(name).is_none()))
            // DIFFERENCE: wsgiref sets HTTP_PROXY. CGI programs read it as the setting of their own
            // proxy (https://httpoxy.org).
            && name.as_str() != "proxy"
            // DIFFERENCE: in wsgiref, `x_user` and `x-user` are one variable, which only a proxy
            // may set. Programs may also take `.` and other characters for `_`.
            && is_plain(name.as_str())
    }

    /// Returns the value of a header that has one value. Lines that differ are an error of the
    /// request (RFC 9110, section 5.3). None of them is the value, because a proxy may have used
    /// any of them.
    fn single(&self, name: &HeaderName) -> Option<&'a [u8]> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        values.all(|value| value == first).then(|| first.as_bytes())
    }

    /// Returns the values of a header, joined as in RFC 9110, section 5.3, and for cookies as in
    /// RFC 9113, section 8.2.3.
    fn joined(&self, name: &HeaderName) -> Cow<'a, [u8]> {
        if let (&HOST, Some(host)) = (name, self.authority()) {
            return host.as_bytes().into();
        }
        if *name == HOST {
            return self.single(name).unwrap_or_default().into();
        }
        // DIFFERENCE: wsgiref joins with a bare comma. For cookies no parser can undo that.
        let between: &[u8] = if *name == COOKIE { b"; " } else { b", " };
        let values = self.headers.get_all(name);
        match (values.iter().next(), values.iter().count()) {
            (Some(only), 1) => only.as_bytes().into(),
            _ => {
                let values: Vec<_> = values.iter().map(HeaderValue::as_bytes).collect();
                values.join(between).into()
            }
        }
    }

    /// Returns a variable's value without secrets.
    fn redacted(&self, name: Kind<'_>, value: &[u8]) -> String {
        let header = match name {
            Kind::Header(name) => Some(name),
            Kind::Meta("CONTENT_TYPE") => Some(&CONTENT_TYPE),
            Kind::Meta("CONTENT_LENGTH") => Some(&CONTENT_LENGTH),
            Kind::Meta("QUERY_STRING") => {
                return secrets::uri(self.uri).query().unwrap_or_default().into();
            }
            Kind::Meta(_) => None,
        };
        match header {
            Some(name) if secrets::is_secret_header(self.headers, name) => secrets::REDACTED.into(),
            _ => secrets::fields(&String::from_utf8_lossy(value)).into(),
        }
    }
}

impl<'a> From<&'a Parts> for CgiView<'a> {
    fn from(parts: &'a Parts) -> Self {
        let Parts {
            method,
            uri,
            version,
            headers,
            extensions,
            ..
        } = parts;
        Self::new(method, uri, *version, headers, extensions)
    }
}

impl<'a, B> From<&'a Request<B>> for CgiView<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self::new(
            request.method(),
            request.uri(),
            request.version(),
            request.headers(),
            request.extensions(),
        )
    }
}

impl fmt::Debug for CgiView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            map.entry(&name, &self.redacted(name.0, &value));
        }
        map.finish()
    }
}

/// The name of a CGI variable, such as `HTTP_ACCEPT_LANGUAGE`.
///
/// It is compared with a `str` and written without an allocation. `to_string` allocates.
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_environ::CgiView;
///
/// let request = Request::get("/").header("accept", "text/html").body(())?;
/// let view = CgiView::from(&request);
/// assert!(view.iter().any(|(name, _)| name == "HTTP_ACCEPT"));
/// # Ok::<_, http::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct CgiName<'a>(Kind<'a>);

#[derive(Clone, Copy)]
enum Kind<'a> {
    Meta(&'static str),
    Header(&'a HeaderName),
}

impl CgiName<'_> {
    /// Returns the part that stays as it is, and the name of a header, which is still to be
    /// written as a variable's.
    fn parts(&self) -> (&'static str, &str) {
        match self.0 {
            Kind::Meta(name) => (name, ""),
            Kind::Header(name) => ("HTTP_", name.as_str()),
        }
    }
}

/// Returns the byte of a variable's name for the byte of a header's name.
fn upper(byte: u8) -> u8 {
    match byte {
        b'-' => b'_',
        _ => byte.to_ascii_uppercase(),
    }
}

impl PartialEq<str> for CgiName<'_> {
    fn eq(&self, other: &str) -> bool {
        let (prefix, name) = self.parts();
        let rest = other.as_bytes().strip_prefix(prefix.as_bytes());
        rest.is_some_and(|rest| name.bytes().map(upper).eq(rest.iter().copied()))
    }
}

impl PartialEq<&str> for CgiName<'_> {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}

impl fmt::Display for CgiName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, name) = self.parts();
        f.write_str(prefix)?;
        // In pieces, because a call for each character takes far longer.
        let mut piece = [0; 32];
        for part in name.as_bytes().chunks(piece.len()) {
            let piece = &mut piece[..part.len()];
            for (to, byte) in piece.iter_mut().zip(part) {
                *to = upper(*byte);
            }
            // Header names are ASCII, in lower case.
            f.write_str(std::str::from_utf8(piece).map_err(|_| fmt::Error)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for CgiName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The variables of RFC 3875 that do not begin with `HTTP_`.
const META: [&str; 12] = [
    "GATEWAY_INTERFACE",
    "SERVER_SOFTWARE",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
    "REMOTE_ADDR",
];

const SOFTWARE: &str = concat!("tower-environ/", env!("CARGO_PKG_VERSION"));

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

/// A port or an address as text, without an allocation. No address has more than 45 characters.
#[derive(Clone)]
struct Text {
    bytes: [u8; 45],
    len: usize,
}

impl Text {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl<T: fmt::Display> From<T> for Text {
    fn from(value: T) -> Self {
        use std::io::Write;
        let mut bytes = [0; 45];
        let mut rest = &mut bytes[..];
        // All ports and addresses fit.
        let _ = write!(rest, "{value}");
        let left = rest.len();
        Self {
            bytes,
            len: 45 - left,
        }
    }
}
