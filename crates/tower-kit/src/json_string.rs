//! Text as a string of JSON (RFC 8259, section 7).
//!
//! serde_json would make the same of it, but its code and its tables for numbers take 50 KB of a
//! program (`just cost`).

use std::fmt::{self, Write};

/// Shows a text in quotation marks, with all that JSON escapes.
pub(crate) struct JsonString<'a>(pub(crate) &'a str);

impl fmt::Display for JsonString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        let mut rest = self.0;
        while let Some(at) = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1F')) {
            let (plain, special) = rest.split_at(at);
            f.write_str(plain)?;
            match special.as_bytes()[0] {
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                control => write!(f, "\\u{control:04x}")?,
            }
            // It was one byte.
            rest = &special[1..];
        }
        f.write_str(rest)?;
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kit_6_a_string_is_read_as_it_was_by_a_parser_of_json() {
        let controls: String = ('\0'..='\x7F').collect();
        for text in [
            "",
            "plain",
            "\"quoted\"",
            "back\\slash",
            "é 日 \u{2028} 🦀",
            &controls,
        ] {
            let json = JsonString(text).to_string();
            let read: String = serde_json::from_str(&json).unwrap();
            assert_eq!(read, text, "{json}");
        }
    }
}
