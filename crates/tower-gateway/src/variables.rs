//! The variables of a request for a program (RFC 3875, section 4.1).

use std::{borrow::Cow, error::Error, fmt, io::Write, net::IpAddr};

use http::{
    header::{CONTENT_TYPE, HOST},
    request::Parts,
    uri::Scheme,
};
use percent_encoding::percent_decode_str;
use tower_environ::{CgiView, MountExt};
use tower_origin::{Origin, PeerAddr};

use crate::scripts::Script;

/// Takes the variables, in the form of a protocol.
pub(crate) trait Sink {
    /// Takes a name and its value.
    fn pair(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused>;
}

/// The reason for which a variable cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A value has a NUL, which ends a value in the protocol or the program.
    Nul,
    /// A pair has more bytes than a record.
    TooLarge,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nul => "a variable has a NUL",
            Self::TooLarge => "a variable has more than 65,535 bytes",
        })
    }
}

impl Error for Refused {}

/// The user that a layer outside has authenticated. In a request's extensions, it is the variable
/// REMOTE_USER of a program.
///
/// ```
/// use http::Request;
/// use tower_gateway::RemoteUser;
///
/// let mut request = Request::new(());
/// request.extensions_mut().insert(RemoteUser::new("ada", "Basic"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUser {
    name: String,
    auth_type: String,
}

impl RemoteUser {
    /// Returns a user with this name. The second argument is the scheme by which it was
    /// authenticated, for AUTH_TYPE: `Basic`, `Bearer` and so on (RFC 9110, section 11.1).
    pub fn new(name: impl Into<String>, auth_type: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            auth_type: auth_type.into(),
        }
    }
}

/// The variables of one request.
pub(crate) struct Variables<'a> {
    pub(crate) parts: &'a Parts,
    /// The length of the body, in bytes.
    pub(crate) length: u64,
    pub(crate) script: Option<&'a Script>,
    /// Variables of the configuration, which replace others of the same name.
    pub(crate) env: &'a [(String, String)],
}

impl Variables<'_> {
    /// Writes all variables. CONTENT_LENGTH is the first, as SCGI needs it.
    pub(crate) fn write(&self, out: &mut impl Sink) -> Result<(), Refused> {
        let view = CgiView::from(self.parts);
        let of_view = |name| view.get(name).unwrap_or_default();
        let origin = self.parts.extensions.get::<Origin>();
        let mut out = Named { out, env: self.env };

        out.pair("CONTENT_LENGTH", Number::from(self.length).as_bytes())?;
        out.pair("GATEWAY_INTERFACE", b"CGI/1.1")?;
        out.pair("SERVER_SOFTWARE", SOFTWARE.as_bytes())?;
        self.server(&mut out, origin)?;
        for name in ["SERVER_PROTOCOL", "REQUEST_METHOD", "QUERY_STRING"] {
            out.pair(name, &of_view(name))?;
        }
        // A text that is made of several, one after the other.
        let mut text = Vec::with_capacity(256);
        self.path(&mut out, origin, &mut text)?;
        // The view looks at all headers for a variable that it does not find.
        if self.parts.headers.contains_key(CONTENT_TYPE)
            && let Some(value) = view.get("CONTENT_TYPE")
        {
            out.pair("CONTENT_TYPE", &value)?;
        }
        self.client(&mut out, origin)?;
        // Otherwise PHP as a CGI program does not run: it takes the request for one that goes
        // around the server.
        out.pair("REDIRECT_STATUS", b"200")?;

        // A proxy in front may have sent a name of its own as the host.
        let host = origin.and_then(Origin::authority);
        if let Some(host) = &host {
            out.pair("HTTP_HOST", host.as_bytes())?;
        }
        for (name, value) in view.of_headers() {
            if host.is_some() && name == "HTTP_HOST" {
                continue;
            }
            text.clear();
            // Writing to a vector does not fail.
            let _ = write!(text, "{name}");
            out.pair(&text, &value)?;
        }
        for (name, value) in self.env {
            out.out.pair(name.as_bytes(), value.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the variables of the URL before the path.
    fn server(
        &self,
        out: &mut Named<'_, impl Sink>,
        origin: Option<&Origin>,
    ) -> Result<(), Refused> {
        let scheme = origin.map_or(&Scheme::HTTP, Origin::scheme);
        let default_port = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let (name, port) = match origin.and_then(|origin| Some((origin.host()?, origin.port()))) {
            Some((name, port)) => (name, port),
            None => {
                let (name, port) = self.host();
                (name, port.unwrap_or(default_port))
            }
        };
        out.pair("SERVER_NAME", name.as_bytes())?;
        out.pair("SERVER_PORT", Number::from(u64::from(port)).as_bytes())?;
        out.pair("REQUEST_SCHEME", scheme.as_str().as_bytes())?;
        if *scheme == Scheme::HTTPS {
            // Programs compare it with `on`, and some take any other value for it, even `off`.
            out.pair("HTTPS", b"on")?;
        }
        Ok(())
    }

    /// Returns the host and the port that the request names.
    fn host(&self) -> (&str, Option<u16>) {
        let authority = self.parts.uri.authority().map(|authority| {
            let authority = authority.as_str();
            authority.rsplit('@').next().unwrap_or(authority)
        });
        let header = || self.parts.headers.get(HOST)?.to_str().ok();
        let host = authority.or_else(header).unwrap_or_default();
        // An IPv6 address has colons within its brackets.
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, None),
        };
        // RFC 3875, section 4.1.14: there is always a name.
        (if name.is_empty() { "localhost" } else { name }, port)
    }

    /// Writes the variables of the path.
    fn path(
        &self,
        out: &mut Named<'_, impl Sink>,
        origin: Option<&Origin>,
        text: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        // A proxy in front has stripped it, and links have it.
        let prefix = origin.map_or("", Origin::prefix);
        let (mount, path) = (self.parts.script_name(), self.parts.path_info());
        for part in [prefix, mount, path] {
            text.extend_from_slice(part.as_bytes());
        }
        if let Some(query) = self.parts.uri.query() {
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
        }
        out.pair("REQUEST_URI", text)?;

        text.clear();
        text.extend_from_slice(prefix.as_bytes());
        text.extend_from_slice(&decoded(mount));
        let Some(script) = self.script else {
            out.pair("SCRIPT_NAME", text)?;
            return out.pair("PATH_INFO", &decoded(path));
        };
        text.extend_from_slice(&script.name);
        out.pair("SCRIPT_NAME", text)?;
        out.pair("PATH_INFO", &script.path_info)?;
        out.pair("SCRIPT_FILENAME", &script.file)?;
        if let Some(root) = &script.root {
            out.pair("DOCUMENT_ROOT", root)?;
            let mut segments = script.path_info.split(|byte| *byte == b'/');
            // Otherwise it would be a name outside of the root.
            if !script.path_info.is_empty() && !segments.any(|segment| segment == b"..") {
                out.pair("PATH_TRANSLATED", &[&root[..], &script.path_info].concat())?;
            }
        }
        Ok(())
    }

    /// Writes the variables of the client.
    fn client(
        &self,
        out: &mut Named<'_, impl Sink>,
        origin: Option<&Origin>,
    ) -> Result<(), Refused> {
        let peer = || self.parts.extensions.get::<PeerAddr>().map(|peer| peer.0);
        let (address, port) = match origin {
            Some(origin) => (origin.client(), origin.client_port()),
            None => (
                peer().map(|peer| peer.ip().to_canonical()),
                peer().map(|peer| peer.port()),
            ),
        };
        if let Some(address) = address {
            out.pair("REMOTE_ADDR", Number::from(address).as_bytes())?;
        }
        if let Some(port) = port {
            out.pair("REMOTE_PORT", Number::from(u64::from(port)).as_bytes())?;
        }
        if let Some(user) = self.parts.extensions.get::<RemoteUser>() {
            out.pair("REMOTE_USER", user.name.as_bytes())?;
            out.pair("AUTH_TYPE", user.auth_type.as_bytes())?;
        }
        Ok(())
    }
}

