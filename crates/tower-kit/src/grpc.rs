//! gRPC and gRPC-Web: the protocol of a message, and how each protocol states a status.
//!
//! Sources: the gRPC documents "gRPC over HTTP/2" and "gRPC Web".

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{accept, content::set};

/// The field of a call's status, a code from 0 to 16.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The field of a status's message, percent-encoded.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The field of a status's details, in base64.
pub(crate) const GRPC_STATUS_DETAILS: HeaderName =
    HeaderName::from_static("grpc-status-details-bin");

/// The flag of a gRPC-Web message that holds the trailers.
pub const TRAILERS_FLAG: u8 = 0x80;

/// A protocol of the gRPC family.
///
/// ```
/// use tower_kit::grpc::{Flavor, Protocol};
///
/// let flavor = Flavor::of(b"application/grpc-web-text").unwrap();
/// assert_eq!(flavor.protocol(), Protocol::WebText);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// The protocol of `application/grpc`. The status is in HTTP's trailers, or in the head if
    /// there is no message.
    Native,
    /// The protocol of `application/grpc-web`. The status is in a message of its own, the last one.
    Web,
    /// The protocol of `application/grpc-web-text`. It is the same in base64, which may be padded
    /// at any message.
    WebText,
}

/// The encoding of messages that a content type names after a plus sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Codec {
    /// The content type names no codec, or one that is not in this list. A response without a
    /// message needs none.
    Unnamed,
    Proto,
    Json,
}

/// A content type of gRPC: a protocol and the encoding of its messages.
///
/// ```
/// use tower_kit::grpc::Flavor;
///
/// let flavor = Flavor::of(b"application/grpc+proto; charset=utf-8").unwrap();
/// assert_eq!(flavor.content_type(), "application/grpc+proto");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flavor {
    protocol: Protocol,
    codec: Codec,
}

impl Flavor {
    /// Returns the flavor that a content type names, and `None` if it is not gRPC.
    ///
    /// ```
    /// use tower_kit::grpc::{Flavor, Protocol};
    ///
    /// let flavor = Flavor::of(b"application/grpc-web+proto").unwrap();
    /// assert_eq!(flavor.protocol(), Protocol::Web);
    /// assert_eq!(flavor.content_type(), "application/grpc-web+proto");
    /// assert_eq!(Flavor::of(b"application/json"), None);
    /// ```
    #[must_use]
    pub fn of(content_type: &[u8]) -> Option<Self> {
        let essence = content_type.split(|byte| *byte == b';').next()?;
        let (name, rest) = essence
            .trim_ascii()
            .split_at_checked("application/grpc".len())?;
        if !name.eq_ignore_ascii_case(b"application/grpc") {
            return None;
        }
        let mut parts = rest.splitn(2, |byte| *byte == b'+');
        let kind = parts.next().unwrap_or_default();
        let protocol = match kind.to_ascii_lowercase().as_slice() {
            b"" => Protocol::Native,
            b"-web" => Protocol::Web,
            b"-web-text" => Protocol::WebText,
            _ => return None,
        };
        let codec = parts.next().unwrap_or_default();
        let codec = match codec.to_ascii_lowercase().as_slice() {
            b"proto" => Codec::Proto,
            b"json" => Codec::Json,
            _ => Codec::Unnamed,
        };
        Some(Self { protocol, codec })
    }

    /// Returns the flavor that a client understands, and `None` if it does not speak gRPC. A client
    /// of gRPC-Web names in `Accept` whether it wants base64. Otherwise it gets what it sends.
    pub(crate) fn requested<'a>(
        content_type: &[u8],
        accept: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> Option<Self> {
        let sent = Self::of(content_type)?;
        if sent.protocol == Protocol::Native {
            return Some(sent);
        }
        let lines = accept.into_iter().filter_map(|line| line.to_str().ok());
        let preferred = lines
            .flat_map(accept::members)
            .filter_map(|member| Self::of(member.as_bytes()))
            .find(|flavor| flavor.protocol != Protocol::Native);
        Some(preferred.unwrap_or(sent))
    }

