//! The panic hook: where a panic happened, and how the program had got there. Only the hook can know.

use std::{
    any::{Any, TypeId},
    cell::{Cell, RefCell},
    panic::{self, PanicHookInfo},
    sync::Once,
    thread,
};

use tower_kit::guard::message;

use crate::backtrace::{Location, Trace};

thread_local! {
    /// Whether there is something in `LAST`, which costs next to nothing to ask.
    static SEEN: Cell<bool> = const { Cell::new(false) };
    /// What the hook saw last on this thread. There are several where a panic was dealt with while another one unwinds.
    static LAST: RefCell<Vec<Seen>> = const { RefCell::new(Vec::new()) };
}

/// How many are kept.
const MOST: usize = 8;

struct Seen {
    payload: Payload,
    trace: Trace,
}

/// What a panic's payload can be recognised by, so that one that somebody has caught and dealt with is not taken for the
/// next one, and one that is resumed is.
enum Payload {
    Text(String),
    Other(TypeId),
}

impl Payload {
    fn of(payload: &(dyn Any + Send)) -> Self {
        match message(payload) {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Other(payload.type_id()),
        }
    }

    /// A formatted message is a `String` here and may be something else in the hook.
    fn is(&self, payload: &(dyn Any + Send)) -> bool {
        match (self, message(payload)) {
            (Self::Text(seen), Some(text)) => seen == text,
            (Self::Other(seen), None) => *seen == payload.type_id(),
            _ => false,
        }
    }
}

/// Makes incidents know where a panic happened and how the program had got there. Once, at the start of `main`.
///
/// The hook that there was is called after it, so that what it prints, and what other tools report, stays as it is. Calling it again does nothing;
/// nor does calling it from a thread that panics. So call it after whatever sets a hook and does not call the one before it.
///
/// A backtrace is captured with every panic of the process, whatever `RUST_BACKTRACE` says, as addresses; names and lines are looked up when
/// somebody first asks for them. Of panics that no [`ExceptionLayer`](crate::ExceptionLayer) catches nothing is kept but each thread's last few.
pub fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    if thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            see(info);
            previous(info);
        }));
    });
}

/// No code of the panic's own runs here: a second panic within a hook aborts the process.
fn see(info: &PanicHookInfo<'_>) {
    let seen = Seen {
        payload: Payload::of(info.payload()),
        trace: Trace::capture(info.location().map(Location::from)),
    };
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.truncate(MOST - 1);
            last.insert(0, seen);
        }
    });
    SEEN.set(true);
}

/// Forgets panics that other code has caught: the next one is another panic.
// Inlined without its rare part: it runs eight times for each request (`overhead/exception-good-path`).
#[inline]
pub(crate) fn forget() {
    if SEEN.get() {
        forget_seen();
    }
}

#[cold]
fn forget_seen() {
    SEEN.set(false);
    drop(LAST.try_with(RefCell::take));
}

/// Returns the message of a panic, which was caught on this thread just now, and its trace if the
/// hook has seen it.
pub(crate) fn look_up(payload: &(dyn Any + Send)) -> (Option<String>, Option<Trace>) {
    let seen = LAST.try_with(RefCell::take).unwrap_or_default();
    match seen.into_iter().find(|seen| seen.payload.is(payload)) {
        Some(seen) => match seen.payload {
            Payload::Text(text) => (Some(text), Some(seen.trace)),
            Payload::Other(_) => (None, Some(seen.trace)),
        },
        None => (message(payload).map(str::to_owned), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_panics_that_are_caught_elsewhere_the_last_eight_are_kept() {
        install_panic_hook();
        for _ in 0..20 {
            assert!(panic::catch_unwind(|| panic!("elsewhere")).is_err());
        }
        assert_eq!(LAST.with_borrow(Vec::len), 8);
        forget();
        assert_eq!(LAST.with_borrow(Vec::len), 0);
        assert!(!SEEN.get());
    }
}
