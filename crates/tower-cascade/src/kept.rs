//! The head of a request, kept while a service has it.
//!
//! A service takes the head, and the next one needs it only if the request falls through. A clone
//! of a browser's header map is a dozen reference counts and some tables. To copy its values into
//! one buffer takes half of that time, but to make a map of them again takes more than a clone. So
//! headers are packed for a service that mostly responds itself, and copied for one that mostly
//! falls through, see [`Habit`]. The next service gets the same headers in either case.

use std::{
    cell::RefCell,
    mem,
    sync::atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts,
};

/// A copy of a request's head, kept for the services that may follow.
///
/// All requests move it often, so it is a box. The box is taken from the thread's stock and
/// returned there, which costs no allocation. For `ratios` cascade/first-answers.
pub(crate) struct Kept(Option<Box<Head>>);

#[derive(Default)]
struct Head {
    /// The whole head, if it was cloned. `None` in the stock, and once the next service has it.
    cloned: Option<Parts>,
    /// The head without its headers, if these are packed.
    rest: Option<Rest>,
    packed: Packed,
}

/// The other fields of a head.
struct Rest {
    method: Method,
    uri: Uri,
    version: Version,
    extensions: Extensions,
}

/// Headers as names and one text. A map that is packed into the memory of another has mostly the
/// same names, which are compared and not copied.
#[derive(Default)]
struct Packed {
    /// The names of the headers, and perhaps more.
    names: Vec<HeaderName>,
    /// Whether a name is too long to be kept in the stock.
    has_long_name: bool,
    /// One for each header. Empty if no headers are packed.
    marks: Vec<Mark>,
    /// The number of different names among these headers.
    different: usize,
    /// The values, one after the other.
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
    pub(crate) fn new() -> Self {
        let unused = UNUSED.try_with(|unused| unused.try_borrow_mut().ok()?.pop());
        Self(Some(unused.ok().flatten().unwrap_or_default()))
    }

    /// Keeps a copy of the head for a service that another one may follow.
    #[inline]
    pub(crate) fn keep(&mut self, parts: &Parts, habit: &Habit) {
        let head = self.0.as_mut().expect(WHOLE);
        if habit.falls_through() {
            head.cloned = Some(parts.clone());
            return;
        }
        head.packed.pack(&parts.headers);
        head.rest = Some(Rest {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            version: parts.version,
            extensions: parts.extensions.clone(),
        });
    }

    #[inline]
    pub(crate) fn method(&self) -> &Method {
        let head = self.0.as_ref().expect(WHOLE);
        match (&head.cloned, &head.rest) {
            (Some(parts), _) => &parts.method,
            (None, rest) => &rest.as_ref().expect(WHOLE).method,
        }
    }

    /// Returns the head as it was, for the next service.
    #[inline]
    pub(crate) fn take(&mut self) -> Parts {
        let head = self.0.as_mut().expect(WHOLE);
        match head.cloned.take() {
            Some(parts) => parts,
            None => head.unpack(),
        }
    }
}

impl Head {
    #[cold]
    fn unpack(&mut self) -> Parts {
        let rest = self.rest.take().expect(WHOLE);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.method = rest.method;
        parts.uri = rest.uri;
        parts.version = rest.version;
        parts.headers = self.packed.unpack();
        parts.extensions = rest.extensions;
        parts
    }
}

const WHOLE: &str = "a head is kept until it is taken";

impl Drop for Kept {
    #[inline]
    fn drop(&mut self) {
        let Some(mut head) = self.0.take() else {
            return;
        };
        // Extensions are user code.
        head.cloned = None;
        head.rest = None;
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
        self.different = headers.keys_len();
        for (name, value) in headers {
            let index = self.marks.len();
            if self.names.get(index) != Some(name) {
                self.set_name(index, name);
            }
            self.marks
                .push(value.len() << 1 | usize::from(value.is_sensitive()));
            self.text.extend_from_slice(value.as_bytes());
        }
    }

    #[cold]
    fn set_name(&mut self, index: usize, name: &HeaderName) {
        self.has_long_name |= name.as_str().len() > LONG_NAME;
        self.names.truncate(index);
        self.names.push(name.clone());
    }

    /// Returns a map that is equal to the one that was packed. Its values share the text.
    #[cold]
    fn unpack(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.different);
        let text = Bytes::from(mem::take(&mut self.text));
        let mut end = 0;
        for (name, mark) in self.names.iter().zip(self.marks.drain(..)) {
            let start = end;
            end += mark >> 1;
            let value = HeaderValue::from_maybe_shared(text.slice(start..end));
            // To leave a header out could be to leave out a condition or a credential.
            let mut value = value.expect("a map had this value");
            value.set_sensitive(mark & 1 == 1);
            headers.append(name, value);
        }
        headers
    }

    #[inline]
    fn clear(&mut self) {
        self.marks.clear();
        self.text.clear();
        if self.text.capacity() > TEXT {
            self.text.shrink_to(TEXT);
        }
        if self.has_long_name || self.names.len() > NAMES {
            *self = Self::default();
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
        let parts = request.into_parts().0;
        let (mut kept, habit) = (Kept::new(), Habit::new());
        assert!(!habit.falls_through());
        kept.keep(&parts, &habit);
        kept.take().headers
    }

    /// Returns what can be seen of a map: its headers in their order.
    fn seen(headers: &HeaderMap) -> Vec<(&HeaderName, &HeaderValue, bool)> {
        let headers = headers.iter();
        headers
            .map(|(name, value)| (name, value, value.is_sensitive()))
            .collect()
    }

    /// Lines of headers, and a name that is removed from them, because the order of a map changes
    /// with a removal.
    fn maps() -> impl Strategy<Value = HeaderMap> {
        let line = (
            "[a-c]|host|accept|x-[a-z]{60,90}",
            "[\\t -~\u{80}-\u{ff}]{0,40}",
            any::<bool>(),
        );
        let lines = prop::collection::vec(line, 0..30);
        (lines, "[a-c]").prop_map(|(lines, removed)| {
            let mut headers = HeaderMap::new();
            for (name, value, is_sensitive) in &lines {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                let mut value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                value.set_sensitive(*is_sensitive);
                headers.append(name, value);
            }
            headers.remove(removed.as_str());
            headers
        })
    }

    #[test]
    fn cascade_2_packed_headers_are_the_same() {
        proptest!(|(headers in maps())| {
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
