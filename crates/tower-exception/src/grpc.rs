//! gRPC and gRPC-Web: which protocol a message is in, and how each states a status.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::{Incident, accept};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The flag of a gRPC-Web message that holds the trailers.
const TRAILERS: u8 = 0x80;

/// The protocols, by their media types; a codec may follow (`+proto`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// `application/grpc`: the status is in HTTP's trailers, or in the head if there is no message.
    Native,
    /// `application/grpc-web`: the status is in a message of its own, the last one.
    Web,
    /// `application/grpc-web-text`: the same in base64, which may be padded anywhere.
    WebText,
}

impl Protocol {
    pub(crate) fn of(content_type: &[u8]) -> Option<Self> {
        let (name, rest) = essence(content_type).split_at_checked("application/grpc".len())?;
        if !name.eq_ignore_ascii_case(b"application/grpc") {
            return None;
        }
        let kind = rest.split(|byte| *byte == b'+').next().unwrap_or_default();
        match kind.to_ascii_lowercase().as_slice() {
            b"" => Some(Self::Native),
            b"-web" => Some(Self::Web),
            b"-web-text" => Some(Self::WebText),
            _ => None,
        }
    }
}

/// Returns a media type without its parameters.
pub(crate) fn essence(content_type: &[u8]) -> &[u8] {
    let essence = content_type.split(|byte| *byte == b';').next();
    essence.unwrap_or_default().trim_ascii()
}

/// The protocol and the content type that a client understands.
pub(crate) struct Asked {
    pub(crate) protocol: Protocol,
    pub(crate) content_type: HeaderValue,
}

impl Asked {
    /// Finds what the client understands. A client of gRPC-Web names in `Accept` whether it wants
    /// text. Otherwise it gets what it sends.
    pub(crate) fn of(content_type: &[u8], accept: Option<&HeaderValue>) -> Option<Self> {
        let protocol = Protocol::of(content_type)?;
        let accept = accept.and_then(|accept| accept.to_str().ok());
        let preferred = accept
            .filter(|_| protocol != Protocol::Native)
            .into_iter()
            .flat_map(accept::members)
            .filter_map(|member| Some((Protocol::of(member.as_bytes())?, member.as_bytes())))
            .find(|(protocol, _)| *protocol != Protocol::Native);
        let (protocol, content_type) = preferred.unwrap_or((protocol, content_type));
        Some(Self {
            protocol,
            content_type: HeaderValue::from_bytes(essence(content_type)).ok()?,
        })
    }
}

/// Returns the trailers of a response that an incident ends.
pub(crate) fn trailers(incident: &Incident) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, code(incident.status()).into());
    if let Ok(message) = HeaderValue::from_str(&format!("incident {}", incident.id())) {
        trailers.insert(GRPC_MESSAGE, message);
    }
    trailers
}

/// Returns the last message of a gRPC-Web response that an incident ends.
pub(crate) fn last_message(protocol: Protocol, incident: &Incident) -> Bytes {
    let mut block = BytesMut::new();
    for (name, value) in &trailers(incident) {
        block.put_slice(name.as_str().as_bytes());
        block.put_u8(b':');
        block.put_slice(value.as_bytes());
        block.put_slice(b"\r\n");
    }
    let mut message = BytesMut::new();
    message.put_u8(TRAILERS);
    message.put_u32(u32::try_from(block.len()).unwrap_or_default());
    message.put(block);
    match protocol {
        Protocol::WebText => BASE64_STANDARD.encode(message).into(),
        Protocol::Native | Protocol::Web => message.freeze(),
    }
}

