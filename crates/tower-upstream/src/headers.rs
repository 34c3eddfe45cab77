//! The headers of the request to the upstream, and of the response to the client.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, GetAll, HOST, TE, TRANSFER_ENCODING, VIA},
};
use http_body::Body;
use tower_kit::{
    content::content_length,
    names::{is_of_one_hop, is_plain, plain},
};

use crate::{
    fields::Fields,
    forwarded::Forwarding,
    length::Length,
    one_hop::{is_of_one_message, is_ours},
    persistence::take_connection,
    via::Via,
};

/// The name has no constant in `http`.
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// Changes a request's headers, which have these fields, into those for the upstream. `Host` stays,
/// since it depends on the upstream.
pub(crate) fn to_upstream(
    headers: &mut HeaderMap,
    fields: Fields,
    version: Version,
    forwarding: Forwarding,
    suppressed: &[HeaderName],
    length: Length,
    via: &Via,
) {
    let wants_trailers = fields.have(Fields::TE) && takes_trailers(headers);
    if fields.have(Fields::CONNECTION) {
        take_connection(headers);
    }
    if fields.have(Fields::REMOVED) {
        remove(headers, |name| {
            *name != HOST && is_ours(&plain(name.as_str()))
        });
    }
    forwarding.set(headers);
    headers.append(VIA, via.entry(version).clone());
    if fields.have(Fields::COOKIE) {
        join_cookies(headers);
    }
    if !suppressed.is_empty() {
        remove(headers, |name| {
            let name = plain(name.as_str());
            suppressed.iter().any(|suppressed| *suppressed == *name)
        });
    }
    length.set(headers);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        // RFC 9110, section 10.1.4: a message with `TE` names it in `Connection`.
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Removes from the trailers what is removed from the headers: an upstream may merge the two (RFC
/// 9110, section 6.5.1).
pub(crate) fn trailers_to_upstream(trailers: &mut HeaderMap) {
    remove(trailers, |name| {
        !is_plain(name.as_str()) || is_ours(name.as_str())
    });
}

/// Removes from a response's trailers the fields about one hop, and its length.
pub(crate) fn trailers_to_client(trailers: &mut HeaderMap) {
    remove(trailers, is_of_one_message);
}

/// Returns whether there is a transfer coding besides `chunked`, which is not decoded here (RFC
/// 9112, section 6.1).
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter().flat_map(members);
    codings.any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"chunked"))
}

/// Removes the request's headers that the upstream might take for others, except those `passed`
/// by name, and returns their names.
pub(crate) fn remove_ambiguous(headers: &mut HeaderMap, passed: &[HeaderName]) -> Vec<HeaderName> {
    remove(headers, |name| {
        !is_plain(name.as_str()) && !passed.contains(name)
    })
}

/// Changes a response's headers, which have these fields, into those for the client. `Connection`
/// has been taken out.
pub(crate) fn to_client<B: Body>(
    headers: &mut HeaderMap,
    fields: Fields,
    method: &Method,
    status: StatusCode,
    body: &B,
) {
    if fields.have(Fields::OF_ONE_HOP) {
        remove(headers, |name| is_of_one_hop(name.as_str()));
    }
    trim_unfolded(headers);
    if !fields.have(Fields::CONTENT_LENGTH) {
        return;
    }
    let length = body.size_hint().exact();
    if status != StatusCode::NO_CONTENT && states(headers.get_all(CONTENT_LENGTH), length) {
        // Most responses, which keep their line.
        return;
    }
    let stated = content_length(headers);
    // RFC 9110, section 8.6: in response to HEAD and in a 304 it is the length of the body that is
    // left out. A 204 has none.
    let length = match status {
        StatusCode::NO_CONTENT => None,
        StatusCode::NOT_MODIFIED => stated,
        _ if method == Method::HEAD => stated,
        // With Transfer-Encoding it does not count (RFC 9112, section 6.3), so it is that of the
        // body.
        _ => stated.and(length),
    };
    match length {
        Some(length) => {
            headers.insert(CONTENT_LENGTH, length.into());
        }
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
}

/// Returns whether this is one line with this number, and without zeros before it.
fn states(lines: GetAll<'_, HeaderValue>, length: Option<u64>) -> bool {
    let mut lines = lines.iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return false;
    };
    let number = line
        .as_bytes()
        .iter()
        .try_fold(0_u64, |number, byte| match byte {
            b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        });
    let is_short = line == "0" || !line.is_empty() && !line.as_bytes().starts_with(b"0");
    is_short && number == length && number.is_some()
}

