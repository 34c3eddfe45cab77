//! The head of a request, made from the variables of a web server (RFC 3875, section 4.1).
//!
//! Web servers differ in SCRIPT_NAME and PATH_INFO, and both are decoded. So REQUEST_URI counts
//! where it is there.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Version,
    header::{
        CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, InvalidHeaderValue, TRAILER,
        TRANSFER_ENCODING,
    },
    uri::{Authority, InvalidUri, PathAndQuery, Scheme, Uri},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tower_environ::ScriptName;
use tower_origin::{PeerAddr, PeerScheme};

use super::{
    fault::Fault,
    one_hop,
    pairs::{Pair, PairsError},
};

/// The head of a request, and what the variables state about its body.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) request: Request<()>,
    /// `None` if CONTENT_LENGTH is absent or empty.
    pub(crate) length: Option<u64>,
    /// Whether the client has sent the body in chunks, which the server has decoded.
    pub(crate) was_chunked: bool,
}

/// The variables that count, apart from those of headers.
#[derive(Default)]
struct Known<'a> {
    method: &'a [u8],
    protocol: &'a [u8],
    uri: &'a [u8],
    script_name: &'a [u8],
    path_info: &'a [u8],
    query: &'a [u8],
    length: Option<&'a [u8]>,
    content_type: &'a [u8],
    address: &'a [u8],
    port: &'a [u8],
    https: &'a [u8],
    scheme: &'a [u8],
}

/// The longest name of a header that is made without an allocation, in bytes.
const SHORT: usize = 64;

/// Makes the head of a request. With `is_mounted`, the program's own path is that of a mount.
///
/// `whole` has the pairs in it, and then values are parts of it instead of copies.
pub(crate) fn read<'a>(
    pairs: impl IntoIterator<Item = Result<Pair<'a>, PairsError>>,
    whole: Option<&Bytes>,
    is_mounted: bool,
) -> Result<Head, Fault> {
    let values = Values(whole);
    let mut known = Known::default();
    let mut request = Request::new(());
    let headers = request.headers_mut();
    let mut cookies = Vec::new();
    let mut was_chunked = false;
    for pair in pairs {
        let (name, value) = pair.map_err(|PairsError::Cut| Fault::Variables)?;
        let value = value.trim_ascii();
        if let Some(name) = name.strip_prefix(b"HTTP_") {
            let name = header_name(name)?;
            match name {
                TRANSFER_ENCODING => was_chunked |= value.eq_ignore_ascii_case(b"chunked"),
                COOKIE => cookies.push(value),
                // These come from variables of their own.
                CONTENT_LENGTH | CONTENT_TYPE => {}
                HOST if headers.contains_key(HOST) => return Err(Fault::Hosts),
                _ => {
                    let value = values.of(value).map_err(|_| Fault::Value)?;
                    if !is_dropped(&name) {
                        let added = headers.try_append(name, value);
                        added.map_err(|_| Fault::TooLarge)?;
                    }
                }
            }
            continue;
        }
        known.set(name, value)?;
    }
    *request.method_mut() = known.method()?;
    *request.version_mut() = known.version();
    let length = known.length()?;
    let headers = request.headers_mut();
    let value = match &cookies[..] {
        [] => None,
        [one] => Some(values.of(one)),
        several => Some(HeaderValue::from_bytes(&several.join(&b"; "[..]))),
    };
    if let Some(value) = value {
        headers.insert(COOKIE, value.map_err(|_| Fault::Value)?);
    }
    if let Some(value) = known.length.filter(|_| length.is_some()) {
        let value = values.of(value).map_err(|_| Fault::Length)?;
        headers.insert(CONTENT_LENGTH, value);
    }
    if !known.content_type.is_empty() {
        let value = values.of(known.content_type).map_err(|_| Fault::Value)?;
        headers.insert(CONTENT_TYPE, value);
    }
    let (uri, host) = known.target(values)?;
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    *request.uri_mut() = uri;
    if let Some(peer) = known.peer() {
        request.extensions_mut().insert(PeerAddr(peer));
    }
    let scheme = PeerScheme(known.scheme());
    request.extensions_mut().insert(scheme);
    if is_mounted && let Some(by) = below(request.uri().path(), known.script_name) {
        ScriptName::grow(&mut request, by);
    }
    Ok(Head {
        request,
        length,
        was_chunked,
    })
}

