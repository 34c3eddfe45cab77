//! Classes of characters, and scans: the number of bytes at the start of a text whose characters
//! are in a class.
//!
//! The number of characters may have bounds, as in the regex `/([0-9]{4})/([^/]+)`. The tree scans
//! all digits and compares their number afterwards. `/2026/a` has four, and the search continues.
//! `/202/a` has too few and `/20261/a` too many, and both end there, because a literal `/` follows,
//! which is not in the class. So no search with fewer digits can match either.
//!
//! ASCII is one lookup a byte. A class such as `[^/]` or `.` has all characters except an ASCII
//! one, so the next one of that kind is found by words of eight bytes. Only a class with some of
//! the characters beyond ASCII has to decode UTF-8.

/// A set of characters: ranges in ascending order, which do not touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Class(Box<[(char, char)]>);

impl Class {
    /// Makes a class of ranges that are in ascending order and do not touch.
    pub(crate) fn new(ranges: Vec<(char, char)>) -> Self {
        Self(ranges.into())
    }

    /// Returns the class of all characters.
    pub(crate) fn all() -> Self {
        Self::new(vec![('\0', char::MAX)])
    }

    /// Returns the class of all characters except a slash.
    pub(crate) fn not_a_slash() -> Self {
        Self::new(vec![('\0', '.'), ('0', char::MAX)])
    }

    pub(crate) fn ranges(&self) -> &[(char, char)] {
        &self.0
    }

    pub(crate) fn contains(&self, c: char) -> bool {
        let index = self.0.partition_point(|(_, end)| *end < c);
        self.0.get(index).is_some_and(|(start, _)| *start <= c)
    }

    /// Returns whether a character is in both.
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((start, end)), Some((other_start, other_end))) =
            (ours.peek(), theirs.peek())
        {
            if end < other_start {
                ours.next();
            } else if other_end < start {
                theirs.next();
            } else {
                return true;
            }
        }
        false
    }
}

/// The way to scan a class.
#[derive(Debug)]
pub(crate) enum ClassScan {
    /// All characters are in it.
    All,
    /// All are, except this one of ASCII.
    AllExcept(u8),
    Some(Box<Bytes>),
}

/// A class by the bytes that encode its characters.
#[derive(Debug)]
pub(crate) struct Bytes {
    /// Whether every character that begins with this byte is in the class. The bytes in the middle
    /// of a character are as those that it begins with.
    bytes: [bool; 256],
    /// The class, if some of the characters beyond ASCII are in it and some are not.
    beyond_ascii: Option<Class>,
}

impl ClassScan {
    pub(crate) fn new(class: &Class) -> Self {
        let mut bytes = [false; 256];
        for &(start, end) in class.ranges() {
            for c in start..=end.min('\u{7F}') {
                bytes[c as usize] = true;
            }
        }
        let last = class.ranges().last();
        let has_all = last.is_some_and(|(start, end)| *start <= '\u{80}' && *end == char::MAX);
        let has_some = last.is_some_and(|(_, end)| !end.is_ascii());
        bytes[0x80..].fill(has_all);
        let mut missing = (0..=u8::MAX).filter(|byte| !bytes[usize::from(*byte)]);
        match (missing.next(), missing.next()) {
            (None, _) => Self::All,
            (Some(byte), None) => Self::AllExcept(byte),
            _ => Self::Some(Box::new(Bytes {
                bytes,
                beyond_ascii: (has_some && !has_all).then(|| class.clone()),
            })),
        }
    }

    /// Returns the end of the characters from an offset on that are in the class.
    // `dispatch/github-templates`
    #[inline]
    pub(crate) fn scan(&self, text: &[u8], from: usize) -> usize {
        match self {
            Self::All => text.len(),
            Self::AllExcept(byte) => find(text, from, *byte),
            Self::Some(class) => class.scan(text, from),
        }
    }
}

impl Bytes {
    fn scan(&self, text: &[u8], from: usize) -> usize {
        let left = text.get(from..).unwrap_or_default();
        let end = left.iter().position(|byte| !self.bytes[*byte as usize]);
        let end = end.map_or(text.len(), |end| from + end);
        match &self.beyond_ascii {
            None => end,
            Some(class) => self.scan_beyond_ascii(class, text, end),
        }
    }

    /// The same, if the bytes up to an offset are known to be in the class.
    fn scan_beyond_ascii(&self, class: &Class, text: &[u8], known: usize) -> usize {
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
            match next.and_then(|chunk| chunk.valid().chars().next()) {
                Some(c) if class.contains(c) => end += c.len_utf8(),
                _ => break,
            }
        }
        end
    }
}

/// Returns the eight bytes from an offset on, the first one lowest. Beyond the end they are zero.
// `dispatch/github-templates`
#[inline]
pub(crate) fn word(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last_word(text, at),
    }
}

/// The same for less than eight bytes.
// `dispatch/github-templates`
#[inline]
fn last_word(text: &[u8], at: usize) -> u64 {
    let left = text.len().saturating_sub(at);
    match text.last_chunk() {
        _ if left == 0 => 0,
        // The last eight bytes, without those before the offset.
        Some(bytes) => u64::from_le_bytes(*bytes) >> (64 - 8 * left),
        None => {
            let left = text[at..].iter().rev();
            left.fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// Returns a word in which the highest bit of the first byte that is equal to a byte is the lowest
/// that is set. There is none if no byte is equal.
// `dispatch/github-templates`
#[inline]
pub(crate) fn equal_bytes(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let differs = word ^ u64::from_ne_bytes([byte; 8]);
    differs.wrapping_sub(LOW) & !differs & HIGH
}

/// Returns the offset of the first such byte from an offset on, or that of the end.
// By words, since the parts of a path are short (`dispatch/github-templates`).
#[inline]
pub(crate) fn find(text: &[u8], from: usize, byte: u8) -> usize {
    let mut at = from;
    while at < text.len() {
        let found = equal_bytes(word(text, at), byte);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    text.len()
}

#[cfg(all(test, feature = "unicode"))]
#[allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up should stop"
)]
mod tests {
    use super::*;
    use crate::expr::Expr;

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
            ("(?s:.)", "a/\n", 3),
            ("[^/]", "abcdefgh/", 8),
            ("[^/]", "abcdefghi/k", 9),
            ("[^/]", "abcdefghijklmnopq", 17),
            ("[^/]", "0/abcdefghijklmn", 1),
            (r"[^\x00]", "ab", 2),
            (r"[^\x00]", "abcdefg\0h", 7),
        ];
        for (class, text, length) in table {
            let hir = regex_syntax::parse(class).unwrap();
            let Expr::Class(class) = Expr::from_hir(&hir) else {
                panic!("{class} is no class");
            };
            let scan = ClassScan::new(&class);
            assert_eq!(scan.scan(text.as_bytes(), 0), length, "{text}");
            let after = format!("/ab{text}");
            assert_eq!(scan.scan(after.as_bytes(), 3), 3 + length, "{text}");
        }
    }
}
