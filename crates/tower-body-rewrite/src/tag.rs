//! Entity tags of rewritten bodies (RFC 9110, section 8.8.3). They are those of the inner service
//! with a suffix for the rewriting. A response gets the suffix, and a request loses it.

use std::hash::Hasher;

use http::{HeaderMap, HeaderValue, header::IF_NONE_MATCH};
use siphasher::sip::SipHasher24;
use tower_kit::entity_tag::{self, EntityTag};

/// The first byte of the suffix of an opaque tag.
const SIGN: u8 = b'~';
/// The length of the suffix: `~`, `s` or `w`, and sixteen digits.
const SUFFIX: usize = 18;

/// An identifier of a rewriting. Two rewriters with the same tag make the same body of the same
/// body.
///
/// A response's `ETag` is made weak, and the tag is mixed in. So a cache's copy is confirmed as
/// long as neither the inner service's body nor the rewriting changes.
///
/// It is a hash of 64 bits, the same on every machine and in every release. The parts cannot be
/// read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// Returns the tag of everything that the result depends on, except the body: the rewriter's
    /// name, its settings, and a version that changes with the code.
    ///
    /// # Examples
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

    /// Returns the tag of two rewritings together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// Returns the rewritten body's entity tag, if the inner one is well-formed. It is weak,
    /// because it stands for the inner bytes and not for the rewritten ones.
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
    let (opaque, suffix) = tag
        .opaque
        .split_at_checked(tag.opaque.len().checked_sub(SUFFIX)?)?;
    let [SIGN, kind @ (b's' | b'w'), digits @ ..] = suffix else {
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

/// The copies of a client that came from a layer like this one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Copies {
    /// The inner service's opaque tag, and the tag that was mixed into it.
    ours: Vec<(Vec<u8>, Tag)>,
    /// Whether the client has others, too.
    others: bool,
}

impl Copies {
    /// Returns the copies that `If-None-Match` names (RFC 9110, section 13.1.2).
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

    /// Returns whether none of them came from a layer like this one.
    pub(crate) fn are_all_foreign(&self) -> bool {
        self.ours.is_empty()
    }

    /// Returns whether a 304 with this `ETag` confirms a copy with the current rewriting.
    ///
    /// A 304 without an `ETag` may confirm any of the copies, so all must have this rewriting.
    pub(crate) fn are_confirmed(&self, etag: Option<EntityTag<'_>>, current: Tag) -> bool {
        match etag {
            Some(etag) => self
                .ours
                .iter()
                .any(|(opaque, tag)| opaque == etag.opaque && *tag == current),
            None => !self.others && self.ours.iter().all(|(_, tag)| *tag == current),
        }
    }

    /// Returns whether a 304 with this `ETag` is certainly about a copy that did not come from a
    /// layer like this one.
    pub(crate) fn are_beside(&self, etag: Option<EntityTag<'_>>) -> bool {
        etag.is_some_and(|etag| self.ours.iter().all(|(opaque, _)| opaque != etag.opaque))
    }
}

/// Removes this layer's part of the entity tags in `If-None-Match`, so that the inner service finds
/// exactly its own there.
pub(crate) fn remove_tags(headers: &mut HeaderMap) {
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

/// Returns the members of `If-None-Match`, with the parts of those that came from a layer like this
/// one.
fn members(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], Option<(EntityTag<'_>, Tag)>)> {
    entity_tag::members(headers, &IF_NONE_MATCH)
        .map(|text| (text, EntityTag::parse(text).and_then(unmix)))
}