/// Makes values of headers: parts of the bytes that have come, or copies without these.
#[derive(Clone, Copy)]
struct Values<'a>(Option<&'a Bytes>);

impl Values<'_> {
    fn of(self, value: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
        match self.0 {
            Some(whole) if !value.is_empty() => {
                HeaderValue::from_maybe_shared(whole.slice_ref(value))
            }
            _ => HeaderValue::from_bytes(value),
        }
    }

    fn path(self, target: &[u8]) -> Result<PathAndQuery, InvalidUri> {
        match self.0 {
            Some(whole) => PathAndQuery::from_maybe_shared(whole.slice_ref(target)),
            None => PathAndQuery::try_from(target),
        }
    }
}

/// Returns the name of a header, which has underscores for its hyphens.
fn header_name(name: &[u8]) -> Result<HeaderName, Fault> {
    let mut short = [0; SHORT];
    let mut long;
    let with_hyphens = match short.get_mut(..name.len()) {
        Some(short) => short,
        None => {
            long = vec![0; name.len()];
            &mut long[..]
        }
    };
    for (to, byte) in with_hyphens.iter_mut().zip(name) {
        *to = if *byte == b'_' { b'-' } else { *byte };
    }
    HeaderName::from_bytes(with_hyphens).map_err(|_| Fault::Name)
}

/// Returns whether a service does not get a field: those about one hop; `Expect`, because the web
/// server has sent the 100; `Trailer`, because trailers have no place in these protocols; and
/// `Proxy`, which would become the proxy of a program that this one starts (https://httpoxy.org).
fn is_dropped(name: &HeaderName) -> bool {
    *name == EXPECT || *name == TRAILER || *name == "proxy" || one_hop::is_known(name)
}

