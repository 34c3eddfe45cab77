//! Entity tags of rewritten bodies (RFC 9110, section 8.8.3): the inner service's, with a mark of the rewriting
//! put in on the way out and taken out on the way in.

use std::hash::Hasher;

use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};
use siphasher::sip::SipHasher24;
use tower_kit::entity_tag::{self, EntityTag};

/// What stands before the mark, in an opaque tag.
const SIGN: u8 = b'~';
/// `~`, `s` or `w`, and sixteen digits.
const MARK: usize = 18;

/// Tells one rewriting from another: two rewriters with the same tag make the same of the same body.
///
/// A response's `ETag` is made weak and gets the tag mixed in, so that a cache's copy is confirmed as long as neither the
/// inner service's body nor the rewriting changes. It is a hash of 64 bits, the same on every machine and in every release, from which the
/// parts cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// The tag of everything that the result depends on but the body: the rewriter's name, its settings, and a
    /// version that is raised when the code changes.
    ///
    /// ```
    /// # use tower_body_rewrite::Tag;
    /// assert_ne!(Tag::of([b"footer", &b"bye"[..]]), Tag::of([b"footerb", &b"ye"[..]]));
    /// ```
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = SipHasher24::new();
        for part in parts {
            hasher.write(&(part.len() as u64).to_le_bytes());
            hasher.write(part);
        }
        Self(hasher.finish())
    }

    /// The tag of two things together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// The rewritten body's entity tag, if the inner one is well-formed. It is weak, since it says of the rewritten bytes no more than that they were made of the same ones.
    pub(crate) fn mix_into(self, etag: &HeaderValue) -> Option<HeaderValue> {
        let EntityTag { weak, opaque } = EntityTag::parse(etag.as_bytes())?;
        let kind = if weak { b'w' } else { b's' };
        let digits = format!("{:016x}", self.0);
        let etag = [b"W/\"", opaque, &[SIGN, kind], digits.as_bytes(), b"\""].concat();
        HeaderValue::from_maybe_shared(bytes::Bytes::from(etag)).ok()
    }
}

/// Returns the inner service's own entity tag and the tag that was mixed into it, if one was.
fn unmix(tag: EntityTag<'_>) -> Option<(EntityTag<'_>, Tag)> {
    let (opaque, mark) = tag
        .opaque
        .split_at_checked(tag.opaque.len().checked_sub(MARK)?)?;
    let [SIGN, kind @ (b's' | b'w'), digits @ ..] = mark else {
        return None;
    };
    let lower = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !tag.weak || !digits.iter().all(lower) {
        return None;
    }
    let mixed = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let weak = *kind == b'w';
    Some((EntityTag { weak, opaque }, Tag(mixed)))
}

/// The copies that a client has and that came from a layer like this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Copies {
    /// The inner service's opaque tag, and the tag that was mixed into it.
    ours: Vec<(Vec<u8>, Tag)>,
    /// It has others, too.
    others: bool,
}

impl Copies {
    /// Those that `If-None-Match` names (RFC 9110, section 13.1.2).
    pub(crate) fn named_in(headers: &HeaderMap) -> Self {
        let mut copies = Self::default();
        for (_, unmixed) in members(headers) {
            match unmixed {
                Some((inner, tag)) => copies.ours.push((inner.opaque.to_vec(), tag)),
                None => copies.others = true,
            }
        }
        copies
    }

    /// None of them came from a layer like this one.
    pub(crate) fn are_all_foreign(&self) -> bool {
        self.ours.is_empty()
    }

    /// A 304 with this `ETag` confirms a copy of ours, whose rewriting is this.
    ///
    /// A 304 without one confirms any of those that were asked about, so that all must have this rewriting.
    pub(crate) fn are_confirmed(&self, etag: Option<EntityTag<'_>>, current: Tag) -> bool {
        match etag {
            Some(etag) => self
                .ours
                .iter()
                .any(|(opaque, tag)| opaque == etag.opaque && *tag == current),
            None => !self.others && self.ours.iter().all(|(_, tag)| *tag == current),
        }
    }

    /// A 304 with this `ETag` is certainly about a copy that did not come from a layer like this one.
    pub(crate) fn are_beside(&self, etag: Option<EntityTag<'_>>) -> bool {
        etag.is_some_and(|etag| self.ours.iter().all(|(opaque, _)| opaque != etag.opaque))
    }
}

/// Takes the tags out of `If-None-Match`, so that the inner service finds its own entity tags there, to the byte.
pub(crate) fn take_tags_out(headers: &mut HeaderMap) {
    let list: Vec<Vec<u8>> = members(headers)
        .map(|(text, unmixed)| match unmixed {
            Some((inner, _)) => inner.to_bytes(),
            None => text.to_vec(),
        })
        .collect();
    if let Ok(value) = HeaderValue::from_maybe_shared(bytes::Bytes::from(list.join(&b", "[..]))) {
        headers.insert(IF_NONE_MATCH, value);
    }
}

/// The members of `If-None-Match`, and those of them that came from a layer like this one taken apart.
fn members(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], Option<(EntityTag<'_>, Tag)>)> {
    entity_tag::members(headers, &IF_NONE_MATCH)
        .map(|text| (text, EntityTag::parse(text).and_then(unmix)))
}
