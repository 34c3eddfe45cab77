//! The messages of a gRPC-Web body, followed so that another one can be appended.

use base64::{Engine, prelude::BASE64_STANDARD};
use tower_kit::grpc::{Protocol, TRAILERS_FLAG};

/// The position of a gRPC-Web body among its messages. Each has a byte of flags, four bytes of a
/// length, and as many bytes as that.
#[derive(Debug)]
pub(crate) struct Messages {
    text: bool,
    /// The group of four characters of base64 that is not complete.
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
                // Each group is decoded alone, since each may be padded.
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
                self.ended |= flags & TRAILERS_FLAG != 0;
            }
        }
    }

    /// Returns whether another message may follow here.
    pub(crate) fn may_end(&self) -> bool {
        !self.ended && (self.grouped, self.prefixed, self.left) == (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the result of `may_end` after each of these.
    fn after(protocol: Protocol, frames: &[&[u8]]) -> Vec<bool> {
        let mut messages = Messages::new(protocol);
        assert!(messages.may_end());
        let mut results = Vec::new();
        for frame in frames {
            messages.follow(frame);
            results.push(messages.may_end());
        }
        results
    }

    #[test]
    fn exception_6_the_end_of_a_message_is_found_in_any_cut() {
        let bytes = b"\0\0\0\0\x02ab\x01\0\0\0\0\0\0\0\x01\0c";
        // The bytes after which a message ends.
        let ends = [7, 12];
        for cut in 0..=bytes.len() {
            let (one, other) = bytes.split_at(cut);
            let results = after(Protocol::Web, &[one, other]);
            assert_eq!(results, [cut == 0 || ends.contains(&cut), false], "{cut}");
        }
        assert_eq!(after(Protocol::Web, &[&bytes[..12], b""]), [true, true]);
        // A length has four bytes.
        let long = [&b"\0\0\0\x01\0"[..], &[7; 255], &[7]];
        assert_eq!(after(Protocol::Web, &long), [false, false, true]);
        let longer = [&b"\0\x01\0\0\0"[..], &[7; 0xff_ffff], &[7]];
        assert_eq!(after(Protocol::Web, &longer), [false, false, true]);
    }

    #[test]
    fn exception_6_base64_may_be_padded_and_cut_anywhere() {
        let message = BASE64_STANDARD.encode(b"\0\0\0\0\x02ab");
        for cut in 1..message.len() {
            let (one, other) = message.split_at(cut);
            let results = after(
                Protocol::WebText,
                &[one.as_bytes(), other.as_bytes(), message.as_bytes()],
            );
            assert_eq!(results, [false, true, true], "{cut}");
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
    fn exception_6_nothing_follows_the_trailers() {
        for message in [&b"\x80\0\0\0\x02ab"[..], b"\x81\0\0\0\x02ab"] {
            assert_eq!(
                after(Protocol::Web, &[message, b"\0\0\0\0\0"]),
                [false, false]
            );
        }
    }
}
