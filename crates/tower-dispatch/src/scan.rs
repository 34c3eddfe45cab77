//! Scanning a run: how many of a path's bytes are characters of a set.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

/// A set of characters, by the bytes that they are written in.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Whether every character that begins with this byte is in the set, and every other byte of such a character.
    bytes: [bool; 256],
    /// The set, if some characters beyond ASCII are in it and some are not.
    some: Option<ClassUnicode>,
}

impl Scan {
    pub(crate) fn new(set: &ClassUnicode) -> Self {
        let all = ClassUnicode::new([ClassUnicodeRange::new('\u{80}', char::MAX)]);
        let mut beyond_ascii = set.clone();
        beyond_ascii.intersect(&all);
        let mut bytes = [false; 256];
        for range in set.ranges() {
            for c in range.start()..=range.end().min('\u{7F}') {
                bytes[c as usize] = true;
            }
        }
        bytes[0x80..].fill(beyond_ascii == all);
        Self {
            bytes,
            some: (beyond_ascii != all && !beyond_ascii.ranges().is_empty())
                .then_some(beyond_ascii),
        }
    }

    /// The length of the run that a text begins with.
    #[inline]
    pub(crate) fn run(&self, text: &[u8]) -> usize {
        let end = text.iter().position(|byte| !self.bytes[*byte as usize]);
        let end = end.unwrap_or(text.len());
        match &self.some {
            None => end,
            Some(set) => self.run_beyond_ascii(set, text, end),
        }
    }

    /// The same, if the first so many bytes are known to be in it.
    fn run_beyond_ascii(&self, set: &ClassUnicode, text: &[u8], known: usize) -> usize {
        let mut end = known;
        while let Some(byte) = text.get(end) {
            if byte.is_ascii() {
                if !self.bytes[*byte as usize] {
                    break;
                }
                end += 1;
                continue;
            }
            // No more than one character is looked at.
            let rest = &text[end..];
            let next = rest.get(..4).unwrap_or(rest).utf8_chunks().next();
            let Some(c) = next.and_then(|chunk| chunk.valid().chars().next()) else {
                break;
            };
            let place = set.ranges().partition_point(|range| range.end() < c);
            if (set.ranges().get(place)).is_none_or(|range| range.start() > c) {
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
    fn a_run_ends_before_the_first_character_that_is_not_in_the_set() {
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
            assert_eq!(Scan::new(class).run(text.as_bytes()), length, "{text}");
        }
    }
}
