//! Scans: the number of bytes at the start of a text whose characters are in a class.
//!
//! The number of characters may have bounds, as in the regex `/([0-9]{4})/([^/]+)`. The tree scans
//! all digits and compares their number afterwards. `/2026/a` has four, and the search continues.
//! `/202/a` has too few and `/20261/a` too many, and both end there, because a literal `/` follows,
//! which is not in the class. So no search with fewer digits can match either.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// A class of characters, by the bytes that encode them.
///
/// ASCII is one lookup a byte. Classes such as `[^/]` and `.` have all other characters, or none,
/// so these are one lookup a byte, too. Only a class with some of them has to decode UTF-8.
#[derive(Debug)]
pub(crate) struct ClassScan {
    /// Whether every character that begins with this byte is in the class. The bytes in the middle
    /// of a character are as those that it begins with.
    bytes: [bool; 256],
    /// The class beyond ASCII, if some of these characters are in it and some are not.
    beyond_ascii: Option<ClassUnicode>,
}

impl ClassScan {
    pub(crate) fn new(class: &ClassUnicode) -> Self {
        let all = ClassUnicode::new([ClassUnicodeRange::new('\u{80}', char::MAX)]);
        let mut beyond_ascii = class.clone();
        beyond_ascii.intersect(&all);
        let mut bytes = [false; 256];
        for range in class.ranges() {
            for c in range.start()..=range.end().min('\u{7F}') {
                bytes[c as usize] = true;
            }
        }
        bytes[0x80..].fill(beyond_ascii == all);
        let has_some = beyond_ascii != all && !beyond_ascii.ranges().is_empty();
        Self {
            bytes,
            beyond_ascii: has_some.then_some(beyond_ascii),
        }
    }

    /// Returns the number of bytes at the start of the text whose characters are in the class.
    #[inline]
    pub(crate) fn scan(&self, text: &[u8]) -> usize {
        let end = text.iter().position(|byte| !self.bytes[*byte as usize]);
        let end = end.unwrap_or(text.len());
        match &self.beyond_ascii {
            None => end,
            Some(class) => self.scan_beyond_ascii(class, text, end),
        }
    }

    /// The same, if the first bytes are known to be in the class.
    fn scan_beyond_ascii(&self, class: &ClassUnicode, text: &[u8], known: usize) -> usize {
        let mut end = known;
        while let Some(byte) = text.get(end) {
            if byte.is_ascii() {
                if !self.bytes[*byte as usize] {
                    break;
                }
                end += 1;
                continue;
            }
            // A character has four bytes at most.
            let left = &text[end..];
            let next = left.get(..4).unwrap_or(left).utf8_chunks().next();
            let Some(c) = next.and_then(|chunk| chunk.valid().chars().next()) else {
                break;
            };
            let index = class.ranges().partition_point(|range| range.end() < c);
            if (class.ranges().get(index)).is_none_or(|range| range.start() > c) {
                break;
            }
            end += c.len_utf8();
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::{Class, HirKind};

    use super::*;

    #[test]
    fn dispatch_1_a_scan_ends_at_a_character_not_in_the_class() {
        let table = [
            ("[^/]", "ab/c", 2),
            ("[^/]", "é日/", 5),
            ("[^/]", "", 0),
            ("[a-c]", "abcd", 3),
            ("[a-c]", "aé", 1),
            (r"\w", "aé1日_-", 8),
            (r"\w", "é-", 2),
            (r"\w", "-é", 0),
            ("[é-ü]", "éêüý", 6),
            ("[é-ü]", "è", 0),
            ("[é-ëï-ü]", "éîü", 2),
            ("[é-ëï-ü]", "éïü\u{10ffff}", 6),
            ("[aé]", "aaéaéab", 8),
        ];
        for (class, text, length) in table {
            let hir = regex_syntax::parse(class).unwrap();
            let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
                panic!("{class} is no class");
            };
            assert_eq!(
                ClassScan::new(class).scan(text.as_bytes()),
                length,
                "{text}"
            );
        }
    }
}
