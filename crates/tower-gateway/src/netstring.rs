//! The head of a request in SCGI's form: a netstring of names and values.

use crate::variables::{Refused, Sink};

/// Writes variables as the head of an SCGI request. The first pair has to be CONTENT_LENGTH.
#[derive(Default)]
pub(crate) struct Netstring {
    content: Vec<u8>,
}

impl Netstring {
    /// Returns the head, after which the body follows.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.content.extend(b"SCGI\x001\x00");
        let mut head = format!("{}:", self.content.len()).into_bytes();
        head.append(&mut self.content);
        head.push(b',');
        head
    }
}

impl Sink for Netstring {
    fn pair(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        // A NUL ends a value, so what follows would be another variable.
        if name.contains(&0) || value.contains(&0) {
            return Err(Refused::Nul);
        }
        for text in [name, value] {
            self.content.extend_from_slice(text);
            self.content.push(0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateway_13_the_head_is_a_netstring() {
        let mut netstring = Netstring::default();
        netstring.pair(b"CONTENT_LENGTH", b"27").unwrap();
        netstring.pair(b"REQUEST_METHOD", b"POST").unwrap();
        netstring.pair(b"REQUEST_URI", b"/deepthought").unwrap();
        // DIFFERENCE from the example of the protocol's text: `SCGI` is not the second pair.
        let expected = b"70:CONTENT_LENGTH\x0027\x00REQUEST_METHOD\x00POST\x00\
            REQUEST_URI\x00/deepthought\x00SCGI\x001\x00,";
        assert_eq!(
            netstring.finish().escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }

    #[test]
    fn gateway_13_a_nul_makes_no_further_variable() {
        let mut netstring = Netstring::default();
        assert_eq!(netstring.pair(b"A", b"1\x00B\x002"), Err(Refused::Nul));
        assert_eq!(netstring.finish(), b"7:SCGI\x001\x00,");
    }
}