/// Returns gRPC's code for a status of HTTP.
fn code(status: StatusCode) -> u16 {
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

/// The position of a gRPC-Web body among its messages. Each has a byte of flags, four bytes of a
/// length, and as many bytes as that.
#[derive(Debug)]
pub(crate) struct Messages {
    text: bool,
    /// Of text, the group of four that is not complete.
    group: [u8; 4],
    grouped: usize,
    prefix: [u8; 5],
    prefixed: usize,
    left: u32,
    /// The trailers have begun, or the bytes are not base64.
    ended: bool,
}

impl Messages {
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self {
            text: protocol == Protocol::WebText,
            group: [0; 4],
            grouped: 0,
            prefix: [0; 5],
            prefixed: 0,
            left: 0,
            ended: false,
        }
    }

    /// Follows bytes that were sent.
    pub(crate) fn follow(&mut self, data: &[u8]) {
        if !self.text {
            return self.bytes(data);
        }
        for byte in data {
            self.group[self.grouped] = *byte;
            self.grouped += 1;
            if self.grouped == self.group.len() {
                self.grouped = 0;
                // Group by group, since each may be padded.
                match BASE64_STANDARD.decode(self.group) {
                    Ok(bytes) => self.bytes(&bytes),
                    Err(_) => self.ended = true,
                }
            }
        }
    }

    fn bytes(&mut self, mut data: &[u8]) {
        while let [first, rest @ ..] = data {
            if self.left > 0 {
                let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let length = length.min(self.left);
                self.left -= length;
                data = &data[length as usize..];
                continue;
            }
            self.prefix[self.prefixed] = *first;
            self.prefixed += 1;
            data = rest;
            if self.prefixed == self.prefix.len() {
                self.prefixed = 0;
                let [flags, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length);
                self.ended |= flags & TRAILERS != 0;
            }
        }
    }

    /// Returns whether another message may follow here.
    pub(crate) fn may_go_on(&self) -> bool {
        !self.ended && (self.grouped, self.prefixed, self.left) == (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_known_by_its_media_type() {
        let table = [
            ("application/grpc", Some(Protocol::Native)),
            ("application/grpc+proto", Some(Protocol::Native)),
            ("Application/gRPC ; charset=x", Some(Protocol::Native)),
            ("application/grpc-web", Some(Protocol::Web)),
            ("application/grpc-web+proto", Some(Protocol::Web)),
            ("application/grpc-Web+json;a=b", Some(Protocol::Web)),
            ("application/grpc-web-text", Some(Protocol::WebText)),
            ("application/grpc-web-text+proto", Some(Protocol::WebText)),
            ("application/grpcx", None),
            ("application/grpc-websocket", None),
            ("application/grp", None),
            ("application/json+grpc", None),
            ("", None),
        ];
        for (content_type, expected) in table {
            assert_eq!(
                Protocol::of(content_type.as_bytes()),
                expected,
                "{content_type}"
            );
        }
    }

    #[test]
    fn a_client_gets_what_it_accepts_or_what_it_sends() {
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
            let asked = Asked::of(content_type.as_bytes(), accept.as_ref()).unwrap();
            assert_eq!(asked.content_type, expected, "{content_type} {accept:?}");
            assert_eq!(Some(asked.protocol), Protocol::of(expected.as_bytes()));
        }
        assert!(Asked::of(b"text/html", Some(&HeaderValue::from_static(TEXT))).is_none());
    }

    #[test]
    fn every_status_has_its_code() {
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

    /// Returns the result of `may_go_on` after each of these.
    fn after(protocol: Protocol, frames: &[&[u8]]) -> Vec<bool> {
        let mut messages = Messages::new(protocol);
        assert!(messages.may_go_on());
        let mut said = Vec::new();
        for frame in frames {
            messages.follow(frame);
            said.push(messages.may_go_on());
        }
        said
    }

    #[test]
    fn the_end_of_a_message_is_found_however_it_is_cut() {
        let bytes = b"\0\0\0\0\x02ab\x01\0\0\0\0\0\0\0\x01\0c";
        // The bytes after which a message ends.
        let ends = [7, 12];
        for cut in 0..=bytes.len() {
            let (one, other) = bytes.split_at(cut);
            let said = after(Protocol::Web, &[one, other]);
            assert_eq!(said, [cut == 0 || ends.contains(&cut), false], "{cut}");
        }
        assert_eq!(after(Protocol::Web, &[&bytes[..12], b""]), [true, true]);
        // A length has four bytes.
        let long = [&b"\0\0\0\x01\0"[..], &[7; 255], &[7]];
        assert_eq!(after(Protocol::Web, &long), [false, false, true]);
        let longer = [&b"\0\x01\0\0\0"[..], &[7; 0xff_ffff], &[7]];
        assert_eq!(after(Protocol::Web, &longer), [false, false, true]);
    }

    #[test]
    fn text_may_be_padded_and_cut_anywhere() {
        let message = BASE64_STANDARD.encode(b"\0\0\0\0\x02ab");
        for cut in 1..message.len() {
            let (one, other) = message.split_at(cut);
            let said = after(
                Protocol::WebText,
                &[one.as_bytes(), other.as_bytes(), message.as_bytes()],
            );
            assert_eq!(said, [false, true, true], "{cut}");
        }
        // Padded in the middle of a message.
        let (one, other) = (
            BASE64_STANDARD.encode(b"\0\0\0\0\x02a"),
            BASE64_STANDARD.encode("b"),
        );
        let frames = [one.as_bytes(), other.as_bytes()];
        assert_eq!(after(Protocol::WebText, &frames), [false, true]);
        // Bytes that are not base64 cannot be followed.
        assert_eq!(after(Protocol::WebText, &[b"****"]), [false]);
    }

    #[test]
    fn nothing_follows_the_trailers() {
        for message in [&b"\x80\0\0\0\x02ab"[..], b"\x81\0\0\0\x02ab"] {
            assert_eq!(
                after(Protocol::Web, &[message, b"\0\0\0\0\0"]),
                [false, false]
            );
        }
    }
}
