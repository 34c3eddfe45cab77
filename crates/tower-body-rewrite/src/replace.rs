//! Replaces fixed strings, which may be cut by the chunks.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use bytes::{Buf, Bytes};

use crate::{Rewriter, Sink, Tag, sink::COPY_BELOW};

/// A rewriter that replaces fixed strings by others, as nginx's `sub_filter` does.
///
/// The body is read once from its start. The string that begins first is replaced. Of several that
/// begin at one position, it is the first one in the list. Reading continues after it, so
/// replacements are not read again. Strings are bytes, and nothing is escaped.
///
/// HTML is not parsed: a string is also found in a comment and in a script.
///
/// Of the body it holds back only the end of a chunk that may be the beginning of a string.
///
/// # Examples
///
/// ```
/// # use tower_body_rewrite::{Replace, RewriteLayer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let replace = Replace::new([("http://backend.internal/", "https://example.com/")])?;
/// let layer = RewriteLayer::new(move |_| Some(replace.clone())).types(["text/html", "text/css"])?;
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Replace {
    strings: Arc<Strings>,
    once: bool,
    /// The end of the bytes so far, if it may be the beginning of a string.
    held: Vec<u8>,
    /// The strings that were replaced, if each is replaced once.
    used: Vec<bool>,
}

#[derive(Debug)]
struct Strings {
    search: AhoCorasick,
    new: Vec<Bytes>,
    /// All strings that can be found, in the order of their bytes. They are in lower case if case
    /// is ignored.
    sorted: Vec<Box<[u8]>>,
    longest: usize,
    /// The maximum number of output bytes for a byte of a string.
    growth: usize,
    ignore_case: bool,
    /// Whether every string is as long as its replacement.
    same_length: bool,
    tag: Tag,
}

impl Replace {
    /// Creates a rewriter from pairs of strings, the old and the new one.
    ///
    /// # Errors
    ///
    /// Returns a [`ReplaceError`] if there is no pair, if an old string is empty, or if the old
    /// strings are too many or too long.
    pub fn new<F, T>(pairs: impl IntoIterator<Item = (F, T)>) -> Result<Self, ReplaceError>
    where
        F: AsRef<[u8]>,
        T: AsRef<[u8]>,
    {
        Self::build(pairs, false)
    }

    /// Creates a rewriter as [`new`](Self::new) does, which ignores the case of ASCII letters.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_body_rewrite::{Replace, Rewriter, Sink};
    ///
    /// let (mut replace, mut sink) = (Replace::ignoring_case([("</body>", "!")])?, Sink::default());
    /// replace.rewrite("Hello</BODY>".into(), &mut sink);
    /// replace.finish(&mut sink);
    /// assert_eq!(sink.next_frame().as_deref(), Some(&b"Hello!"[..]));
    /// # Ok::<(), tower_body_rewrite::ReplaceError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`new`](Self::new).
    pub fn ignoring_case<F, T>(
        pairs: impl IntoIterator<Item = (F, T)>,
    ) -> Result<Self, ReplaceError>
    where
        F: AsRef<[u8]>,
        T: AsRef<[u8]>,
    {
        Self::build(pairs, true)
    }

    /// Replaces each string only once, at its first position. By default every string is replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_body_rewrite::{Replace, Rewriter, Sink};
    ///
    /// let (mut replace, mut sink) = (Replace::new([("a", "b")])?.once(), Sink::default());
    /// replace.rewrite("aaa".into(), &mut sink);
    /// replace.finish(&mut sink);
    /// assert_eq!(sink.next_frame().as_deref(), Some(&b"baa"[..]));
    /// # Ok::<(), tower_body_rewrite::ReplaceError>(())
    /// ```
    #[must_use]
    pub fn once(mut self) -> Self {
        self.once = true;
        self.used = vec![false; self.strings.new.len()];
        self
    }