    /// Returns the protocol.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        self.protocol
    }

    /// Returns the content type without parameters.
    #[must_use]
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match (self.protocol, self.codec) {
            (Protocol::Native, Codec::Unnamed) => "application/grpc",
            (Protocol::Native, Codec::Proto) => "application/grpc+proto",
            (Protocol::Native, Codec::Json) => "application/grpc+json",
            (Protocol::Web, Codec::Unnamed) => "application/grpc-web",
            (Protocol::Web, Codec::Proto) => "application/grpc-web+proto",
            (Protocol::Web, Codec::Json) => "application/grpc-web+json",
            (Protocol::WebText, Codec::Unnamed) => "application/grpc-web-text",
            (Protocol::WebText, Codec::Proto) => "application/grpc-web-text+proto",
            (Protocol::WebText, Codec::Json) => "application/grpc-web-text+json",
        })
    }
}

/// Returns the gRPC code of an HTTP status.
///
/// ```
/// assert_eq!(tower_kit::grpc::code(http::StatusCode::NOT_FOUND), 12);
/// ```
#[must_use]
pub fn code(status: StatusCode) -> u16 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        404 | 405 | 501 => 12,
        408 | 504 => 4,
        413 | 429 | 431 => 8,
        499 => 1,
        502 | 503 => 14,
        400..=499 => 3,
        _ => 13,
    }
}

/// The most bytes of a message. Many clients take no head of more than 8 KiB, and a byte becomes
/// three.
const LONGEST_MESSAGE: usize = 1024;

/// Returns the trailers that end a call with the code of this HTTP status. The message is cut after
/// 1024 bytes and percent-encoded.
///
/// ```
/// use http::StatusCode;
/// use tower_kit::grpc::{Protocol, last_message, trailers};
///
/// let trailers = trailers(StatusCode::NOT_FOUND, "no such order");
/// assert_eq!(trailers["grpc-status"], "12");
/// assert_eq!(trailers["grpc-message"], "no such order");
/// // gRPC-Web has them in a message.
/// let message = last_message(Protocol::Web, &trailers);
/// assert!(message.ends_with(b"grpc-message:no such order\r\n"));
/// ```
#[must_use]
pub fn trailers(status: StatusCode, message: &str) -> HeaderMap {
    /// All characters except printable ASCII, and the percent sign.
    const ENCODED: &AsciiSet = &CONTROLS.add(b'%');
    let mut trailers = HeaderMap::with_capacity(2);
    set(&mut trailers, GRPC_STATUS, code(status).into());
    let is_end = |at: &usize| message.is_char_boundary(*at);
    let end = (0..=LONGEST_MESSAGE.min(message.len())).rfind(is_end);
    let message = &message[..end.unwrap_or(0)];
    let message = utf8_percent_encode(message, ENCODED).to_string();
    if let Ok(message) = HeaderValue::try_from(message) {
        set(&mut trailers, GRPC_MESSAGE, message);
    }
    trailers
}