impl<'a> Known<'a> {
    /// Takes a variable, if it is one of these. Most of a web server's are not, so their lengths
    /// are compared first.
    fn set(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Fault> {
        let place = match (name.len(), name) {
            (5, b"HTTPS") => &mut self.https,
            (9, b"PATH_INFO") => &mut self.path_info,
            (11, b"REQUEST_URI") => &mut self.uri,
            (11, b"REMOTE_ADDR") => &mut self.address,
            (11, b"REMOTE_PORT") => &mut self.port,
            (11, b"SCRIPT_NAME") => &mut self.script_name,
            (12, b"CONTENT_TYPE") => &mut self.content_type,
            (12, b"QUERY_STRING") => &mut self.query,
            (14, b"CONTENT_LENGTH") => {
                if self.length.is_some_and(|length| length != value) {
                    return Err(Fault::Length);
                }
                self.length = Some(value);
                return Ok(());
            }
            (14, b"REQUEST_METHOD") => &mut self.method,
            (14, b"REQUEST_SCHEME") => &mut self.scheme,
            (15, b"SERVER_PROTOCOL") => &mut self.protocol,
            _ => return Ok(()),
        };
        *place = value;
        Ok(())
    }

    fn method(&self) -> Result<Method, Fault> {
        match Method::from_bytes(self.method) {
            Ok(Method::CONNECT) => Err(Fault::NoTunnel),
            Ok(method) => Ok(method),
            Err(_) => Err(Fault::Method),
        }
    }

    fn version(&self) -> Version {
        match self.protocol {
            b"HTTP/0.9" => Version::HTTP_09,
            b"HTTP/1.0" => Version::HTTP_10,
            b"HTTP/2.0" | b"HTTP/2" => Version::HTTP_2,
            b"HTTP/3.0" | b"HTTP/3" => Version::HTTP_3,
            _ => Version::HTTP_11,
        }
    }

    fn length(&self) -> Result<Option<u64>, Fault> {
        let Some(length) = self.length.filter(|length| !length.is_empty()) else {
            return Ok(None);
        };
        let length = str::from_utf8(length).ok();
        // A number that is parsed may have a sign.
        let length = length.filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()));
        let length = length.and_then(|length| length.parse().ok());
        length.map(Some).ok_or(Fault::Length)
    }

    fn peer(&self) -> Option<SocketAddr> {
        // It is `unix:` behind a nginx that listens on a Unix socket.
        let address: IpAddr = str::from_utf8(self.address).ok()?.parse().ok()?;
        let port = str::from_utf8(self.port).ok();
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_default();
        Some(SocketAddr::new(address, port))
    }

    fn scheme(&self) -> Scheme {
        let is = |value: &[u8], word: &str| value.eq_ignore_ascii_case(word.as_bytes());
        let is_https = match self.https {
            b"" => is(self.scheme, "https"),
            // IIS sends `off`.
            value => !is(value, "off") && value != b"0",
        };
        if is_https {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        }
    }

    /// Returns the URI, and the host that counts before the header (RFC 9112, section 3.2.2).
    fn target(&self, values: Values<'_>) -> Result<(Uri, Option<HeaderValue>), Fault> {
        if self.uri.is_empty() {
            return Ok((self.of_parts()?, None));
        }
        if self.uri.starts_with(b"/") || self.uri == b"*" {
            let target = match values.path(self.uri) {
                Ok(target) => target.into(),
                Err(_) => uri(self.uri)?,
            };
            return Ok((target, None));
        }
        // The absolute form, which Apache passes on.
        let separator = self.uri.windows(3).position(|bytes| bytes == b"://");
        let (_, rest) = self.uri.split_at(separator.ok_or(Fault::Uri)? + 3);
        let is_end = |byte: &u8| matches!(byte, b'/' | b'?' | b'#');
        let end = rest.iter().position(is_end).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // The name of a user is no part of the host.
        let host = authority.rsplit(|byte| *byte == b'@').next();
        let host = Authority::try_from(host.unwrap_or_default()).map_err(|_| Fault::Uri)?;
        let host = HeaderValue::try_from(host.as_str()).map_err(|_| Fault::Uri)?;
        let uri = match path.starts_with(b"/") {
            true => uri(path)?,
            false => uri(&[b"/", path].concat())?,
        };
        Ok((uri, Some(host)))
    }

    /// Returns the URI of SCRIPT_NAME and PATH_INFO, which are decoded.
    fn of_parts(&self) -> Result<Uri, Fault> {
        let path = [self.script_name, self.path_info].concat();
        let mut target = percent_encode(&path, DECODED).to_string();
        if !target.starts_with('/') {
            target.insert(0, '/');
        }
        let mut target = target.into_bytes();
        if !self.query.is_empty() {
            target.push(b'?');
            target.extend(self.query);
        }
        uri(&target)
    }
}

/// Returns a URI of a path and a query. Bytes that have no place there are encoded.
fn uri(target: &[u8]) -> Result<Uri, Fault> {
    let parsed = PathAndQuery::try_from(target).or_else(|_| {
        let encoded = percent_encode(target, ILLEGAL).to_string();
        PathAndQuery::try_from(encoded)
    });
    parsed.map(Uri::from).map_err(|_| Fault::Uri)
}

/// Returns the length of the raw path that is the program's own path, which is decoded.
fn below(path: &str, script_name: &[u8]) -> Option<usize> {
    let script_name = script_name.strip_suffix(b"/").unwrap_or(script_name);
    let mut rest = path.as_bytes();
    for expected in script_name {
        let (found, left) = match rest {
            [b'%', high, low, left @ ..] => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let byte = u8::try_from(16 * digit(high)? + digit(low)?).ok()?;
                // An encoded slash does not separate segments.
                (byte != b'/').then_some((byte, left))?
            }
            [found, left @ ..] => (*found, left),
            [] => return None,
        };
        if found != *expected {
            return None;
        }
        rest = left;
    }
    let is_end = matches!(rest, [] | [b'/', ..]);
    (is_end && !script_name.is_empty()).then(|| path.len() - rest.len())
}

