//! The head of a request, kept while a service has it.
//!
//! A service takes the head, and the next one needs it only if the request falls through. A clone
//! of a browser's header map is a dozen reference counts and some tables. To copy its values into
//! one buffer takes half of that time, but to make a map of them again takes more than a clone. So
//! headers are packed for a service that mostly responds itself, and cloned for one that mostly
//! falls through, see [`Habit`]. The next service gets the same headers in either case.

use std::{
    cell::RefCell,
    mem,
    sync::atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};

/// A request's head, kept for the services that may follow.
///
/// All requests move it often, so it is a box. The box is taken from the thread's stock and
/// returned there, which costs no allocation. For `ratios` cascade/first-answers.
pub(crate) struct Kept(Option<Box<Head>>);

#[derive(Default)]
struct Head {
    /// Without the headers while these are packed. `None` in the stock.
    parts: Option<Parts>,
    packed: Packed,
}

/// Headers as names and one text. A map that is packed into the memory of another has mostly the
/// same names, which are compared and not copied.
#[derive(Default)]
struct Packed {
    /// The number of headers, and of different names among them. `None` if no headers are packed.
    counts: Option<(usize, usize)>,
    /// The names of these headers, and perhaps more.
    names: Vec<HeaderName>,
    /// Whether a name is too long to be kept in the stock.
    has_long_name: bool,
    /// For each header a [`Mark`] and the value.
    text: Vec<u8>,
}

/// Twice the length of a value, and one more if the value is sensitive.
type Mark = usize;

/// The most boxes that a thread keeps, and the most names and bytes of text in each.
const STOCK: usize = 64;
const NAMES: usize = 64;
const LONG_NAME: usize = 64;
const TEXT: usize = 4096;

thread_local! {
    #[allow(clippy::vec_box, reason = "the boxes themselves are kept")]
    static UNUSED: RefCell<Vec<Box<Head>>> = const { RefCell::new(Vec::new()) };
}

impl Kept {
    #[inline]
    pub(crate) fn new(parts: Parts) -> Self {
        let unused = UNUSED.try_with(|unused| unused.try_borrow_mut().ok()?.pop());
        let mut head = unused.ok().flatten().unwrap_or_default();
        head.parts = Some(parts);
        Self(Some(head))
    }

    #[inline]
    pub(crate) fn parts(&self) -> &Parts {
        let parts = self.0.as_ref().and_then(|head| head.parts.as_ref());
        parts.expect(WHOLE)
    }

    /// Returns the head for a service that another one may follow.
    #[inline]
    pub(crate) fn lend(&mut self, habit: &Habit) -> Parts {
        let head = self.0.as_mut().expect(WHOLE);
        let parts = head.parts.as_mut().expect(WHOLE);
        if habit.falls_through() {
            return parts.clone();
        }
        let headers = mem::take(&mut parts.headers);
        head.packed.pack(&headers);
        let mut parts = parts.clone();
        parts.headers = headers;
        parts
    }

    /// Makes the head whole again, for the next service.
    pub(crate) fn restore(&mut self) {
        if let Some(head) = &mut self.0
            && let Some(parts) = &mut head.parts
            && let Some(headers) = head.packed.unpack()
        {
            parts.headers = headers;
        }
    }

    /// Returns the head for a service that no other follows.
    #[inline]
    pub(crate) fn into_parts(mut self) -> Parts {
        let parts = self.0.as_mut().and_then(|head| head.parts.take());
        parts.expect(WHOLE)
    }
}

const WHOLE: &str = "the box and its parts leave only at the end";

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(mut head) = self.0.take() else {
            return;
        };
        // Extensions are user code.
        drop(head.parts.take());
        head.packed.clear();
        // A thread that ends has no stock.
        let _ = UNUSED.try_with(|unused| {
            if let Ok(mut unused) = unused.try_borrow_mut()
                && unused.len() < STOCK
            {
                unused.push(head);
            }
        });
    }
}

impl Packed {
    #[inline]
    fn pack(&mut self, headers: &HeaderMap) {
        let mut count = 0;
        for (name, value) in headers {
            if self.names.get(count) != Some(name) {
                self.set_name(count, name);
            }
            count += 1;
            let mark: Mark = value.len() << 1 | usize::from(value.is_sensitive());
            self.text.extend_from_slice(&mark.to_ne_bytes());
            self.text.extend_from_slice(value.as_bytes());
        }
        self.counts = Some((count, headers.keys_len()));
    }

    #[cold]
    fn set_name(&mut self, index: usize, name: &HeaderName) {
        self.has_long_name |= name.as_str().len() > LONG_NAME;
        self.names.truncate(index);
        self.names.push(name.clone());
    }

