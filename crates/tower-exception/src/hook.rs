//! The panic hook. Only a hook learns the location and the backtrace of a panic.

use std::{
    any::{Any, TypeId},
    cell::{Cell, RefCell},
    panic::{self, PanicHookInfo},
    sync::Once,
    thread,
};

use tower_kit::guard::message;

use crate::backtrace::{PanicLocation, Trace};

thread_local! {
    /// Whether `LAST` has entries. It is cheaper to read than `LAST`.
    static SEEN: Cell<bool> = const { Cell::new(false) };
    /// The last panics of this thread. There are several if one was caught while another unwinds.
    static LAST: RefCell<Vec<Seen>> = const { RefCell::new(Vec::new()) };
}

/// The most panics that are kept for a thread.
const MOST: usize = 8;

struct Seen {
    payload: Payload,
    trace: Trace,
}

/// The property by which the payload of a panic is recognized. A panic that was caught elsewhere is
/// not taken for the next one, and a panic that is resumed is still the same.
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

    /// Returns whether it is the same payload. A formatted message is a `String` here, and may be
    /// of another type in the hook.
    fn is(&self, payload: &(dyn Any + Send)) -> bool {
        match (self, message(payload)) {
            (Self::Text(seen), Some(text)) => seen == text,
            (Self::Other(seen), None) => *seen == payload.type_id(),
            _ => false,
        }
    }
}

/// Installs the panic hook that gives incidents their location and their backtrace. Call it once,
/// at the start of `main`.
///
/// The previous hook is called after it, so its output and the reports of other tools stay the
/// same. A second call does nothing, and neither does a call from a thread that panics. If other
/// code sets a hook that does not call the previous one, call this function after that.
///
/// The hook captures a backtrace of every panic in the process, with any `RUST_BACKTRACE`. It
/// captures addresses only. Names and lines are looked up when [`Incident::frames`] is first
/// called. If no [`ExceptionLayer`](crate::ExceptionLayer) catches a panic, only the last few of
/// each thread are kept.
///
/// Rust's own hook writes each panic to standard error, so with [`to_stderr`](crate::to_stderr) a
/// panic is there twice. A hook that does nothing, set before this call, silences it.
///
/// ```
/// use std::panic;
///
/// use tower_exception::install_panic_hook;
///
/// // Also silences panics that no layer catches.
/// panic::set_hook(Box::new(|_| {}));
/// install_panic_hook();
/// ```
///
/// [`Incident::frames`]: crate::Incident::frames
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

/// Records a panic. No user code runs here, because a second panic within a hook aborts the
/// process.
fn see(info: &PanicHookInfo<'_>) {
    let seen = Seen {
        payload: Payload::of(info.payload()),
        trace: Trace::capture(info.location().map(PanicLocation::new)),
    };
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            last.truncate(MOST - 1);
            last.insert(0, seen);
        }
    });
    SEEN.set(true);
}

/// Clears panics that other code has caught. The next one is another panic.
// Inlined without its rare part: it runs eight times for each request
// (`overhead/exception-good-path`).
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
    fn exception_18_the_last_eight_other_panics_are_kept() {
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