    fn build<F, T>(
        pairs: impl IntoIterator<Item = (F, T)>,
        ignore_case: bool,
    ) -> Result<Self, ReplaceError>
    where
        F: AsRef<[u8]>,
        T: AsRef<[u8]>,
    {
        let (old, new): (Vec<F>, Vec<T>) = pairs.into_iter().unzip();
        if old.is_empty() {
            return Err(ReplaceError(Reason::NoPairs));
        }
        if let Some(at) = old.iter().position(|old| old.as_ref().is_empty()) {
            return Err(ReplaceError(Reason::Empty(at)));
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .ascii_case_insensitive(ignore_case)
            .build(&old)
            .map_err(|error| ReplaceError(Reason::TooLarge(error)))?;
        // A string that begins with an earlier one of the list is never found, so no byte is held
        // back for it.
        let found = old.iter().enumerate().filter(|(at, old)| {
            let first = search.find(old.as_ref());
            first.is_some_and(|first| first.pattern().as_usize() == *at)
        });
        let mut sorted: Vec<Box<[u8]>> = found
            .map(|(_, old)| fold(old.as_ref(), ignore_case).into())
            .collect();
        sorted.sort();
        let pairs = || old.iter().zip(&new);
        let settings: &[u8] = if ignore_case {
            b"replace 1 i"
        } else {
            b"replace 1"
        };
        let texts = pairs().flat_map(|(old, new)| [old.as_ref(), new.as_ref()]);
        let strings = Strings {
            growth: pairs()
                .map(|(old, new)| {
                    new.as_ref()
                        .len()
                        .min(COPY_BELOW)
                        .div_ceil(old.as_ref().len())
                })
                .fold(1, usize::max),
            longest: sorted.iter().map(|old| old.len()).max().unwrap_or(1),
            same_length: pairs().all(|(old, new)| old.as_ref().len() == new.as_ref().len()),
            tag: Tag::of(std::iter::once(settings).chain(texts)),
            new: new
                .iter()
                .map(|new| Bytes::copy_from_slice(new.as_ref()))
                .collect(),
            search,
            sorted,
            ignore_case,
        };
        Ok(Self {
            strings: Arc::new(strings),
            once: false,
            held: Vec::new(),
            used: Vec::new(),
        })
    }

    /// Writes the string that was found at the start of the text, or its replacement. Returns
    /// whether there are strings left to find.
    fn put(&mut self, which: usize, text: &mut Bytes, length: usize, out: &mut Sink) -> bool {
        if self.once && std::mem::replace(&mut self.used[which], true) {
            pass_front(text, length, out);
            return true;
        }
        text.advance(length);
        out.pass(self.strings.new[which].clone());
        !self.is_spent()
    }

    fn is_spent(&self) -> bool {
        self.once && self.used.iter().all(|used| *used)
    }
}

impl Strings {
    /// Returns the first position up to `last` at which a string may begin that ends after the
    /// text.
    fn undecided(&self, text: &[u8], last: usize) -> Option<usize> {
        let border = text.len().saturating_sub(self.longest - 1);
        if last < border {
            return None;
        }
        let tail = fold(&text[border..], self.ignore_case);
        (border..text.len().min(last + 1)).find(|place| {
            let end = &tail[place - border..];
            let next = self.sorted.partition_point(|string| **string <= *end);
            self.sorted
                .get(next)
                .is_some_and(|string| string.starts_with(end))
        })
    }
}

impl Rewriter for Replace {
    fn rewrite(&mut self, chunk: Bytes, out: &mut Sink) {
        if self.is_spent() {
            return out.pass(chunk);
        }
        let mut text = chunk;
        if !self.held.is_empty() {
            self.held.extend_from_slice(&text);
            text = std::mem::take(&mut self.held).into();
        }
        let strings = self.strings.clone();
        while let Some(found) = strings.search.find(&text) {
            if strings.undecided(&text, found.start()).is_some() {
                break;
            }
            pass_front(&mut text, found.start(), out);
            let which = found.pattern().as_usize();
            if !self.put(which, &mut text, found.len(), out) {
                return out.pass(text);
            }
        }
        let decided = strings.undecided(&text, text.len()).unwrap_or(text.len());
        pass_front(&mut text, decided, out);
        self.held.extend_from_slice(&text);
    }