    /// Returns a map that is equal to the one that was packed, if one was. Its values share the
    /// text.
    #[cold]
    fn unpack(&mut self) -> Option<HeaderMap> {
        let (count, names) = self.counts.take()?;
        let mut headers = HeaderMap::with_capacity(names);
        let text = Bytes::from(mem::take(&mut self.text));
        let mut end = 0;
        for name in &self.names[..count] {
            let (mark, _) = text[end..].split_first_chunk().expect("each has a mark");
            let mark = Mark::from_ne_bytes(*mark);
            let start = end + size_of::<Mark>();
            end = start + (mark >> 1);
            let value = HeaderValue::from_maybe_shared(text.slice(start..end));
            // To leave a header out could be to leave out a condition or a credential.
            let mut value = value.expect("a map had this value");
            value.set_sensitive(mark & 1 == 1);
            headers.append(name, value);
        }
        Some(headers)
    }

    fn clear(&mut self) {
        self.counts = None;
        self.text.clear();
        if self.text.capacity() > TEXT {
            self.text.shrink_to(TEXT);
        }
        if mem::take(&mut self.has_long_name) || self.names.len() > NAMES {
            self.names = Vec::new();
        }
    }
}

/// What a service has mostly done with its last requests.
///
/// It only chooses between two ways to the same result, so no thread waits for another, and a lost
/// count does no harm. Nothing is written while a service always does the same.
#[derive(Debug)]
pub(crate) struct Habit(AtomicU8);

/// Above this, the last requests fell through.
const UNSURE: u8 = 1;
const SURE: u8 = 3;

impl Habit {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(UNSURE))
    }

    #[inline]
    pub(crate) fn falls_through(&self) -> bool {
        self.0.load(Ordering::Relaxed) > UNSURE
    }

    /// Notes what the service has done with a request.
    #[inline]
    pub(crate) fn note(&self, fell_through: bool) {
        let old = self.0.load(Ordering::Relaxed);
        let new = match fell_through {
            true => (old + 1).min(SURE),
            false => old.saturating_sub(1),
        };
        if new != old {
            self.0.store(new, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    /// Returns the headers that a second service gets.
    fn unpacked(headers: &HeaderMap) -> HeaderMap {
        let mut request = Request::new(());
        request.headers_mut().clone_from(headers);
        let mut kept = Kept::new(request.into_parts().0);
        let habit = Habit::new();
        assert!(!habit.falls_through());
        assert_eq!(kept.lend(&habit).headers, *headers);
        assert!(kept.parts().headers.is_empty());
        kept.restore();
        kept.into_parts().headers
    }

    /// Returns what can be seen of a map: its headers in their order.
    fn seen(headers: &HeaderMap) -> Vec<(&HeaderName, &HeaderValue, bool)> {
        let headers = headers.iter();
        headers
            .map(|(name, value)| (name, value, value.is_sensitive()))
            .collect()
    }

    #[test]
    fn cascade_2_packed_headers_are_the_same() {
        let line = (
            "[a-c]|host|accept|x-[a-z]{60,90}",
            "[\\t -~\u{80}-\u{ff}]{0,40}",
            any::<bool>(),
        );
        proptest!(|(lines in prop::collection::vec(line, 0..30), removed in "[a-c]")| {
            let mut headers = HeaderMap::new();
            for (name, value, is_sensitive) in &lines {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                value.set_sensitive(*is_sensitive);
                headers.append(name, value);
            }
            // The order of a map changes with a removal.
            headers.remove(removed.as_str());
            let unpacked = unpacked(&headers);
            prop_assert_eq!(seen(&unpacked), seen(&headers));
        });
    }

    #[test]
    fn cascade_2_the_largest_map_can_be_unpacked() {
        let mut headers = HeaderMap::new();
        let mut names = (0..).map(|number| HeaderName::try_from(format!("x-{number}")).unwrap());
        let one = HeaderValue::from_static("1");
        while headers
            .try_append(names.next().unwrap(), one.clone())
            .is_ok()
        {}
        assert!(headers.len() > 20_000);
        assert_eq!(seen(&unpacked(&headers)), seen(&headers));
    }

    #[test]
    fn cascade_20_a_habit_follows_the_last_requests() {
        let habit = Habit::new();
        let seen = |fell_through| {
            habit.note(fell_through);
            habit.falls_through()
        };
        let requests = [
            true, true, true, false, false, true, false, false, false, true, true,
        ];
        let expected = [
            true, true, true, true, false, true, false, false, false, false, true,
        ];
        assert_eq!(requests.map(seen), expected);
    }
}