/// The bytes of a decoded path that are encoded: all but those of a path (RFC 3986, section 3.3).
const DECODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// The bytes of a target that are encoded, if there is one that is not legal. A `%` stays.
const ILLEGAL: &AsciiSet = &DECODED
    .remove(b'%')
    .remove(b'?')
    .remove(b'#')
    .remove(b'[')
    .remove(b']')
    .remove(b'{')
    .remove(b'}')
    .remove(b'|')
    .remove(b'"');

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tower_environ::MountExt;

    use super::*;

    fn pair(line: &'static str) -> Pair<'static> {
        let (name, value) = line.split_once('=').unwrap();
        (name.as_bytes(), value.as_bytes())
    }

    /// Makes the head of a GET with these variables, or of another method that they name.
    fn head(lines: &[&'static str]) -> Result<Head, Fault> {
        let method = pair("REQUEST_METHOD=GET");
        let pairs = [method].into_iter().chain(lines.iter().copied().map(pair));
        let copied = read(pairs.clone().map(Ok), None, false);
        // It is the same if the values are parts of what has come.
        let (whole, pairs) = joined(pairs);
        let shared = read(
            pairs
                .iter()
                .map(|(name, value)| Ok((&name[..], &value[..]))),
            Some(&whole),
            false,
        );
        assert_eq!(format!("{shared:?}"), format!("{copied:?}"));
        copied
    }

    /// Returns the pairs as parts of the same bytes.
    fn joined<'a>(pairs: impl Iterator<Item = Pair<'a>> + Clone) -> (Bytes, Vec<(Bytes, Bytes)>) {
        let texts = pairs.clone().flat_map(|(name, value)| [name, value]);
        let mut rest = Bytes::from(texts.collect::<Vec<_>>().concat());
        let whole = rest.clone();
        let mut text = |text: &[u8]| rest.split_to(text.len());
        let pairs = pairs.map(|(name, value)| (text(name), text(value)));
        (whole, pairs.collect())
    }

    fn uri_of(lines: &[&'static str]) -> Result<String, Fault> {
        head(lines).map(|head| head.request.uri().to_string())
    }

    #[test]
    fn gateway_31_the_uri_is_request_uri_as_the_client_sent_it() {
        for (uri, expected) in [
            ("REQUEST_URI=/", "/"),
            ("REQUEST_URI=/a//b%2Fc/?x=%20&y", "/a//b%2Fc/?x=%20&y"),
            ("REQUEST_URI=/a#fragment", "/a"),
            ("REQUEST_URI=/{a}|b", "/{a}|b"),
            ("REQUEST_URI=/caf\u{e9}", "/caf\u{e9}"),
            ("REQUEST_URI=/a b<c>", "/a%20b%3Cc%3E"),
            ("REQUEST_URI=*", "*"),
            ("REQUEST_URI=http://example.org/a?b", "/a?b"),
            ("REQUEST_URI=https://u:p@example.org:8443?b", "/?b"),
            ("REQUEST_URI=http://example.org", "/"),
        ] {
            // These are not the same bytes in all servers.
            let others = ["SCRIPT_NAME=/s", "PATH_INFO=/p", "QUERY_STRING=q"];
            let lines = [&[uri][..], &others].concat();
            assert_eq!(uri_of(&lines).as_deref(), Ok(expected), "{uri}");
        }
        // A byte that is not UTF-8.
        let pairs = [
            (&b"REQUEST_METHOD"[..], &b"GET"[..]),
            (b"REQUEST_URI", b"/\xE9?\xFF"),
        ];
        let found = read(pairs.map(Ok), None, false).unwrap();
        assert_eq!(found.request.uri(), "/%E9?%FF");
        for wrong in [
            "REQUEST_URI=a/b",
            "REQUEST_URI=http://",
            "REQUEST_URI=x://a b/",
        ] {
            assert_eq!(uri_of(&[wrong]), Err(Fault::Uri), "{wrong}");
        }
        let long = String::leak(format!("REQUEST_URI=/{}", "x".repeat(70_000)));
        assert_eq!(uri_of(&[long]), Err(Fault::Uri));
    }

    #[test]
    fn gateway_31_the_host_of_an_absolute_target_counts_first() {
        let lines = ["REQUEST_URI=http://u@a.example:81/x", "HTTP_HOST=b.example"];
        let found = head(&lines).unwrap();
        assert_eq!(found.request.headers()["host"], "a.example:81");
    }

    #[test]
    fn gateway_31_without_it_script_name_and_path_info_are_encoded() {
        for (lines, expected) in [
            (&[][..], "/"),
            (&["SCRIPT_NAME="], "/"),
            (&["SCRIPT_NAME=/", "PATH_INFO="], "/"),
            (
                &["SCRIPT_NAME=/a b", "PATH_INFO=/c?d#e%f"],
                "/a%20b/c%3Fd%23e%25f",
            ),
            (
                &["PATH_INFO=/caf\u{e9}", "QUERY_STRING=x=1&y=%20"],
                "/caf%C3%A9?x=1&y=%20",
            ),
            (&["PATH_INFO=a", "QUERY_STRING="], "/a"),
            (&["PATH_INFO=/-._~!$&'()*+,;=:@"], "/-._~!$&'()*+,;=:@"),
            (&["REQUEST_URI=", "PATH_INFO=/a"], "/a"),
        ] {
            assert_eq!(uri_of(lines).as_deref(), Ok(expected), "{lines:?}");
        }
    }

    fn headers(lines: &[&'static str]) -> Result<String, Fault> {
        let head = head(lines)?;
        let lines = head.request.headers().iter();
        Ok(lines
            .map(|(name, value)| format!("{name}={} ", value.as_bytes().escape_ascii()))
            .collect())
    }

    #[test]
    fn gateway_32_headers_are_those_of_http_variables() {
        for (lines, expected) in [
            (
                &["HTTP_ACCEPT=a/b", "HTTP_X_USER_ID=7"][..],
                "accept=a/b x-user-id=7 ",
            ),
            (&["HTTP_X.Y=1"], "x.y=1 "),
            (&["HTTP_X=\tpadded "], "x=padded "),
            (&["HTTP_X="], "x= "),
            (&["HTTP_X=caf\u{e9}"], "x=caf\\xc3\\xa9 "),
            (&["HTTP_X=1", "HTTP_X=2"], "x=1 x=2 "),
            (&["HTTP_COOKIE=a=1", "HTTP_COOKIE=b=2"], "cookie=a=1; b=2 "),
            (
                &["CONTENT_TYPE=a/b", "HTTP_CONTENT_TYPE=c/d"],
                "content-type=a/b ",
            ),
            (&["CONTENT_TYPE=", "HTTP_CONTENT_TYPE=c/d"], ""),
            (
                &["CONTENT_LENGTH=7", "HTTP_CONTENT_LENGTH=8"],
                "content-length=7 ",
            ),
            (&["HTTP_PROXY=evil:80"], ""),
            // Other spellings of the same names.
            (
                &[
                    "HTTP_CONTENT-LENGTH=8",
                    "HTTP_content_type=c/d",
                    "HTTP_Proxy=evil:80",
                    "HTTP_COOKIE=a=1",
                    "HTTP_Cookie=b=2",
                    "HTTP_TRANSFER-ENCODING=chunked",
                ],
                "cookie=a=1; b=2 ",
            ),
            (
                &[
                    "X_USER=1",
                    "DOCUMENT_ROOT=/",
                    "SCRIPT_FILENAME=proxy:fcgi://x/",
                ],
                "",
            ),
            // These stay for tower-origin, which knows whose word counts.
            (
                &["HTTP_X_FORWARDED_FOR=192.0.2.1"],
                "x-forwarded-for=192.0.2.1 ",
            ),
        ] {
            assert_eq!(headers(lines).as_deref(), Ok(expected), "{lines:?}");
        }
    }

    #[test]
    fn gateway_32_fields_about_one_hop_are_dropped() {
        let lines = [
            "HTTP_CONNECTION=close",
            "HTTP_KEEP_ALIVE=5",
            "HTTP_TE=trailers",
            "HTTP_TRAILER=x",
            "HTTP_TRANSFER_ENCODING=chunked",
            "HTTP_UPGRADE=websocket",
            "HTTP_EXPECT=100-continue",
            "HTTP_PROXY_AUTHORIZATION=x",
            "HTTP_PROXY_CONNECTION=x",
            "HTTP_AUTHORIZATION=Basic eA==",
        ];
        assert_eq!(headers(&lines).as_deref(), Ok("authorization=Basic eA== "));
        assert!(head(&lines).unwrap().was_chunked);
        assert!(!head(&[]).unwrap().was_chunked);
    }

    /// A client could otherwise remove a field that the web server has added.
    #[test]
    fn gateway_32_a_client_names_no_field_that_is_dropped() {
        let lines = [
            "HTTP_HOST=a.example",
            "HTTP_X_FORWARDED_FOR=192.0.2.1",
            "HTTP_X_HOP=1",
            "HTTP_CONNECTION=close, X-Forwarded-For, Host, X-Hop",
        ];
        let expected = "host=a.example x-forwarded-for=192.0.2.1 x-hop=1 ";
        assert_eq!(headers(&lines).as_deref(), Ok(expected));
    }

    #[test]
    fn gateway_32_a_malformed_variable_is_a_400() {
        for (lines, fault) in [
            (&["HTTP_X=a\u{1}b"][..], Fault::Value),
            (&["HTTP_X=a\nb"], Fault::Value),
            (&["HTTP_X Y=1"], Fault::Name),
            (&["HTTP_=1"], Fault::Name),
            (&["CONTENT_TYPE=a\u{7f}"], Fault::Value),
            (&["HTTP_COOKIE=\u{0}"], Fault::Value),
            (&["HTTP_HOST=a", "HTTP_HOST=b"], Fault::Hosts),
            (&["REQUEST_METHOD="], Fault::Method),
            (&["REQUEST_METHOD=A B"], Fault::Method),
        ] {
            let found = head(lines).unwrap_err();
            assert_eq!((found, found.status()), (fault, StatusCode::BAD_REQUEST));
        }
        let found = head(&["REQUEST_METHOD=CONNECT"]).unwrap_err();
        assert_eq!(found.status(), StatusCode::NOT_IMPLEMENTED);
    }

    #[test]
    fn gateway_36_a_length_is_absent_or_empty_or_one_number() {
        for (lines, expected) in [
            (&[][..], Ok(None)),
            (&["CONTENT_LENGTH="], Ok(None)),
            (&["CONTENT_LENGTH=0"], Ok(Some(0))),
            (&["CONTENT_LENGTH=17"], Ok(Some(17))),
            (&["CONTENT_LENGTH=17", "CONTENT_LENGTH=17"], Ok(Some(17))),
            (
                &["CONTENT_LENGTH=17", "CONTENT_LENGTH=18"],
                Err(Fault::Length),
            ),
            (&["CONTENT_LENGTH=+1"], Err(Fault::Length)),
            (&["CONTENT_LENGTH=x"], Err(Fault::Length)),
            (&["CONTENT_LENGTH=99999999999999999999"], Err(Fault::Length)),
        ] {
            assert_eq!(head(lines).map(|head| head.length), expected, "{lines:?}");
        }
    }

    #[test]
    fn gateway_37_the_server_states_the_peer_and_the_scheme() {
        for (lines, peer, scheme) in [
            (&[][..], None, "http"),
            (&["REMOTE_ADDR=192.0.2.1"], Some("192.0.2.1:0"), "http"),
            (
                &["REMOTE_ADDR=::1", "REMOTE_PORT=7"],
                Some("[::1]:7"),
                "http",
            ),
            (&["REMOTE_ADDR=unix:", "REMOTE_PORT="], None, "http"),
            (&["HTTPS=on"], None, "https"),
            (&["HTTPS=1", "REQUEST_SCHEME=http"], None, "https"),
            (&["HTTPS=off", "REQUEST_SCHEME=https"], None, "http"),
            (&["HTTPS=", "REQUEST_SCHEME=https"], None, "https"),
            // A client can send these.
            (
                &["HTTP_HTTPS=on", "HTTP_REMOTE_ADDR=192.0.2.1"],
                None,
                "http",
            ),
        ] {
            let found = head(lines).unwrap();
            let extensions = found.request.extensions();
            let found = extensions.get::<PeerAddr>().map(|peer| peer.0.to_string());
            assert_eq!(found.as_deref(), peer, "{lines:?}");
            let found = &extensions.get::<PeerScheme>().unwrap().0;
            assert_eq!(found.as_str(), scheme, "{lines:?}");
        }
    }

    #[test]
    fn gateway_37_the_version_is_that_of_the_client() {
        for (protocol, version) in [
            ("SERVER_PROTOCOL=HTTP/1.0", Version::HTTP_10),
            ("SERVER_PROTOCOL=HTTP/1.1", Version::HTTP_11),
            ("SERVER_PROTOCOL=HTTP/2.0", Version::HTTP_2),
            ("SERVER_PROTOCOL=HTTP/3.0", Version::HTTP_3),
            ("SERVER_PROTOCOL=INCLUDED", Version::HTTP_11),
        ] {
            assert_eq!(head(&[protocol]).unwrap().request.version(), version);
        }
    }

    #[test]
    fn gateway_38_script_name_is_a_mount_only_by_choice() {
        for (uri, script_name, expected) in [
            (
                "REQUEST_URI=/a.fcgi/x?q",
                "SCRIPT_NAME=/a.fcgi",
                ("/a.fcgi", "/x"),
            ),
            (
                "REQUEST_URI=/a.fcgi",
                "SCRIPT_NAME=/a.fcgi",
                ("/a.fcgi", ""),
            ),
            (
                "REQUEST_URI=/a%20b/%2F",
                "SCRIPT_NAME=/a b",
                ("/a%20b", "/%2F"),
            ),
            ("REQUEST_URI=/a/b/c", "SCRIPT_NAME=/a/b/", ("/a/b", "/c")),
            // A rule of the server has led there from another path.
            ("REQUEST_URI=/x", "SCRIPT_NAME=/a.fcgi", ("", "/x")),
            (
                "REQUEST_URI=/a.fcgix",
                "SCRIPT_NAME=/a.fcgi",
                ("", "/a.fcgix"),
            ),
            ("REQUEST_URI=/a%2Fb/c", "SCRIPT_NAME=/a/b", ("", "/a%2Fb/c")),
            ("REQUEST_URI=/a%zz", "SCRIPT_NAME=/a%zz", ("", "/a%zz")),
            ("REQUEST_URI=/x", "SCRIPT_NAME=/", ("", "/x")),
            ("REQUEST_URI=/x", "SCRIPT_NAME=", ("", "/x")),
            ("PATH_INFO=/x y", "SCRIPT_NAME=/a b", ("/a%20b", "/x%20y")),
        ] {
            let lines = ["REQUEST_METHOD=GET", uri, script_name].map(pair).map(Ok);
            let names = |is_mounted| {
                let request = read(lines, None, is_mounted).unwrap().request;
                (
                    request.script_name().to_owned(),
                    request.path_info().to_owned(),
                )
            };
            let (script_name, path_info) = names(true);
            assert_eq!((&*script_name, &*path_info), expected, "{uri}");
            assert_eq!(names(false), (String::new(), script_name + &path_info));
        }
    }
}