    fn finish(&mut self, out: &mut Sink) {
        // The held bytes are not the beginning of a string, but may include a shorter one.
        let mut text = Bytes::from(std::mem::take(&mut self.held));
        let strings = self.strings.clone();
        while let Some(found) = strings.search.find(&text) {
            pass_front(&mut text, found.start(), out);
            let which = found.pattern().as_usize();
            if !self.put(which, &mut text, found.len(), out) {
                break;
            }
        }
        out.pass(text);
    }

    fn abandon(&mut self, out: &mut Sink) {
        out.put(&std::mem::take(&mut self.held));
    }

    fn tag(&self) -> Option<Tag> {
        let once = self.once.then(|| Tag::of([&b"once"[..]]));
        Some(once.map_or(self.strings.tag, |once| self.strings.tag.and(once)))
    }

    fn growth(&self) -> usize {
        self.strings.growth
    }

    fn new_length(&self, length: u64) -> Option<u64> {
        self.strings.same_length.then_some(length)
    }
}

fn pass_front(text: &mut Bytes, length: usize, out: &mut Sink) {
    out.pass_part(text, 0..length);
    text.advance(length);
}

fn fold(text: &[u8], ignore_case: bool) -> Cow<'_, [u8]> {
    match ignore_case {
        true => text.to_ascii_lowercase().into(),
        false => text.into(),
    }
}

/// The error of a list of strings to replace.
///
/// # Examples
///
/// ```
/// use tower_body_rewrite::{Replace, ReplaceErrorKind};
///
/// let error = Replace::new([("", "a")]).unwrap_err();
/// assert_eq!(error.kind(), ReplaceErrorKind::Empty);
/// ```
#[derive(Clone, Debug)]
pub struct ReplaceError(Reason);

/// The kind of a [`ReplaceError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplaceErrorKind {
    /// There are no strings to replace.
    NoPairs,
    /// A string to replace is empty.
    Empty,
    /// The strings are too many or too long. The source has the limit.
    TooLarge,
}

impl ReplaceError {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ReplaceErrorKind {
        match self.0 {
            Reason::NoPairs => ReplaceErrorKind::NoPairs,
            Reason::Empty(_) => ReplaceErrorKind::Empty,
            Reason::TooLarge(_) => ReplaceErrorKind::TooLarge,
        }
    }
}

#[derive(Clone, Debug)]
enum Reason {
    NoPairs,
    Empty(usize),
    TooLarge(BuildError),
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::NoPairs => f.write_str("expected a string to replace, found none"),
            Reason::Empty(at) => write!(
                f,
                "expected a string to replace, found an empty one in pair {}",
                at + 1
            ),
            Reason::TooLarge(_) => f.write_str("the strings to replace are too many or too long"),
        }
    }
}

