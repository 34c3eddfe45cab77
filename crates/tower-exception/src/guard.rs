//! Running other people's code without being torn down by it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{backtrace::Trace, hook};

/// A panic that was caught.
pub(crate) struct Panic {
    pub(crate) message: String,
    /// If the panic hook is there.
    pub(crate) trace: Option<Trace>,
}

/// What a panic has thrown. Whoever wants to know more makes a [`Panic`] of it before other code runs under guard.
///
/// That is not done at once so that a result comes out of the guard as it went in, and is not moved once more.
pub(crate) struct Payload(Box<dyn Any + Send>);

impl Drop for Payload {
    fn drop(&mut self) {
        discard(mem::replace(&mut self.0, Box::new(())));
    }
}

/// Runs `f`.
///
/// What `f` borrows may be left half changed by a panic. Callers drop it, or replace it, and use it for
/// nothing else.
#[inline]
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Payload> {
    hook::forget();
    catch_unwind(AssertUnwindSafe(f)).map_err(Payload)
}

impl From<Payload> for Panic {
    #[cold]
    fn from(payload: Payload) -> Self {
        let text = hook::text(&*payload.0);
        Self {
            message: text
                .unwrap_or("(a panic whose payload is not text)")
                .to_owned(),
            trace: hook::trace_of(&*payload.0),
        }
    }
}

/// Drops a value whose `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Whoever panics in `Drop` may do so again when this is dropped: rust-lang/rust#86027.
        mem::forget(panic);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped, with another one of its kind.
    struct Bomb(u8);

    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.0 > 0 {
                panic_any(Bomb(self.0 - 1));
            }
        }
    }

    #[test]
    fn a_panic_becomes_its_message() {
        fn message(f: impl FnOnce()) -> Option<String> {
            catch(f).err().map(|payload| Panic::from(payload).message)
        }
        assert_eq!(message(|| ()), None);
        assert_eq!(message(|| panic!("text")).unwrap(), "text");
        assert_eq!(message(|| panic!("number {}", 3)).unwrap(), "number 3");
        let other = "(a panic whose payload is not text)";
        assert_eq!(message(|| panic_any(3)).unwrap(), other);
        assert_eq!(message(|| panic_any(Bomb(3))).unwrap(), other);
    }

    #[test]
    fn a_panic_in_drop_does_not_leave_discard() {
        discard(Bomb(0));
        discard(Bomb(3));
    }
}
