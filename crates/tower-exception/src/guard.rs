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

/// Runs `f`; a panic in it becomes what is known of it.
///
/// What `f` borrows may be left half changed by a panic. Callers drop it, or replace it, and use it for
/// nothing else.
#[inline]
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Box<Panic>> {
    hook::forget();
    catch_unwind(AssertUnwindSafe(f)).map_err(caught)
}

#[cold]
fn caught(payload: Box<dyn Any + Send>) -> Box<Panic> {
    Box::new(Panic {
        trace: hook::trace_of(&*payload),
        message: message(payload),
    })
}

/// Drops a value whose `Drop` may panic.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // Whoever panics in `Drop` may do so again when this is dropped: rust-lang/rust#86027.
        mem::forget(panic);
    }
}

fn message(payload: Box<dyn Any + Send>) -> String {
    let message = hook::text(&*payload).unwrap_or("(a panic whose payload is not text)");
    let message = message.to_owned();
    discard(payload);
    message
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
            catch(f).err().map(|panic| panic.message)
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