impl Error for ReplaceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::TooLarge(error) => Some(error),
            Reason::NoPairs | Reason::Empty(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through<'a>(mut replace: Replace, chunks: impl IntoIterator<Item = &'a str>) -> String {
        let mut sink = Sink::default();
        for chunk in chunks {
            replace.rewrite(Bytes::copy_from_slice(chunk.as_bytes()), &mut sink);
        }
        replace.finish(&mut sink);
        let frames: Vec<_> = std::iter::from_fn(|| sink.next_frame()).flatten().collect();
        String::from_utf8(frames).unwrap()
    }

    #[test]
    fn body_rewrite_2_strings_are_replaced_in_their_order() {
        let replace = Replace::new([("abc", "1"), ("b", "2"), ("bcd", "3"), ("é", "e")]).unwrap();
        let table: [(&[&str], &str); 8] = [
            (&["xabcx"], "x1x"),
            (&["xa", "b", "cx"], "x1x"),
            // The beginning of the first string was the second one.
            (&["xab", "x"], "xa2x"),
            (&["xab"], "xa2"),
            // The second is before the third in the list, so the third is never found.
            (&["bcd"], "2cd"),
            (&["abab", "cab"], "a21a2"),
            (&["caf", "é"], "cafe"),
            (&["", "a", ""], "a"),
        ];
        for (chunks, expected) in table {
            assert_eq!(
                through(replace.clone(), chunks.iter().copied()),
                expected,
                "{chunks:?}"
            );
        }
    }

    #[test]
    fn body_rewrite_2_once_replaces_at_the_first_position() {
        let replace = Replace::new([("a", "1"), ("b", "2")]).unwrap().once();
        assert_eq!(through(replace.clone(), ["aa", "bab"]), "1a2ab");
        assert_eq!(through(replace, ["bb"]), "2b");

        // Then there is nothing left to find, and nothing is held back.
        let mut replace = Replace::new([("ab", "")]).unwrap().once();
        let mut sink = Sink::default();
        replace.rewrite(Bytes::from_static(b"ab."), &mut sink);
        replace.rewrite(Bytes::from_static(b"a"), &mut sink);
        assert_eq!(sink.next_frame().as_deref(), Some(&b".a"[..]));
    }

    #[test]
    fn body_rewrite_2_case_can_be_ignored() {
        let pairs = [("</Body>", "!")];
        let replace = Replace::ignoring_case(pairs).unwrap();
        assert_eq!(through(replace, ["é</BO", "dy></body", ">"]), "é!!");
        let replace = Replace::new(pairs).unwrap();
        assert_eq!(through(replace, ["</body></Body>"]), "</body>!");
    }

    #[test]
    fn body_rewrite_3_only_the_beginning_of_a_string_is_held() {
        let mut replace =
            Replace::new([("abcabd", ""), ("bx", ""), ("b", "2"), ("bcc", "")]).unwrap();
        let mut sink = Sink::default();
        let table = [
            ("what ab", Some("what ")),
            ("ca", None),
            ("bc", Some("a2c")),
            ("z", Some("a2cz")),
            ("b", None),
            // "bcc" is never found, because "b" is before it in the list.
            ("c", Some("2c")),
        ];
        for (chunk, expected) in table {
            replace.rewrite(Bytes::from_static(chunk.as_bytes()), &mut sink);
            let out = sink.next_frame();
            assert_eq!(
                out.as_deref(),
                expected.map(str::as_bytes),
                "after {chunk:?}"
            );
        }
    }

    #[test]
    fn body_rewrite_10_held_bytes_come_before_an_error() {
        let mut replace = Replace::new([("abc", ""), ("b", "2")]).unwrap();
        let mut sink = Sink::default();
        replace.rewrite(Bytes::from_static(b"ab"), &mut sink);
        replace.abandon(&mut sink);
        assert_eq!(sink.next_frame().as_deref(), Some(&b"ab"[..]));
    }

    #[test]
    fn body_rewrite_6_the_strings_decide_tag_and_length() {
        let tags = [
            Replace::new([("a", "b")]),
            Replace::new([("a", "c")]),
            Replace::new([("a", "b")]).map(Replace::once),
            Replace::ignoring_case([("a", "b")]),
            Replace::new([("ab", "")]),
            Replace::new([("a", "b"), ("c", "dd")]),
        ]
        .map(|replace| replace.unwrap().tag().unwrap());
        for (at, tag) in tags.iter().enumerate() {
            assert!(!tags[..at].contains(tag), "{at}");
        }
        assert_eq!(
            Replace::new([("a", "b"), ("cd", "ef")])
                .unwrap()
                .new_length(9),
            Some(9)
        );
        assert_eq!(
            Replace::new([("a", "b"), ("c", "dd")])
                .unwrap()
                .new_length(9),
            None
        );
    }

    #[test]
    fn body_rewrite_14_strings_that_cannot_be_found() {
        let none: [(&str, &str); 0] = [];
        let table = [
            (
                Replace::new(none),
                "expected a string to replace, found none",
            ),
            (
                Replace::new([("a", ""), ("", "b")]),
                "expected a string to replace, found an empty one in pair 2",
            ),
        ];
        for (replace, expected) in table {
            assert_eq!(replace.unwrap_err().to_string(), expected);
        }
    }
}