/// Returns the last message of a gRPC-Web response, which holds these trailers. For
/// [`Protocol::WebText`] it is base64.
#[must_use]
pub fn last_message(protocol: Protocol, trailers: &HeaderMap) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in trailers {
        block.put_slice(name.as_str().as_bytes());
        block.put_u8(b':');
        block.put_slice(value.as_bytes());
        block.put_slice(b"\r\n");
    }
    let mut message = BytesMut::new();
    message.put_u8(TRAILERS_FLAG);
    message.put_u32(u32::try_from(block.len()).unwrap_or_default());
    message.put(block);
    match protocol {
        Protocol::WebText => BASE64_STANDARD.encode(message).into(),
        Protocol::Native | Protocol::Web => message.freeze(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kit_8_a_flavor_is_known_by_its_media_type() {
        let table = [
            ("application/grpc", Protocol::Native, "application/grpc"),
            (
                "application/grpc+proto",
                Protocol::Native,
                "application/grpc+proto",
            ),
            (
                "Application/gRPC ; charset=x",
                Protocol::Native,
                "application/grpc",
            ),
            (
                "application/grpc+thrift",
                Protocol::Native,
                "application/grpc",
            ),
            (
                "application/grpc+JSON",
                Protocol::Native,
                "application/grpc+json",
            ),
            (
                "application/grpc-web",
                Protocol::Web,
                "application/grpc-web",
            ),
            (
                "application/grpc-web+proto",
                Protocol::Web,
                "application/grpc-web+proto",
            ),
            (
                "application/grpc-Web+json;a=b",
                Protocol::Web,
                "application/grpc-web+json",
            ),
            (
                "application/grpc-web-text",
                Protocol::WebText,
                "application/grpc-web-text",
            ),
            (
                "application/grpc-web-text+proto",
                Protocol::WebText,
                "application/grpc-web-text+proto",
            ),
            (
                "application/grpc-web-text+json",
                Protocol::WebText,
                "application/grpc-web-text+json",
            ),
        ];
        for (content_type, protocol, sent_back) in table {
            let flavor = Flavor::of(content_type.as_bytes()).unwrap();
            assert_eq!(flavor.protocol(), protocol, "{content_type}");
            assert_eq!(flavor.content_type(), sent_back, "{content_type}");
        }
        for other in [
            "application/grpcx",
            "application/grpc-websocket",
            "application/grp",
            "application/json+grpc",
            "",
        ] {
            assert_eq!(Flavor::of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn kit_8_a_client_gets_the_flavor_that_it_accepts_or_sends() {
        const TEXT: &str = "application/grpc-web-text";
        let table = [
            ("application/grpc", None, "application/grpc"),
            ("application/grpc+proto;a=b", None, "application/grpc+proto"),
            ("application/grpc", Some(TEXT), "application/grpc"),
            (TEXT, None, TEXT),
            (TEXT, Some("*/*"), TEXT),
            (TEXT, Some("application/grpc"), TEXT),
            (
                TEXT,
                Some("application/grpc-web+proto"),
                "application/grpc-web+proto",
            ),
            ("application/grpc-web+proto", Some(TEXT), TEXT),
            (
                "application/grpc-web+proto",
                Some("text/html, application/grpc-web-text+proto;q=0.9"),
                "application/grpc-web-text+proto",
            ),
            (
                "application/grpc-web+json",
                None,
                "application/grpc-web+json",
            ),
        ];
        for (content_type, accept, expected) in table {
            let accept = accept.map(HeaderValue::from_static);
            let flavor = Flavor::requested(content_type.as_bytes(), accept.as_ref()).unwrap();
            assert_eq!(flavor.content_type(), expected, "{content_type} {accept:?}");
        }
        let text = HeaderValue::from_static(TEXT);
        assert_eq!(Flavor::requested(b"text/html", Some(&text)), None);
    }

    #[test]
    fn kit_8_every_status_has_its_code() {
        let table = [
            (400, 3),
            (401, 16),
            (402, 3),
            (403, 7),
            (404, 12),
            (405, 12),
            (406, 3),
            (408, 4),
            (409, 3),
            (413, 8),
            (415, 3),
            (429, 8),
            (431, 8),
            (451, 3),
            (498, 3),
            (499, 1),
            (500, 13),
            (501, 12),
            (502, 14),
            (503, 14),
            (504, 4),
            (505, 13),
            (599, 13),
        ];
        for (status, expected) in table {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(code(status), expected, "{status}");
        }
    }

    #[test]
    fn kit_8_a_message_is_percent_encoded() {
        let trailers = trailers(StatusCode::NOT_FOUND, "100% é\n~");
        assert_eq!(trailers[GRPC_STATUS], "12");
        assert_eq!(trailers[GRPC_MESSAGE], "100%25 %C3%A9%0A~");
    }

    #[test]
    fn kit_8_the_last_message_holds_the_trailers() {
        let trailers = trailers(StatusCode::NOT_FOUND, "no");
        let block = b"\x80\0\0\0\x25grpc-status:12\r\ngrpc-message:no\r\n";
        let mut expected = block.to_vec();
        expected[4] = u8::try_from(block.len() - 5).unwrap();
        assert_eq!(last_message(Protocol::Web, &trailers), expected);
        let text = last_message(Protocol::WebText, &trailers);
        assert_eq!(BASE64_STANDARD.decode(text).unwrap(), expected);
    }
}