/// A sink that leaves out what the configuration replaces.
struct Named<'a, S> {
    out: &'a mut S,
    env: &'a [(String, String)],
}

impl<S: Sink> Named<'_, S> {
    fn pair(&mut self, name: impl AsRef<[u8]>, value: &[u8]) -> Result<(), Refused> {
        let name = name.as_ref();
        let mut env = self.env.iter();
        match env.any(|(replaced, _)| replaced.as_bytes() == name) {
            true => Ok(()),
            false => self.out.pair(name, value),
        }
    }
}

const SOFTWARE: &str = concat!("tower-gateway/", env!("CARGO_PKG_VERSION"));

fn decoded(path: &str) -> Cow<'_, [u8]> {
    percent_decode_str(path).into()
}

/// A number or an address as text, without an allocation. No address has more than 45 characters.
struct Number {
    bytes: [u8; 45],
    len: usize,
}

impl Number {
    const EMPTY: Self = Self {
        bytes: [0; 45],
        len: 0,
    };

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends a number. A format would cost more, and each request has seven numbers.
    fn append(&mut self, number: u64) {
        let start = self.len;
        let mut left = number;
        loop {
            self.push(b'0' + (left % 10) as u8);
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.bytes[start..self.len].reverse();
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        let mut text = Self::EMPTY;
        text.append(number);
        text
    }
}

impl From<IpAddr> for Number {
    fn from(address: IpAddr) -> Self {
        let mut text = Self::EMPTY;
        match address {
            IpAddr::V4(address) => {
                for (index, octet) in address.octets().into_iter().enumerate() {
                    if index > 0 {
                        text.push(b'.');
                    }
                    text.append(octet.into());
                }
            }
            IpAddr::V6(address) => {
                let mut rest = &mut text.bytes[..];
                // All addresses fit.
                let _ = write!(rest, "{address}");
                text.len = 45 - rest.len();
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_1_numbers_and_addresses_are_as_std_formats_them() {
        for number in [0, 1, 9, 10, 80, 99, 100, 65_535, 1_000_000, u64::MAX] {
            assert_eq!(
                Number::from(number).as_bytes(),
                number.to_string().as_bytes()
            );
        }
        for address in [
            "0.0.0.0",
            "192.0.2.10",
            "255.255.255.255",
            "::",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "1111:2222:3333:4444:5555:6666:7777:8888",
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(Number::from(parsed).as_bytes(), address.as_bytes());
        }
    }

    #[test]
    fn gateway_11_a_variable_that_is_refused_is_explained() {
        for (refused, text) in [
            (Refused::Nul, "a variable has a NUL"),
            (Refused::TooLarge, "a variable has more than 65,535 bytes"),
        ] {
            assert_eq!(refused.to_string(), text);
        }
    }
}