/// Returns the time for which the upstream says it keeps the connection (RFC 2068, section 19.7.1).
pub(crate) fn keep_alive(headers: &HeaderMap) -> Option<Duration> {
    let parameters = headers.get_all(KEEP_ALIVE).iter().flat_map(members);
    let seconds = parameters.filter_map(|parameter| {
        let (name, value) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        is_timeout.then(|| value.parse().ok()).flatten()
    });
    seconds.min().map(Duration::from_secs)
}

/// Removes the fields for which the function returns `true`, and returns their names.
fn remove(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) -> Vec<HeaderName> {
    let removed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_meant(name))
        .cloned()
        .collect();
    for name in &removed {
        headers.remove(name);
    }
    removed
}

/// Trims values. At its ends, a folded value may have the space that replaced a line's end. A value
/// has no space there (RFC 9112, section 5.1).
fn trim_unfolded(headers: &mut HeaderMap) {
    for value in headers.values_mut() {
        let trimmed = value.as_bytes().trim_ascii();
        if trimmed.len() < value.len()
            && let Ok(trimmed) = HeaderValue::from_bytes(trimmed)
        {
            *value = trimmed;
        }
    }
}

fn takes_trailers(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(TE).iter().flat_map(members);
    all.any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

/// Returns the members of a list.
pub(crate) fn members(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let members = value.as_bytes().split(|&byte| byte == b',');
    members.map(<[u8]>::trim_ascii)
}

/// Joins cookies: HTTP/2 may split them, and HTTP/1.1 has one line of them (RFC 9113, section
/// 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() < 2 {
        return;
    }
    if let Ok(cookies) = HeaderValue::from_bytes(&cookies.join(&b"; "[..])) {
        headers.insert(COOKIE, cookies);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{BodyExt, Empty, Full, StreamBody};

    use super::*;

    fn map(headers: &[(&str, &str)]) -> HeaderMap {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        map
    }

    fn passed(headers: &[(&str, &str)]) -> Vec<String> {
        let mut headers = map(headers);
        let (none, via) = (Forwarding::HandedOn(HeaderMap::new()), Via::new("me"));
        let (fields, length) = (Fields::of(&headers), Length::Empty);
        to_upstream(
            &mut headers,
            fields,
            Version::HTTP_11,
            none,
            &[],
            length,
            &via,
        );
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines
    }

    #[test]
    fn upstream_2_a_field_about_one_hop_stays_there() {
        for (given, left) in [
            (vec![("Accept", "*/*")], vec!["accept: */*"]),
            (vec![("Connection", "close"), ("A", "1")], vec!["a: 1"]),
            (
                vec![
                    ("Connection", "X-A, x-B"),
                    ("connection", " ,x-C,"),
                    ("X-a", "1"),
                    ("x-b", "2"),
                    ("X-C", "3"),
                    ("x-d", "4"),
                ],
                vec!["x-d: 4"],
            ),
            (vec![("Connection", "\"x y\", X-A"), ("x-a", "1")], vec![]),
            (
                vec![
                    ("Keep-Alive", "timeout=5"),
                    ("Proxy-Connection", "close"),
                    ("Proxy-Authorization", "Basic x"),
                    ("Upgrade", "h2c"),
                    ("HTTP2-Settings", "x"),
                    ("Transfer-Encoding", "chunked"),
                    ("Content-Length", "5"),
                    ("Content-Length", "6"),
                    ("Expect", "100-continue"),
                    ("Proxy", "http://evil"),
                    ("TE", "gzip"),
                ],
                vec![],
            ),
            (
                vec![
                    ("X_Forwarded_For", "1"),
                    ("Content_Length", "1"),
                    ("Transfer_Encoding", "x"),
                    ("X-Real_IP", "1"),
                    ("X.Forwarded.For", "1"),
                    ("Content~Length", "1"),
                    ("X_Y", "1"),
                ],
                vec!["x_y: 1"],
            ),
            (
                vec![("TE", "gzip, Trailers"), ("Trailer", "x")],
                vec!["connection: te", "te: trailers", "trailer: x"],
            ),
            (
                vec![("Cookie", "a=1"), ("Cookie", "b=2")],
                vec!["cookie: a=1; b=2"],
            ),
            (
                vec![("Connection", "host, via"), ("Host", "a"), ("Via", "x")],
                vec![],
            ),
        ] {
            let mut left: Vec<String> = left.into_iter().map(String::from).collect();
            left.push("via: 1.1 me".to_owned());
            left.sort();
            assert_eq!(passed(&given), left);
        }
    }

    #[test]
    fn upstream_2_a_field_about_one_hop_is_no_trailer() {
        let mut trailers = map(&[
            ("Connection", "close"),
            ("Upgrade", "x"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "9"),
            ("X-Sum", "1"),
        ]);
        trailers_to_client(&mut trailers);
        assert_eq!(trailers, map(&[("x-sum", "1")]));
        // To the upstream, more fields are the proxy's own.
        let mut trailers = map(&[
            ("Connection", "close"),
            ("Content-Length", "9"),
            ("Expect", "100-continue"),
            ("Forwarded", "for=192.0.2.1"),
            ("Host", "example.org"),
            ("Proxy", "http://example.org"),
            ("X_Sum", "2"),
            ("X-Sum", "1"),
        ]);
        trailers_to_upstream(&mut trailers);
        assert_eq!(trailers, map(&[("x-sum", "1")]));
    }

    #[test]
    fn upstream_6_an_unknown_transfer_coding_is_found() {
        for (coding, is) in [
            ("chunked", false),
            ("Chunked", false),
            ("", false),
            ("gzip, chunked", true),
            ("identity", true),
        ] {
            assert_eq!(
                is_coded(&map(&[("transfer-encoding", coding)])),
                is,
                "{coding}"
            );
        }
    }

    #[test]
    fn upstream_7_a_request_has_one_length_or_chunks() {
        for (length, has) in [
            (Length::Empty, vec![]),
            (Length::Known(7), vec!["content-length: 7"]),
            (Length::Unknown, vec!["transfer-encoding: chunked"]),
        ] {
            let mut headers = map(&[
                ("content-length", "10"),
                ("transfer-encoding", "chunked"),
                ("connection", "content-length"),
            ]);
            let suppressed = [CONTENT_LENGTH, TRANSFER_ENCODING, VIA];
            let fields = Fields::of(&headers);
            to_upstream(
                &mut headers,
                fields,
                Version::HTTP_2,
                Forwarding::HandedOn(HeaderMap::new()),
                &suppressed,
                length,
                &Via::new("me"),
            );
            let found: Vec<String> = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            assert_eq!(found, has);
        }
    }

    #[test]
    fn upstream_7_a_response_has_the_length_of_its_body() {
        let ten = || map(&[("content-length", "10")]);
        let both = || map(&[("content-length", "10"), ("transfer-encoding", "chunked")]);
        let twice = || map(&[("content-length", "10"), ("content-length", "10")]);
        let padded = || map(&[("content-length", "010")]);
        let named = || map(&[("content-length", "10"), ("connection", "content-length")]);
        let full = || Full::new(Bytes::from("0123456789")).boxed();
        let unknown = || {
            StreamBody::new(futures_util::stream::empty::<
                Result<_, std::convert::Infallible>,
            >())
            .boxed()
        };
        let empty = || Empty::<Bytes>::new().boxed();
        for (mut headers, method, status, body, length) in [
            (ten(), Method::GET, 200, full(), Some(10)),
            (twice(), Method::GET, 200, full(), Some(10)),
            (padded(), Method::GET, 200, full(), Some(10)),
            (named(), Method::GET, 200, full(), Some(10)),
            (ten(), Method::HEAD, 200, empty(), Some(10)),
            (ten(), Method::GET, 304, empty(), Some(10)),
            (ten(), Method::GET, 204, empty(), None),
            (both(), Method::GET, 200, unknown(), None),
            (HeaderMap::new(), Method::GET, 200, full(), None),
        ] {
            let fields = Fields::of(&headers);
            take_connection(&mut headers);
            to_client(
                &mut headers,
                fields,
                &method,
                StatusCode::from_u16(status).unwrap(),
                &body,
            );
            let stated = headers.get(CONTENT_LENGTH);
            let stated = stated.map(|length| length.to_str().unwrap().to_owned());
            let length = length.map(|length: u64| length.to_string());
            assert_eq!(stated, length, "{method} {status}");
            assert_eq!(headers.len(), usize::from(length.is_some()));
        }
    }
}
